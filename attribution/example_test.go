package attribution_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"

	"github.com/line-ood/goline/attribution"
)

// head is a final layer of three classes over four neurons.
func head() *attribution.Head {
	h, err := attribution.NewHead([]float64{
		1.0, -0.5, 0.2, 0.0,
		-0.3, 0.8, 0.1, 0.4,
		0.2, 0.1, -0.6, 0.9,
	}, []float64{0.1, 0, -0.1})
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
		game, err := attribution.NewPenultimate(head(), z, -1, attribution.PenultimateOptions{Value: value})
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range []attribution.Estimator{attribution.Exact{}, attribution.GradientActivation{}} {
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
	game, err := attribution.NewPenultimate(head(), []float64{2, 1, 0.5, 1.5}, -1,
		attribution.PenultimateOptions{Value: attribution.LogSumExp, Names: []string{"beak", "wing", "wheel", "sky"}})
	if err != nil {
		log.Fatal(err)
	}
	est, err := attribution.Permutation{Antithetic: true}.Estimate(context.Background(), game,
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

// The detector keeps the neurons above a percentile: TopK samples until it knows which.
func ExampleTopK() {
	game, err := attribution.NewPenultimate(head(), []float64{2, 1, 0.5, 1.5}, -1,
		attribution.PenultimateOptions{Value: attribution.Probability})
	if err != nil {
		log.Fatal(err)
	}
	k := attribution.KeptByPercentile(game.Players(), 50)
	ranking, err := attribution.TopK{K: k}.Rank(context.Background(), game, attribution.Options{Budget: 1e6, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ranking.Kept, ranking.Stopped, "draws", ranking.Draws)
	// Output:
	// [0 2] decided draws [16 16 16 16]
}

// A game can be any function of the coalition: here a majority vote in which player 0 has two votes.
func ExampleGameFunc() {
	game := attribution.GameFunc(4, func(s attribution.Coalition) float64 {
		votes := s.Size()
		if s.Has(0) {
			votes++
		}
		if votes >= 3 {
			return 1
		}
		return 0
	})
	est, err := attribution.Exact{}.Estimate(context.Background(), game, attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", est.Values)
	// Output:
	// [0.5000 0.1667 0.1667 0.1667]
}

// The mean over the samples of a class, with the logit of the label: gradient × activation is LINe's C.
func ExampleNewPenultimateMean() {
	rows := [][]float64{{2, 1, 0.5, 1.5}, {1, 0, 0.5, 0.5}}
	game, err := attribution.NewPenultimateMean(head(), rows, []int{0, 0},
		attribution.PenultimateOptions{Target: attribution.TargetLabel()})
	if err != nil {
		log.Fatal(err)
	}
	est, err := attribution.GradientActivation{}.Estimate(context.Background(), game, attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", est.Values)
	// Output:
	// [1.500 -0.250 0.100 0.000]
}

// Estimators with several budgets and seeds on a game whose values are known.
func ExampleCompare() {
	ctx := context.Background()
	game, err := attribution.NewPenultimate(head(), []float64{2, 1, 0.5, 1.5}, -1,
		attribution.PenultimateOptions{Value: attribution.LogSumExp})
	if err != nil {
		log.Fatal(err)
	}
	truth, err := attribution.FindTruth(ctx, game, attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := attribution.Compare(ctx, attribution.Study{
		Subjects:   []attribution.Subject{{Name: "sample 0", Game: game, Truth: truth}},
		Estimators: []attribution.Estimator{attribution.Permutation{}, attribution.Permutation{Antithetic: true}},
		Budgets:    []float64{50, 500},
		Seeds:      []uint64{1, 2, 3, 4, 5, 6, 7, 8},
		K:          2,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, cell := range c.Cells {
		mse := cell.Bands[attribution.MSE]
		fmt.Printf("%-20s%4.0f of %3.0f  MSE %.1e [%.1e, %.1e]\n", cell.Estimator, cell.Equivalents, cell.Budget, mse.Mean, mse.Lo, mse.Hi)
	}
	// Output:
	// permutation           50 of  50  MSE 1.8e-03 [1.4e-03, 2.3e-03]
	// permutation          500 of 500  MSE 2.9e-04 [1.6e-04, 4.7e-04]
	// antithetic            50 of  50  MSE 6.9e-05 [3.2e-05, 1.1e-04]
	// antithetic           500 of 500  MSE 9.5e-06 [5.2e-06, 1.4e-05]
}

// What will a standard error of 0.001 cost?
func ExamplePredict() {
	game, err := attribution.NewPenultimate(head(), []float64{2, 1, 0.5, 1.5}, -1,
		attribution.PenultimateOptions{Value: attribution.LogSumExp})
	if err != nil {
		log.Fatal(err)
	}
	opt := attribution.Options{TargetStdErr: 0.001, Seed: 1}
	f, err := attribution.Predict(context.Background(), attribution.Permutation{}, game, opt, 500)
	if err != nil {
		log.Fatal(err)
	}
	est, err := attribution.Permutation{}.Estimate(context.Background(), game, opt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("forecast %.2g forward-equivalents, took %.2g\n", f.Equivalents, est.Equivalents)
	// Output:
	// forecast 3.4e+05 forward-equivalents, took 3.4e+05
}

func ExampleEstimate_WriteCSV() {
	game := attribution.GameFunc(2, func(s attribution.Coalition) float64 { return float64(s.Size() * s.Size()) })
	est, err := attribution.Exact{}.Estimate(context.Background(), game, attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := est.WriteCSV(os.Stdout, 0.95); err != nil {
		log.Fatal(err)
	}
	// Output:
	// player,name,value,std_err,lo,hi
	// 0,,2,0,2,2
	// 1,,2,0,2,2
}
