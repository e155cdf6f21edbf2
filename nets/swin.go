package nets

import (
	"fmt"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// swin describes a Swin transformer (Liu et al., ICCV 2021, section 3). Its arrays are [batch, height, width,
// channels].
type swin struct {
	dim, window   int // channels of the first stage, doubled in each further one; pixels on the side of a window
	blocks, heads []int
}

// swinEps is the eps of Swin's layer norms, which is added to the variance.
const swinEps = 1e-5

func (w swin) build(b *graph.Builder, x *G.Node) *G.Node {
	x = transpose(b, b.Conv(x, "features.0.0", patches(w.dim, 4)), 0, 2, 3, 1)
	x = layerNorm(b, x, "features.0.2", swinEps)
	for stage, blocks := range w.blocks {
		dim := w.dim << stage
		if stage > 0 {
			name := fmt.Sprintf("features.%d", 2*stage)
			x = b.Tap(name, w.merge(b, x, name, dim))
		}
		for i := range blocks {
			name, shift := fmt.Sprintf("features.%d.%d", 2*stage+1, i), 0
			if i%2 == 1 {
				shift = w.window / 2
			}
			x = b.Add(w.attend(b, layerNorm(b, x, name+".norm1", swinEps), name+".attn", w.heads[stage], shift), x)
			x = b.Tap(name, b.Add(perceptron(b, layerNorm(b, x, name+".norm2", swinEps), name+".mlp", 4*dim), x))
		}
	}
	x = layerNorm(b, x, "norm", swinEps)
	return b.Do(func() (*G.Node, error) { return graph.ReduceMean(x, false, 1, 2) })
}

// merge adds a layer that turns each 2×2 pixels into one with twice the channels, computed from the channels of all
// four, column by column. A row or column of zeros makes odd sizes even.
func (w swin) merge(b *graph.Builder, x *G.Node, name string, dim int) *G.Node {
	if b.Err() != nil {
		return nil
	}
	weight := b.Param(name+".reduction.weight", dim, 4*last(x))
	n, height, width, channels := sizes(x)
	x = padded(b, x, height+height%2, width+width%2)
	height, width = (height+1)/2, (width+1)/2
	x = transpose(b, reshape(b, x, n, height, 2, width, 2, channels), 0, 1, 3, 4, 2, 5)
	x = layerNorm(b, reshape(b, x, n, height, width, 4*channels), name+".norm", swinEps)
	return b.Do(func() (*G.Node, error) { return graph.Linear(x, weight, nil) })
}

// attend adds the attention of x [batch, height, width, dim] within windows that are shifted down and right by shift
// pixels. Along an axis that one window covers there is no shift.
func (w swin) attend(b *graph.Builder, x *G.Node, name string, heads, shift int) *G.Node {
	if b.Err() != nil {
		return nil
	}
	n, height, width, dim := sizes(x)
	bias := w.positions(b, name, heads)
	rows, columns := (height+w.window-1)/w.window, (width+w.window-1)/w.window
	full := [2]int{rows * w.window, columns * w.window}
	var shifts [2]int
	for i, size := range full {
		if size > w.window {
			shifts[i] = shift
		}
	}
	x = padded(b, x, full[0], full[1])
	for i, s := range shifts {
		x = rolled(b, x, i+1, s, full[i])
	}
	x = transpose(b, reshape(b, x, n, rows, w.window, columns, w.window, dim), 0, 1, 3, 2, 4, 5)
	x = reshape(b, x, n, rows*columns, w.window*w.window, dim)
	added := []*G.Node{bias}
	if shifts != [2]int{} {
		added = append(added, w.mask(b, rows, columns, shifts))
	}
	x = b.Linear(attention(b, b.Linear(x, name+".qkv", 3*dim), heads, added...), name+".proj", dim)
	x = transpose(b, reshape(b, x, n, rows, columns, w.window, w.window, dim), 0, 1, 3, 2, 4, 5)
	x = reshape(b, x, n, full[0], full[1], dim)
	x = rolled(b, x, 1, -shifts[0], height)
	return rolled(b, x, 2, -shifts[1], width)
}

// positions adds the bias [heads, window², window²] by the relative positions of two pixels in a window.
// relative_position_bias_table has a row for each difference in height and width.
func (w swin) positions(b *graph.Builder, name string, heads int) *G.Node {
	span, area := 2*w.window-1, w.window*w.window
	table := b.Param(name+".relative_position_bias_table", span*span, heads)
	b.Buffer(name+".relative_position_index", area*area)
	bias := b.Do(func() (*G.Node, error) { return graph.Take(table, 0, w.index()) })
	return transpose(b, reshape(b, bias, area, area, heads), 2, 0, 1)
}

// index returns the row of the table for each pair of pixels of a window.
func (w swin) index() []int {
	var out []int
	side := counted(w.window)
	for _, y := range side {
		for _, x := range side {
			for _, otherY := range side {
				for _, otherX := range side {
					out = append(out, (y-otherY+w.window-1)*(2*w.window-1)+x-otherX+w.window-1)
				}
			}
		}
	}
	return out
}

// fill sets the index that is stored in the state dict.
func (w swin) fill(p *graph.Param) {
	if strings.HasSuffix(p.Name, ".relative_position_index") {
		for i, row := range w.index() {
			p.Float32s()[i] = float32(row)
		}
	}
}

// mask returns the mask [windows, 1, window², window²] that separates pixels which are in one window only because the
// shift wraps around the edges: -100 for these, 0 for others.
func (w swin) mask(b *graph.Builder, rows, columns int, shifts [2]int) *G.Node {
	area := w.window * w.window
	name := fmt.Sprintf("mask of %d×%d windows", rows, columns)
	return b.Constant(name, func() []float64 {
		// region numbers the parts of an axis whose pixels belong together: those before the last window, and the two
		// sides of the last window.
		region := func(i, size, shift int) int {
			switch {
			case i < size-w.window:
				return 0
			case shift > 0 && i < size-shift:
				return 1
			}
			return 2
		}
		out := make([]float64, 0, rows*columns*area*area)
		for window := range rows * columns {
			at := func(pixel int) [2]int {
				y, x := window/columns*w.window+pixel/w.window, window%columns*w.window+pixel%w.window
				return [2]int{region(y, rows*w.window, shifts[0]), region(x, columns*w.window, shifts[1])}
			}
			for i := range area {
				for j := range area {
					v := 0.0
					if at(i) != at(j) {
						v = -100
					}
					out = append(out, v)
				}
			}
		}
		return out
	}, rows*columns, 1, area, area)
}

// sizes returns the lengths of the four axes of x.
func sizes(x *G.Node) (n, height, width, channels int) {
	s := x.Shape()
	return s[0], s[1], s[2], s[3]
}

// padded adds rows and columns of zeros below and to the right of x [batch, height, width, channels].
func padded(b *graph.Builder, x *G.Node, height, width int) *G.Node {
	return b.Do(func() (*G.Node, error) {
		s := x.Shape()
		return graph.Pad(x, graph.PadConfig{Before: make([]int, 4), After: []int{0, height - s[1], width - s[2], 0}})
	})
}

// rolled adds the first n elements of x along an axis, after rotating the axis by shift elements towards the front:
// elements that leave it in front enter it at the end.
func rolled(b *graph.Builder, x *G.Node, axis, shift, n int) *G.Node {
	return b.Do(func() (*G.Node, error) {
		size := x.Shape()[axis]
		if shift == 0 {
			return graph.Slice(x, axis, 0, n, 1)
		}
		index := make([]int, n)
		for i := range index {
			index[i] = (i + shift + size) % size
		}
		return graph.Take(x, axis, index)
	})
}

func swinT() architecture {
	p := ImageNet()
	p.Resize, p.Interpolation = 232, Bicubic
	w := swin{dim: 96, window: 7, blocks: []int{2, 2, 6, 2}, heads: []int{3, 6, 12, 24}}
	a := imageNet("swin_t", "head", p, w.build)
	return architecture{a.name, func(name string, classes int) Definition {
		d := a.define(name, classes)
		d.fill = w.fill
		return d
	}}
}
