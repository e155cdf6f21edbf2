package dataset_test

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"

	"github.com/line-ood/goline/dataset"
)

// TestDecodeWithin: a picture with exactly the allowed number of pixels is decoded as by Decode, and one with a
// single pixel more is refused by its header.
func TestDecodeWithin(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 7, 5))
	for i := range img.Pix {
		img.Pix[i] = uint8(7 * i)
	}
	for name, encode := range map[string]func(io.Writer) error{
		"JPEG": func(w io.Writer) error { return jpeg.Encode(w, img, nil) },
		"PNG":  func(w io.Writer) error { return png.Encode(w, img) },
		"GIF":  func(w io.Writer) error { return gif.Encode(w, img, nil) },
		"BMP":  func(w io.Writer) error { return bmp.Encode(w, img) },
	} {
		var file bytes.Buffer
		require.NoError(t, encode(&file), name)
		want, err := dataset.Decode(file.Bytes())
		require.NoError(t, err, name)
		got, err := dataset.DecodeWithin(file.Bytes(), 35)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
		_, err = dataset.DecodeWithin(file.Bytes(), 34)
		require.ErrorContains(t, err, "limit of 34 pixels", name)
		cut := file.Bytes()[:len(file.Bytes())/2] // the pixels are missing, but the header is complete
		if name == "JPEG" || name == "PNG" {
			_, err = dataset.DecodeWithin(cut, 34)
			require.ErrorContains(t, err, "limit of 34 pixels", name)
		}
	}
	// a WebP of 7x5 pixels
	webp := []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x06\x00\x01\x00\x07\x10\x88\x88\x08\x08\x00\x00" +
		"\x00")
	_, err := dataset.DecodeWithin(webp, 34)
	require.ErrorContains(t, err, "WebP: 7x5 pixels are above the limit of 34 pixels")
}
