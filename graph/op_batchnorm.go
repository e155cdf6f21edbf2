package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// BatchNorm normalises x [batch, channels, ...] with the statistics of the batch itself (Ioffe & Szegedy 2015,
// algorithm 1):
//
//	y = gamma[c] · (x - mean_c) / √(variance_c + eps) + beta[c]
//
// where mean and biased variance are taken over the batch and all positions of a channel; gamma and beta [channels].
// x, gamma and beta have gradients, and those of x go through the statistics. For inference see [Builder.BatchNorm].
func BatchNorm(x, gamma, beta *G.Node, eps float64) (*G.Node, error) {
	return batchNorm(normParts{x: x, gamma: gamma, beta: beta, eps: eps})
}

// normParts is a batch norm in training with the layers that are fused into it: relu?(norm(x) + residual).
type normParts struct {
	x, gamma, beta, residual *G.Node // residual nil for none
	relu                     bool
	eps                      float64
}

func (p normParts) name() string {
	name := "BatchNorm"
	if p.residual != nil {
		name += "→Add"
	}
	if p.relu {
		name += "→ReLU"
	}
	return name
}

func batchNorm(p normParts) (*G.Node, error) {
	name := p.name()
	if err := wantBatched(name, 2, p.x); err != nil {
		return nil, err
	}
	channels := p.x.Shape()[1]
	if err := wantShape(name, "gamma", p.gamma, channels); err != nil {
		return nil, err
	}
	if err := wantShape(name, "beta", p.beta, channels); err != nil {
		return nil, err
	}
	if !(p.eps >= 0) {
		return nil, fmt.Errorf("%s: expected eps of 0 or more, got %v", name, p.eps)
	}
	in := []*G.Node{p.x, p.gamma, p.beta}
	if p.residual != nil {
		if err := wantShape(name, "residual", p.residual, p.x.Shape()...); err != nil {
			return nil, err
		}
		in = append(in, p.residual)
	}
	if err := wantOneType(name, in...); err != nil {
		return nil, err
	}
	fn, err := dispatch(name, p.x.Dtype(),
		func() function { return newNormFn[float32](p, channels) },
		func() function { return newNormFn[float64](p, channels) })
	if err != nil {
		return nil, err
	}
	return apply(name, fn, p.x.Dtype(), p.x.Shape(), in...)
}

// normFn is a batch norm in training. Its gradients use the statistics that forward stores in it.
type normFn[T kernel.Float] struct {
	floatFn[T]
	parts    normParts
	channels int
	norm     *kernel.BatchNorm[T]
	observed bool     // norm has seen all samples of this run
	x        array[T] // the input of the last run, which lives until the gradients have been computed
	card     normCard
}

func newNormFn[T kernel.Float](p normParts, channels int) *normFn[T] {
	shape := p.x.Shape()
	hw := shape.TotalSize() / (shape[0] * channels)
	f := &normFn[T]{parts: p, channels: channels, norm: kernel.NewBatchNorm[T](channels, hw, p.eps, p.relu)}
	diff := all(3)
	if p.residual != nil {
		diff = all(4)
	}
	f.floatFn = floatFn[T]{run: f.run, grad: f.gradient, diff: diff}
	return f
}

func (f *normFn[T]) attend(in G.Nodes) { watch(in[0], f.observe) }

// observe takes sample i of n into the statistics.
func (f *normFn[T]) observe(i, n int, x []T) {
	if i == 0 {
		f.norm.Reset()
	}
	f.norm.Observe(x)
	f.observed = i == n-1
}

func (f *normFn[T]) run(c *call[T]) error {
	f.x = c.in[0]
	n := c.out.n
	if !f.observed {
		for i := range n {
			f.observe(i, n, f.x.sample(i))
		}
	}
	f.observed = false
	f.norm.Settle(c.in[1].data, c.in[2].data)
	for i := range n {
		var residual []T
		if f.parts.residual != nil {
			residual = c.in[3].sample(i)
		}
		f.norm.Forward(c.out.sample(i), f.x.sample(i), residual)
	}
	return nil
}

