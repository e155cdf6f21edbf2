package dataset_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/npyz"
)

func TestOriginOf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npy")
	require.NoError(t, npyz.WriteNpyFile(path, npyz.New(make([]uint8, 3*2*2*3), 3, 2, 2, 3)))
	set, err := dataset.Open(path)
	require.NoError(t, err)
	defer set.Close()
	origin := func(d dataset.Dataset, i int) dataset.Origin {
		o, ok := dataset.OriginOf(d, i)
		require.True(t, ok)
		return o
	}
	const layout = "12 bytes from 128 on: 2x2x3"
	require.Equal(t, dataset.Origin{File: path, Format: layout, Record: 2}, origin(set, 2))
	some, err := dataset.Subset(set, []int{2, 0})
	require.NoError(t, err)
	require.Equal(t, dataset.Origin{File: path, Format: layout, Record: 0}, origin(some, 1))
	both, err := dataset.Concat(set, some)
	require.NoError(t, err)
	require.Equal(t, dataset.Origin{File: path, Format: layout, Record: 2}, origin(both, 3))
	_, ok := dataset.OriginOf(set, 3)
	require.False(t, ok, "no such image")

	embedded, err := dataset.OpenFS(os.DirFS(dir), "x.npy")
	require.NoError(t, err)
	defer embedded.Close()
	_, ok = dataset.OriginOf(embedded, 0)
	require.False(t, ok, "another file system")
	memory, err := dataset.FromImages("m", []dataset.Image{{Pix: make([]uint8, 3), Height: 1, Width: 1}}, nil, nil)
	require.NoError(t, err)
	_, ok = dataset.OriginOf(memory, 0)
	require.False(t, ok)

	picture := filepath.Join("testdata", "pictures", "animated.gif")
	pictures, err := dataset.Open(picture)
	require.NoError(t, err)
	defer pictures.Close()
	require.Equal(t, dataset.Origin{File: picture, Format: "picture"}, origin(pictures, 0))
}
