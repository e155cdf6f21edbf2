package onnx

import (
	"errors"
	"math"
	"slices"

	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/graph"
)

// poolWindow is the geometry of a pooling. Each slice has one element per spatial axis.
type poolWindow struct {
	in, out                  []int // sizes of input and output
	kernel, stride, dilation []int
	begin, end               []int // padding
	includePad               bool
}

// poolWindowOf returns the geometry of an operation with a [graph.PoolConfig] or a [graph.PoolNDConfig].
func poolWindowOf(s graph.Step, config any) (poolWindow, bool) {
	c, ok := config.(graph.PoolNDConfig)
	if p, plane := config.(graph.PoolConfig); plane {
		end := []int{p.Padding[0] + p.ExtraPadding[0], p.Padding[1] + p.ExtraPadding[1]}
		c, ok = graph.PoolNDConfig{
			Kernel: p.Kernel[:], Stride: p.Stride[:], Dilation: p.Dilation[:], PadBegin: p.Padding[:], PadEnd: end,
			CountIncludePad: p.CountIncludePad,
		}, true
	}
	w := poolWindow{in: slices.Clone(s.Inputs[0].Shape[2:]), out: s.Output.Shape[2:], includePad: c.CountIncludePad}
	for axis, k := range c.Kernel {
		at := func(v []int, otherwise int) int {
			if v == nil || v[axis] == 0 {
				return otherwise
			}
			return v[axis]
		}
		w.kernel = append(w.kernel, k)
		w.stride = append(w.stride, at(c.Stride, k))
		w.dilation = append(w.dilation, at(c.Dilation, 1))
		w.begin = append(w.begin, at(c.PadBegin, 0))
		w.end = append(w.end, at(c.PadEnd, 0))
	}
	return w, ok
}

// reach returns the padding at the end that is needed to hold all windows. Where the size of the result is rounded up
// this is more than the configured padding.
func (w poolWindow) reach() []int {
	out := slices.Clone(w.end)
	for i, n := range w.out {
		out[i] = max(out[i], (n-1)*w.stride[i]+(w.kernel[i]-1)*w.dilation[i]+1-w.in[i]-w.begin[i])
	}
	return out
}

// attributes returns the operator's attributes. The padding includes everything that the windows reach, so that no size
// is rounded up: runtimes differ in that.
func (w poolWindow) attributes() []*pb.AttributeProto {
	return []*pb.AttributeProto{
		integers("kernel_shape", w.kernel...), integers("strides", w.stride...),
		integers("pads", slices.Concat(w.begin, w.reach())...),
	}
}

// narrow tells whether all padding is less than the kernel size, which ONNX Runtime requires of pooling.
func (w poolWindow) narrow() bool {
	end := w.reach()
	for i, k := range w.kernel {
		if w.begin[i] >= k || end[i] >= k {
			return false
		}
	}
	return true
}

func exportMaxPool(e *exporter, s graph.Step, _ []int, name string) error {
	w, ok := poolWindowOf(s, s.Attributes)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	if !w.narrow() {
		none, end := []int{0, 0}, w.reach()
		pads := slices.Concat(none, w.begin, none, end)
		x = e.inner("Pad", []string{x, e.ints(name+".pads", pads...), e.number(math.Inf(-1))})
		for i := range end {
			w.in[i] += w.begin[i] + end[i]
			w.begin[i], w.end[i] = 0, 0
		}
	}
	e.node("MaxPool", name, []string{x}, append(w.attributes(), integers("dilations", w.dilation...))...)
	return nil
}

