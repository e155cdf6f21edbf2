package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image/png"

	"golang.org/x/image/bmp"
)

const (
	pngColorGrey = 0
	// deflateRatio is the largest factor by which deflate can expand its input.
	deflateRatio = 1032
)

func decodePNG(ctx context.Context, data []byte, buf []uint8) ([]uint8, int, int, error) {
	if len(data) < 33 || string(data[12:16]) != "IHDR" {
		return nil, 0, 0, fmt.Errorf("PNG: %w", errTruncated)
	}
	width, height := binary.BigEndian.Uint32(data[16:]), binary.BigEndian.Uint32(data[20:])
	if width > 1<<31-1 || height > 1<<31-1 {
		return nil, 0, 0, fmt.Errorf("PNG: size %dx%d", width, height)
	}
	if err := checkSize(PNG, int(width), int(height), MaxPixels); err != nil {
		return nil, 0, 0, err
	}
	depth, kind := data[24], data[25]
	// The decoder would first allocate the whole picture, which such a short file cannot fill.
	if int(width)*int(height)*int(depth)/8 > deflateRatio*len(data) {
		return nil, 0, 0, fmt.Errorf("PNG: %w", errTruncated)
	}
	im, err := png.Decode(newReader(ctx, data))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("PNG: %w", err)
	}
	return fromImage(im, buf, depth == 16 && kind == pngColorGrey), int(height), int(width), nil
}

func decodeBMP(ctx context.Context, data []byte, buf []uint8) ([]uint8, int, int, error) {
	c, err := bmp.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("BMP: %w", unsupportedBMP(data, err))
	}
	if err := checkSize(BMP, c.Width, c.Height, MaxPixels); err != nil {
		return nil, 0, 0, err
	}
	if bits := int(binary.LittleEndian.Uint16(data[28:])); c.Width*c.Height*bits/8 > len(data) {
		return nil, 0, 0, fmt.Errorf("BMP: %w", errTruncated)
	}
	im, err := bmp.Decode(newReader(ctx, data))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("BMP: %w", err)
	}
	return fromImage(im, buf, false), c.Height, c.Width, nil
}

// unsupportedBMP returns an error that says which feature of a BMP file is not supported, by its header; err where
// the header does not show it.
func unsupportedBMP(data []byte, err error) error {
	if len(data) < 34 {
		return errTruncated
	}
	header, bits, compression := binary.LittleEndian.Uint32(data[14:]), binary.LittleEndian.Uint16(data[28:]),
		binary.LittleEndian.Uint32(data[30:])
	const read = "expected one of 1, 2, 4, 8, 24 or 32 bits, uncompressed"
	switch {
	case header < 40:
		return fmt.Errorf("a header of %d bytes, as OS/2 has, is not read: %s, with a header of Windows", header, read)
	case compression != 0:
		kind, ok := map[uint32]string{1: "RLE8", 2: "RLE4", 3: "bit fields", 4: "JPEG", 5: "PNG",
			6: "bit fields with alpha"}[compression]
		if !ok {
			kind = "unknown"
		}
		return fmt.Errorf("compression %d (%s) is not read: %s", compression, kind, read)
	case bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 24 && bits != 32:
		return fmt.Errorf("%d bits a pixel are not read: %s", bits, read)
	}
	return err
}

// grey replicates each sample.
func grey(dst, src []uint8) {
	for x, v := range src {
		q := dst[3*x : 3*x+3 : 3*x+3]
		q[0], q[1], q[2] = v, v, v
	}
}

// grey16 converts big-endian 16-bit samples, step bytes apart, with saturation at 255.
func grey16(dst, src []uint8, step int) {
	for x := range len(dst) / 3 {
		v := src[step*x+1]
		if src[step*x] != 0 {
			v = 255
		}
		dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
	}
}

// pick copies the first three samples of each pixel of step bytes. Of samples that are size bytes wide it takes the
// first byte.
func pick(dst, src []uint8, step, size int) {
	for x := range len(dst) / 3 {
		p, q := src[step*x:step*x+3*size:step*x+3*size], dst[3*x:3*x+3:3*x+3]
		q[0], q[1], q[2] = p[0], p[size], p[2*size]
	}
}

// look replaces palette indices by colours.
func look(dst, src []uint8, table *[256][3]uint8) {
	for x, v := range src {
		copy(dst[3*x:3*x+3], table[v][:])
	}
}
