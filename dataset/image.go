package dataset

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"

	"github.com/line-ood/goline/dataset/internal/picture"
)

// Image is a picture in 8-bit RGB. It is an opaque [image.Image] too, with (0, 0) at the top left, so that the standard
// library's encoders and draw take it as it is.
type Image struct {
	// Pix holds the samples [height, width, 3], row-major, channels R, G, B.
	Pix []uint8
	// Height and Width are in pixels, at least 1.
	Height, Width int
}

// FromImage converts a picture in memory, from (0, 0) to the corner opposite of its bounds' Min. The samples are those
// that [Open] reads from a file of the same mode, which are those of Pillow's convert("RGB"): grey is replicated,
// palettes are looked up, 16-bit grey saturates at 255, other 16-bit colour keeps the high byte, and alpha is dropped,
// not blended. Premultiplied colour is divided by its alpha, and is black where that is 0. Other types of picture are
// asked for their colours, [image.YCbCr] by [color.YCbCrToRGB] without interpolation of the chroma.
//
// An [Image] comes back as it is; of all others the samples are copied. Empty bounds give an Image without pixels,
// which every user of images refuses. It panics where im is nil, or above the 178,956,970 pixels at which Open gives
// up.
func FromImage(im image.Image) Image { return fromImage(im, new([]uint8)) }

// fromImage is FromImage into *buf, which is enlarged as needed.
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

// DecodeWithin is [Decode] for pictures of strangers: one of more than most pixels is an error, before memory is taken
// for it. See [Reader] for many of them at a time.
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

// At returns the colour in column x of row y as a [color.RGBA], the zero one outside of the bounds.
func (m Image) At(x, y int) color.Color {
	if !(image.Point{X: x, Y: y}).In(m.Bounds()) {
		return color.RGBA{}
	}
	p := m.Pix[3*(y*m.Width+x):][:3]
	return color.RGBA{R: p[0], G: p[1], B: p[2], A: 255}
}

// Opaque tells encoders that there is no alpha.
func (m Image) Opaque() bool { return true }

// check refuses empty images, and samples that are not those of the size.
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

// inMemory is a set of images that the caller has.
type inMemory struct {
	name    string
	images  []Image
	labels  []int
	classes []string
}

// FromImages makes a set of images in memory. Labels, one class index per image and -1 where it is unknown, may be nil,
// and so may classes, the names of the classes; with both, every label must have a name. IDs are "name#index", counted
// from 0.
//
// The slices are copied, the samples are not: they must not change while the set is in use. No image is [ErrNoImages];
// other errors name the image.
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

// checkLabel refuses what is neither a class nor -1. A number of 0 classes is unknown.
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
