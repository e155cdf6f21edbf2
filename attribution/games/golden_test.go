package games

import (
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"testing"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
)

// TestGolden prints a hash of every estimator's numbers.
func TestGolden(t *testing.T) {
	var out string
	add := func(what string, e attribution.Estimate, err error) {
		h := fnv.New64a()
		for _, x := range [][]float64{e.Values, e.StdErr, e.DF, {e.Empty, e.Full, e.Residual, e.Forwards, e.Backwards, e.Equivalents, float64(e.Samples), float64(e.Evaluations)}} {
			for _, v := range x {
				fmt.Fprintf(h, "%x ", math.Float64bits(v))
			}
		}
		out += fmt.Sprintf("%s %s %x %v\n", what, e.Method, h.Sum64(), err)
	}
	n := randomNetwork(5, 9, 3)
	mean, err := NewPenultimateMean(n.head, [][]float64{n.z, randomNetwork(5, 9, 4).z}, []int{1, 2}, PenultimateOptions{Value: attribution.LogProbability})
	if err != nil {
		t.Fatal(err)
	}
	games := map[string]attribution.Game{"table": randomTable(7, 3), "mean": mean}
	names := []string{"table", "mean"}
	for _, v := range []attribution.Value{attribution.Logit, attribution.Probability, attribution.LogSumExp, attribution.Margin} {
		games[v.String()] = n.game(t, PenultimateOptions{Value: v, Removal: attribution.RemoveByResampling([][]float64{n.z[:9], n.w[:9]})})
		names = append(names, v.String())
	}
	games["layer"] = layerGames(t, LayerOptions{Layer: "trans2", Value: attribution.LogSumExp, Channels: true}, 1)[0]
	names = append(names, "layer")
	for _, name := range names {
		for _, e := range goldenEstimators() {
			for _, o := range []attribution.Options{{Budget: 700, Seed: 5}, {TargetStdErr: 0.05, Budget: 3000, Seed: 9}} {
				if name == "layer" {
					o = attribution.Options{Samples: 40, Seed: 2}
				}
				est, err := e.Estimate(background, games[name], o)
				if name == "layer" {
					est.Forwards, est.Backwards, est.Equivalents = 0, 0, 0
				}
				add(name, est, err)
			}
		}
	}
	if f := os.Getenv("GOLDEN"); f != "" {
		if err := os.WriteFile(f, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func goldenEstimators() []attribution.Estimator {
	return []attribution.Estimator{
		estimate.Permutation{}, estimate.Permutation{Antithetic: true}, estimate.Permutation{Rotations: 3}, estimate.Permutation{Rotations: 2, Antithetic: true},
		estimate.Stratified{}, estimate.Stratified{Strata: 2, Optimal: true},
		estimate.Owen{}, estimate.Owen{Halved: true}, estimate.Owen{Levels: 5},
		estimate.KernelSHAP{Unbiased: true}, estimate.KernelSHAP{Unbiased: true, Paired: true},
		estimate.SVARM{}, estimate.SVARM{Stratified: true},
		estimate.KernelSHAP{}, estimate.KernelSHAP{Paired: true}, estimate.LeverageSHAP{},
		estimate.Owen{Trapezoid: true}, estimate.Exact{}, estimate.ClosedForm{}, estimate.GradientActivation{}, estimate.IntegratedGradients{}, estimate.IntegratedGradients{Rule: estimate.Trapezoid}, estimate.ExpectedGradients{}, estimate.TopK{K: 3},
	}
}
