package graph

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
	"github.com/line-ood/goline/internal/mathx"
)

// CrossEntropy returns -Σ_k target[n, k] · log softmax(logits[n])_k for logits and target [batch, classes]: [batch]. A
// target is any distribution over the classes: one-hot, smoothed (Szegedy et al., CVPR 2016, section 7) or mixed (Zhang
// et al., ICLR 2018). Only logits have a gradient.
func CrossEntropy(logits, target *G.Node) (*G.Node, error) {
	const name = "CrossEntropy"
	if err := wantDims(name, 2, logits); err != nil {
		return nil, err
	}
	if err := wantShape(name, "target", target, logits.Shape()...); err != nil {
		return nil, err
	}
	grad := same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
		return onCard(rowsCard("cross_entropy_grad_f32", 1))(floatOp(name+"'", logits.Shape(),
			[]*G.Node{grad, in[0], in[1]}, nil, nil,
			crossEntropyDX[float32], crossEntropyDX[float64]))
	})
	return onCard(rowsCard("cross_entropy_f32", 0))(floatOp(name, tensor.Shape{logits.Shape()[0]},
		[]*G.Node{logits, target}, first(2), grad,
		crossEntropyRun[float32], crossEntropyRun[float64]))
}

func crossEntropyRun[T kernel.Float](c *call[T]) error {
	return perSample(c, func(out []T, in [][]T) {
		x, target := in[0], in[1]
		lse := mathx.LogSumExp(x)
		var loss float64
		for k, t := range target {
			if t != 0 { // 0·log 0 counts as 0, even where the log-probability is -Inf
				loss += float64(t) * (lse - float64(x[k]))
			}
		}
		out[0] = T(loss)
	})
}

func crossEntropyDX[T kernel.Float](c *call[T]) error {
	return perSample(c, func(dx []T, in [][]T) {
		dy, x, target := float64(in[0][0]), in[1], in[2]
		lse := mathx.LogSumExp(x)
		var total float64
		for _, t := range target {
			total += float64(t)
		}
		for k := range dx {
			dx[k] = T(dy * (total*math.Exp(float64(x[k])-lse) - float64(target[k])))
		}
	})
}
