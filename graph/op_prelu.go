package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// PReLU returns x where x >= 0 and slope·x elsewhere (He et al., ICCV 2015; ONNX operator PRelu-16), of the shape of x.
// slope broadcasts to x by NumPy's rules: its axes are the last axes of x, each of the same length or 1. For x [batch,
// channels, height, width], a slope per channel is [channels, 1, 1]. Both have gradients; the derivative by x at 0 is
// the slope.
func PReLU(x, slope *G.Node) (*G.Node, error) {
	const name = "PReLU"
	if err := wantOneType(name, x, slope); err != nil {
		return nil, err
	}
	rows, err := newPReLURows(slope.Shape(), x.Shape())
	if err != nil {
		return nil, fmt.Errorf("%s: slope (%s): %w", name, slope.Name(), err)
	}
	grad := func(in G.Nodes, _, grad *G.Node, need []bool) (G.Nodes, error) {
		gs := make(G.Nodes, 2)
		var err error
		if need[0] {
			gs[0], err = broadcastCard(name+"'x", x.Shape(), []tensor.Shape{x.Shape(), slope.Shape(), x.Shape()})(
				floatOp(name+"'x", x.Shape(), []*G.Node{in[0], in[1], grad}, nil, nil, preluRun[float32](rows),
					preluRun[float64](rows)))
		}
		if need[1] && err == nil {
			gs[1], err = floatOp(name+"'slope", in[1].Shape(), []*G.Node{in[0], grad}, nil, nil,
				preluSlopeRun[float32](rows), preluSlopeRun[float64](rows))
		}
		return gs, err
	}
	card := broadcastCard(name, x.Shape(), []tensor.Shape{x.Shape(), slope.Shape()})
	return card(floatOp(name, x.Shape(), []*G.Node{x, slope}, []bool{true, true}, grad, preluRun[float32](rows),
		preluRun[float64](rows)))
}

// preluRows divides a sample into runs along which the slope is a single element or advances with x.
type preluRows struct {
	sample int   // number of slopes from one sample to the next
	shape  []int // axes of one sample, joined where the slope allows it; at least one axis
	step   []int // for each axis of shape, the number of slopes from one element to the next
}

// newPReLURows fails unless slopes of shape from broadcast to shape to.
func newPReLURows(from, to tensor.Shape) (preluRows, error) {
	steps := make([]int, len(to))
	skip, n := len(to)-len(from), 1
	for i := len(from) - 1; i >= 0; i-- {
		switch {
		case skip < 0 || from[i] != 1 && from[i] != to[skip+i]:
			return preluRows{}, fmt.Errorf("shape %v does not broadcast to %v", from, to)
		case from[i] != 1:
			steps[skip+i] = n
		}
		n *= from[i]
	}
	if len(to) == 0 {
		return preluRows{shape: []int{1}, step: []int{0}}, nil
	}
	r := preluRows{sample: steps[0], shape: []int{1}, step: []int{0}}
	for i := 1; i < len(to); i++ {
		switch last := len(r.shape) - 1; {
		case to[i] == 1:
		case r.shape[last] == 1:
			r.shape[last], r.step[last] = to[i], steps[i]
		case r.step[last] == steps[i]*to[i]:
			r.shape[last], r.step[last] = r.shape[last]*to[i], steps[i]
		default:
			r.shape, r.step = append(r.shape, to[i]), append(r.step, steps[i])
		}
	}
	return r, nil
}

// each calls f, for every run of a sample, with the offsets of its first element and its first slope. index is working
// memory with one int per axis.
func (r preluRows) each(sample int, index []int, f func(at, slope int)) {
	last := len(r.shape) - 1
	clear(index)
	slope, size := sample*r.sample, tensor.Shape(r.shape).TotalSize()
	for at := 0; at < size; at += r.shape[last] {
		f(at, slope)
		for a := last - 1; a >= 0; a-- {
			index[a]++
			slope += r.step[a]
			if index[a] < r.shape[a] {
				break
			}
			slope -= r.shape[a] * r.step[a]
			index[a] = 0
		}
	}
}

// preluRun computes PReLU from x and slope, or its gradient by x from x, slope and the output's gradient.
func preluRun[T kernel.Float](r preluRows) func(*call[T]) error {
	index := make([]int, len(r.shape))
	run, step := r.shape[len(r.shape)-1], r.step[len(r.shape)-1]
	row := run // number of elements with one slope
	if step != 0 {
		row = 1
	}
	return func(c *call[T]) error {
		slopes := contiguous(c.in[1], c.workspace)
		for i := range c.out.n {
			dst, x := c.out.sample(i), c.in[0].sample(i)
			var dy []T
			if len(c.in) > 2 {
				dy = c.in[2].sample(i)
			}
			r.each(i, index, func(at, slope int) {
				for k := at; k < at+run; k += row {
					leaky := kernel.Activation{Kind: kernel.ActLeakyReLU, A: float64(slopes[slope+(k-at)*step])}
					if dy == nil {
						kernel.Activate(dst[k:k+row], x[k:k+row], leaky)
					} else {
						kernel.ActivateBackward(dst[k:k+row], dy[k:k+row], x[k:k+row], leaky)
					}
				}
			})
		}
		return nil
	}
}

// preluSlopeRun computes the gradient by slope: the sum of x times the output's gradient where x < 0, in the order of
// x. The sum along a run is in float64; then the sums of the runs are added.
func preluSlopeRun[T kernel.Float](r preluRows) func(*call[T]) error {
	index := make([]int, len(r.shape))
	run, step := r.shape[len(r.shape)-1], r.step[len(r.shape)-1]
	return func(c *call[T]) error {
		dst := c.out.data
		clear(dst)
		for i := range c.in[0].n {
			x, dy := c.in[0].sample(i), c.in[1].sample(i)
			r.each(i, index, func(at, slope int) {
				sum := 0.0
				for k := at; k < at+run; k++ {
					if !(x[k] >= 0) {
						sum += float64(x[k]) * float64(dy[k])
					}
					if step != 0 {
						dst[slope+(k-at)*step] += T(sum)
						sum = 0
					}
				}
				if step == 0 {
					dst[slope] += T(sum)
				}
			})
		}
		return nil
	}
}
