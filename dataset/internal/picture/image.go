package picture

import (
	"fmt"
	"image"
	"image/color"
)

// FromImage converts a picture in memory to RGB, row-major (height, width, 3), as [Decode] does for a file of the
// same mode. It writes into buf if its capacity suffices. Alpha is dropped: premultiplied colours are first divided
// by it, and colours with alpha 0 are black. 16-bit grey saturates at 255, other 16-bit colour keeps the high byte.
// Other types of picture are read by their method At. It panics above MaxPixels.
func FromImage(im image.Image, buf []uint8) (pix []uint8, height, width int) {
	b := im.Bounds()
	if b.Empty() {
		return nil, 0, 0
	}
	if b.Dx() > MaxPixels/b.Dy() {
		panic(fmt.Sprintf("picture: expected at most %d pixels, got %dx%d (height x width)", MaxPixels, b.Dy(),
			b.Dx()))
	}
	return fromImage(im, buf, false), b.Dy(), b.Dx()
}

// fromImage takes the stored colours, without the premultiplication of image/color. saturate applies Pillow's
// conversion of 16-bit grey, where values above 255 become 255, to pictures whose type does not show that they are
// grey.
func fromImage(im image.Image, buf []uint8, saturate bool) []uint8 {
	b := im.Bounds()
	width, height := b.Dx(), b.Dy()
	pix := grow(buf, 3*width*height)
	var row func(dst []uint8, y int)
	switch im := im.(type) {
	case *image.Gray:
		row = func(dst []uint8, y int) { grey(dst, im.Pix[y*im.Stride:][:width]) }
	case *image.Gray16:
		row = func(dst []uint8, y int) { grey16(dst, im.Pix[y*im.Stride:], 2) }
	case *image.RGBA:
		if im.Opaque() {
			row = func(dst []uint8, y int) { pick(dst, im.Pix[y*im.Stride:], 4, 1) }
		}
	case *image.NRGBA:
		row = func(dst []uint8, y int) { pick(dst, im.Pix[y*im.Stride:], 4, 1) }
	case *image.RGBA64:
		if im.Opaque() {
			row = func(dst []uint8, y int) { pick(dst, im.Pix[y*im.Stride:], 8, 2) }
		}
	case *image.NRGBA64:
		row = func(dst []uint8, y int) { pick(dst, im.Pix[y*im.Stride:], 8, 2) }
		if saturate {
			row = func(dst []uint8, y int) { grey16(dst, im.Pix[y*im.Stride:], 8) }
		}
	case *image.YCbCr:
		row = func(dst []uint8, y int) { yCbCr(dst, im, b.Min.Y+y) }
	case *image.NYCbCrA:
		row = func(dst []uint8, y int) { yCbCr(dst, &im.YCbCr, b.Min.Y+y) }
	case *image.Paletted:
		table := paletteTable(im.Palette)
		row = func(dst []uint8, y int) { look(dst, im.Pix[y*im.Stride:][:width], &table) }
	}
	if row == nil {
		row = func(dst []uint8, y int) {
			for x := range width {
				c := stored(im.At(b.Min.X+x, b.Min.Y+y))
				copy(dst[3*x:3*x+3], c[:])
			}
		}
	}
	for y := range height {
		row(pix[3*y*width:][:3*width], y)
	}
	return pix
}

// yCbCr converts one row by JFIF's full-range conversion, without interpolating chroma.
func yCbCr(dst []uint8, im *image.YCbCr, y int) {
	for x := range len(dst) / 3 {
		c := im.YCbCrAt(im.Rect.Min.X+x, y)
		dst[3*x], dst[3*x+1], dst[3*x+2] = color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
	}
}

// stored returns a colour without its alpha.
func stored(c color.Color) [3]uint8 {
	switch c := c.(type) {
	case color.NRGBA:
		return [3]uint8{c.R, c.G, c.B}
	case color.NRGBA64:
		return [3]uint8{uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)}
	}
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	return [3]uint8{n.R, n.G, n.B}
}

// paletteTable returns the stored colours of a palette; indices beyond its end are black.
func paletteTable(p color.Palette) (table [256][3]uint8) {
	for i, c := range p[:min(len(p), 256)] {
		table[i] = stored(c)
	}
	return table
}
