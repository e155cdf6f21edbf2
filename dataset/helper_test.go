package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// put writes a file below dir, creates its folders, and returns its path.
func put(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, data, 0o644))
	return file
}

// mustOpen opens a set that is closed at the end of the test.
func mustOpen(t testing.TB, spec string) Dataset {
	t.Helper()
	d, err := Open(spec)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// pngOf returns the PNG file of a picture of one colour.
func pngOf(t testing.TB, height, width int, c color.NRGBA) []byte {
	t.Helper()
	im := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range height * width {
		im.SetNRGBA(i%width, i/width, c)
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, im))
	return b.Bytes()
}

// dot returns a picture of one pixel, identified by its red value.
func dot(t testing.TB, red int) []byte { return pngOf(t, 1, 1, color.NRGBA{R: uint8(red), A: 255}) }

// reds returns the first sample of every image.
func reds(t testing.TB, d Dataset) []int {
	t.Helper()
	var out []int
	for i := range d.Len() {
		img, err := d.Image(i)
		require.NoError(t, err)
		out = append(out, int(img.Pix[0]))
	}
	return out
}

func ids(d Dataset) []string {
	var out []string
	for i := range d.Len() {
		out = append(out, d.ID(i))
	}
	return out
}

// cifarFile returns records whose pixel bytes count up through all records.
func cifarFile(labelBytes int, labels ...byte) []byte {
	var b []byte
	for i, label := range labels {
		if labelBytes == 2 {
			b = append(b, 7)
		}
		b = append(b, label)
		for k := range cifarPixels {
			b = append(b, byte(i*31+k))
		}
	}
	return b
}

// idxFile makes an idx file of unsigned bytes whose elements count up.
func idxFile(shape ...int) []byte {
	b := []byte{0, 0, 8, byte(len(shape))}
	n := 1
	for _, axis := range shape {
		b = binary.BigEndian.AppendUint32(b, uint32(axis))
		n *= axis
	}
	for i := range n {
		b = append(b, byte(i))
	}
	return b
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}
