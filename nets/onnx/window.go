package onnx

import (
	"fmt"
	"slices"
)

// windowAttrs is the geometry of a sliding window; each slice has one element per spatial axis.
type windowAttrs struct {
	kernel, stride, dilation, begin, end []int
	groups                               int
	ceil, includePad, columnMajor        bool
}

// windowOf returns the geometry of a convolution or a pooling of x [batch, channels, spatial...].
func windowOf(n *node, x *value, kernel []int) (*windowAttrs, error) {
	spatial := x.rank() - 2
	if spatial < 1 {
		return nil, fmt.Errorf("input: expected shape [batch, channels, spatial axes], got %v", x.shape)
	}
	w := &windowAttrs{
		kernel: kernel, stride: n.ints("strides"), dilation: n.ints("dilations"), groups: n.int("group", 1),
		ceil: n.int("ceil_mode", 0) != 0, includePad: n.int("count_include_pad", 0) != 0,
	}
	ones := slices.Repeat([]int{1}, spatial)
	if w.stride == nil {
		w.stride = ones
	}
	if w.dilation == nil {
		w.dilation = ones
	}
	if len(w.kernel) != spatial || len(w.stride) != spatial || len(w.dilation) != spatial {
		return nil, fmt.Errorf("kernel %v, strides %v, dilations %v for input of shape %v", w.kernel, w.stride,
			w.dilation, x.shape)
	}
	for i := range spatial {
		if w.kernel[i] < 1 || w.stride[i] < 1 || w.dilation[i] < 1 || w.kernel[i] > maxElements/w.dilation[i] ||
			w.stride[i] > maxElements {
			return nil, fmt.Errorf("expected positive numbers, got kernel %v, strides %v, dilations %v", w.kernel,
				w.stride, w.dilation)
		}
	}
	pads := n.ints("pads")
	if pads == nil {
		pads = make([]int, 2*spatial)
	}
	if len(pads) != 2*spatial {
		return nil, fmt.Errorf("pads: expected %d for %d axes, got %d", 2*spatial, spatial, len(pads))
	}
	w.begin, w.end = slices.Clone(pads[:spatial]), slices.Clone(pads[spatial:])
	for i, auto := 0, n.str("auto_pad", "NOTSET"); i < spatial; i++ {
		size := x.shape[2+i]
		switch auto {
		case "NOTSET", "":
		case "VALID":
			w.begin[i], w.end[i] = 0, 0
		case "SAME_UPPER", "SAME_LOWER":
			out := (size + w.stride[i] - 1) / w.stride[i]
			total := max((out-1)*w.stride[i]+w.extent(i)-size, 0)
			w.begin[i], w.end[i] = total/2, total-total/2
			if auto == "SAME_LOWER" {
				w.begin[i], w.end[i] = w.end[i], w.begin[i]
			}
		default:
			return nil, unsupportedf("auto_pad %q", auto)
		}
		if w.begin[i] < 0 || w.end[i] < -size || w.begin[i] > maxElements || w.end[i] > maxElements {
			return nil, unsupportedf("pads %v and %v", w.begin, w.end)
		}
	}
	return w, nil
}

// extent returns the number of pixels from the first to the last of the window along axis i.
func (w *windowAttrs) extent(i int) int { return (w.kernel[i]-1)*w.dilation[i] + 1 }

// over returns the spatial shape of the result.
func (w *windowAttrs) over(spatial []int) ([]int, error) {
	out := make([]int, len(spatial))
	for i, size := range spatial {
		room := size + w.begin[i] + w.end[i] - w.extent(i)
		if room < 0 {
			return nil, fmt.Errorf("a window of %d pixels over %d with pads %d and %d", w.extent(i), size, w.begin[i],
				w.end[i])
		}
		out[i] = room/w.stride[i] + 1
		// The last window may reach beyond the end, but it must start inside the image or the padding before it.
		if w.ceil && room%w.stride[i] != 0 && out[i]*w.stride[i] < size+w.begin[i] {
			out[i]++
		}
	}
	return out, nil
}
