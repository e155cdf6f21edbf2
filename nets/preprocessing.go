package nets

import (
	"fmt"
	"math"
	"strings"

	"github.com/line-ood/goline/graph"
)

// Preprocessing says how a network wants its images: how to bring them to size and how to normalise them. The zero
// value of a field but Std means that nothing is done about it, or what most networks want; Std has no such value and
// must be set, so that no image goes unnormalised by oversight. The whole zero value stands for a preprocessing that is
// not known.
//
// The steps are those of torchvision for PIL images, in this order: Resize or ResizeTo, Crop, Channels, division by
// 255, Mean and Std, Layout. [Preset] names usual ones, and [ParsePreprocessing] reads JSON files. Values can be
// compared with ==.
type Preprocessing struct {
	// Resize is the target length in pixels of the shorter side, which keeps the proportions (torchvision Resize(n)).
	Resize int
	// ResizeTo is the [height, width] in pixels that images are stretched to (torchvision Resize([h, w])); not beside
	// Resize.
	ResizeTo [2]int
	// Interpolation is how resizing finds the new pixels.
	Interpolation Interpolation
	// Crop is the side in pixels of the central square cut out after resizing (torchvision CenterCrop).
	Crop int
	// Channels is the order in which the network takes the colours.
	Channels Channels
	// Mean and Std normalise each channel after division by 255: x = (v/255 - mean) / std. They are in the order of
	// Channels.
	Mean, Std [3]float32
	// Layout is the order of the axes of the network's input.
	Layout Layout
}

// PreprocessingOf returns how a model wants its images prepared, and whether that is known. A [Classifier], or any
// other model with a method Preprocessing, tells it, unless the method returns the zero value.
func PreprocessingOf(m graph.Model) (Preprocessing, bool) {
	p, ok := m.(interface{ Preprocessing() Preprocessing })
	if !ok {
		return Preprocessing{}, false
	}
	q := p.Preprocessing()
	return q, q != Preprocessing{}
}

// Check fails unless images can be prepared in this way: sizes are not negative, Resize and ResizeTo are not both set,
// choices are among the named ones, mean and standard deviation are finite, and the latter is positive.
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

// Fits fails where images are brought to a fixed size that is not the size of the input. input is the shape of one
// image in the order of Layout. A preprocessing that is not known fits any input.
func (p Preprocessing) Fits(input []int) error {
	if len(input) != 3 {
		return fmt.Errorf("input of shape %v, expected the three axes of %s behind the batch", input, p.Layout)
	}
	_, height, width := p.Layout.Split(input)
	switch h, w := p.Size(); {
	case h == 0 || h == height && w == width:
		return nil
	case p.Crop != 0:
		return fmt.Errorf("preprocessing crops images to %d×%d pixels, expected the input's %d×%d", h, w, height, width)
	default:
		return fmt.Errorf("preprocessing resizes images to %d×%d pixels, expected the input's %d×%d", h, w, height,
			width)
	}
}

// Size returns the size in pixels that every image has in the end, 0 where it depends on the image.
func (p Preprocessing) Size() (height, width int) {
	if p.Crop != 0 {
		return p.Crop, p.Crop
	}
	return p.ResizeTo[0], p.ResizeTo[1]
}

// String describes the preprocessing in one line, leaving out what is not done: "resize 256 bicubic, crop 224, mean
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

// ones is the standard deviation that changes nothing.
var ones = [3]float32{1, 1, 1}

func numbers(v [3]float32) string { return fmt.Sprintf("%v %v %v", v[0], v[1], v[2]) }
