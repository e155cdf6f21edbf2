package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// PoolNDConfig is the geometry of a pooling window over any number of spatial axes. Each slice has one element per
// spatial axis. A nil or zero Stride means the kernel size, a nil or zero Dilation means 1, nil padding means none. The
// padding on each side must be less than the span of a window.
type PoolNDConfig struct {
	// Kernel, Stride and Dilation are at least 1 but for those zeros.
	Kernel, Stride, Dilation []int
	PadBegin, PadEnd         []int // padding before the first and behind the last element of each axis, at least 0
	CeilMode                 bool  // round the output size up; a window must still start before the padding at the end
	CountIncludePad          bool  // average pooling: padding counts in the divisor
}

// window checks the configuration for x [batch, channels, spatial...].
func (cfg PoolNDConfig) window(name string, x *G.Node) (*kernel.PoolND, error) {
	if err := wantRank(name, 3, x); err != nil {
		return nil, err
	}
	w, err := kernel.NewPoolND(kernel.PoolNDGeom{
		In: x.Shape()[2:], Kernel: cfg.Kernel, Stride: cfg.Stride, Dilation: cfg.Dilation, Begin: cfg.PadBegin,
		End:      cfg.PadEnd,
		CeilMode: cfg.CeilMode, CountIncludePad: cfg.CountIncludePad,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: input %v: %w", name, x.Shape(), err)
	}
	return w, nil
}

// clone returns a copy of the configuration that shares no memory with it.
func (cfg PoolNDConfig) clone() PoolNDConfig {
	for _, v := range []*[]int{&cfg.Kernel, &cfg.Stride, &cfg.Dilation, &cfg.PadBegin, &cfg.PadEnd} {
		*v = slices.Clone(*v)
	}
	return cfg
}

// plane returns a configuration of two spatial axes as a PoolConfig.
func (cfg PoolNDConfig) plane() PoolConfig {
	two := func(v []int) (out [2]int) {
		copy(out[:], v)
		return out
	}
	p := PoolConfig{
		Kernel: two(cfg.Kernel), Stride: two(cfg.Stride), Padding: two(cfg.PadBegin), Dilation: two(cfg.Dilation),
		ExtraPadding: two(cfg.PadEnd),
		CeilMode:     cfg.CeilMode, CountIncludePad: cfg.CountIncludePad,
	}
	p.ExtraPadding[0] -= p.Padding[0]
	p.ExtraPadding[1] -= p.Padding[1]
	return p
}

// MaxPoolND returns the maximum over each window of x [batch, channels, spatial...]: [batch, channels, outputs...]. A
// NaN wins over every number; a window without a point in the input gives -Inf. x has a gradient.
func MaxPoolND(x *G.Node, cfg PoolNDConfig) (*G.Node, error) {
	w, err := cfg.window("MaxPoolND", x)
	if err != nil {
		return nil, err
	}
	if x.Dims() == 4 {
		return MaxPool2D(x, cfg.plane())
	}
	return explained("MaxPoolND", cfg.clone())(poolND("MaxPoolND", x, w, newMaxPoolND[float32], newMaxPoolND[float64]))
}

func newMaxPoolND[T kernel.Float](x *G.Node, w *kernel.PoolND) *poolFn[T] {
	_, out := w.Planes()
	channels := x.Shape()[1]
	unread := make([]int32, channels*out) // the kernel always writes it
	f := newIndexed("MaxPoolND", x.Shape(), channels*out,
		func(out []T, index []int32, in []T) {
			if index == nil {
				index = unread
			}
			kernel.MaxPoolND(w, out, index, in, channels)
		},
		func(dx, dy []T, index []int32) { kernel.MaxPoolNDBackward(w, dx, dy, index, channels) })
	f.form, f.back = poolNDCard("max_pool_nd_f32", w, channels, &f.card), poolNDGradCard("max_pool_nd_grad_f32", w,
		channels, &f.card)
	f.card.bytes = 4 * x.Shape()[0] * channels * out
	return f
}

// AvgPoolND returns the mean over each window of x [batch, channels, spatial...]: [batch, channels, outputs...]. A
// window without a point in the input gives 0. x has a gradient.
func AvgPoolND(x *G.Node, cfg PoolNDConfig) (*G.Node, error) {
	w, err := cfg.window("AvgPoolND", x)
	if err != nil {
		return nil, err
	}
	if x.Dims() == 4 {
		return AvgPool2D(x, cfg.plane())
	}
	return explained("AvgPoolND", cfg.clone())(poolND("AvgPoolND", x, w, newAvgPoolND[float32], newAvgPoolND[float64]))
}

func newAvgPoolND[T kernel.Float](x *G.Node, w *kernel.PoolND) *poolFn[T] {
	channels := x.Shape()[1]
	f := &poolFn[T]{form: poolNDCard("avg_pool_nd_f32", w, channels, nil)}
	f.floatFn = floatFn[T]{
		diff: first(1),
		run: func(c *call[T]) error {
			for i := range c.out.n {
				kernel.AvgPoolND(w, c.out.sample(i), c.in[0].sample(i), channels)
			}
			return nil
		},
		grad: same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
			form := poolNDGradCard("avg_pool_nd_grad_f32", w, channels, nil)
			return attached(form)(apply("AvgPoolND'", &floatFn[T]{run: func(c *call[T]) error {
				for i := range c.out.n {
					kernel.AvgPoolNDBackward(w, c.out.sample(i), c.in[0].sample(i), channels)
				}
				return nil
			}}, grad.Dtype(), x.Shape(), grad))
		}),
	}
	return f
}

