package dataset

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/objects"
)

// storeOf is an object store of files in memory.
type storeOf struct{ files fstest.MapFS }

func (s storeOf) Stat(_ context.Context, key string) (objects.Info, error) {
	f := s.files[key]
	if f == nil {
		return objects.Info{}, fs.ErrNotExist
	}
	return objects.Info{Size: int64(len(f.Data))}, nil
}

func (s storeOf) Read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objects.Info, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, info, err
	}
	data := s.files[key].Data[offset:]
	if length >= 0 {
		data = data[:length]
	}
	return io.NopCloser(bytes.NewReader(data)), info, nil
}

func (storeOf) Create(context.Context, string) (io.WriteCloser, error) { return nil, fs.ErrPermission }

func (s storeOf) List(_ context.Context, prefix string, deep bool, _ []byte) (objects.Page, error) {
	var p objects.Page
	for key := range s.files {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		e := objects.Entry{Key: key}
		if i := strings.IndexByte(key[len(prefix):], '/'); i >= 0 && !deep {
			e = objects.Entry{Key: key[:len(prefix)+i+1], Folder: true}
		}
		if !slices.ContainsFunc(p.Entries, func(x objects.Entry) bool { return x.Key == e.Key }) {
			p.Entries = append(p.Entries, e)
		}
	}
	slices.SortFunc(p.Entries, func(a, b objects.Entry) int { return strings.Compare(a.Key, b.Key) })
	return p, nil
}

// TestStoreEqualsOpen: every format gives the same by URL from a store as from files.
func TestStoreEqualsOpen(t *testing.T) {
	t.Chdir(t.TempDir())
	specs := everyFormat(t)
	delete(specs, "classes/*") // its folders have different classes
	files := mapOf(t, ".")
	for name, f := range files {
		if f.Mode.IsDir() {
			delete(files, name)
		}
	}
	objects.Register("dataset", func(context.Context, string) (objects.Store, error) { return storeOf{files}, nil })
	const bucket = "dataset://bucket?parameter=1"
	for spec, of := range specs {
		m := regexp.MustCompile(`^([a-z0-9]+:)?(.*)$`).FindStringSubmatch(spec)
		url := m[1] + bucket + "/" + strings.ReplaceAll(m[2], "+", "+"+bucket+"/")
		want := mustOpen(t, spec)
		got, err := Open(url)
		require.NoError(t, err)
		require.Equal(t, want.Labels(), got.Labels(), url)
		require.Equal(t, want.Classes(), got.Classes(), url)
		require.Equal(t, ids(want), ids(got), url)
		for i := range want.Len() {
			a, err := want.Image(i)
			require.NoError(t, err)
			b, err := got.Image(i)
			require.NoError(t, err)
			require.Equal(t, a, b, url)
		}
		require.NoError(t, got.Close())
		read, err := Files(url)
		require.NoError(t, err)
		for i := range of {
			of[i] = bucket + "/" + of[i]
		}
		require.Equal(t, of, read)
		for _, file := range of {
			reads, err := Includes(url, file)
			require.NoError(t, err)
			require.True(t, reads, "%s %s", url, file)
		}
		reads, err := Includes(url, bucket+"/nowhere/a.png")
		require.NoError(t, err)
		require.False(t, reads, url)
	}
	reads, err := Includes(bucket+"/classes", bucket+"/classes/dog/new.png")
	require.NoError(t, err)
	require.True(t, reads)

	put(t, ".", "urls.txt", []byte(bucket+"/flat/a.jpg 3\n"))
	d := mustOpen(t, "urls.txt")
	require.Equal(t, []string{bucket + "/flat/a.jpg"}, ids(d))
	_, err = d.Image(0)
	require.NoError(t, err)
	_, err = Open(bucket + "/none.npz")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, bucket+"/none.npz")
}