func exportPoolIndices(e *exporter, s graph.Step, _ []int, name string) error {
	p, ok := s.Attributes.(graph.PoolIndicesStep)
	if !ok {
		return errNotDescribed
	}
	w, _ := poolWindowOf(s, p.Config)
	if !w.narrow() {
		return errors.New("its padding is not less than its kernel")
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	order := 0
	if p.ColumnMajor {
		order = 1
	}
	attributes := append(w.attributes(), integers("dilations", w.dilation...), integer("storage_order", order))
	e.node("MaxPool", name, []string{x}, attributes...)
	last := e.graph.Node[len(e.graph.Node)-1]
	last.Output = []string{e.fresh("maxima"), name}
	return nil
}

func exportAvgPool(e *exporter, s graph.Step, _ []int, name string) error {
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	return e.average(x, s, s.Attributes, name)
}

func exportAffinePool(e *exporter, s graph.Step, _ []int, name string) error {
	p, ok := s.Attributes.(graph.PoolStep)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	if x, err = e.normalized(x, s.Inputs[1], s.Inputs[2]); err != nil {
		return err
	}
	if p.ReLU {
		x = e.inner("Relu", []string{x})
	}
	return e.average(x, s, p.Config, name)
}

// average adds average pooling. It becomes a convolution that sums where the AveragePool of this opset does not
// suffice: it has no dilation, and runtimes differ in the points that they count in windows which reach beyond the
// padding.
func (e *exporter) average(x string, s graph.Step, config any, name string) error {
	w, ok := poolWindowOf(s, config)
	if !ok {
		return errNotDescribed
	}
	gaps := slices.ContainsFunc(w.dilation, func(d int) bool { return d != 1 })
	if !gaps && w.narrow() && (!w.includePad || slices.Equal(w.end, w.reach())) {
		include := 0
		if w.includePad {
			include = 1
		}
		e.node("AveragePool", name, []string{x}, append(w.attributes(), integer("count_include_pad", include))...)
		return nil
	}
	channels := s.Inputs[0].Shape[1]
	shares := w.shares()
	shape := append([]int{channels, 1}, w.kernel...)
	same := slices.Max(shares) == slices.Min(shares)
	weight := e.ones(shape...)
	if same {
		weight = e.floats(name+".weight", slices.Repeat(shares[:1], product(shape)), shape...)
	}
	attributes := append(w.attributes(), integers("dilations", w.dilation...), integer("group", channels))
	if same {
		e.node("Conv", name, []string{x, weight}, attributes...)
		return nil
	}
	sums := e.inner("Conv", []string{x, weight}, attributes...)
	e.node("Mul", name, []string{sums, e.floats(name+".shares", shares, append([]int{1, 1}, w.out...)...)})
	return nil
}

// shares returns, for each window, one over the number of points that count, or zero if no point of the window is in
// the input.
func (w poolWindow) shares() []float32 {
	inside, counted := []int{1}, []int{1}
	for axis, n := range w.in {
		var in, all []int
		for o := range w.out[axis] {
			i, a := 0, 0
			for k := range w.kernel[axis] {
				at := o*w.stride[axis] + k*w.dilation[axis] - w.begin[axis]
				if at >= 0 && at < n {
					i++
				}
				if at < n+w.end[axis] {
					a++
				}
			}
			in, all = append(in, i), append(all, a)
		}
		inside, counted = outer(inside, in), outer(counted, all)
	}
	out := make([]float32, len(inside))
	for i, n := range inside {
		switch {
		case n == 0:
		case w.includePad:
			out[i] = 1 / float32(counted[i])
		default:
			out[i] = 1 / float32(n)
		}
	}
	return out
}

// outer returns all products of an element of a and an element of b, in order.
func outer(a, b []int) []int {
	var out []int
	for _, x := range a {
		for _, y := range b {
			out = append(out, x*y)
		}
	}
	return out
}

func exportGlobalPool(operator string) exportFunc {
	return func(e *exporter, s graph.Step, _ []int, name string) error {
		x, err := e.use(s.Inputs[0])
		if err != nil {
			return err
		}
		e.node("Flatten", name, []string{e.inner(operator, []string{x})}, integer("axis", 1))
		return nil
	}
}
