package cli

import (
	"context"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/objects"
)

// TestNoStores: a goline without object stores says of a URL in one line where there is one with them: wrong usage, for
// every file that is read or written.
func TestNoStores(t *testing.T) {
	w := newWorld(t)
	t.Chdir(w.dir)
	det := w.fit(t)
	for _, args := range [][]string{
		{"score", "--detector", "s3://bucket/det.npz", "--data", "test.npz", "--out", "o.csv"},
		{"score", "--detector", det, "--data", "gs://bucket/*.tar", "--out", "o.csv"},
		{"score", "--detector", det, "--data", "list:azblob://bucket/list.txt", "--out", "o.csv"},
		{"score", "--detector", det, "--data", "test.npz", "--out", "s3://bucket/o.csv"},
		join([]string{"fit", "--data", "s3://bucket/train.npz", "--out", "o.npz"}, w.net()),
		{"fit", "--net", worldNet, "--weights", "s3://bucket/net.npz", "--data", "train.npz", "--out", "o.npz"},
		{"merge", "s3://bucket/part.npz", "--out", "o.npz"},
		{"list", "--data", "s3://bucket/folder", "--out", "o.txt"},
		{"inspect", "s3://bucket/det.npz"},
		{"serve", "--detector", "s3://bucket/det.npz"},
	} {
		code, stdout, stderr := runGoline(args...)
		require.Equal(t, exitUsage, code, "%q: %s", args, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "this goline was built without object stores", "%q", args)
		require.NotContains(t, entries(t, "."), "s3:")
	}
	code, _, stderr := runGoline("score", "--detector", det, "--data", "ftp://host/a.png", "--out", "o.csv")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `unknown scheme "ftp"`)
}

// refusing is a store whose objects nobody may read.
type refusing struct{ objects.Store }

func (refusing) Stat(context.Context, string) (objects.Info, error) {
	return objects.Info{}, fs.ErrPermission
}

func (refusing) Create(context.Context, string) (io.WriteCloser, error) { return nil, os.ErrPermission }

// TestStoreRefuses: an output in a store that does not answer is an error before any work.
func TestStoreRefuses(t *testing.T) {
	objects.Register("refusing", func(context.Context, string) (objects.Store, error) { return refusing{}, nil })
	w := newWorld(t)
	stderr := fails(t, "score", "--detector", w.fit(t), "--data", w.path("test.npz"), "--out",
		"refusing://bucket/o.csv")
	require.Contains(t, stderr, "--out refusing://bucket/o.csv: permission denied")
}
