package dataset

import (
	"fmt"
	"math"

	"github.com/line-ood/goline/dataset/internal/picture"
	"github.com/line-ood/goline/dataset/internal/resample"
	"github.com/line-ood/goline/nets"
)

// Preprocessor turns images into network input as torchvision does with PIL images:
//
//	Compose([Resize(p.Resize, p.Interpolation), CenterCrop(p.Crop), ToTensor(), Normalize(p.Mean, p.Std)])
//
// Resize scales the shorter side to p.Resize and the longer one to int(p.Resize * longer / shorter), or height and
// width to p.ResizeTo, as Pillow does: bilinear and bicubic with antialiasing in 8-bit fixed point. CenterCrop cuts
// out the central square, with half pixels rounded to even, and pads with black where the image is smaller. Each step
// has the same bits as torchvision with Pillow and PyTorch. A step whose size is 0 is omitted, and resizing to the same
// size changes nothing. p.Channels and p.Layout determine the order of the normalised values.
//
// A Preprocessor keeps scratch memory and the filters of earlier sizes, so that images of a known size need no
// allocation. It is not safe for concurrent use.
type Preprocessor struct {
	p       nets.Preprocessing
	table   [3][256]float32 // normalised value per colour (red, green, blue) and sample
	resizer resample.Resizer
	scratch []uint8
}

// NewPreprocessor checks the settings; see [nets.Preprocessing.Check]. A size of more than 178,956,970 pixels is an
// error.
func NewPreprocessor(p nets.Preprocessing) (*Preprocessor, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("preprocessing: %w", err)
	}
	if p.Resize > picture.MaxPixels || p.Crop > maxCrop {
		return nil, fmt.Errorf("preprocessing: expected a crop of at most %d, got resize %d and crop %d", maxCrop,
			p.Resize, p.Crop)
	}
	if p.ResizeTo[0] > 0 && p.ResizeTo[1] > picture.MaxPixels/p.ResizeTo[0] {
		return nil, fmt.Errorf("preprocessing: expected a resize to at most %d pixels, got %dx%d", picture.MaxPixels,
			p.ResizeTo[0], p.ResizeTo[1])
	}
	q := &Preprocessor{p: p}
	for colour := range q.table {
		mean, std := p.Mean[q.channel(colour)], p.Std[q.channel(colour)]
		for v := range q.table[colour] {
			// Each operation rounds to float32 separately, as in PyTorch, which makes one pass for each.
			x := float32(v) / 255
			x = float32(x - mean)
			q.table[colour][v] = float32(x / std)
		}
	}
	return q, nil
}

// kind returns the interpolation method.
func (q *Preprocessor) kind() resample.Kind {
	switch q.p.Interpolation {
	case nets.Bicubic:
		return resample.Bicubic
	case nets.Nearest:
		return resample.Nearest
	}
	return resample.Bilinear
}

// channel returns the index of the network's channel for a colour; colours are counted from red.
func (q *Preprocessor) channel(colour int) int {
	if q.p.Channels == nets.BGR {
		return 2 - colour
	}
	return colour
}

// maxCrop is the largest crop whose square is within the pixel limit.
const maxCrop = 13_377 // floor(sqrt(picture.MaxPixels))

// layout says where an image's pixels go. The image is resized to height x width, and the region of it is placed at
// (top, left) of the output.
type layout struct {
	height, width       int
	region              resample.Region
	top, left           int
	outHeight, outWidth int
}

// layout computes torchvision's Resize and CenterCrop for an image of the given size.
func (q *Preprocessor) layout(height, width int) layout {
	l := layout{height: height, width: width}
	if to := q.p.ResizeTo; to[0] > 0 {
		l.height, l.width = to[0], to[1]
	}
	if n := q.p.Resize; n > 0 {
		if width <= height {
			l.height, l.width = int(int64(n)*int64(height)/int64(width)), n
		} else {
			l.height, l.width = n, int(int64(n)*int64(width)/int64(height))
		}
	}
	l.outHeight, l.outWidth = l.height, l.width
	if n := q.p.Crop; n > 0 {
		l.outHeight, l.outWidth = n, n
	}
	var top, left int
	top, l.top, l.region.Height = center(l.height, l.outHeight)
	left, l.left, l.region.Width = center(l.width, l.outWidth)
	l.region.Top, l.region.Left = top, left
	return l
}

// center centres a side of n pixels in one of crop pixels. It returns where the region begins in the image (from),
// where it is placed in the output (to), and its length.
func center(n, crop int) (from, to, length int) {
	if n < crop {
		return 0, (crop - n) / 2, n
	}
	return int(math.RoundToEven(float64(n-crop) / 2)), 0, crop
}

