package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/image/bmp"
	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"

	"github.com/line-ood/goline/dataset/internal/jpeg"
	"github.com/line-ood/goline/internal/fsfile"
)

// Memory returns an upper bound of the memory for decoding a picture, in bytes, without the file itself, by the
// picture's header. A size of more than most pixels, or more than MaxPixels, and a damaged header are errors.
func Memory(data []byte, most int) (bytes int64, err error) {
	defer func() {
		if r := recover(); r != nil {
			bytes, err = 0, fmt.Errorf("damaged picture: %s", fsfile.GaveUp(r))
		}
	}()
	most = min(most, MaxPixels)
	var width, height int
	var perPixel float64 // bytes of the decoder for each pixel, besides RGB
	format := Sniff(data[:min(len(data), SniffLen)])
	switch format {
	case JPEG:
		return jpeg.Memory(data, most)
	case PNG:
		width, height, perPixel, err = pngMemory(data)
	case GIF:
		var f gifFrame
		if f, err = readGIFFrame(data); err != nil {
			err = fmt.Errorf("GIF: %w", err)
		}
		width, height, perPixel = max(f.screenW, f.rect.Max.X), max(f.screenH, f.rect.Max.Y), 1
	case BMP:
		width, height, perPixel, err = bmpMemory(data)
	case WebP:
		width, height, perPixel, err = webPMemory(data)
	default:
		err = errKind
	}
	if err == nil {
		err = checkSize(format, width, height, most)
	}
	if err != nil {
		return 0, err
	}
	return int64(float64(width) * float64(height) * (3 + perPixel)), nil
}

// pngMemory follows how image/png stores pixels. An interlaced picture also needs its last pass, which is half as
// large.
func pngMemory(data []byte) (width, height int, perPixel float64, err error) {
	if len(data) < 33 || string(data[12:16]) != "IHDR" {
		return 0, 0, 0, fmt.Errorf("PNG: %w", errTruncated)
	}
	w, h := binary.BigEndian.Uint32(data[16:]), binary.BigEndian.Uint32(data[20:])
	if w > 1<<31-1 || h > 1<<31-1 {
		return 0, 0, 0, fmt.Errorf("PNG: size %dx%d", w, h)
	}
	const palette = 3
	switch depth, kind := data[24], data[25]; {
	case depth == 16:
		perPixel = 8
	case kind == palette:
		perPixel = 1
	default:
		perPixel = 4
	}
	if data[28] != 0 {
		perPixel *= 1.5
	}
	return int(w), int(h), perPixel, nil
}

func bmpMemory(data []byte) (width, height int, perPixel float64, err error) {
	c, err := bmp.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0, 0, 0, fmt.Errorf("BMP: %w", unsupportedBMP(data, err))
	}
	return c.Width, c.Height, 4, nil
}

// webPMemory also counts the canvas of an animation, and the transforms of a lossless picture.
func webPMemory(data []byte) (width, height int, perPixel float64, err error) {
	f, err := findWebPFrame(data)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("WebP: %w", err)
	}
	if f.kind == "VP8L" {
		c, err := vp8l.DecodeConfig(bytes.NewReader(f.data))
		if err != nil {
			return 0, 0, 0, fmt.Errorf("WebP: %w", err)
		}
		width, height, perPixel = c.Width, c.Height, 8
	} else {
		lossy := vp8.NewDecoder()
		lossy.Init(bytes.NewReader(f.data), len(f.data))
		h, err := lossy.DecodeFrameHeader()
		if err != nil {
			return 0, 0, 0, fmt.Errorf("WebP: %w", err)
		}
		width, height, perPixel = h.Width, h.Height, 1.5
	}
	return max(width, f.width), max(height, f.height), perPixel + 3, nil
}
