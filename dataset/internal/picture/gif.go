package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/gif"
	"io"
	"slices"
)

// gifFrame is the data before the pixels of the first frame. image/gif decodes the LZW data, but loses the colour of
// the transparent index.
type gifFrame struct {
	screenW, screenH int
	rect             image.Rectangle
	palette          []byte // RGB triples, of the frame or else of the file
	background       uint8  // index of the colour that fills the canvas
}

func decodeGIF(ctx context.Context, data []byte, buf []uint8) ([]uint8, int, int, error) {
	f, err := readGIFFrame(data)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("GIF: %w", err)
	}
	width, height := max(f.screenW, f.rect.Max.X), max(f.screenH, f.rect.Max.Y)
	if err := checkSize(GIF, width, height, MaxPixels); err != nil {
		return nil, 0, 0, err
	}
	// As in Pillow, the canvas is enlarged to the frame where the header states a smaller size.
	head := slices.Clone(data[:13])
	binary.LittleEndian.PutUint16(head[6:], uint16(min(width, 0xFFFF)))
	binary.LittleEndian.PutUint16(head[8:], uint16(min(height, 0xFFFF)))
	im, err := gif.Decode(io.MultiReader(bytes.NewReader(head), newReader(ctx, data[13:])))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("GIF: %w", err)
	}
	frame, ok := im.(*image.Paletted)
	if !ok || frame.Rect != f.rect {
		return nil, 0, 0, fmt.Errorf("GIF: expected a paletted first frame %v, got a %T %v", f.rect, im, im.Bounds())
	}
	var table [256][3]uint8
	for i := range len(f.palette) / 3 {
		table[i] = [3]uint8(f.palette[3*i:])
	}
	pix := grow(buf, 3*width*height)
	if f.rect.Dx() < width || f.rect.Dy() < height {
		fill := table[f.background]
		for i := 0; i < len(pix); i += 3 {
			copy(pix[i:i+3], fill[:])
		}
	}
	for y := range f.rect.Dy() {
		at := 3 * ((f.rect.Min.Y+y)*width + f.rect.Min.X)
		look(pix[at:][:3*f.rect.Dx()], frame.Pix[y*frame.Stride:][:f.rect.Dx()], &table)
	}
	return pix, height, width, nil
}

// readGIFFrame walks over the blocks up to the first image descriptor (GIF89a specification, sections 17 to 23).
func readGIFFrame(data []byte) (gifFrame, error) {
	var f gifFrame
	r := cursor{data: data}
	head := r.take(13)
	if head == nil {
		return f, errTruncated
	}
	f.screenW, f.screenH = int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:]))
	f.palette = r.palette(head[10])
	for {
		introducer := r.take(1)
		if introducer == nil {
			return f, errTruncated
		}
		switch introducer[0] {
		case 0x21: // extension
			label := r.take(1)
			first := true
			for {
				size := r.take(1)
				if label == nil || size == nil {
					return f, errTruncated
				}
				if size[0] == 0 {
					break
				}
				block := r.take(int(size[0]))
				if block == nil {
					return f, errTruncated
				}
				// Graphic control extension: the transparent index is the last of its four bytes.
				if label[0] == 0xF9 && first && len(block) >= 4 && block[0]&1 != 0 {
					f.background = block[3]
				}
				first = false
			}
		case 0x2C: // image descriptor
			d := r.take(9)
			if d == nil {
				return f, errTruncated
			}
			x, y := int(binary.LittleEndian.Uint16(d)), int(binary.LittleEndian.Uint16(d[2:]))
			f.rect = image.Rect(x, y, x+int(binary.LittleEndian.Uint16(d[4:])),
				y+int(binary.LittleEndian.Uint16(d[6:])))
			if f.rect.Empty() {
				return f, fmt.Errorf("empty first frame %v", f.rect)
			}
			if own := r.palette(d[8]); own != nil {
				f.palette = own
			}
			return f, nil
		case 0x3B: // trailer
			return f, fmt.Errorf("no frame in the file")
		default:
			return f, fmt.Errorf("damaged data: unknown block %#x", introducer[0])
		}
	}
}

// cursor reads from a byte slice.
type cursor struct{ data []byte }

// take returns the next n bytes, nil if there are fewer.
func (c *cursor) take(n int) []byte {
	if n > len(c.data) {
		return nil
	}
	b := c.data[:n:n]
	c.data = c.data[n:]
	return b
}

// palette returns the colour table that the flags announce, nil if there is none or it is truncated.
func (c *cursor) palette(flags byte) []byte {
	if flags&0x80 == 0 {
		return nil
	}
	return c.take(3 << (flags&7 + 1))
}
