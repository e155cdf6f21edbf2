package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// LRNConfig holds the numbers of a local response normalisation. No field has a default: zero means 0.
type LRNConfig struct {
	Size  int     // channels in the window of one channel, at least 1
	Alpha float64 // factor of the mean square over the window
	Beta  float64 // exponent of the divisor
	K     float64 // what the divisor's base is without the squares
}

// LocalResponseNorm returns, for x [batch, channels, ...], of the same shape,
//
//	y[n, c] = x[n, c] / (K + Alpha/Size · Σ x[n, i]²)^Beta   over channels i from c-⌊(Size-1)/2⌋ to c+⌈(Size-1)/2⌉
//
// as ONNX defines it, and PyTorch for odd sizes (Krizhevsky et al., NeurIPS 2012, section 3.3, with Size times their
// α). x has a gradient.
func LocalResponseNorm(x *G.Node, cfg LRNConfig) (*G.Node, error) {
	const name = "LocalResponseNorm"
	if err := wantRank(name, 2, x); err != nil {
		return nil, err
	}
	if cfg.Size < 1 {
		return nil, fmt.Errorf("%s: expected size of at least 1, got %d", name, cfg.Size)
	}
	l, channels, hw := kernel.LRN(cfg), x.Shape()[1], x.Shape()[2:].TotalSize()
	return explained(name, cfg)(floatOp(name, x.Shape(), []*G.Node{x}, first(1),
		same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return floatOp(name+"'", x.Shape(), []*G.Node{grad, in[0]}, nil, nil, lrnDX[float32](l, channels, hw),
				lrnDX[float64](l, channels, hw))
		}), lrnRun[float32](l, channels, hw), lrnRun[float64](l, channels, hw)))
}

func lrnRun[T kernel.Float](l kernel.LRN, channels, hw int) func(*call[T]) error {
	return func(c *call[T]) error {
		return perSample(c, func(out []T, in [][]T) { kernel.LRNForward(l, out, in[0], channels, hw) })
	}
}

func lrnDX[T kernel.Float](l kernel.LRN, channels, hw int) func(*call[T]) error {
	return func(c *call[T]) error {
		work := c.workspace(channels * hw)
		return perSample(c, func(dx []T, in [][]T) { kernel.LRNBackward(l, dx, in[0], in[1], work, channels, hw) })
	}
}
