package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// PoolConfig is the geometry of a pooling window, [height, width] each, with PyTorch's meaning of every field. A zero
// Stride means the kernel size, a zero Dilation means 1. The padding on each side must be less than the span of a
// window.
type PoolConfig struct {
	// Kernel, Stride and Dilation are at least 1 but for those zeros; Padding is at least 0.
	Kernel, Stride, Padding, Dilation [2]int

	// ExtraPadding is the number of rows of padding at the bottom and of columns at the right beyond those of Padding,
	// for padding that is not symmetric. It may be negative, but not less than -Padding.
	ExtraPadding [2]int

	CeilMode        bool // round the output size up; a window must still start before the padding at the end
	CountIncludePad bool // average pooling: padding counts in the divisor
}

// poolFn is a pooling operation. Its gradient reads the index that forward has stored.
type poolFn[T kernel.Float] struct {
	floatFn[T]
	indexed bool // a gradient needs the index
	index   []int32
	form    *deviceForm
	card    poolCard
	back    *deviceForm // form of the gradient
}

// indices returns the memory of the index for the given number of outputs, nil where no gradient needs it.
func (f *poolFn[T]) indices(outputs int) []int32 {
	if f.indexed && f.index == nil {
		f.index = make([]int32, outputs)
	}
	return f.index
}

// indicesOf returns the part of the index that belongs to a sample, nil where there is no index.
func indicesOf(index []int32, sample, outputs int) []int32 {
	if index == nil {
		return nil
	}
	return index[sample*outputs:][:outputs]
}

func poolGeom(name string, x *G.Node, cfg PoolConfig) (kernel.PoolGeom, error) {
	if err := wantDims(name, 4, x); err != nil {
		return kernel.PoolGeom{}, err
	}
	s := x.Shape()
	g := kernel.PoolGeom{
		C: s[1], H: s[2], W: s[3], KH: cfg.Kernel[0], KW: cfg.Kernel[1], SH: cfg.Stride[0], SW: cfg.Stride[1],
		PH: cfg.Padding[0], PW: cfg.Padding[1], DH: cfg.Dilation[0], DW: cfg.Dilation[1],
		EH: cfg.ExtraPadding[0], EW: cfg.ExtraPadding[1],
		CeilMode: cfg.CeilMode, CountIncludePad: cfg.CountIncludePad,
	}
	if err := g.Check(); err != nil {
		return g, fmt.Errorf("%s: input %v: %w", name, s, err)
	}
	return g, nil
}

// MaxPool2D returns the maximum over each window of x [batch, channels, height, width]: [batch, channels, out height,
// out width]. A NaN wins over every number. x has a gradient.
func MaxPool2D(x *G.Node, cfg PoolConfig) (*G.Node, error) {
	g, err := poolGeom("MaxPool2D", x, cfg)
	if err != nil {
		return nil, err
	}
	return explained("MaxPool2D", cfg)(pool("MaxPool2D", x, g, newMaxPool[float32], newMaxPool[float64]))
}

func newMaxPool[T kernel.Float](x *G.Node, g kernel.PoolGeom) *poolFn[T] {
	per := g.C * g.OutH() * g.OutW()
	f := newIndexed("MaxPool2D", x.Shape(), per,
		func(out []T, index []int32, in []T) { kernel.MaxPool(g, out, index, in) },
		func(dx, dy []T, index []int32) { kernel.MaxPoolBackward(g, dx, dy, index) })
	f.form, f.back, f.card.bytes = maxPoolCard(g, &f.card), maxPoolGradCard(g, &f.card), 4*x.Shape()[0]*per
	return f
}

// newIndexed returns a pooling of x that takes each output from one element of x, and so hands the output's gradient to
// that element. outputs is the number of outputs of a sample.
func newIndexed[T kernel.Float](name string, x tensor.Shape, outputs int, forward func(out []T, index []int32, in []T),
	backward func(dx, dy []T, index []int32)) *poolFn[T] {
	f := &poolFn[T]{}
	f.floatFn = floatFn[T]{diff: first(1), run: func(c *call[T]) error {
		index := f.indices(c.out.n * outputs)
		for i := range c.out.n {
			forward(c.out.sample(i), indicesOf(index, i, outputs), c.in[0].sample(i))
		}
		return nil
	}}
	// The output is an input of the gradient only so that the gradient runs after the pooling.
	f.grad = same(func(_ G.Nodes, out, grad *G.Node) (*G.Node, error) {
		f.indexed = true
		return attached(f.back)(apply(name+"'", &floatFn[T]{run: func(c *call[T]) error {
			for i := range c.out.n {
				backward(c.out.sample(i), c.in[0].sample(i), indicesOf(f.index, i, outputs))
			}
			return nil
		}}, grad.Dtype(), x, grad, out))
	})
	return f
}

