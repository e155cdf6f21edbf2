package dataset

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdx(t *testing.T) {
	dir := t.TempDir()
	images, labels := put(t, dir, "images", idxFile(3, 2, 4)), put(t, dir, "labels", idxFile(3))
	imagesGz, labelsGz := put(t, dir, "images.gz", gz(t, idxFile(3, 2, 4))), put(t, dir, "labels.gz", gz(t, idxFile(3)))
	for _, c := range []struct {
		spec   string
		labels []int
	}{
		{images, nil},
		{imagesGz, nil},
		{"idx:" + images, nil},
		{images + "+" + labels, []int{0, 1, 2}},
		{"idx:" + imagesGz + "+" + labelsGz, []int{0, 1, 2}},
		{imagesGz + "+" + labels, []int{0, 1, 2}},
	} {
		d := mustOpen(t, c.spec)
		require.Equal(t, 3, d.Len(), c.spec)
		require.Equal(t, c.labels, d.Labels(), c.spec)
		require.Nil(t, d.Classes())
		img, err := d.Image(1)
		require.NoError(t, err)
		require.Equal(t, Image{Pix: []uint8{8, 8, 8, 9, 9, 9, 10, 10, 10, 11, 11, 11, 12, 12, 12, 13, 13, 13, 14, 14,
			14, 15, 15, 15},
			Height: 2, Width: 4}, img)
		require.Contains(t, d.ID(2), "images")
		require.Contains(t, d.ID(2), "#2")
	}
	colour := mustOpen(t, put(t, dir, "colour", idxFile(2, 1, 2, 3)))
	img, err := colour.Image(1)
	require.NoError(t, err)
	require.Equal(t, Image{Pix: []uint8{6, 7, 8, 9, 10, 11}, Height: 1, Width: 2}, img)
}

// TestIdxPairs opens files with plus signs in their names, and pairs given by patterns.
func TestIdxPairs(t *testing.T) {
	dir := t.TempDir()
	for _, part := range []string{"a", "b"} {
		put(t, dir, "c++/"+part+"-images", idxFile(2, 1, 1))
		put(t, dir, "c++/"+part+"-labels", idxFile(2))
	}
	d := mustOpen(t, dir+"/c++/a-images+"+dir+"/c++/a-labels")
	require.Equal(t, []int{0, 1}, d.Labels())
	require.Equal(t, []string{"a-images#0", "a-images#1"}, ids(d))
	d = mustOpen(t, "idx:"+dir+"/c++/*-images+"+dir+"/c++/*-labels")
	require.Equal(t, []int{0, 1, 0, 1}, d.Labels())
	require.Equal(t, []string{"a-images#0", "a-images#1", "b-images#0", "b-images#1"}, ids(d))
	require.NoError(t, os.Remove(dir+"/c++/b-labels"))
	_, err := Open(dir + "/c++/*-images+" + dir + "/c++/*-labels")
	require.ErrorContains(t, err, "expected as many labels files as images files, got "+dir)
	// A plus sign in the name of one file.
	require.Equal(t, 2, mustOpen(t, put(t, dir, "x+y", idxFile(2, 1, 1))).Len())
}

func TestIdxRefuses(t *testing.T) {
	dir := t.TempDir()
	labels := put(t, dir, "labels", idxFile(4))
	good := idxFile(3, 2, 4)
	for _, c := range []struct {
		name   string
		data   []byte
		labels string
		want   string
	}{
		{"count", good, labels, labels + ": expected 3 labels, as "},
		{"labels that are images", good, put(t, dir, "nolabels", good), "expected labels of shape (N), got [3 2 4]"},
		{"images that are labels", idxFile(3), "",
			"expected images of shape (N, height, width) or (N, height, width, 3), got [3]"},
		{"missing labels", good, dir + "/none", "images exists, but " + dir + "/none does not"},
		{"short", good[:len(good)-1], "", "idx array of shape [3 2 4]: expected 40 bytes, got 39"},
		{"long", append(bytes.Clone(good), 0), "", "idx array of shape [3 2 4]: expected 40 bytes, got 41"},
		{"short gzip", gz(t, good[:len(good)-1]), "", "idx array of shape [3 2 4]: expected 40 bytes unpacked, got 39"},
		{"long gzip", gz(t, append(bytes.Clone(good), 0)), "", "expected 40 bytes unpacked, got more than 40"},
		{"cut gzip", gz(t, good)[:20], "", "unexpected EOF"},
		{"damaged gzip", flipChecksum(gz(t, good)), "", "gzip"},
		{"header", good[:9], "", "idx header is cut off"},
		{"magic", append([]byte{0, 0, 9, 3}, good[4:]...), "", "got 0x00000903"},
		{"four channels", idxFile(1, 2, 2, 4), "", "(N, height, width, 3), got [1 2 2 4]"},
		{"no images", idxFile(0, 2, 2), "", "no images: shape [0 2 2]"},
		{"no pixels", idxFile(2, 0, 2), "", "sizes out of range"},
		{"absurd", []byte("\x00\x00\x08\x03\xff\xff\xff\xff\x00\x00\x30\x00\x00\x00\x30\x00"), "",
			"expected 648518346190356496"},
		{"absurd gzip", gz(t, []byte("\x00\x00\x08\x03\xff\xff\xff\xff\x00\x00\x30\x00\x00\x00\x30\x00")), "",
			"unpack the file"},
		{"absurd side", []byte("\x00\x00\x08\x03\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff"), "",
			"sizes out of range"},
	} {
		file := put(t, dir, "images", c.data)
		spec := "idx:" + file
		if c.labels != "" {
			spec += "+" + c.labels
		}
		_, err := Open(spec)
		require.ErrorContains(t, err, c.want, c.name)
		require.ErrorContains(t, err, file, c.name)
	}
}

// flipChecksum flips a bit in the checksum of a gzip file.
func flipChecksum(b []byte) []byte {
	b[len(b)-7] ^= 1
	return b
}

// TestFashionMNIST reads the Debian package dataset-fashion-mnist, where that is installed.
func TestFashionMNIST(t *testing.T) {
	const dir = "/usr/share/datasets/fashion-mnist/"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("dataset-fashion-mnist is not installed")
	}
	d := mustOpen(t, "idx:"+dir+"t10k-images-idx3-ubyte.gz+"+dir+"t10k-labels-idx1-ubyte.gz")
	require.Equal(t, 10000, d.Len())
	require.Equal(t, []int{9, 2, 1, 1, 6, 1, 4, 6, 5, 7}, d.Labels()[:10])
}
