package figure

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestEncodePNG: decoding gives the pixels that were drawn, wherever the image lies in a larger one.
func TestEncodePNG(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := image.Pt(rapid.IntRange(1, 40).Draw(t, "width"), rapid.IntRange(1, 40).Draw(t, "height"))
		at := image.Pt(rapid.IntRange(-3, 3).Draw(t, "left"), rapid.IntRange(-3, 3).Draw(t, "top"))
		whole := image.NewRGBA(image.Rect(-5, -5, 50, 50))
		img := whole.SubImage(image.Rectangle{Max: size}.Add(at)).(*image.RGBA)
		alpha := rapid.SampledFrom([]uint8{255, 254}).Draw(t, "alpha") // image/png encodes those with 254
		seed := rapid.IntRange(0, 1000).Draw(t, "seed")
		for i := range size.X * size.Y {
			img.SetRGBA(at.X+i%size.X, at.Y+i/size.X, color.RGBA{uint8(seed + i), uint8(seed * i), uint8(i / 7), alpha})
		}
		var out, want bytes.Buffer
		require.NoError(t, encodePNG(&out, img))
		require.NoError(t, png.Encode(&want, img))
		got, err := png.Decode(&out)
		require.NoError(t, err)
		same, err := png.Decode(&want)
		require.NoError(t, err)
		require.Equal(t, same, got)
	})
}

// TestDrawingsAreSmall: a drawing of lines and areas gives a file that is no larger than with filters.
func TestDrawingsAreSmall(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 300, 200))
	for y := range 200 {
		for x := range 300 {
			c := color.RGBA{255, 255, 255, 255}
			if x%50 == 0 || (x*x/450+y)%40 == 0 {
				c = color.RGBA{uint8(y), 30, 200, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var out, filtered bytes.Buffer
	require.NoError(t, encodePNG(&out, img))
	require.NoError(t, png.Encode(&filtered, img))
	require.LessOrEqual(t, out.Len(), filtered.Len())
}
