//go:build unix

package estimate

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/internal/ostest"
)

// denseNetGame has the size of the penultimate layer of the CIFAR-10 DenseNet-BC-100-12: 342 neurons, 10 classes.
func denseNetGame(t testing.TB, v attribution.Value) attribution.Game {
	return randomNetwork(10, 342, 1).game(t, games.PenultimateOptions{Value: v})
}

// TestNoAllocationPerPermutation: sampling allocates memory once for a call, not again for each permutation.
func TestNoAllocationPerPermutation(t *testing.T) {
	for _, e := range []attribution.Estimator{Permutation{}, Permutation{Antithetic: true}, Owen{}} {
		g := randomNetwork(10, 50, 1).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
		allocations := func(samples int) float64 {
			return testing.AllocsPerRun(3, func() {
				_, err := e.Estimate(background, g, attribution.Options{Samples: samples, Workers: 1})
				require.NoError(t, err)
			})
		}
		few, many := allocations(2000), allocations(6000)
		assert.Less(t, many-few, 400.0, "%s: allocations of 4,000 more samples, a few for each wave", e.Name())
	}
}

func BenchmarkPermutation(b *testing.B) {
	for _, v := range allValues {
		b.Run(v.String(), func(b *testing.B) {
			g := denseNetGame(b, v)
			_ = g.(attribution.Incremental).NewWalker() // build the game's table outside the measured time
			b.ReportAllocs()
			b.ResetTimer()
			before := ostest.CPUSeconds(b)
			e, err := Permutation{}.Estimate(background, g, attribution.Options{Samples: b.N, Workers: 1})
			require.NoError(b, err)
			b.ReportMetric(float64(e.Samples)*342/b.Elapsed().Seconds(), "marginals/s")
			// On a machine with other work, the rate per second of processor time says what a core can do.
			b.ReportMetric(float64(e.Samples)*342/(ostest.CPUSeconds(b)-before), "marginals/cpu-s")
		})
	}
}

// BenchmarkPermutationByValues plays the same game without its incremental form.
func BenchmarkPermutationByValues(b *testing.B) {
	g := plain{denseNetGame(b, attribution.LogSumExp)}
	b.ResetTimer()
	e, err := Permutation{}.Estimate(background, g, attribution.Options{Samples: b.N, Workers: 1})
	require.NoError(b, err)
	b.ReportMetric(float64(e.Samples)*342/b.Elapsed().Seconds(), "marginals/s")
}

func BenchmarkOwen(b *testing.B) {
	g := denseNetGame(b, attribution.LogSumExp)
	b.ResetTimer()
	e, err := Owen{}.Estimate(background, g, attribution.Options{Samples: b.N, Workers: 1})
	require.NoError(b, err)
	b.ReportMetric(float64(e.Samples)*2*342/b.Elapsed().Seconds(), "marginals/s")
}

// BenchmarkEstimators spends 20,000 forward-equivalents on the DenseNet's log-sum-exp game.
func BenchmarkEstimators(b *testing.B) {
	g := denseNetGame(b, attribution.LogSumExp)
	for _, e := range append(samplers(), TopK{K: 35}, GradientActivation{}, IntegratedGradients{}) {
		b.Run(e.Name(), func(b *testing.B) {
			worst := 0.0
			for i := range b.N {
				est, err := e.Estimate(background, g, attribution.Options{Budget: 20000, Seed: uint64(i), Workers: 1})
				require.NoError(b, err)
				worst = est.MaxStdErr()
			}
			b.ReportMetric(worst, "max-std-err")
		})
	}
}

func BenchmarkExact(b *testing.B) {
	for _, n := range []int{12, 16, 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := randomNetwork(10, n, 1).game(b, games.PenultimateOptions{Value: attribution.LogSumExp})
			for b.Loop() {
				_, err := Exact{}.Estimate(background, g, attribution.Options{Workers: 1})
				require.NoError(b, err)
			}
		})
	}
}
