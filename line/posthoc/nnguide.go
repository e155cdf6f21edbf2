package posthoc

import (
	"context"
	"slices"
)

// nnguide is NNGuide of Park et al. (ICCV 2023): the energy LSE(l) times the mean of the K largest <z/‖z‖, E_j
// z_j/‖z_j‖>, with z_j and E_j the features and the energy of in-distribution sample j. With fewer than K samples it
// is the mean over all. Features that are all zero have product 0.
var nnguide = Kind{
	Name: "nnguide", Doc: "mean of the K largest <z/‖z‖, z_j/‖z_j‖ E_j> over ID samples, times energy",
	Source: "Park et al., ICCV 2023", FittedOn: ID,
	Params: []Parameter{{
		Name: "k", Default: 10, Min: 1, Max: 1e6, Whole: true, Grid: []float64{10, 100},
		Doc: "K (OpenOOD: 100 of 1 % of the samples)",
	}},
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &nnguideScore{k: int(p["k"]), workers: workers}}, nil
	},
}

type nnguideScore struct {
	k, workers int
	state      struct {
		Bank   []float32 // features before normalisation, shape [sample, feature]
		Energy []float64 // shape [sample]
	}
	bank *bank
}

func (s *nnguideScore) State() any { return &s.state }

// BlockSize returns the block size for which the bank is fastest.
func (s *nnguideScore) BlockSize() int { return bankBlock }

func (s *nnguideScore) Fit(ctx context.Context, _ Head, id Samples) (err error) {
	if s.state.Energy, err = energies(ctx, id, s.workers); err != nil {
		return err
	}
	s.state.Bank = slices.Clone(id.Features)
	return s.setBank(ctx, id.FeatureDim)
}

func (s *nnguideScore) setBank(ctx context.Context, dim int) (err error) {
	s.bank, err = newBank(ctx, s.state.Bank, dim, func(j int) float64 { return s.state.Energy[j] }, s.workers)
	return err
}

// Derive prepares the bank.
func (s *nnguideScore) Derive(head Head) error {
	if err := checkBank(s.state.Bank, head.FeatureDim); err != nil {
		return err
	}
	if err := checkLength("energies", len(s.state.Energy), len(s.state.Bank)/head.FeatureDim); err != nil {
		return err
	}
	return s.setBank(context.Background(), head.FeatureDim)
}

func (s *nnguideScore) Score() func(*Block, []float64) {
	k := min(s.k, len(s.bank.scale))
	return bankScore(s.workers, func(b *Block, u, dst []float64, workers int) error {
		return s.bank.largest(context.Background(), u, k, workers, func(i int, products []float64) {
			var sum float64
			for _, v := range products {
				sum += v
			}
			dst[i] = sum / float64(k) * logSumExp(b.LogitsOf(i), 1)
		})
	})
}
