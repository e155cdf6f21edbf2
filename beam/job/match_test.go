package job

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local"
	"github.com/stretchr/testify/require"
)

// heldMemory returns the number of bytes that are in use.
func heldMemory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMillionNames: a list of a million names is divided into pieces without being held in memory, and the pieces do
// not hold it either.
func TestMillionNames(t *testing.T) {
	const names = 1_000_000
	path := filepath.Join(t.TempDir(), "list.txt")
	f, err := os.Create(path)
	require.NoError(t, err)
	w := bufio.NewWriter(f)
	for i := range names {
		fmt.Fprintf(w, "train/n%08d/n%08d_%09d.JPEG %d\n", i%1000, i%1000, i, i%1000)
	}
	require.NoError(t, w.Flush())
	size, err := f.Seek(0, 2)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	before, most := heldMemory(), int64(0)
	var all []Piece
	for p, err := range pieces(t.Context(), Options{Job: Fit, Data: path}) {
		require.NoError(t, err)
		if all = append(all, p); p.Index%100 == 0 {
			most = max(most, heldMemory()-before)
		}
	}
	require.Len(t, all, names/1000)
	require.Less(t, most, int64(2<<20), "of a list of %d bytes", size)
	t.Logf("%d names, %d bytes: %d pieces, at most %d bytes held", names, size, len(all), most)
	at, end := 0, int64(0)
	enc := beam.NewElementEncoder(reflect.TypeFor[Piece]())
	for _, p := range all {
		require.Equal(t, []any{at, end}, []any{p.First, p.Offset})
		at, end = at+p.Images, p.End
		var out strings.Builder
		require.NoError(t, enc.Encode(p, &out))
		require.Less(t, out.Len(), 1000, "an element of the pipeline")
	}
	require.Equal(t, []any{names, size}, []any{at, end})
	lines, err := section(t.Context(), all[500])
	require.NoError(t, err)
	require.Equal(t, "train/n00000000/n00000000_000500000.JPEG", lines[0].Path)
	require.Len(t, lines, 1000)
}

// TestJoin: names are relative to a folder or address unless they are absolute.
func TestJoin(t *testing.T) {
	for _, c := range [][3]string{
		{"a/b", "c.png", "a/b/c.png"}, {"", "c.png", "c.png"}, {"a", "/c.png", "/c.png"},
		{"gs://bucket/a/", "b/c.png", "gs://bucket/a/b/c.png"},
		{"gs://bucket", "c.png", "gs://bucket/c.png"}, {"a", "s3://other/c.png", "s3://other/c.png"},
	} {
		require.Equal(t, c[2], join(c[0], c[1]))
	}
}

// TestListOf: a list of pictures is distinguished from other data, and the folder of its paths is found.
func TestListOf(t *testing.T) {
	for _, c := range []struct {
		data, file, root string
		is               bool
	}{
		{"list:a.txt", "a.txt", "", true}, {"a.txt", "a.txt", "", true}, {"list:gs://b/a.txt+gs://b/all",
			"gs://b/a.txt", "gs://b/all", true},
		{"list:x+y.txt", "x+y.txt", "", true}, {"list:x+y.txt+z", "x+y.txt", "z", true}, {"folder", "", "", false},
		{"cifar10:a.bin", "", "", false},
	} {
		file, root, is := Options{Data: c.data}.list(func(name string) bool {
			return strings.HasSuffix(name, ".txt") && strings.Count(name, ".txt") == 1 && !strings.Contains(name, "+g")
		})
		require.Equal(t, []any{c.file, c.root, c.is}, []any{file, root, is}, c.data)
	}
}
