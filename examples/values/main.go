// Command values defines a value function and plays its game on a named layer. The value is the square of how far the
// first choice's logit lies above the second's. The command compares estimators of the Shapley values of the layer's
// channels with the enumerated true values.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/examples/pictures"
	"github.com/line-ood/goline/line/eval"
)

func main() {
	ctx := context.Background()
	net := pictures.Trained(ctx)
	gap := attribution.NewValue("squared gap", func(logits []float64, class int) float64 {
		others := slices.Delete(slices.Clone(logits), class, class+1)
		d := logits[class] - slices.Max(others)
		return d * d
	}, nil)
	layer := pictures.Must(games.NewLayer(net, games.LayerOptions{Layer: "layer2.0", Value: gap,
		Target: attribution.TargetPrediction(), Channels: true}))
	images := eval.Images(ctx, "images", pictures.Set("test", 3, 5, 0, 1, 2), net.Preprocessing(), eval.Options{})
	study := compare.Study{
		Estimators: []attribution.Estimator{estimate.Permutation{}, estimate.Permutation{Antithetic: true},
			estimate.KernelSHAP{Paired: true}},
		Budgets: []float64{20, 80}, Seeds: []uint64{1, 2, 3}, Resamples: 100,
	}
	for game, err := range layer.Games(ctx, images) {
		pictures.Check(err)
		truth := pictures.Must(compare.FindTruth(ctx, game, attribution.Options{}))
		study.Subjects = append(study.Subjects, compare.Subject{Name: fmt.Sprintf("picture %d", len(study.Subjects)),
			Game: game, Truth: truth})
	}
	fmt.Printf("%d channels of layer2.0, truth by %s\n", study.Subjects[0].Game.Players(),
		study.Subjects[0].Truth.Method)
	result := pictures.Must(compare.Compare(ctx, study))
	pictures.Check(result.WriteCells(os.Stdout))
	figure := pictures.Must(compare.ErrorVersusCost(result, compare.MSE,
		compare.Equivalents)).Titled("channels of layer2.0: Shapley values of the squared gap")
	file := pictures.Must(os.CreateTemp("", "error-*.png"))
	pictures.Must(figure.WriteTo(file))
	pictures.Check(file.Close())
	fmt.Println(file.Name())
}
