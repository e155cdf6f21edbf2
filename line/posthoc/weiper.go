package posthoc

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/line-ood/goline/internal/linalg"
	"github.com/line-ood/goline/internal/mathx"
)

// WeiPer of Granz, Heurich and Landgraf (OOD Detection using Weight Perturbations of Class Projections, NeurIPS 2024)
// computes logits of r perturbed heads. Their weights are w_k + delta ‖w_k‖ u for each class k, with an independent
// random direction u for each; the biases are unchanged. The directions depend on the seed alone: u of class k in
// head i consists of normal variates of PCG(seed, i K + k), divided by their length.
//
// The heads take 8 r K D bytes, and r K D multiplications for each sample: 1.6 GB and 200 million for r = 100, K =
// 1000, D = 2048.

// weiperMSP is MSP_W of that paper: the mean over the perturbed heads of the maximum softmax probability.
var weiperMSP = Kind{
	Name: "weiper-msp", Doc: "mean over randomly perturbed heads of max p", Source: weiperSource,
	Params: weiperParams,
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &weiperMSPScore{heads: newPerturbed(p, workers)}}, nil
	},
}

const weiperSource = "Granz, Heurich and Landgraf, NeurIPS 2024"

var weiperParams = []Parameter{
	{Name: "r", Default: 100, Min: 1, Max: 10000, Whole: true, Doc: "number of perturbed heads"},
	{Name: "delta", Default: 1.8, Min: 0, Max: 1000, Grid: []float64{1.8, 2, 2.2, 2.4},
		Doc: "length of a perturbation over that of its weights"},
	{Name: "seed", Default: 1, Min: 0, Max: math.MaxInt32, Whole: true, Doc: "seed of the perturbations"},
}

type weiperMSPScore struct {
	heads *perturbed
	state struct{} // empty: all is computed from the head and the seed
}

func (s *weiperMSPScore) State() any { return &s.state }

func (s *weiperMSPScore) Fit(ctx context.Context, head Head, _ Samples) error {
	return s.heads.make(ctx, head)
}

// Derive makes the perturbed heads.
func (s *weiperMSPScore) Derive(head Head) error { return s.heads.make(context.Background(), head) }

// Bytes is the memory of the perturbed heads, in bytes.
func (s *weiperMSPScore) Bytes() int64 { return s.heads.bytes() }

// BlockSize is the number of samples that share a pass over the perturbed heads.
func (s *weiperMSPScore) BlockSize() int { return perturbedBlock }

func (s *weiperMSPScore) Score() func(*Block, []float64) {
	logits := s.heads.logits()
	return func(b *Block, dst []float64) {
		clear(dst)
		logits(b.Features(), b.N, b.workers(s.heads.workers), func(sample int, l []float64) {
			dst[sample] += 1 / sumExp(l, slices.Max(l), 1)
		})
		for i := range dst {
			dst[i] /= float64(len(s.heads.weights))
		}
	}
}

// perturbedBlock is the number of samples that share a pass over the perturbed heads.
const perturbedBlock = 256

// perturbed holds heads with perturbed weights.
type perturbed struct {
	delta   float64
	seed    uint64
	workers int

	classes int
	size    int64            // number of weights of a head, 0 before make
	weights []*linalg.Matrix // of each head, shape [class, feature]
	bias    []float64
}

func newPerturbed(p map[string]float64, workers int) *perturbed {
	return &perturbed{delta: p["delta"], seed: uint64(p["seed"]), workers: workers, weights: make([]*linalg.Matrix,
		int(p["r"]))}
}

// make draws the perturbations.
func (p *perturbed) make(ctx context.Context, head Head) error {
	p.classes, p.bias, p.size = head.Classes, mathx.Float64s(head.Bias), int64(len(head.Weight))
	clear(p.weights)
	return forEachBlock(ctx, len(p.weights), 1, p.workers, func() func(lo, hi int) {
		w := make([]float64, len(head.Weight))
		return func(i, _ int) {
			for k := range head.Classes {
				rng := rand.New(rand.NewPCG(p.seed, uint64(i*head.Classes+k)))
				perturb(w[k*head.FeatureDim:][:head.FeatureDim], head.Weight[k*head.FeatureDim:][:head.FeatureDim],
					p.delta, rng)
			}
			p.weights[i] = linalg.NewMatrix(w, head.Classes, head.FeatureDim)
		}
	})
}

func (p *perturbed) bytes() int64 { return int64(len(p.weights)) * p.size * 8 }

// perturb writes w + delta ‖w‖ u to dst, with u a random direction.
func perturb(dst []float64, w []float32, delta float64, rng *rand.Rand) {
	var weights, noise float64
	for d, v := range w {
		dst[d] = rng.NormFloat64()
		noise += float64(dst[d] * dst[d])
		weights += float64(float64(v) * float64(v))
	}
	scale := delta * math.Sqrt(weights) / max(math.Sqrt(noise), 1e-12)
	for d, v := range w {
		dst[d] = float64(v) + float64(scale*dst[d])
	}
}

// logits returns a function, for one goroutine, that calls use with each perturbed head's logits of each of n
// samples: head after head, and for each head in the order of the samples.
func (p *perturbed) logits() func(z []float64, n, workers int, use func(sample int, l []float64)) {
	var l []float64
	return func(z []float64, n, workers int, use func(sample int, l []float64)) {
		if len(l) < n*p.classes {
			l = make([]float64, n*p.classes)
		}
		for _, w := range p.weights {
			// The sizes fit and the context never ends, so that there is no error.
			_ = w.MulTransposed(context.Background(), l[:n*p.classes], z, n, workers)
			for i := range n {
				row := l[i*p.classes:][:p.classes]
				for k, b := range p.bias {
					row[k] += b
				}
				use(i, row)
			}
		}
	}
}

// workers returns over how many goroutines the work on a block may be spread: over all where there is only one block.
func (b *Block) workers(all int) int {
	if b.samples.N <= perturbedBlock {
		return all
	}
	return 1
}