func (f *normFn[T]) gradient(in G.Nodes, out, grad *G.Node, need []bool) (gs G.Nodes, err error) {
	gs = make(G.Nodes, len(in))
	gate := f.parts.relu
	if f.parts.residual != nil {
		if gate { // through the gate of the fused ReLU, residual and norm get the same gradient
			if grad, err = maskedGrad[T](grad, out); err != nil {
				return nil, err
			}
			gate = false
		}
		gs[3] = grad
	}
	// One operation computes all three gradients. Its value is that of x; further operations copy out those of gamma
	// and beta.
	back := &normDXFn[T]{norm: f, sums: f.norm.Gradient(gate)}
	back.run = back.differentiate
	if gs[0], err = onCard(f.gradientCard(gate))(apply("BatchNorm'x", back, grad.Dtype(), in[0].Shape(), grad, in[0],
		in[1], out)); err != nil {
		return nil, err
	}
	copies := func(name string, src []T, card **region, n *G.Node) (*G.Node, error) {
		fn := &floatFn[T]{run: func(c *call[T]) error { copy(c.out.data, src); return nil }}
		return onCard(copyRegions(f.channels, card))(apply(name, fn, n.Dtype(), n.Shape(), gs[0]))
	}
	if need[1] {
		if gs[1], err = copies("BatchNorm'gamma", back.sums.DGamma, &f.card.dgamma, in[1]); err != nil {
			return nil, err
		}
	}
	if need[2] {
		gs[2], err = copies("BatchNorm'beta", back.sums.DBeta, &f.card.dbeta, in[2])
	}
	return gs, err
}

// normDXFn computes the gradients of a batch norm. Its inputs are the gradient of the output, x, gamma and the output.
type normDXFn[T kernel.Float] struct {
	floatFn[T]
	norm     *normFn[T]
	sums     *kernel.BatchNormGradient[T]
	observed bool // sums has seen all samples of this run
}

func (*normDXFn[T]) overwrites() int { return 0 }

func (f *normDXFn[T]) attend(in G.Nodes) { watch(in[0], f.observe) }

// observe takes the gradient of sample i of n into the sums.
func (f *normDXFn[T]) observe(i, n int, dy []T) {
	if i == 0 {
		f.sums.Reset()
	}
	f.sums.Observe(dy, f.norm.x.sample(i))
	f.observed = i == n-1
}

func (f *normDXFn[T]) differentiate(c *call[T]) error {
	n := c.out.n
	f.norm.x = c.in[1]
	if !f.observed {
		for i := range n {
			f.observe(i, n, c.in[0].sample(i))
		}
	}
	f.observed = false
	f.sums.Settle(c.in[2].data)
	for i := range n {
		f.sums.Backward(c.out.sample(i), c.in[0].sample(i), c.in[1].sample(i))
	}
	return nil
}

// maskFn is the gradient of a ReLU from that of its output and the output.
type maskFn[T kernel.Float] struct {
	floatFn[T]
	watched[T]
}

func (*maskFn[T]) overwrites() int { return 0 }

func maskedGrad[T kernel.Float](grad, y *G.Node) (*G.Node, error) {
	f := &maskFn[T]{}
	f.run = func(c *call[T]) error {
		for i := range c.out.n {
			kernel.ReLUBackward(c.out.sample(i), c.in[0].sample(i), c.in[1].sample(i))
			f.show(c.out, i, i+1)
		}
		return nil
	}
	return onCard(reluGradCard)(apply("ReLU'", f, grad.Dtype(), y.Shape(), grad, y))
}

// moments returns a node with the mean and the biased variance that a batch norm node has computed: [2, channels].
func moments(norm *G.Node) (*G.Node, error) {
	o, ok := norm.Op().(*op)
	if !ok {
		return nil, fmt.Errorf("moments: %s is not a batch norm", norm.Name())
	}
	shape := tensor.Shape{2, norm.Shape()[1]}
	switch f := o.fn.(type) {
	case *normFn[float32]:
		return onCard(copyRegions(f.channels, &f.card.mean, &f.card.variance))(apply("Moments", momentsFn(f),
			norm.Dtype(), shape, norm))
	case *normFn[float64]:
		return apply("Moments", momentsFn(f), norm.Dtype(), shape, norm)
	}
	return nil, fmt.Errorf("moments: %s is not a batch norm", norm.Name())
}

func momentsFn[T kernel.Float](f *normFn[T]) function {
	return &floatFn[T]{run: func(c *call[T]) error {
		copy(c.out.sample(0), f.norm.Mean)
		copy(c.out.sample(1), f.norm.Variance)
		return nil
	}}
}
