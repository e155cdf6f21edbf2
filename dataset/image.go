package dataset

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"

	"github.com/line-ood/goline/dataset/internal/picture"
)

// Image is a picture in 8-bit RGB. It is also an opaque [image.Image] with (0, 0) at the top left, which the standard
// library's encoders and package draw accept directly.
type Image struct {
	// Pix holds the samples [height, width, 3], row-major, channels R, G, B.
	Pix []uint8
	// Height and Width are in pixels, at least 1.
	Height, Width int
}

// FromImage converts a picture in memory. Pixel (0, 0) of the result is the one at the Min of its bounds. The samples
// are those that [Open] reads from a file of the same mode, which are those of Pillow's convert("RGB"): grey is
// replicated, palettes are looked up, 16-bit grey saturates at 255, other 16-bit colour keeps the high byte, and
// alpha is dropped, not blended. Premultiplied colours are divided by their alpha, and are black where that is 0.
// Colours of other types of picture are read by their method At, those of [image.YCbCr] by [color.YCbCrToRGB] without
// interpolation of the chroma.
//
// An [Image] is returned unchanged; the samples of all other types are copied. Empty bounds give an Image without
// pixels, which is an error wherever images are used. It panics where im is nil, and for more than 178,956,970
// pixels, the limit of Open.
func FromImage(im image.Image) Image { return fromImage(im, new([]uint8)) }

// fromImage is FromImage into *buf, which it enlarges where needed.
func fromImage(im image.Image, buf *[]uint8) Image {
	switch im := im.(type) {
	case Image:
		return im
	case *Image:
		return *im
	case Labelled:
		return fromImage(im.Image, buf)
	case *Labelled:
		return fromImage(im.Image, buf)
	}
	pix, height, width := picture.FromImage(im, *buf)
	*buf = pix
	return Image{Pix: pix, Height: height, Width: width}
}

// Decode reads a JPEG, PNG, GIF, BMP or WebP file in memory, with the same bits and limits as [Open].
func Decode(file []byte) (Image, error) {
	return DecodeWithin(file, picture.MaxPixels)
}

// DecodeWithin is [Decode] for pictures from untrusted sources: more than most pixels are an error, before memory is
// allocated for them. See [Reader] for many pictures at a time.
func DecodeWithin(file []byte, most int) (Image, error) {
	img, err := newScratch(context.Background(), nil).decodeWithin(file, most)
	if err != nil {
		return Image{}, fmt.Errorf("decode picture: %w", err)
	}
	return img, nil
}

// ColorModel returns [color.RGBAModel].
func (m Image) ColorModel() color.Model { return color.RGBAModel }

// Bounds returns (0, 0) to (Width, Height).
func (m Image) Bounds() image.Rectangle { return image.Rect(0, 0, m.Width, m.Height) }

// At returns the colour in column x of row y as a [color.RGBA]; outside of the bounds it is zero.
func (m Image) At(x, y int) color.Color {
	if !(image.Point{X: x, Y: y}).In(m.Bounds()) {
		return color.RGBA{}
	}
	p := m.Pix[3*(y*m.Width+x):][:3]
	return color.RGBA{R: p[0], G: p[1], B: p[2], A: 255}
}

// Opaque returns true, so that encoders write no alpha.
func (m Image) Opaque() bool { return true }

// check returns an error for images without pixels, and for a number of samples that does not fit the size.
func (m Image) check() error {
	if m.Height < 1 || m.Width < 1 || m.Width > picture.MaxPixels/m.Height {
		return fmt.Errorf("expected an image of 1 to %d pixels, got %dx%d (height x width)", picture.MaxPixels,
			m.Height, m.Width)
	}
	if len(m.Pix) != 3*m.Height*m.Width {
		return fmt.Errorf("image of %dx%d pixels (height x width): expected %d samples, got %d",
			m.Height, m.Width, 3*m.Height*m.Width, len(m.Pix))
	}
	return nil
}

// inMemory is a set of images in memory.
type inMemory struct {
	name    string
	images  []Image
	labels  []int
	classes []string
}

// FromImages makes a set of images in memory. labels holds one class index for each image, -1 where it is unknown,
// and classes the names of the classes. Both may be nil; if both are given, every label must have a name. IDs are
// "name#index", counted from 0.
//
// The slices are copied, but not the samples, which must not change while the set is in use. Without images the error
// is [ErrNoImages]; other errors name the image.
func FromImages(name string, images []Image, labels []int, classes []string) (Dataset, error) {
	if len(images) == 0 {
		return nil, fmt.Errorf("images in memory %q: %w", name, ErrNoImages)
	}
	if labels != nil && len(labels) != len(images) {
		return nil, fmt.Errorf("images in memory %q: expected %d labels, got %d", name, len(images), len(labels))
	}
	d := &inMemory{name: name, images: slices.Clone(images), labels: slices.Clone(labels),
		classes: slices.Clone(classes)}
	for i, m := range images {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("images in memory %s: %w", d.ID(i), err)
		}
	}
	for i, label := range labels {
		if err := checkLabel(label, len(classes)); err != nil {
			return nil, fmt.Errorf("images in memory %s: %w", d.ID(i), err)
		}
	}
	return d, nil
}

// checkLabel returns an error for a label that is neither a class nor -1. classes = 0 stands for an unknown number.
func checkLabel(label, classes int) error {
	switch {
	case label < -1:
		return fmt.Errorf("expected a class index as label, or -1 for unknown, got %d", label)
	case classes > 0 && label >= classes:
		return fmt.Errorf("expected a label of %d classes, got %d", classes, label)
	}
	return nil
}

func (d *inMemory) Name() string      { return d.name }
func (d *inMemory) Len() int          { return len(d.images) }
func (d *inMemory) Labels() []int     { return d.labels }
func (d *inMemory) Classes() []string { return d.classes }
func (d *inMemory) ID(i int) string   { return fmt.Sprintf("%s#%d", d.name, i) }
func (d *inMemory) Close() error      { return nil }

func (d *inMemory) Image(i int) (Image, error) {
	m, err := d.imageInto(i, nil)
	m.Pix = slices.Clone(m.Pix)
	return m, err
}

func (d *inMemory) imageInto(i int, _ *scratch) (Image, error) {
	if err := checkIndex(d, i); err != nil {
		return Image{}, err
	}
	return d.images[i], nil
}