func poolND(name string, x *G.Node, w *kernel.PoolND, f32 func(*G.Node, *kernel.PoolND) *poolFn[float32],
	f64 func(*G.Node, *kernel.PoolND) *poolFn[float64]) (*G.Node, error) {
	fn, err := dispatch(name, x.Dtype(), func() function { return f32(x, w) }, func() function { return f64(x, w) })
	if err != nil {
		return nil, err
	}
	return apply(name, fn, x.Dtype(), poolNDShape(x, w), x)
}

func poolNDShape(x *G.Node, w *kernel.PoolND) tensor.Shape {
	return append(x.Shape()[:2].Clone(), w.Out()...)
}

// MaxPoolIndices returns the positions in x [batch, channels, spatial...] of the maxima that [MaxPoolND] returns, as
// ints, of the shape of its result. A position counts all elements of x in row-major order; of equal maxima the first
// counts. With columnMajor the spatial axes of a channel are counted with the first axis fastest, as in ONNX's storage
// order 1. A window without a point in the input gives its channel's first position. The result has no gradient.
func MaxPoolIndices(x *G.Node, cfg PoolNDConfig, columnMajor bool) (*G.Node, error) {
	const name = "MaxPoolIndices"
	w, err := cfg.window(name, x)
	if err != nil {
		return nil, err
	}
	fn, err := dispatch(name, x.Dtype(),
		func() function { return newPoolIndices[float32](x.Shape(), w, columnMajor) },
		func() function { return newPoolIndices[float64](x.Shape(), w, columnMajor) })
	if err != nil {
		return nil, err
	}
	return explained(name, PoolIndicesStep{cfg.clone(), columnMajor})(apply(name, fn, tensor.Int, poolNDShape(x, w), x))
}

// PoolIndicesStep describes [MaxPoolIndices]: Config and ColumnMajor are its arguments.
type PoolIndicesStep struct {
	Config      PoolNDConfig
	ColumnMajor bool
}

// indicesFn computes the positions of maxima.
type indicesFn[T kernel.Float] struct {
	leaf
	pool     *kernel.PoolND
	channels int
	order    []int // the number of each position of a channel, nil where it is the position itself
	value    []T
	index    []int32
}

func newPoolIndices[T kernel.Float](x tensor.Shape, w *kernel.PoolND, columnMajor bool) *indicesFn[T] {
	in, out := w.Planes()
	f := &indicesFn[T]{pool: w, channels: x[1], value: make([]T, x[1]*out), index: make([]int32, x[1]*out)}
	if columnMajor {
		f.order = make([]int, in)
		spatial := x[2:]
		at := make([]int, len(spatial))
		for i := range f.order {
			step := 1
			for axis, n := range spatial {
				f.order[i] += at[axis] * step
				step *= n
			}
			for axis := len(at) - 1; axis >= 0; axis-- {
				if at[axis]++; at[axis] < spatial[axis] {
					break
				}
				at[axis] = 0
			}
		}
	}
	return f
}

func (f *indicesFn[T]) forward(out G.Value, in []G.Value) error {
	x, err := arrayOf[T](in[0])
	if err != nil {
		return err
	}
	dst, err := sliceOf[int](out)
	if err != nil {
		return err
	}
	plane, outputs := f.pool.Planes()
	for i := range x.n {
		kernel.MaxPoolND(f.pool, f.value, f.index, x.sample(i), f.channels)
		for k, at := range f.index {
			place := int(at)
			if f.order != nil {
				place = f.order[place]
			}
			dst[i*len(f.index)+k] = (i*f.channels+k/outputs)*plane + place
		}
	}
	return nil
}
