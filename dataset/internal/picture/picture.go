// Package picture decodes picture files to 8-bit RGB exactly as Pillow's Image.open(file).convert("RGB"), which is
// torchvision's default loader. It recognises the format by the content, not by the file's name.
//
//   - JPEG: package jpeg beside this one, same bits as libjpeg-turbo.
//   - PNG: 1, 2 and 4 bit grey are scaled to 8 bits; 16 bit colour keeps the high byte; 16 bit grey saturates at 255
//     (sic: that is Pillow's conversion).
//   - GIF: the first frame on a canvas of the transparent colour, or of colour 0 where there is none.
//   - BMP: as golang.org/x/image/bmp: 1, 2, 4, 8, 24 and 32 bits, uncompressed.
//   - WebP: lossy with libwebp's chroma upsampling and colour conversion, lossless, and the first frame of animations.
//
// Alpha is dropped: the stored colour stays as it is, neither premultiplied nor blended. Colour profiles, gamma and
// EXIF orientation are not applied, as in torchvision.
package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/line-ood/goline/dataset/internal/jpeg"
	"github.com/line-ood/goline/internal/fsfile"
)

// MaxPixels is the largest number of pixels of a picture: Pillow's limit against decompression bombs.
const MaxPixels = 178_956_970

// SniffLen is the number of leading bytes that Sniff looks at.
const SniffLen = 32

// Format is a kind of picture file.
type Format int

// The kinds of files that can be decoded.
const (
	Unknown Format = iota
	JPEG
	PNG
	GIF
	BMP
	WebP
)

// String returns the format's usual name.
func (f Format) String() string {
	return [...]string{"unknown", "JPEG", "PNG", "GIF", "BMP", "WebP"}[f]
}

// Sniff tells the format from the first SniffLen bytes of a file (fewer if it is shorter).
func Sniff(head []byte) Format {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return JPEG
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return PNG
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return GIF
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return WebP
	case len(head) >= 18 && string(head[:2]) == "BM":
		// The two letters alone could also begin a text.
		switch binary.LittleEndian.Uint32(head[14:]) {
		case 12, 16, 40, 52, 56, 64, 108, 124:
			return BMP
		}
	}
	return Unknown
}

var (
	errKind      = errors.New("not a JPEG, PNG, GIF, BMP or WebP picture")
	errTruncated = errors.New("truncated: the data ends before the picture does")
)

// Decode decodes one picture to RGB, row-major (height, width, 3), into buf if its capacity suffices. A picture of
// more than MaxPixels pixels is an error, before memory is allocated for it.
func Decode(data []byte, buf []uint8) (pix []uint8, height, width int, err error) {
	return DecodeContext(context.Background(), data, buf)
}

// DecodeContext is Decode that returns ctx's error soon after ctx ends.
func DecodeContext(ctx context.Context, data []byte, buf []uint8) (pix []uint8, height, width int, err error) {
	defer func() {
		if r := recover(); r != nil {
			pix, height, width, err = nil, 0, 0, fmt.Errorf("damaged picture: %s", fsfile.GaveUp(r))
		}
	}()
	var decode func(ctx context.Context, data []byte, buf []uint8) ([]uint8, int, int, error)
	switch Sniff(data[:min(len(data), SniffLen)]) {
	case JPEG:
		return jpeg.DecodeContext(ctx, data, buf, MaxPixels)
	case PNG:
		decode = decodePNG
	case GIF:
		decode = decodeGIF
	case BMP:
		decode = decodeBMP
	case WebP:
		decode = decodeWebP
	default:
		return nil, 0, 0, errKind
	}
	pix, height, width, err = decode(ctx, data, buf)
	if ctx.Err() != nil {
		return nil, 0, 0, ctx.Err()
	}
	return pix, height, width, err
}

// reader reads data in pieces until ctx ends. Decoders ask for pieces as they need them.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func newReader(ctx context.Context, data []byte) io.Reader {
	return &reader{ctx, bytes.NewReader(data)}
}

func (r *reader) Read(p []byte) (int, error) {
	const piece = 1 << 12 // unpacks to 4 MiB at most
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p[:min(len(p), piece)])
}

// checkSize returns an error for pictures without pixels and for more than most pixels.
func checkSize(format Format, width, height, most int) error {
	if width < 1 || height < 1 {
		return fmt.Errorf("%v: size %dx%d (width x height)", format, width, height)
	}
	if width > most/height {
		return fmt.Errorf("%v: %dx%d pixels are above the limit of %d pixels", format, width, height, most)
	}
	return nil
}

// grow returns a slice of length n, in buf if that is large enough.
func grow(buf []uint8, n int) []uint8 {
	if cap(buf) < n {
		return make([]uint8, n)
	}
	return buf[:n]
}