// AvgPool2D returns the mean over each window of x [batch, channels, height, width]: [batch, channels, out height, out
// width]. x has a gradient.
func AvgPool2D(x *G.Node, cfg PoolConfig) (*G.Node, error) {
	g, err := poolGeom("AvgPool2D", x, cfg)
	if err != nil {
		return nil, err
	}
	return explained("AvgPool2D", cfg)(pool("AvgPool2D", x, g, newAvgPool[float32], newAvgPool[float64]))
}

func newAvgPool[T kernel.Float](x *G.Node, g kernel.PoolGeom) *poolFn[T] {
	backward := func(c *call[T]) error {
		for i := range c.out.n {
			kernel.AvgPoolBackward(g, c.out.sample(i), c.in[0].sample(i))
		}
		return nil
	}
	return &poolFn[T]{form: avgPoolCard(g), floatFn: floatFn[T]{
		diff: first(1),
		run: func(c *call[T]) error {
			for i := range c.out.n {
				kernel.AvgPool(g, c.out.sample(i), c.in[0].sample(i))
			}
			return nil
		},
		grad: same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return attached(avgPoolGradCard(g))(apply("AvgPool2D'", &floatFn[T]{run: backward}, grad.Dtype(), x.Shape(),
				grad))
		}),
	}}
}

func pool(name string, x *G.Node, g kernel.PoolGeom, f32 func(*G.Node, kernel.PoolGeom) *poolFn[float32],
	f64 func(*G.Node, kernel.PoolGeom) *poolFn[float64]) (*G.Node, error) {
	fn, err := dispatch(name, x.Dtype(), func() function { return f32(x, g) }, func() function { return f64(x, g) })
	if err != nil {
		return nil, err
	}
	return apply(name, fn, x.Dtype(), tensor.Shape{x.Shape()[0], g.C, g.OutH(), g.OutW()}, x)
}

// GlobalAvgPool2D returns the mean over the pixels of each channel of x [batch, channels, height, width]: [batch,
// channels].
func GlobalAvgPool2D(x *G.Node) (*G.Node, error) {
	if err := wantDims("GlobalAvgPool2D", 4, x); err != nil {
		return nil, err
	}
	s := x.Shape()
	channels, hw := s[1], s[2]*s[3]
	return onCard(globalAvgCard(channels, hw))(floatOp("GlobalAvgPool2D", s[:2].Clone(), []*G.Node{x}, first(1),
		same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return onCard(globalAvgGradCard(hw))(floatOp("GlobalAvgPool2D'", x.Shape(), []*G.Node{grad}, nil, nil,
				globalDX[float32](channels, hw), globalDX[float64](channels, hw)))
		}), globalRun[float32](channels, hw), globalRun[float64](channels, hw)))
}

func globalRun[T kernel.Float](channels, hw int) func(*call[T]) error {
	return func(c *call[T]) error {
		return perSample(c, func(out []T, in [][]T) { kernel.GlobalAvgPool(out, in[0], channels, hw) })
	}
}

func globalDX[T kernel.Float](channels, hw int) func(*call[T]) error {
	return func(c *call[T]) error {
		return perSample(c, func(dx []T, in [][]T) { kernel.GlobalAvgPoolBackward(dx, in[0], channels, hw) })
	}
}

// GlobalMaxPool2D returns the maximum over the pixels of each channel of x [batch, channels, height, width]: [batch,
// channels]. A NaN wins over every number. The gradient goes to the first maximum.
func GlobalMaxPool2D(x *G.Node) (*G.Node, error) {
	const name = "GlobalMaxPool2D"
	if err := wantDims(name, 4, x); err != nil {
		return nil, err
	}
	fn, err := dispatch(name, x.Dtype(),
		func() function { return newGlobalMax[float32](name, x.Shape()) },
		func() function { return newGlobalMax[float64](name, x.Shape()) })
	if err != nil {
		return nil, err
	}
	return apply(name, fn, x.Dtype(), x.Shape()[:2].Clone(), x)
}

func newGlobalMax[T kernel.Float](name string, x tensor.Shape) *poolFn[T] {
	channels, hw := x[1], x[2]*x[3]
	f := newIndexed(name, x, channels,
		func(out []T, index []int32, in []T) { kernel.GlobalMaxPool(out, index, in, channels, hw) },
		func(dx, dy []T, index []int32) { kernel.GlobalMaxPoolBackward(dx, dy, index, channels, hw) })
	f.form, f.back, f.card.bytes = globalMaxCard(channels, hw, &f.card), globalMaxGradCard(hw, &f.card), 4*x[0]*channels
	return f
}
