package posthoc

import (
	"context"
	"math"
	"slices"

	"github.com/line-ood/goline/internal/linalg"
)

// relation is the neural relation graph score of Kim et al. (NeurIPS 2023): the sum over the in-distribution samples
// j of the similarities r_j = max(0, cos(z, z_j)) <p, p_j> that exceed a threshold, each raised to a power. p is the
// softmax of the logits. Features that are all zero have cosine 0.
var relation = Kind{
	Name: "relation", Doc: "sum over ID samples of max(0, cos(z,z_j))<p,p_j> where it exceeds .03",
	Source: "Kim et al., NeurIPS 2023", FittedOn: ID,
	Params: []Parameter{
		{Name: "threshold", Default: 0.03, Min: 0, Max: 1, Doc: "similarities that do not exceed it are left out"},
		{Name: "pow", Default: 1, Min: 0, Max: 100, Open: true, Grid: []float64{1, 2, 4, 6, 8},
			Doc: "power of a similarity"},
	},
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &relationScore{threshold: p["threshold"], pow: p["pow"], workers: workers}}, nil
	},
}

type relationScore struct {
	threshold, pow float64
	workers        int
	state          struct {
		Bank   []float32 // features before normalisation, shape [sample, feature]
		Logits []float32 // shape [sample, class]
	}
	rows    unitRows
	classes int
	energy  []float64 // log-sum-exp of the logits, shape [sample]
	p       []float32 // softmax of the logits, rounded, shape [sample, class]
}

func (s *relationScore) State() any { return &s.state }

// BlockSize returns the block size for which the bank is fastest.
func (s *relationScore) BlockSize() int { return bankBlock }

func (s *relationScore) Fit(ctx context.Context, head Head, id Samples) error {
	s.state.Bank, s.state.Logits = slices.Clone(id.Features), slices.Clone(id.Logits)
	return s.derive(ctx, head)
}

// Derive computes norms and probabilities.
func (s *relationScore) Derive(head Head) error {
	if err := checkBank(s.state.Bank, head.FeatureDim); err != nil {
		return err
	}
	if err := checkLength("logits", len(s.state.Logits), len(s.state.Bank)/head.FeatureDim*head.Classes); err != nil {
		return err
	}
	return s.derive(context.Background(), head)
}

func (s *relationScore) derive(ctx context.Context, head Head) (err error) {
	if s.rows, err = newUnitRows(ctx, s.state.Bank, head.FeatureDim, nil, s.workers); err != nil {
		return err
	}
	s.classes, s.p, s.energy = head.Classes, make([]float32, len(s.state.Logits)), make([]float64, len(s.rows.scale))
	return forEachBlock(ctx, len(s.energy), 64, s.workers, func() func(lo, hi int) {
		l := make([]float64, s.classes)
		return func(lo, hi int) {
			for j := lo; j < hi; j++ {
				for k, v := range s.state.Logits[j*s.classes : (j+1)*s.classes] {
					l[k] = float64(v)
				}
				s.energy[j] = logSumExp(l, 1)
				for k, v := range l {
					s.p[j*s.classes+k] = float32(math.Exp(v - s.energy[j]))
				}
			}
		}
	})
}

func (s *relationScore) Score() func(*Block, []float64) {
	// The relative error of <p, p_j> with rounded probabilities is below this.
	const off = 1e-6
	var p []float64
	var queries []float32
	return bankScore(s.workers, func(b *Block, u, dst []float64, workers int) error {
		if len(p) < b.N*b.Classes {
			p, queries = make([]float64, b.N*b.Classes), make([]float32, b.N*b.Classes)
		}
		for i := range b.N {
			probabilities(p[i*b.Classes:(i+1)*b.Classes], b.LogitsOf(i))
		}
		for i, v := range p[:b.N*b.Classes] {
			queries[i] = float32(v)
		}
		clear(dst)
		pairs := []linalg.Pair{{Bank: s.p, Queries: queries[:b.N*b.Classes], Dim: b.Classes}}
		return linalg.VisitInner(context.Background(), pairs, workers, func(i, first int, products [][]float64) {
			for j, both := range products[0] {
				// Since a cosine is at most 1, most samples can be ruled out without computing it.
				if both*(1+off) <= s.threshold {
					continue
				}
				cosine := max(s.rows.inner(u[i*b.FeatureDim:(i+1)*b.FeatureDim], first+j), 0)
				if cosine*both*(1+off) <= s.threshold {
					continue
				}
				both = s.together(p[i*b.Classes:(i+1)*b.Classes], first+j)
				if similarity := cosine * both; similarity > s.threshold {
					if s.pow != 1 {
						similarity = math.Pow(similarity, s.pow)
					}
					dst[i] += similarity
				}
			}
		})
	})
}

// together returns <p, p_j> in float64.
func (s *relationScore) together(p []float64, j int) float64 {
	var sum float64
	for k, l := range s.state.Logits[j*s.classes : (j+1)*s.classes] {
		if p[k] > 1e-20 { // all smaller p together add less than rounding
			sum += float64(p[k] * math.Exp(float64(l)-s.energy[j]))
		}
	}
	return sum
}
