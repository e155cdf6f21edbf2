package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

// webpFrame is the coded picture within a WebP file and its place on the canvas.
type webpFrame struct {
	kind          string // "VP8 " (lossy) or "VP8L" (lossless)
	data          []byte
	left, top     int
	width, height int // size of the canvas, 0 if the file states only that of the coded picture
	animated      bool
}

// decodeWebP reads the file's chunks itself. golang.org/x/image/webp refuses animations and lossless pictures with an
// extended header, and its colours differ from libwebp's.
func decodeWebP(ctx context.Context, data []byte, buf []uint8) ([]uint8, int, int, error) {
	f, err := findWebPFrame(data)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("WebP: %w", err)
	}
	var width, height int
	lossy := vp8.NewDecoder()
	if f.kind == "VP8L" {
		c, err := vp8l.DecodeConfig(bytes.NewReader(f.data))
		if err != nil {
			return nil, 0, 0, fmt.Errorf("WebP: %w", err)
		}
		width, height = c.Width, c.Height
	} else {
		lossy.Init(newReader(ctx, f.data), len(f.data))
		h, err := lossy.DecodeFrameHeader()
		if err != nil {
			return nil, 0, 0, fmt.Errorf("WebP: %w", err)
		}
		width, height = h.Width, h.Height
	}
	if err := checkSize(WebP, width, height, MaxPixels); err != nil {
		return nil, 0, 0, err
	}
	if f.width == 0 {
		f.width, f.height = width, height
	}
	if err := checkSize(WebP, f.width, f.height, MaxPixels); err != nil {
		return nil, 0, 0, err
	}
	if whole := f.width == width && f.height == height; !f.animated && !whole || f.left+width > f.width ||
		f.top+height > f.height {
		return nil, 0, 0, fmt.Errorf("WebP: a picture of %dx%d at (%d, %d) does not fit the canvas of %dx%d",
			width, height, f.left, f.top, f.width, f.height)
	}
	pix := buf
	if f.kind == "VP8L" {
		im, err := vp8l.Decode(newReader(ctx, f.data))
		if err != nil {
			return nil, 0, 0, fmt.Errorf("WebP: %w", err)
		}
		pix = fromImage(im, buf, false)
	} else {
		im, err := lossy.DecodeFrame()
		if err != nil {
			return nil, 0, 0, fmt.Errorf("WebP: %w", err)
		}
		pix = grow(buf, 3*width*height)
		yuvToRGB(pix, im, width, height)
	}
	if f.width == width && f.height == height {
		return pix, height, width, nil
	}
	canvas := make([]uint8, 3*f.width*f.height)
	for y := range height {
		copy(canvas[3*((f.top+y)*f.width+f.left):], pix[3*y*width:][:3*width])
	}
	return canvas, f.height, f.width, nil
}

// findWebPFrame finds the first coded picture (RFC 9649, section 2).
func findWebPFrame(data []byte) (webpFrame, error) {
	var f webpFrame
	size := int(binary.LittleEndian.Uint32(data[4:]))
	if size > len(data)-8 {
		return f, errTruncated
	}
	r := cursor{data: data[12:max(8+size, 12)]}
	for {
		head := r.take(8)
		if head == nil {
			return f, errors.New("no picture in the file")
		}
		n := int(binary.LittleEndian.Uint32(head[4:]))
		body := r.take(n)
		if body == nil {
			return f, errTruncated
		}
		r.take(n & 1) // padding
		switch id := string(head[:4]); id {
		case "VP8X":
			if n < 10 {
				return f, errTruncated
			}
			f.width, f.height = 1+uint24(body[4:]), 1+uint24(body[7:])
		case "ANMF":
			if n < 16 {
				return f, errTruncated
			}
			f.left, f.top, f.animated = 2*uint24(body), 2*uint24(body[3:]), true
			r.data = body[16:] // continue inside the first frame
		case "VP8 ", "VP8L":
			f.kind, f.data = id, body
			return f, nil
		}
	}
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// yuvToRGB converts colours as libwebp does: triangle filter for chroma, then BT.601 studio range in fixed point.
func yuvToRGB(pix []uint8, im *image.YCbCr, width, height int) {
	n := (width + 1) / 2
	rows := (height + 1) / 2
	u, v := make([]uint8, 2*n+1), make([]uint8, 2*n+1)
	for y := range height {
		near := y / 2
		far := min(max(near-1+y%2*2, 0), rows-1)
		a, b := near*im.CStride, far*im.CStride
		upsampleWebP(u, im.Cb[a:][:n], im.Cb[b:][:n])
		upsampleWebP(v, im.Cr[a:][:n], im.Cr[b:][:n])
		luma := im.Y[y*im.YStride:][:width]
		dst := pix[3*y*width:][:3*width]
		for x, l := range luma {
			const bits = 8
			l, cb, cr := int32(l)*19077>>bits, int32(u[x]), int32(v[x])
			q := dst[3*x : 3*x+3 : 3*x+3]
			q[0] = clip6(l + cr*26149>>bits - 14234)
			q[1] = clip6(l - cb*6419>>bits - cr*13320>>bits + 8708)
			q[2] = clip6(l + cb*33050>>bits - 17685)
		}
	}
}

// upsampleWebP doubles a chroma row. The four nearest samples have weights 9, 3, 3, 1 of 16, rounded in libwebp's two
// steps: the mean of the diagonal first, then its mean with the nearest sample. At both ends only the two rows are
// mixed.
func upsampleWebP(dst, near, far []uint8) {
	n := len(near)
	dst[0] = uint8((3*int32(near[0]) + int32(far[0]) + 2) >> 2)
	for i := 1; i < n; i++ {
		nl, nr, fl, fr := int32(near[i-1]), int32(near[i]), int32(far[i-1]), int32(far[i])
		sum := nl + nr + fl + fr + 8
		dst[2*i-1] = uint8(((sum+2*(nr+fl))>>3 + nl) >> 1)
		dst[2*i] = uint8(((sum+2*(nl+fr))>>3 + nr) >> 1)
	}
	dst[2*n-1] = uint8((3*int32(near[n-1]) + int32(far[n-1]) + 2) >> 2)
}

// clip6 drops 6 fraction bits and clamps.
func clip6(v int32) uint8 { return uint8(min(max(v>>6, 0), 255)) }
