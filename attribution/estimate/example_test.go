package estimate_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/line-ood/goline/attribution"
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

// The logit is linear in the neurons: gradient × activation is its exact Shapley value. The log-sum-exp is not.
func Example() {
	ctx := context.Background()
	z := []float64{2, 1, 0.5, 1.5}
	for _, value := range []attribution.Value{attribution.Logit, attribution.LogSumExp} {
		game, err := games.NewPenultimate(head(), z, -1, games.PenultimateOptions{Value: value})
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range []attribution.Estimator{estimate.Exact{}, estimate.GradientActivation{}} {
			est, err := e.Estimate(ctx, game, attribution.Options{})
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%-12v%-20s%6.3f residual %.3f\n", value, est.Method, est.Values, math.Abs(est.Residual))
		}
	}
	// Output:
	// logit       exact               [ 2.000 -0.500  0.100  0.000] residual 0.000
	// logit       gradient-activation [ 2.000 -0.500  0.100  0.000] residual 0.000
	// log-sum-exp exact               [ 0.808  0.045 -0.037  0.574] residual 0.000
	// log-sum-exp gradient-activation [ 0.931 -0.036 -0.051  0.593] residual 0.048
}

// A budget in forward-equivalents, a seed, and intervals.
func ExamplePermutation() {
	game, err := games.NewPenultimate(head(), []float64{2, 1, 0.5, 1.5}, -1,
		games.PenultimateOptions{Value: attribution.LogSumExp, Names: []string{"beak", "wing", "wheel", "sky"}})
	if err != nil {
		log.Fatal(err)
	}
	est, err := estimate.Permutation{Antithetic: true}.Estimate(context.Background(), game,
		attribution.Options{Budget: 2000, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	for i, name := range est.Names {
		lo, hi := est.Interval(i, 0.95)
		fmt.Printf("%-6s%6.3f [%6.3f, %6.3f]\n", name, est.Values[i], lo, hi)
	}
	fmt.Printf("%d pairs, %g forward-equivalents\n", est.Samples, est.Equivalents)
	// Output:
	// beak   0.809 [ 0.806,  0.812]
	// wing   0.044 [ 0.041,  0.047]
	// wheel -0.037 [-0.038, -0.036]
	// sky    0.573 [ 0.570,  0.576]
	// 333 pairs, 2000 forward-equivalents
}

// The detector keeps the neurons above a percentile: TopK takes samples until it knows which neurons those are.
func ExampleTopK() {
	game, err := games.NewPenultimate(head(), []float64{2, 1, 0.5, 1.5}, -1,
		games.PenultimateOptions{Value: attribution.Probability})
	if err != nil {
		log.Fatal(err)
	}
	k := estimate.KeptByPercentile(game.Players(), 50)
	ranking, err := estimate.TopK{K: k}.Rank(context.Background(), game, attribution.Options{Budget: 1e6, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ranking.Kept, ranking.Stopped, "draws", ranking.Draws)
	// Output:
	// [0 2] decided draws [16 16 16 16]
}

// What will a standard error of 0.001 cost?
func ExamplePredict() {
	game, err := games.NewPenultimate(head(), []float64{2, 1, 0.5, 1.5}, -1,
		games.PenultimateOptions{Value: attribution.LogSumExp})
	if err != nil {
		log.Fatal(err)
	}
	opt := attribution.Options{TargetStdErr: 0.001, Seed: 1}
	f, err := estimate.Predict(context.Background(), estimate.Permutation{}, game, opt, 500)
	if err != nil {
		log.Fatal(err)
	}
	est, err := estimate.Permutation{}.Estimate(context.Background(), game, opt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("forecast %.2g forward-equivalents, took %.2g\n", f.Equivalents, est.Equivalents)
	// Output:
	// forecast 3.4e+05 forward-equivalents, took 3.4e+05
}