// Size returns the size in pixels after preprocessing of an image with the given size.
func (q *Preprocessor) Size(height, width int) (outHeight, outWidth int, err error) {
	if height < 1 || width < 1 {
		return 0, 0, fmt.Errorf("image of %dx%d pixels (height x width)", height, width)
	}
	l := q.layout(height, width)
	if l.outWidth > picture.MaxPixels/l.outHeight {
		return 0, 0,
			fmt.Errorf("image of %dx%d pixels (height x width) would become one of %dx%d, above the limit of %d pixels",
				height, width, l.outHeight, l.outWidth, picture.MaxPixels)
	}
	return l.outHeight, l.outWidth, nil
}

// Apply writes the network input for one image to dst, row-major [3, height, width], or [height, width, 3] in the
// layout NHWC. Height and width must be those of [Preprocessor.Size]: Crop x Crop where Crop is set. The image is not
// changed.
func (q *Preprocessor) Apply(dst []float32, img Image) error {
	outHeight, outWidth, err := q.Size(img.Height, img.Width)
	if err != nil {
		return err
	}
	if err := img.check(); err != nil {
		return err
	}
	if len(dst) != 3*outHeight*outWidth {
		return fmt.Errorf("image of %dx%d pixels (height x width): expected room for [3 %d %d], got %d values",
			img.Height, img.Width, outHeight, outWidth, len(dst))
	}
	l := q.layout(img.Height, img.Width)
	var pix []uint8 // the rows of the region
	var stride int
	if l.height == img.Height && l.width == img.Width {
		pix, stride = img.Pix[3*(l.region.Top*img.Width+l.region.Left):], 3*img.Width
	} else {
		pix, stride = enlarge(&q.scratch, 3*l.region.Height*l.region.Width), 3*l.region.Width
		q.resizer.Resize(q.kind(), pix, img.Pix, img.Height, img.Width, l.height, l.width, l.region)
	}
	if l.region.Height < outHeight || l.region.Width < outWidth {
		q.blacken(dst)
	}
	for y := range l.region.Height {
		row := pix[y*stride:][:3*l.region.Width]
		at := (l.top+y)*outWidth + l.left
		if q.p.Layout == nets.NHWC {
			q.interleave(dst[3*at:], row)
			continue
		}
		plane := outHeight * outWidth
		at0, at1, at2 := at+plane*q.channel(0), at+plane*q.channel(1), at+plane*q.channel(2)
		q.spread(dst[at0:], dst[at1:], dst[at2:], row)
	}
	return nil
}

// blacken fills the input with black.
func (q *Preprocessor) blacken(dst []float32) {
	plane := len(dst) / 3
	for colour := range 3 {
		first, step := q.channel(colour)*plane, 1
		if q.p.Layout == nets.NHWC {
			first, step = q.channel(colour), 3
		}
		black := q.table[colour][0]
		for i := range plane {
			dst[first+i*step] = black
		}
	}
}

// spread normalises one row of pixels and writes it to the planes of the three colours.
func (q *Preprocessor) spread(r, g, b []float32, row []uint8) {
	n := len(row) / 3
	r, g, b = r[:n], g[:n], b[:n]
	for x := range r {
		p := row[3*x : 3*x+3 : 3*x+3]
		r[x], g[x], b[x] = q.table[0][p[0]], q.table[1][p[1]], q.table[2][p[2]]
	}
}

// interleave normalises one row of pixels and writes it as pixels of three channels.
func (q *Preprocessor) interleave(dst []float32, row []uint8) {
	r, b := q.channel(0), q.channel(2)
	for x := 0; x < len(row); x += 3 {
		p, to := row[x:x+3:x+3], dst[x:x+3:x+3]
		to[r], to[1], to[b] = q.table[0][p[0]], q.table[1][p[1]], q.table[2][p[2]]
	}
}

// Preprocess writes the network input for one image to dst; see [Preprocessor], which is faster for many images.
func Preprocess(dst []float32, img Image, p nets.Preprocessing) error {
	q, err := NewPreprocessor(p)
	if err != nil {
		return err
	}
	return q.Apply(dst, img)
}

// enlarge returns a slice of length n of *buf, which it replaces if it is too small.
func enlarge(buf *[]uint8, n int) []uint8 {
	if cap(*buf) < n {
		*buf = make([]uint8, n)
	}
	return (*buf)[:n]
}
