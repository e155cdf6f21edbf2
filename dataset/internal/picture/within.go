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

// DecodeWithin is Decode with a limit of most pixels, at most MaxPixels: larger pictures are refused before memory is taken for them.
func DecodeWithin(data []byte, buf []uint8, most int) (pix []uint8, height, width int, err error) {
	defer func() {
		if r := recover(); r != nil {
			pix, height, width, err = nil, 0, 0, fmt.Errorf("damaged picture: %s", fsfile.GaveUp(r))
		}
	}()
	most = min(most, MaxPixels)
	format := Sniff(data[:min(len(data), SniffLen)])
	if format == JPEG {
		return jpeg.Decode(data, buf, most)
	}
	if w, h, ok := size(format, data); ok && w > most/max(h, 1) {
		return nil, 0, 0, fmt.Errorf("%v: %dx%d pixels are above the limit of %d pixels", format, w, h, most)
	}
	return Decode(data, buf)
}

// size reads the width and height of a picture that is no JPEG where Decode reads them. What it cannot read, Decode refuses.
func size(format Format, data []byte) (width, height int, ok bool) {
	switch format {
	case PNG:
		if len(data) < 24 {
			return 0, 0, false
		}
		return int(binary.BigEndian.Uint32(data[16:]) & (1<<31 - 1)), int(binary.BigEndian.Uint32(data[20:]) & (1<<31 - 1)), true
	case GIF:
		f, err := readGIFFrame(data)
		return max(f.screenW, f.rect.Max.X), max(f.screenH, f.rect.Max.Y), err == nil
	case BMP:
		c, err := bmp.DecodeConfig(bytes.NewReader(data))
		return c.Width, c.Height, err == nil
	case WebP:
		return webpSize(data)
	}
	return 0, 0, false
}

// webpSize is the larger of a picture's canvas and its first frame.
func webpSize(data []byte) (width, height int, ok bool) {
	f, err := findWebPFrame(data)
	if err != nil {
		return 0, 0, false
	}
	if f.kind == "VP8L" {
		c, err := vp8l.DecodeConfig(bytes.NewReader(f.data))
		return max(c.Width, f.width), max(c.Height, f.height), err == nil
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(f.data), len(f.data))
	h, err := d.DecodeFrameHeader()
	return max(h.Width, f.width), max(h.Height, f.height), err == nil
}
