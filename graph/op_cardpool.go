package graph

import (
	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/kernel"
)

// poolFields returns a pooling's geometry as the fields of the kernels' structure.
func poolFields(g kernel.PoolGeom, relu bool) []int32 {
	or := func(v, otherwise int) int {
		if v == 0 {
			return otherwise
		}
		return v
	}
	v := []int{g.C, g.H, g.W, g.KH, g.KW, or(g.SH, g.KH), or(g.SW, g.KW), g.PH, g.PW, or(g.DH, 1), or(g.DW, 1), g.EH,
		g.EW, g.OutH(), g.OutW(),
		flag(g.CountIncludePad), flag(relu)}
	fields := make([]int32, len(v))
	for i, x := range v {
		fields[i] = int32(x)
	}
	return fields
}

// poolCard holds what a max pooling keeps on a card: the index of the maximum for each output.
type poolCard struct {
	bytes int // of the index
	index *region
}

func (f *poolFn[T]) reserve(state, _ func(bytes int) *region) {
	if f.indexed && f.card.bytes > 0 {
		f.card.index = state(f.card.bytes)
	}
}

// indexAt returns the address of the index, 0 where no gradient needs it.
func (p *poolCard) indexAt() cuda.Ptr {
	if p.index == nil {
		return 0
	}
	return p.index.at
}

// deviceForm returns the form that the constructor of the pooling has set.
func (f *poolFn[T]) deviceForm() *deviceForm { return f.form }

func (c *deviceCall) pool(name string, g kernel.PoolGeom, a *cuda.Args) error {
	total := c.out.n * c.out.size
	return c.launch(name, threads(total), a.Struct(poolFields(g, false)).Int(total))
}

func maxPoolCard(g kernel.PoolGeom, p *poolCard) *deviceForm {
	return &deviceForm{run: func(c *deviceCall) error {
		a := c.args(c.out).Ptr(p.indexAt()).Ptr(c.in[0].at()).Int(c.in[0].stride)
		return c.pool("max_pool_f32", g, a)
	}}
}

func maxPoolGradCard(g kernel.PoolGeom, p *poolCard) *deviceForm {
	return &deviceForm{run: func(c *deviceCall) error {
		return c.pool("max_pool_grad_f32", g, c.args(c.out, c.in[0]).Ptr(p.indexAt()))
	}}
}

func avgPoolCard(g kernel.PoolGeom) *deviceForm {
	return &deviceForm{run: func(c *deviceCall) error {
		return c.pool("avg_pool_f32", g, c.args(c.out, c.in[0]).Ptr(0).Ptr(0))
	}}
}

func affineAvgPoolCard(g kernel.PoolGeom, relu bool) func(*deviceCall) error {
	return func(c *deviceCall) error {
		total := c.out.n * c.out.size
		a := c.args(c.out, c.in[0]).Ptr(c.in[1].at()).Ptr(c.in[2].at())
		return c.launch("avg_pool_f32", threads(total), a.Struct(poolFields(g, relu)).Int(total))
	}
}

func avgPoolGradCard(g kernel.PoolGeom) *deviceForm {
	return &deviceForm{run: func(c *deviceCall) error { return c.pool("avg_pool_grad_f32", g, c.args(c.out, c.in[0])) }}
}

func globalAvgCard(channels, hw int) func(*deviceCall) error {
	return func(c *deviceCall) error {
		return c.rows("global_avg_f32", c.out.n*channels, c.args(c.out, c.in[0]).Int(channels).Int(hw))
	}
}

func globalAvgGradCard(hw int) func(*deviceCall) error {
	return func(c *deviceCall) error { return c.each("global_avg_grad_f32", c.args(c.out, c.in[0]).Int(hw)) }
}

func globalMaxCard(channels, hw int, p *poolCard) *deviceForm {
	return &deviceForm{run: func(c *deviceCall) error {
		total := c.out.n * channels
		a := c.args(c.out).Ptr(p.indexAt()).Ptr(c.in[0].at()).Int(c.in[0].stride)
		return c.launch("global_max_f32", threads(total), a.Int(channels).Int(hw).Int(total))
	}}
}

func globalMaxGradCard(hw int, p *poolCard) *deviceForm {
	return &deviceForm{run: func(c *deviceCall) error {
		return c.each("global_max_grad_f32", c.args(c.out, c.in[0]).Ptr(p.indexAt()).Int(hw))
	}}
}

const poolAxes = 4 // the most spatial axes that the kernels support

// poolNDFields returns a pooling's geometry as the fields of the kernels' structure, nil for a geometry that they do
// not support.
func poolNDFields(w *kernel.PoolND, channels int) []int32 {
	axes := len(w.Out())
	if axes > poolAxes {
		return nil
	}
	fields := make([]int32, 3+7*poolAxes)
	fields[0], fields[1], fields[2] = int32(axes), int32(channels), int32(flag(w.CountsPadding()))
	for i, out := range w.Out() {
		in, k, stride, begin, end, dilation := w.Axis(i)
		for j, v := range []int{in, k, stride, begin, end, dilation, out} {
			fields[3+j*poolAxes+i] = int32(v)
		}
	}
	return fields
}

// poolNDCard runs a kernel with a thread for each output. It also stores the places of the maxima, unless p is nil.
func poolNDCard(name string, w *kernel.PoolND, channels int, p *poolCard) *deviceForm {
	fields := poolNDFields(w, channels)
	if fields == nil {
		return nil
	}
	return &deviceForm{run: func(c *deviceCall) error {
		a := c.args(c.out)
		if p != nil {
			a.Ptr(p.indexAt())
		}
		total := c.out.n * c.out.size
		return c.launch(name, threads(total), a.Ptr(c.in[0].at()).Int(c.in[0].stride).Struct(fields).Int(total))
	}}
}

// poolNDGradCard is poolNDCard for gradients, whose kernels take the places of maxima behind the gradient.
func poolNDGradCard(name string, w *kernel.PoolND, channels int, p *poolCard) *deviceForm {
	fields := poolNDFields(w, channels)
	if fields == nil {
		return nil
	}
	return &deviceForm{run: func(c *deviceCall) error {
		a := c.args(c.out, c.in[0])
		if p != nil {
			a.Ptr(p.indexAt())
		}
		total := c.out.n * c.out.size
		return c.launch(name, threads(total), a.Struct(fields).Int(total))
	}}
}
