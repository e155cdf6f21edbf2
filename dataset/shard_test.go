package dataset_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/dataset"
)

func TestParseShard(t *testing.T) {
	s, err := dataset.ParseShard("2/3")
	require.NoError(t, err)
	require.Equal(t, dataset.Shard{Index: 2, Count: 3}, s)
	for _, bad := range []string{"", "1", "3/3", "-1/3", "0/0", "a/3", "1/b", "1/2/3", "0/-1"} {
		_, err := dataset.ParseShard(bad)
		require.ErrorContains(t, err, "expected I/N, with I from 0 to N-1", bad)
	}
}

// TestShardsCoverTheList: shards follow each other without gaps, and their lengths differ by at most one, however
// long the list is.
func TestShardsCoverTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, count := rapid.IntRange(0, 1<<31-1).Draw(t, "images"), rapid.IntRange(1, 1000).Draw(t, "count")
		end := 0
		for i := range count {
			lo, hi := dataset.Shard{Index: i, Count: count}.Range(n)
			require.Equal(t, end, lo)
			require.Contains(t, []int{n / count, (n + count - 1) / count}, hi-lo)
			end = hi
		}
		require.Equal(t, n, end)
	})
}

func TestSharded(t *testing.T) {
	images := make([]dataset.Image, 7)
	for i := range images {
		images[i] = dataset.Image{Pix: []uint8{uint8(i), 0, 0}, Height: 1, Width: 1}
	}
	open := func(label int) dataset.Dataset {
		d, err := dataset.FromImages("mem", images, []int{0, 1, 2, 3, 4, 5, label}, nil)
		require.NoError(t, err)
		return d
	}
	var ids []string
	var extents []dataset.Extent
	for i := range 3 {
		d, e, err := dataset.Sharded(open(6), dataset.Shard{Index: i, Count: 3}, "test")
		require.NoError(t, err)
		require.Equal(t, d.Len(), e.Images)
		for j := range d.Len() {
			ids = append(ids, d.ID(j))
			require.Equal(t, e.First+j, d.Labels()[j])
		}
		extents = append(extents, e)
	}
	require.Equal(t, []string{"mem#0", "mem#1", "mem#2", "mem#3", "mem#4", "mem#5", "mem#6"}, ids)
	names := []string{"a", "b", "c"}
	order, err := dataset.OrderShards([]dataset.Extent{extents[2], extents[0], extents[1]}, names)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 0}, order)

	_, other, err := dataset.Sharded(open(-1), dataset.Shard{Index: 1, Count: 3}, "test")
	require.NoError(t, err)
	_, made, err := dataset.Sharded(open(6), dataset.Shard{Index: 1, Count: 3}, "else")
	require.NoError(t, err)
	_, two, err := dataset.Sharded(open(6), dataset.Shard{Index: 1, Count: 2}, "test")
	require.NoError(t, err)
	moved := extents[1]
	moved.First++
	for _, c := range []struct {
		extents []dataset.Extent
		want    string
	}{
		{nil, "got none"},
		{extents[:2], "shard 2/3 is missing"},
		{extents[1:], "shard 0/3 is missing"},
		{[]dataset.Extent{extents[0], extents[1], extents[1]}, "b and c are the same shard, 1/3"},
		{[]dataset.Extent{extents[0], other, extents[2]}, "b is of other images than a"},
		{[]dataset.Extent{extents[0], made, extents[2]}, "b was made by else, but a by test"},
		{[]dataset.Extent{extents[0], two}, "b is one of 2 shards of 7 images"},
		{[]dataset.Extent{extents[0], moved, extents[2]}, "cannot begin at image 3"},
		{[]dataset.Extent{{}}, "expected an index below the count"},
	} {
		_, err := dataset.OrderShards(c.extents, names)
		require.ErrorContains(t, err, c.want)
	}
	_, _, err = dataset.Sharded(open(6), dataset.Shard{Index: 3, Count: 8}, "")
	require.NoError(t, err)
	_, _, err = dataset.Sharded(open(6), dataset.Shard{Index: 0, Count: 8}, "")
	require.ErrorIs(t, err, dataset.ErrNoImages, "an empty shard")
}
