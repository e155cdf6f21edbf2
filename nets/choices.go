package nets

import (
	"fmt"
	"slices"
	"strings"
)

// Interpolation is the way in which resizing computes new pixels. Each way does what Pillow does for 8-bit pictures.
type Interpolation uint8

// The interpolations. Bilinear and bicubic use a window that grows with the reduction factor (antialiasing); bicubic
// has a = -0.5 (Keys 1981). Nearest takes the pixel under the centre of the new pixel.
const (
	Bilinear Interpolation = iota
	Bicubic
	Nearest
)

// Channels is the order of colours in a network's input.
type Channels uint8

// The orders of colours.
const (
	RGB Channels = iota
	BGR
)

// Layout is the order of the axes in a batch of images.
type Layout uint8

// The orders of axes: channels before or behind height and width.
const (
	NCHW Layout = iota
	NHWC
)

// choices lists the names of an enumeration's values, from value 0 on.
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

// value returns the value of the given name. An unknown name is an error.
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

// colours returns the names of the channels in order.
func (c Channels) colours() []string {
	if c == BGR {
		return []string{"blue", "green", "red"}
	}
	return []string{"red", "green", "blue"}
}

// Split returns the channels, height and width of an image whose axes, without the batch, have the given lengths and
// are in this layout.
func (l Layout) Split(shape []int) (channels, height, width int) {
	if l == NHWC {
		return shape[2], shape[0], shape[1]
	}
	return shape[0], shape[1], shape[2]
}
