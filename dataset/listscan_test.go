package dataset_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/dataset"
)

func scan(t require.TestingT, text string) (out []dataset.ListEntry) {
	for e, err := range dataset.ScanList("list.txt", strings.NewReader(text)) {
		require.NoError(t, err)
		require.Equal(t, strings.Contains(text[e.Offset:e.End], e.Path), true)
		out = append(out, e)
	}
	return out
}

// TestScanListInSections: the lines between the offsets of two entries are a list with the same entries.
func TestScanListInSections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a b.png 3\n", "\n", "  \t\r\n", "x/y.jpg -1\r\n",
			"ü.png\t0\n", "deep/er/z.webp  12 \n"}), 1, 30).Draw(t, "lines")
		text := strings.TrimSuffix(rapid.SampledFrom([]string{"", "\ufeff"}).Draw(t, "mark")+strings.Join(lines, ""),
			"\n")
		all := scan(t, text)
		if len(all) == 0 {
			return
		}
		lo := rapid.IntRange(0, len(all)-1).Draw(t, "lo")
		hi := rapid.IntRange(lo, len(all)-1).Draw(t, "hi")
		part := scan(t, text[all[lo].Offset:all[hi].End])
		require.Len(t, part, hi-lo+1)
		for i, e := range part {
			want := all[lo+i]
			require.Equal(t, []any{want.Path, want.Label, want.ID()}, []any{e.Path, e.Label, e.ID()})
		}
	})
}

// TestScanListRefuses: a line that is not valid is an error that names the line.
func TestScanListRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"a.png 1\nb.png\n":                  "list.txt:2: expected a path and a label",
		"a.png one\n":                       "list.txt:1: expected a class index",
		"\n\na.png -2":                      "list.txt:3: expected a class index",
		"a\x00.png 1":                       "list.txt:1: expected the path of a picture",
		strings.Repeat("a", 1<<16) + " 1\n": "list.txt:1: expected a line of less than 65536 bytes",
	} {
		var last error
		for _, err := range dataset.ScanList("list.txt", strings.NewReader(text)) {
			last = err
		}
		require.ErrorContains(t, last, want)
	}
}

// TestWholeCountsImagesLeftOut: shards that could not read some of their images still make a complete list.
func TestWholeCountsImagesLeftOut(t *testing.T) {
	shard := func(i, images, unread int) dataset.Extent {
		return dataset.Extent{Shard: dataset.Shard{Index: i, Count: 2}, First: 3 * i, Images: images, Unread: unread,
			Total: 6}
	}
	names := []string{"a", "b"}
	order, err := dataset.OrderShards([]dataset.Extent{shard(1, 0, 3), shard(0, 2, 1)}, names)
	require.NoError(t, err)
	require.Equal(t, []int{1, 0}, order)
	for _, e := range []dataset.Extent{shard(1, 2, 0), shard(1, 3, 1), shard(1, 4, -1), shard(1, -1, 4)} {
		_, err = dataset.OrderShards([]dataset.Extent{shard(0, 3, 0), e}, names)
		require.ErrorContains(t, err, "b: shard 1/2 of 6 images cannot begin at image 3")
	}
}
