package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"
)

// A picture decoded by the standard library gives the same samples as its file, wherever both have the same mode.
// 16-bit grey with transparency is left out, since in memory it is colour.
func TestFromImageEqualsDecode(t *testing.T) {
	compared := 0
	for name, data := range fixtures(t) {
		var im image.Image
		var err error
		switch {
		case strings.HasPrefix(name, "grey_alpha16"), name == "grey16_trns.png":
			continue
		case strings.HasSuffix(name, ".png"):
			im, err = png.Decode(bytes.NewReader(data))
		case strings.HasSuffix(name, ".bmp"):
			im, err = bmp.Decode(bytes.NewReader(data))
		default:
			continue
		}
		require.NoError(t, err, name)
		want, height, width, err := Decode(data, nil)
		require.NoError(t, err)
		pix, h, w := FromImage(im, nil)
		require.Equal(t, []int{height, width}, []int{h, w}, name)
		require.Equal(t, want, pix, name)
		compared++
	}
	require.Greater(t, compared, 20)
}

// hidden hides the type of a picture.
type hidden struct{ image.Image }

// The fast paths for known types give the colours of the method At, also for parts of a picture.
func TestFromImageOfAnyType(t *testing.T) {
	r := image.Rect(-3, 2, 9, 11)
	part := image.Rect(-1, 4, 6, 9)
	src := image.NewNRGBA(r)
	for i := range src.Pix {
		src.Pix[i] = uint8(i * 37)
	}
	ycc := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	for _, plane := range [][]uint8{ycc.Y, ycc.Cb, ycc.Cr} {
		for i := range plane {
			plane[i] = uint8(i * 53)
		}
	}
	cmyk := image.NewCMYK(r)
	for i := range cmyk.Pix {
		cmyk.Pix[i] = uint8(i * 29)
	}
	type parted interface {
		image.Image
		SubImage(image.Rectangle) image.Image
	}
	for name, im := range map[string]parted{
		"gray": image.NewGray(r), "rgba": image.NewRGBA(r), "nrgba": src, "rgba64": image.NewRGBA64(r),
		"nrgba64": image.NewNRGBA64(r), "paletted": image.NewPaletted(r, palette.WebSafe), "ycbcr": ycc, "cmyk": cmyk,
	} {
		if d, ok := im.(draw.Image); ok && name != "nrgba" && name != "cmyk" {
			draw.Draw(d, r, src, r.Min, draw.Src)
		}
		for _, im := range []image.Image{im, im.SubImage(part)} {
			want, height, width := FromImage(hidden{im}, nil)
			pix, h, w := FromImage(im, bytes.Repeat([]byte{9}, 1000))
			require.Equal(t, []int{im.Bounds().Dy(), im.Bounds().Dx()}, []int{h, w})
			require.Equal(t, []int{height, width}, []int{h, w})
			require.Equal(t, want, pix, name)
		}
	}
}

func TestFromImageDropsAlpha(t *testing.T) {
	im := image.NewRGBA(image.Rect(0, 0, 2, 1))
	im.SetRGBA(0, 0, color.RGBA{R: 64, G: 32, B: 16, A: 128})
	im.SetRGBA(1, 0, color.RGBA{})
	pix, _, _ := FromImage(im, nil)
	require.Equal(t, []uint8{127, 63, 31, 0, 0, 0}, pix)

	p := image.NewPaletted(image.Rect(0, 0, 3, 1), color.Palette{color.NRGBA{R: 1, G: 2, B: 3}, color.Gray{Y: 7}})
	p.Pix[1], p.Pix[2] = 1, 2
	pix, _, _ = FromImage(p, nil)
	require.Equal(t, []uint8{1, 2, 3, 7, 7, 7, 0, 0, 0}, pix)
}

func TestFromImageLimits(t *testing.T) {
	pix, height, width := FromImage(image.NewGray(image.Rectangle{}), nil)
	require.Empty(t, pix)
	require.Zero(t, height+width)
	require.PanicsWithValue(t,
		"picture: expected at most 178956970 pixels, got 2000000000x2000000000 (height x width)",
		func() { FromImage(image.White, nil) })
}
