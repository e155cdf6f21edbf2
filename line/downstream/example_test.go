package downstream_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/line/downstream"
)

// How does the detector change when contributions to the log-sum-exp are used, by gradients or by sampling?
func ExampleMeasure() {
	s := study(new(testing.T))
	s.Games = []downstream.Game{{Name: "log-sum-exp", Options: games.PenultimateOptions{Value: attribution.LogSumExp}}}
	s.Estimators = []attribution.Estimator{estimate.GradientActivation{}, estimate.Permutation{Antithetic: true}}
	s.Budgets = []float64{2000}
	r, err := downstream.Measure(context.Background(), s)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range r.Cells() {
		average := c.Detections[len(c.Detections)-1]
		fmt.Printf("%-20s kept neurons in common %.2f, AUROC %+.3f\n", c.Estimator, c.NeuronOverlap.Mean,
			average.DeltaAUROC.Mean)
	}
	// Output:
	// gradient-activation  kept neurons in common 0.57, AUROC +0.007
	// antithetic           kept neurons in common 0.59, AUROC +0.009
}
