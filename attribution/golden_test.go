package attribution

import (
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"testing"
)

// TestGolden prints a hash of every estimator's numbers.
func TestGolden(t *testing.T) {
	var out string
	add := func(what string, e Estimate, err error) {
		h := fnv.New64a()
		for _, x := range [][]float64{e.Values, e.StdErr, e.DF, {e.Empty, e.Full, e.Residual, e.Forwards, e.Backwards, e.Equivalents, float64(e.Samples), float64(e.Evaluations)}} {
			for _, v := range x {
				fmt.Fprintf(h, "%x ", math.Float64bits(v))
			}
		}
		out += fmt.Sprintf("%s %s %x %v\n", what, e.Method, h.Sum64(), err)
	}
	n := randomNetwork(5, 9, 3)
	mean, err := NewPenultimateMean(n.head, [][]float64{n.z, randomNetwork(5, 9, 4).z}, []int{1, 2}, PenultimateOptions{Value: LogProbability})
	if err != nil {
		t.Fatal(err)
	}
	games := map[string]Game{"table": randomTable(7, 3), "mean": mean}
	names := []string{"table", "mean"}
	for _, v := range []Value{Logit, Probability, LogSumExp, Margin} {
		games[v.String()] = n.game(t, PenultimateOptions{Value: v, Removal: RemoveByResampling([][]float64{n.z[:9], n.w[:9]})})
		names = append(names, v.String())
	}
	games["layer"] = layerGames(t, LayerOptions{Layer: "trans2", Value: LogSumExp, Channels: true}, 1)[0]
	names = append(names, "layer")
	for _, name := range names {
		for _, e := range goldenEstimators() {
			for _, o := range []Options{{Budget: 700, Seed: 5}, {TargetStdErr: 0.05, Budget: 3000, Seed: 9}} {
				if name == "layer" {
					o = Options{Samples: 40, Seed: 2}
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

func goldenEstimators() []Estimator {
	return []Estimator{
		Permutation{}, Permutation{Antithetic: true}, Permutation{Rotations: 3}, Permutation{Rotations: 2, Antithetic: true},
		Stratified{}, Stratified{Strata: 2, Optimal: true},
		Owen{}, Owen{Halved: true}, Owen{Levels: 5},
		KernelSHAP{Unbiased: true}, KernelSHAP{Unbiased: true, Paired: true},
		SVARM{}, SVARM{Stratified: true},
		KernelSHAP{}, KernelSHAP{Paired: true}, LeverageSHAP{},
		Owen{Trapezoid: true}, Exact{}, ClosedForm{}, GradientActivation{}, IntegratedGradients{}, IntegratedGradients{Rule: Trapezoid}, ExpectedGradients{}, TopK{K: 3},
	}
}
