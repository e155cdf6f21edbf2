package nets

import (
	"fmt"
	"slices"
	"strings"
)

// Interpolation is how resizing finds new pixels, each as Pillow does for 8-bit pictures.
type Interpolation uint8

// The interpolations. Bilinear and bicubic widen with the reduction factor (antialias); bicubic has a = -0.5 (Keys
// 1981). Nearest takes the pixel under the centre of the new one.
const (
	Bilinear Interpolation = iota
	Bicubic
	Nearest
)

// Channels is an order of colours.
type Channels uint8

// The orders of colours.
const (
	RGB Channels = iota
	BGR
)

// Layout is an order of the axes of a batch of images.
type Layout uint8

// The orders of axes: channels before or behind height and width.
const (
	NCHW Layout = iota
	NHWC
)

// choices are the names of an enumeration's values, from 0 on.
type choices []string

var (
	interpolations = choices{"bilinear", "bicubic", "nearest"}
	channelOrders  = choices{"RGB", "BGR"}
	layouts        = choices{"NCHW", "NHWC"}
)

func (c choices) String() string { return strings.Join(c, ", ") }

// name returns the name of value v, or kind followed by the number where v has no name.
func (c choices) name(kind string, v uint8) string {
	if int(v) < len(c) {
		return c[v]
	}
	return fmt.Sprintf("%s(%d)", kind, v)
}

// value returns the value of that name.
func (c choices) value(name string) (uint8, error) {
	i := slices.Index(c, name)
	if i < 0 {
		return 0, fmt.Errorf("expected one of %s, got %q", c, name)
	}
	return uint8(i), nil
}

// String returns the name: bilinear, bicubic or nearest.
func (i Interpolation) String() string { return interpolations.name("interpolation", uint8(i)) }

// String returns the name: RGB or BGR.
func (c Channels) String() string { return channelOrders.name("channels", uint8(c)) }

// String returns the name: NCHW or NHWC.
func (l Layout) String() string { return layouts.name("layout", uint8(l)) }

func (i Interpolation) known() bool { return int(i) < len(interpolations) }
func (c Channels) known() bool      { return int(c) < len(channelOrders) }
func (l Layout) known() bool        { return int(l) < len(layouts) }

// colours names the channels in order.
func (c Channels) colours() []string {
	if c == BGR {
		return []string{"blue", "green", "red"}
	}
	return []string{"red", "green", "blue"}
}

// Split returns what the lengths of one image's axes in this layout mean: the shape without the batch, of three axes.
func (l Layout) Split(shape []int) (channels, height, width int) {
	if l == NHWC {
		return shape[2], shape[0], shape[1]
	}
	return shape[0], shape[1], shape[2]
}
