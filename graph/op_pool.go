package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// PoolConfig is the geometry of a pooling window, [height, width] each, with PyTorch's meaning of every field.
// A zero Stride means the kernel size, a zero Dilation means 1.
type PoolConfig struct {
	Kernel, Stride, Padding, Dilation [2]int
	CeilMode                          bool // round the output size up
	CountIncludePad                   bool // average pooling: padding counts in the divisor
}

// poolFn is a pooling operation; its gradient reads what forward left in index.
type poolFn[T kernel.Float] struct {
	floatFn[T]
	index []int32
}

func poolGeom(name string, x *G.Node, cfg PoolConfig) (kernel.PoolGeom, error) {
	if err := wantDims(name, 4, x); err != nil {
		return kernel.PoolGeom{}, err
	}
	s := x.Shape()
	g := kernel.PoolGeom{
		C: s[1], H: s[2], W: s[3], KH: cfg.Kernel[0], KW: cfg.Kernel[1], SH: cfg.Stride[0], SW: cfg.Stride[1],
		PH: cfg.Padding[0], PW: cfg.Padding[1], DH: cfg.Dilation[0], DW: cfg.Dilation[1],
		CeilMode: cfg.CeilMode, CountIncludePad: cfg.CountIncludePad,
	}
	if err := g.Check(); err != nil {
		return g, fmt.Errorf("%s: input %v: %w", name, s, err)
	}
	return g, nil
}

// MaxPool2D returns the maximum over each window of x [batch, channels, height, width]. A NaN wins over every number.
func MaxPool2D(x *G.Node, cfg PoolConfig) (*G.Node, error) {
	g, err := poolGeom("MaxPool2D", x, cfg)
	if err != nil {
		return nil, err
	}
	return explained("MaxPool2D", cfg)(pool("MaxPool2D", x, g, newMaxPool[float32], newMaxPool[float64]))
}

func newMaxPool[T kernel.Float](x *G.Node, g kernel.PoolGeom) *poolFn[T] {
	per := g.C * g.OutH() * g.OutW()
	f := &poolFn[T]{}
	f.floatFn = floatFn[T]{diff: first(1), run: func(c *call[T]) error {
		if f.index == nil {
			f.index = make([]int32, c.out.n*per)
		}
		for i := range c.out.n {
			kernel.MaxPool(g, c.out.sample(i), f.index[i*per:][:per], c.in[0].sample(i))
		}
		return nil
	}}
	backward := func(c *call[T]) error {
		for i := range c.out.n {
			kernel.MaxPoolBackward(g, c.out.sample(i), c.in[0].sample(i), f.index[i*per:][:per])
		}
		return nil
	}
	// The output is an input of the gradient only so that it runs later.
	f.grad = same(func(_ G.Nodes, out, grad *G.Node) (*G.Node, error) {
		return apply("MaxPool2D'", &floatFn[T]{run: backward}, grad.Dtype(), x.Shape(), grad, out)
	})
	return f
}

// AvgPool2D returns the mean over each window of x [batch, channels, height, width].
func AvgPool2D(x *G.Node, cfg PoolConfig) (*G.Node, error) {
	g, err := poolGeom("AvgPool2D", x, cfg)
	if err != nil {
		return nil, err
	}
	if d := cfg.Dilation; d[0] > 1 || d[1] > 1 {
		return nil, fmt.Errorf("AvgPool2D: dilation %v: average pooling has none", d)
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
	return &poolFn[T]{floatFn: floatFn[T]{
		diff: first(1),
		run: func(c *call[T]) error {
			for i := range c.out.n {
				kernel.AvgPool(g, c.out.sample(i), c.in[0].sample(i))
			}
			return nil
		},
		grad: same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return apply("AvgPool2D'", &floatFn[T]{run: backward}, grad.Dtype(), x.Shape(), grad)
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

// GlobalAvgPool2D returns the mean over the pixels of each channel of x [batch, channels, height, width]: [batch, channels].
func GlobalAvgPool2D(x *G.Node) (*G.Node, error) {
	if err := wantDims("GlobalAvgPool2D", 4, x); err != nil {
		return nil, err
	}
	s := x.Shape()
	channels, hw := s[1], s[2]*s[3]
	return floatOp("GlobalAvgPool2D", s[:2].Clone(), []*G.Node{x}, first(1),
		same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return floatOp("GlobalAvgPool2D'", x.Shape(), []*G.Node{grad}, nil, nil,
				globalDX[float32](channels, hw), globalDX[float64](channels, hw))
		}), globalRun[float32](channels, hw), globalRun[float64](channels, hw))
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
