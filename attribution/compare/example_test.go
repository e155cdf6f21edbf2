package compare_test

import (
	"context"
	"fmt"
	"log"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/nets"
)

// head is a final layer of three classes over four neurons.
func head() *games.Readout {
	h, err := games.NewReadout(nets.Head{Classes: 3, FeatureDim: 4, Weight: []float32{
		1.0, -0.5, 0.2, 0.0,
		-0.3, 0.8, 0.1, 0.4,
		0.2, 0.1, -0.6, 0.9,
	}, Bias: []float32{0.1, 0, -0.1}})
	if err != nil {
		log.Fatal(err)
	}
	return h
}

// Estimators with several budgets and seeds on a game whose values are known.
func ExampleCompare() {
	ctx := context.Background()
	game, err := games.NewPenultimate(head(), []float64{2, 1, 0.5, 1.5}, -1,
		games.PenultimateOptions{Value: attribution.LogSumExp})
	if err != nil {
		log.Fatal(err)
	}
	truth, err := compare.FindTruth(ctx, game, attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := compare.Compare(ctx, compare.Study{
		Subjects:   []compare.Subject{{Name: "sample 0", Game: game, Truth: truth}},
		Estimators: []attribution.Estimator{estimate.Permutation{}, estimate.Permutation{Antithetic: true}},
		Budgets:    []float64{50, 500},
		Seeds:      []uint64{1, 2, 3, 4, 5, 6, 7, 8},
		K:          2,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, cell := range c.Cells {
		mse := cell.Bands[compare.MSE]
		fmt.Printf("%-20s%4.0f of %3.0f  MSE %.1e [%.1e, %.1e]\n", cell.Estimator, cell.Equivalents, cell.Budget,
			mse.Mean, mse.Lo, mse.Hi)
	}
	// Output:
	// permutation           50 of  50  MSE 1.8e-03 [1.4e-03, 2.3e-03]
	// permutation          500 of 500  MSE 2.9e-04 [1.6e-04, 4.7e-04]
	// antithetic            50 of  50  MSE 6.9e-05 [3.2e-05, 1.1e-04]
	// antithetic           500 of 500  MSE 9.5e-06 [5.2e-06, 1.4e-05]
}
