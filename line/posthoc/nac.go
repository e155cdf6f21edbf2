package posthoc

import (
	"context"
	"fmt"
	"math"
	"sort"
	"sync"

	"github.com/line-ood/goline/internal/linalg"
)

// nac is NAC-UE, neuron activation coverage, of Liu et al. (ICLR 2024), on the penultimate layer. A neuron's state is
// sigmoid(alpha z_i g_i), with g the gradient in z of the cross-entropy between the uniform distribution u and the
// softmax p, which is W'(p - u) for a linear head. The range of states is divided into bins as in the authors' code,
// wide at its ends and narrow around 1/2. The coverage of a bin is the number of in-distribution samples in it
// divided by o for each 1,000 fitted samples, at most 1. The score is the mean over neurons of the coverage of the
// bin with the neuron's state, in [0, 1].
//
// The authors fit 1,000 samples and divide by o. Here o is scaled with the number of samples, so that it stands for
// the same density. Their settings o, m and alpha for this layer are 50, 50, 100 (CIFAR-10), 50, 50, 50 (CIFAR-100)
// and 10, 50, 3000 (ImageNet).
var nac = Kind{
	Name: "nac", Doc: "mean over neurons of how densely ID samples cover sigmoid(alpha z W'(p-u))",
	Source: "Liu et al., ICLR 2024", FittedOn: ID,
	Params: []Parameter{
		{Name: "o", Default: 50, Min: 0, Max: 1e6, Open: true, Grid: []float64{10, 50, 500},
			Doc: "samples in a bin, of 1,000, that cover it (ImageNet: 10)"},
		{Name: "m", Default: 50, Min: 4, Max: 10000, Whole: true, Grid: []float64{50, 500},
			Doc: "limits of bins; an odd number counts as one less"},
		{Name: "alpha", Default: 100, Min: 0, Max: 1e9, Open: true, Grid: []float64{1, 50, 100, 3000},
			Doc: "steepness of the sigmoid (CIFAR-100: 50, ImageNet: 3000)"},
	},
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &nacScore{o: p["o"], alpha: p["alpha"], limits: nacLimits(int(p["m"])), workers: workers}},
			nil
	},
}

type nacScore struct {
	o, alpha float64
	limits   []float64 // limits of the bins, ascending
	workers  int
	state    struct {
		Counts  []int32 // numbers of samples, shape [feature, bin]
		Samples int
	}
	covered  []float64      // number of samples, at most full, in each bin, shape [feature, bin]
	full     float64        // number of samples from which a bin is fully covered
	backward *linalg.Matrix // W', from p - u to g
	least    float64        // smallest gradient that is not rounding alone
}

func (s *nacScore) State() any { return &s.state }

// nacLimits returns the limits of bins between 0 and 1.2: log_1000 of equally spaced numbers from 1 to sqrt(1000),
// and the same numbers mirrored at 1/2, with 1 replaced by 1.01.
func nacLimits(m int) []float64 {
	half := m / 2
	limits := make([]float64, 2*half)
	for i := range half {
		x := 1 + (math.Sqrt(1000)-1)*float64(i)/float64(half-1)
		at := math.Log(x) / math.Log(1000)
		limits[i], limits[2*half-2-i] = at, 1-at
	}
	limits[half-1], limits[2*half-2], limits[2*half-1] = 0.5, 1.01, 1.2
	return limits
}

// bin returns the bin of a state in [0, 1]: the last one whose lower limit is not above the state.
func (s *nacScore) bin(state float64) int {
	return sort.Search(len(s.limits), func(i int) bool { return s.limits[i] > state }) - 1
}

func (s *nacScore) bins() int { return len(s.limits) - 1 }

func (s *nacScore) Fit(ctx context.Context, head Head, id Samples) error {
	s.state.Counts, s.state.Samples = make([]int32, head.FeatureDim*s.bins()), id.N
	s.setBackward(head)
	var all sync.Mutex
	var counts [][]int32
	own := newDense(head)
	err := forEachBlock(ctx, id.N, 64, s.workers, func() func(lo, hi int) {
		b, states := newBlock(&id, own, min(64, id.N)), s.states()
		count := make([]int32, len(s.state.Counts))
		all.Lock()
		counts = append(counts, count)
		all.Unlock()
		return func(lo, hi int) {
			b.load(lo, hi)
			for i, v := range states(b) {
				count[i%b.FeatureDim*s.bins()+s.bin(v)]++
			}
		}
	})
	if err != nil {
		return err
	}
	for _, count := range counts {
		for i, n := range count {
			s.state.Counts[i] += n
		}
	}
	return s.Derive(head)
}

// Derive computes the coverage from the counts.
func (s *nacScore) Derive(head Head) error {
	if err := checkLength("counts", len(s.state.Counts), head.FeatureDim*s.bins()); err != nil {
		return err
	}
	if s.state.Samples < 1 {
		return fmt.Errorf("expected counts of at least 1 sample, got %d", s.state.Samples)
	}
	s.setBackward(head)
	s.covered = make([]float64, len(s.state.Counts))
	s.full = s.o * float64(s.state.Samples) / 1000
	for i, n := range s.state.Counts {
		s.covered[i] = min(float64(n), s.full)
	}
	return nil
}

func (s *nacScore) setBackward(head Head) {
	transposed := make([]float32, head.FeatureDim*head.Classes)
	s.least = 0
	for k := range head.Classes {
		for d, w := range head.Weight[k*head.FeatureDim : (k+1)*head.FeatureDim] {
			transposed[d*head.Classes+k] = w
			s.least = max(s.least, 0x1p-48*math.Abs(float64(w)))
		}
	}
	s.backward = linalg.NewMatrix(transposed, head.FeatureDim, head.Classes)
}

// states returns a function, for one goroutine, that computes the states of a block's neurons, shape [sample,
// feature]. A gradient that differs from 0 by rounding alone counts as 0, so that the state is exactly 1/2, which is
// a limit of bins.
func (s *nacScore) states() func(*Block) []float64 {
	var p, g []float64
	return func(b *Block) []float64 {
		if len(p) < b.N*b.Classes {
			p, g = make([]float64, b.N*b.Classes), make([]float64, b.N*b.FeatureDim)
		}
		for i := range b.N {
			out := p[i*b.Classes : (i+1)*b.Classes]
			probabilities(out, b.LogitsOf(i))
			for k := range out {
				out[k] -= 1 / float64(b.Classes)
			}
		}
		g := g[:b.N*b.FeatureDim]
		if err := s.backward.MulTransposed(context.Background(), g, p[:b.N*b.Classes], b.N, 1); err != nil {
			panic(err) // cannot fail, since the slices are made here
		}
		for i, z := range b.Features() {
			if math.Abs(g[i]) < s.least {
				g[i] = 0
			}
			g[i] = 1 / (1 + math.Exp(-s.alpha*z*g[i]))
		}
		return g
	}
}

func (s *nacScore) Score() func(*Block, []float64) {
	states := s.states()
	return func(b *Block, dst []float64) {
		all := states(b)
		for i := range b.N {
			var sum float64
			for d, v := range all[i*b.FeatureDim : (i+1)*b.FeatureDim] {
				sum += s.covered[d*s.bins()+s.bin(v)]
			}
			dst[i] = min(sum/s.full/float64(b.FeatureDim), 1)
		}
	}
}
