package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// convDXFn is the gradient of a convolution with respect to its input. Its inputs are the gradient of the convolution's
// output, that output, and the convolution's inputs.
type convDXFn[T kernel.Float] struct {
	floatFn[T]
	packer[T]
	watched[T]
	plus int // the input that is added to the gradient, 0 for none
}

// addGradient returns have + g, where g is a gradient that gradient has just returned. A gradient by x, which nothing
// reads yet, is computed together with the sum.
func (f *convFn[T]) addGradient(have, g *G.Node) (*G.Node, error) {
	o, ok := g.Op().(*op)
	if !ok {
		return Add(have, g)
	}
	d, ok := o.fn.(*convDXFn[T])
	if !ok || d.plus > 0 {
		return Add(have, g)
	}
	sum := &convDXFn[T]{packer: packer[T]{parts: d.parts, geom: d.geom, at: d.at, skip: d.skip, back: true},
		plus: len(o.in)}
	sum.floatFn = floatFn[T]{run: sum.run}
	return apply(o.name+"→Add", sum, g.Dtype(), g.Shape(), append(o.in[:len(o.in):len(o.in)], have)...)
}

func (f *convDXFn[T]) run(c *call[T]) error {
	conv, err := f.packCall(c)
	if err != nil {
		return err
	}
	for i := range c.out.n {
		var plus []T
		if f.plus > 0 {
			plus = c.in[f.plus].sample(i)
		}
		conv.BackwardInput(c.out.sample(i), c.in[0].sample(i), c.in[f.skip].sample(i), c.in[1].sample(i), nil, plus,
			f.work())
		f.show(c.out, i, i+1)
	}
	return nil
}

// convDWFn is the gradient of a plain convolution with respect to its weights, summed over the batch.
type convDWFn[T kernel.Float] struct {
	floatFn[T]
	geom    kernel.ConvGeom
	scratch *scratch // the replica's working memory, nil where the operation has its own
	samples int
	card    convDWCard
}

func (f *convDWFn[T]) run(c *call[T]) error {
	dw, _ := c.out.flat()
	clear(dw)
	dy, x := c.in[0], c.in[1]
	if f.scratch == nil {
		f.scratch = &scratch{}
	}
	work := take[T](f.scratch, kernel.ConvBackwardWeightScratch(f.geom, dy.n))
	kernel.ConvBackwardWeight(f.geom, dw, nil, x.data, dy.data, dy.n, x.stride, dy.stride, work)
	return nil
}
