package graph

import "github.com/line-ood/goline/internal/cuda"

// normCard holds what a batch norm in training keeps on a card, [channels] each.
type normCard struct{ mean, variance, invstd, dgamma, dbeta *region }

func (f *normFn[T]) reserve(state, _ func(bytes int) *region) {
	for _, r := range []**region{&f.card.mean, &f.card.variance, &f.card.invstd, &f.card.dgamma, &f.card.dbeta} {
		*r = state(4 * f.channels)
	}
}

func (f *normFn[T]) deviceForm() *deviceForm {
	return &deviceForm{run: func(c *deviceCall) error {
		x := c.in[0]
		a := c.args(c.out, x).Ptr(c.in[1].at()).Ptr(c.in[2].at())
		if f.parts.residual != nil {
			a.Ptr(c.in[3].at()).Int(c.in[3].stride)
		} else {
			a.Ptr(0).Int(0)
		}
		a.Ptr(f.card.mean.at).Ptr(f.card.variance.at).Ptr(f.card.invstd.at).Double(f.parts.eps).Int(flag(f.parts.relu))
		g := cuda.Grid{X: f.channels, Y: 1, Z: 1, Threads: blockThreads}
		return c.launch("batchnorm_f32", g, a.Int(x.n).Int(x.size/f.channels))
	}}
}

// gradientCard computes the gradients of a batch norm. Its inputs are the gradient of the output, x, gamma and, with
// gate, the output, which shows where the fused ReLU blocks the gradient.
func (f *normFn[T]) gradientCard(gate bool) func(*deviceCall) error {
	return func(c *deviceCall) error {
		dy, x, y := c.in[0], c.in[1], c.in[3]
		a := c.args(c.out).Ptr(f.card.dgamma.at).Ptr(f.card.dbeta.at).
			Ptr(dy.at()).Int(dy.stride).Ptr(x.at()).Int(x.stride).Ptr(c.in[2].at())
		if gate {
			a.Ptr(y.at()).Int(y.stride)
		} else {
			a.Ptr(0).Int(0)
		}
		a.Ptr(f.card.mean.at).Ptr(f.card.invstd.at)
		g := cuda.Grid{X: f.channels, Y: 1, Z: 1, Threads: blockThreads}
		return c.launch("batchnorm_grad_f32", g, a.Int(x.n).Int(x.size/f.channels))
	}
}

// copyRegions copies regions of one element per channel to the output, one after the other.
func copyRegions(channels int, from ...**region) func(*deviceCall) error {
	return func(c *deviceCall) error {
		for i, r := range from {
			a := c.args().Ptr(c.out.at().Add(4 * i * channels)).Int(channels).Ptr((*r).at).Int(channels)
			if err := c.launch("copy_f32", threads(channels), a.Int(channels).Int(channels)); err != nil {
				return err
			}
		}
		return nil
	}
}
