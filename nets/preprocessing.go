package nets

import (
	"fmt"
	"math"
	"strings"

	"github.com/line-ood/goline/graph"
)

// Preprocessing says how to prepare images for a network: how to resize and how to normalise them. For each field
// except Std, the zero value means that a step is left out, or the most usual choice. Std has no such value and must be
// set, so that images are not left unnormalised by oversight. The zero value of the whole struct stands for an unknown
// preprocessing.
//
// The steps are those of torchvision for PIL images, in this order: Resize or ResizeTo, Crop, Channels, division by
// 255, Mean and Std, Layout. [Preset] returns usual ones by name, and [ParsePreprocessing] reads JSON files. Values can
// be compared with ==.
type Preprocessing struct {
	// Resize is the length in pixels to which the shorter side is resized, keeping the proportions (torchvision
	// Resize(n)).
	Resize int
	// ResizeTo is the [height, width] in pixels to which images are stretched (torchvision Resize([h, w])). It cannot
	// be combined with Resize.
	ResizeTo [2]int
	// Interpolation is the way in which resizing computes new pixels.
	Interpolation Interpolation
	// Crop is the side in pixels of the central square that is cut out after resizing (torchvision CenterCrop).
	Crop int
	// Channels is the order of colours in the network's input.
	Channels Channels
	// Mean and Std normalise each channel after division by 255: x = (v/255 - mean) / std. They are in the order of
	// Channels.
	Mean, Std [3]float32
	// Layout is the order of the axes of the network's input.
	Layout Layout
}

// PreprocessingOf returns how to prepare images for a model, and whether that is known. It asks the method
// Preprocessing of a [Classifier] or another model that has it; the zero value means that it is not known.
func PreprocessingOf(m graph.Model) (Preprocessing, bool) {
	p, ok := m.(interface{ Preprocessing() Preprocessing })
	if !ok {
		return Preprocessing{}, false
	}
	q := p.Preprocessing()
	return q, q != Preprocessing{}
}

// Check returns an error unless images can be prepared in this way: sizes must not be negative, Resize and ResizeTo
// must not both be set, choices must be among the named ones, mean and standard deviation must be finite, and the
// latter positive.
func (p Preprocessing) Check() error {
	switch {
	case p.Resize < 0 || p.Crop < 0:
		return fmt.Errorf("expected a resize and a crop of 0 (leave out) or more, got resize %d and crop %d", p.Resize,
			p.Crop)
	case p.ResizeTo != [2]int{} && (p.ResizeTo[0] < 1 || p.ResizeTo[1] < 1):
		return fmt.Errorf("expected a resize to a height and a width of at least 1, got %d and %d", p.ResizeTo[0],
			p.ResizeTo[1])
	case p.ResizeTo != [2]int{} && p.Resize != 0:
		return fmt.Errorf("expected a resize of the shorter side or of both, got %d and [%d, %d]", p.Resize,
			p.ResizeTo[0], p.ResizeTo[1])
	case !p.Interpolation.known():
		return fmt.Errorf("expected an interpolation among %s, got %s", interpolations, p.Interpolation)
	case !p.Channels.known():
		return fmt.Errorf("expected channels among %s, got %s", channelOrders, p.Channels)
	case !p.Layout.known():
		return fmt.Errorf("expected a layout among %s, got %s", layouts, p.Layout)
	}
	for c, name := range p.Channels.colours() {
		mean, std := float64(p.Mean[c]), float64(p.Std[c])
		if math.IsNaN(mean) || math.IsInf(mean, 0) || math.IsNaN(std) || math.IsInf(std, 0) || std <= 0 {
			return fmt.Errorf("expected a finite mean and a finite, positive standard deviation of %s, got %g and %g",
				name, mean, std)
		}
	}
	return nil
}

// Fits returns an error if images get a fixed size that differs from that of the input. input is the shape of one image
// in the order of Layout. An unknown preprocessing fits any input.
func (p Preprocessing) Fits(input []int) error {
	if len(input) != 3 {
		return fmt.Errorf("expected input of the three axes of %s behind the batch, got shape %v", p.Layout, input)
	}
	_, height, width := p.Layout.Split(input)
	switch h, w := p.Size(); {
	case h == 0 || h == height && w == width:
		return nil
	case p.Crop != 0:
		return fmt.Errorf("expected preprocessing that crops images to the input's %d×%d pixels, got %d×%d", height,
			width, h, w)
	default:
		return fmt.Errorf("expected preprocessing that resizes images to the input's %d×%d pixels, got %d×%d", height,
			width, h, w)
	}
}

// Size returns the size in pixels that every prepared image has, 0 if it depends on the image.
func (p Preprocessing) Size() (height, width int) {
	if p.Crop != 0 {
		return p.Crop, p.Crop
	}
	return p.ResizeTo[0], p.ResizeTo[1]
}

// String describes the preprocessing in one line, without steps that are left out: "resize 256 bicubic, crop 224, mean
// 0.485 0.456 0.406, std 0.229 0.224 0.225". Different preprocessings have different descriptions.
func (p Preprocessing) String() string {
	if p == (Preprocessing{}) {
		return "unknown"
	}
	var steps []string
	add := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	resized := p.Resize != 0 || p.ResizeTo != [2]int{}
	if p.Resize != 0 {
		add("resize %d %s", p.Resize, p.Interpolation)
	}
	if p.ResizeTo != [2]int{} {
		add("resize to %d×%d %s", p.ResizeTo[0], p.ResizeTo[1], p.Interpolation)
	}
	if !resized && p.Interpolation != Bilinear {
		add("%s", p.Interpolation)
	}
	if p.Crop != 0 {
		add("crop %d", p.Crop)
	}
	if p.Channels != RGB {
		add("%s", p.Channels)
	}
	if p.Mean != [3]float32{} {
		add("mean %s", numbers(p.Mean))
	}
	if p.Std != ones {
		add("std %s", numbers(p.Std))
	}
	if p.Layout != NCHW {
		add("%s", p.Layout)
	}
	if len(steps) == 0 {
		return "divide by 255"
	}
	return strings.Join(steps, ", ")
}

// ones is a standard deviation that changes nothing.
var ones = [3]float32{1, 1, 1}

func numbers(v [3]float32) string { return fmt.Sprintf("%v %v %v", v[0], v[1], v[2]) }
