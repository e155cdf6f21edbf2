package posthoc

import (
	"context"
	"fmt"
	"slices"
)

// knn is the deep nearest neighbours score of Sun et al. (ICML 2022): -d², with d the Euclidean distance of z/‖z‖ to
// its K-th nearest neighbour among the normalised in-distribution features, or to the farthest where there are fewer
// than K. Features that are all zero are not normalised.
var knn = Kind{
	Name: "knn", Doc: "-(distance of z/‖z‖ to its K-th nearest ID neighbour)²", Source: "Sun et al., ICML 2022",
	FittedOn: ID,
	Params: []Parameter{{Name: "k", Default: 50, Min: 1, Max: 1e6, Whole: true, Grid: []float64{50, 100, 200, 500,
		1000}, Doc: "K"}},
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &knnScore{k: int(p["k"]), workers: workers}}, nil
	},
}

type knnScore struct {
	k, workers int
	state      struct{ Bank []float32 } // features before normalisation, shape [sample, feature]
	bank       *bank
}

func (s *knnScore) State() any { return &s.state }

// BlockSize returns the block size for which the bank is fastest.
func (s *knnScore) BlockSize() int { return bankBlock }

func (s *knnScore) Fit(ctx context.Context, _ Head, id Samples) (err error) {
	s.state.Bank = slices.Clone(id.Features)
	s.bank, err = newBank(ctx, s.state.Bank, id.FeatureDim, nil, s.workers)
	return err
}

// Derive prepares the bank.
func (s *knnScore) Derive(head Head) (err error) {
	if err := checkBank(s.state.Bank, head.FeatureDim); err != nil {
		return err
	}
	s.bank, err = newBank(context.Background(), s.state.Bank, head.FeatureDim, nil, s.workers)
	return err
}

// checkBank returns an error unless a restored bank consists of rows of dim features.
func checkBank(rows []float32, dim int) error {
	if len(rows) == 0 || len(rows)%dim != 0 {
		return fmt.Errorf("expected a bank of rows of %d features, got %d values", dim, len(rows))
	}
	return nil
}

func (s *knnScore) Score() func(*Block, []float64) {
	k := min(s.k, len(s.bank.scale))
	return bankScore(s.workers, func(_ *Block, u, dst []float64, workers int) error {
		return s.bank.nearest(context.Background(), u, k, workers,
			func(i int, distances []float64) { dst[i] = -distances[k-1] })
	})
}
