package estimate

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/attribution/internal/sampling"
	"github.com/line-ood/goline/internal/racetest"
)

// seeds is the number of seeds behind the statistical tests. With 2,000 seeds the share of intervals that hold the
// truth has a standard error of at most 0.49 %, less for several players, so that 93 % and 97 % are four standard
// errors away from 95 %.
const seeds = 2000

// trials summarises an estimator's estimates under many seeds.
type trials struct {
	estimates *sampling.Moments
	covered   float64   // share of the 95 % intervals that hold the truth
	variance  []float64 // mean of the squared standard errors
}

func runSeeds(t *testing.T, e attribution.Estimator, g attribution.Game, truth []float64,
	opt attribution.Options) trials {
	t.Helper()
	out := trials{estimates: sampling.NewMoments(len(truth)), variance: make([]float64, len(truth))}
	known := quantiles{}
	for seed := range seeds {
		opt.Seed, opt.Workers = uint64(seed), 1
		est, err := e.Estimate(background, g, opt)
		require.NoError(t, err, e.Name())
		require.NotNil(t, est.DF, e.Name())
		out.estimates.Add(est.Values)
		out.covered += covered(truth, &est, 0.95, known) / seeds
		for i, s := range est.StdErr {
			out.variance[i] += s * s / seeds
		}
	}
	return out
}

// check asserts that the standard errors are right: the 95 % intervals cover the truth as often as they should, and
// the mean squared standard error equals the variance over seeds. For an unbiased estimator the mean over seeds must
// be the truth.
func (r trials) check(t *testing.T, truth []float64, mustBeUnbiased bool) {
	t.Helper()
	assert.Greater(t, r.covered, 0.93, "coverage")
	assert.Less(t, r.covered, 0.97, "coverage")
	for i := range truth {
		// The variance over 2,000 seeds has a relative standard error of sqrt(2/1999) = 3 %, more with heavy tails.
		ratio := r.variance[i] / (r.estimates.M2[i] / (seeds - 1))
		assert.InDelta(t, 1, ratio, 0.25, "squared standard error of player %d over its variance", i)
		if mustBeUnbiased {
			// A normal number exceeds 4.5 standard deviations in one of a thousand comparisons with probability
			// 0.007.
			z := (r.estimates.Mean[i] - truth[i]) / r.estimates.StandardError(i)
			assert.Less(t, math.Abs(z), 4.5, "player %d: the mean over seeds is %v, the truth %v", i,
				r.estimates.Mean[i], truth[i])
		}
	}
}

func TestSamplingIsUnbiasedWithHonestIntervals(t *testing.T) {
	racetest.OneGoroutine(t)
	table := randomTable(6, 5)
	truth := exactly(t, table)
	for _, e := range unbiased() {
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			runSeeds(t, e, table, truth, attribution.Options{Budget: 1200}).check(t, truth, true)
		})
	}
	for _, e := range []attribution.Estimator{KernelSHAP{}, KernelSHAP{Paired: true}} {
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			runSeeds(t, e, table, truth, attribution.Options{Budget: 1000}).check(t, truth, false)
		})
	}
	t.Run("leverageshap", func(t *testing.T) {
		t.Parallel()
		g := randomTable(10, 6)
		truth := exactly(t, g)
		runSeeds(t, LeverageSHAP{}, g, truth, attribution.Options{Samples: 200}).check(t, truth, false)
	})
}

// With few samples intervals of the normal distribution would cover far too rarely: 88 % with five samples.
func TestIntervalsCoverWithFewSamples(t *testing.T) {
	racetest.OneGoroutine(t)
	e := attribution.Estimate{Values: []float64{2}, StdErr: []float64{0.5}, DF: []float64{4}}
	lo, hi := e.Interval(0, 0.95)
	assert.InDelta(t, 2-0.5*2.7764451052, lo, 1e-9) // Student's t with 4 degrees of freedom, from tables
	assert.InDelta(t, 2+0.5*2.7764451052, hi, 1e-9)
	e.DF[0] = math.Inf(1)
	lo, _ = e.Interval(0, 0.9)
	assert.InDelta(t, 2-0.5*1.6448536270, lo, 1e-9)

	// A regression's degrees of freedom are the samples in excess of its n-1 unknowns.
	for _, k := range []KernelSHAP{{}, {Paired: true}} {
		est, err := k.Estimate(background, randomTable(6, 5), attribution.Options{Samples: 14})
		require.NoError(t, err)
		assert.Equal(t, slices.Repeat([]float64{9}, 6), est.DF, k.Name())
	}

	g := randomTable(9, 12) // normally distributed coalition values, so that marginal contributions are normal as well
	truth := exactly(t, g)
	for _, est := range []attribution.Estimator{Permutation{}, Permutation{Antithetic: true}, Stratified{}, Owen{}} {
		t.Run(est.Name(), func(t *testing.T) {
			t.Parallel()
			r := runSeeds(t, est, g, truth, attribution.Options{Samples: leastUnits})
			assert.Greater(t, r.covered, 0.93, "coverage")
			assert.Less(t, r.covered, 0.97, "coverage")
		})
	}
}

// A penultimate log-sum-exp game through the incremental path: skewed marginal contributions, no dummies.
func TestIncrementalSamplingIsUnbiasedWithHonestIntervals(t *testing.T) {
	racetest.OneGoroutine(t)
	net := randomNetwork(4, 8, 3)
	for i := range net.z {
		net.z[i] += 0.4
	}
	g := net.game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	truth := exactly(t, g)
	for _, e := range []attribution.Estimator{Permutation{}, Permutation{Antithetic: true}, Owen{},
		Owen{Halved: true}} {
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			runSeeds(t, e, g, truth, attribution.Options{Budget: 1200}).check(t, truth, true)
		})
	}
}

// Drawing one member for each unit keeps estimates unbiased for the mean game, and keeps the standard errors right.
func TestDrawnMembersAreUnbiasedWithHonestIntervals(t *testing.T) {
	racetest.OneGoroutine(t)
	var members []attribution.Game
	for m := range 5 {
		members = append(members, randomTable(5, uint64(40+m)))
	}
	g, err := games.NewMean(members...)
	require.NoError(t, err)
	truth := exactly(t, g)
	for _, e := range append(unbiased(), KernelSHAP{}, KernelSHAP{Paired: true}) {
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			_, regression := e.(KernelSHAP)
			runSeeds(t, e, g, truth, attribution.Options{Budget: 1000}).check(t, truth, !regression ||
				e.(KernelSHAP).Unbiased)
		})
	}
}

// The expectation of expected gradients is the mean Aumann-Shapley value of the members, which integrated gradients
// compute over all members.
func TestExpectedGradientsAreUnbiased(t *testing.T) {
	racetest.OneGoroutine(t)
	net := randomNetwork(3, 6, 9)
	rows := [][]float64{make([]float64, 6), {1, 0, 0.5, 0, 2, 0}, {0, 1, 0, 1, 0, 3}}
	g := net.game(t, games.PenultimateOptions{Value: attribution.Probability,
		Removal: attribution.RemoveByResampling(rows)})
	path, err := IntegratedGradients{Steps: 64}.Estimate(background, g, attribution.Options{})
	require.NoError(t, err)
	runSeeds(t, ExpectedGradients{}, g, path.Values, attribution.Options{Samples: 120}).check(t, path.Values, true)
}

// TestRegressionsConverge: the error of the regressions vanishes as the samples grow. With LASSO or another
// shrinkage, or with a matrix that ignores the efficiency constraint, it would not.
func TestRegressionsConverge(t *testing.T) {
	racetest.OneGoroutine(t)
	g := randomTable(7, 21)
	truth := exactly(t, g)
	for _, e := range []attribution.Estimator{KernelSHAP{}, KernelSHAP{Paired: true}} {
		few, err := e.Estimate(background, g, attribution.Options{Samples: 2000, Seed: 1})
		require.NoError(t, err)
		many, err := e.Estimate(background, g, attribution.Options{Samples: 200000, Seed: 1})
		require.NoError(t, err)
		assert.Less(t, meanSquaredError(truth, many.Values), meanSquaredError(truth, few.Values)/20, e.Name())
		for i := range truth {
			assert.InDelta(t, truth[i], many.Values[i], 5*many.StdErr[i], "%s player %d", e.Name(), i)
			assert.InDelta(t, 0.1, many.StdErr[i]/few.StdErr[i], 0.02,
				"%s: ten times fewer with a hundred times the samples", e.Name())
		}
	}
}

// A run with a target looks at the standard error several times and stops when it is small; intervals must still
// cover.
func TestIntervalsCoverWhenStoppedAtATarget(t *testing.T) {
	racetest.OneGoroutine(t)
	g := randomTable(6, 5)
	truth := exactly(t, g)
	for _, e := range []attribution.Estimator{Permutation{}, KernelSHAP{Paired: true}, SVARM{Stratified: true},
		Stratified{}} {
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			r := runSeeds(t, e, g, truth, attribution.Options{TargetStdErr: 0.1})
			assert.Greater(t, r.covered, 0.93, "coverage")
			assert.Less(t, r.covered, 0.97, "coverage")
		})
	}
}

// With hardly more samples than the warm-up, an estimate shows whether the warm-up's coalitions are as random as the
// others.
func TestSVARMWarmUpIsUnbiased(t *testing.T) {
	racetest.OneGoroutine(t)
	g := randomTable(7, 8)
	truth := exactly(t, g)
	for _, e := range []attribution.Estimator{SVARM{}, SVARM{Stratified: true}} {
		for _, samples := range []int{1, 5} {
			total := sampling.NewMoments(7)
			for seed := range uint64(4000) {
				est, err := e.Estimate(background, g, attribution.Options{Samples: samples, Seed: seed, Workers: 1})
				require.NoError(t, err)
				total.Add(est.Values)
			}
			for i := range truth {
				z := (total.Mean[i] - truth[i]) / total.StandardError(i)
				assert.Less(t, math.Abs(z), 4.5, "%s, %d samples, player %d", e.Name(), samples, i)
			}
		}
	}
}

// From the number of samples on that an estimate names, intervals cover 93 to 97 % on games of fourteen players: two of
// a network, one of random pairs and triples.
func TestIntervalsCoverFromTheirLeastSamplesOn(t *testing.T) {
	racetest.OneGoroutine(t)
	net := randomNetwork(4, 14, 3)
	for i := range net.z {
		net.z[i] += 0.4
	}
	played := map[string]attribution.Game{"pairs and triples": triples(14)}
	for _, v := range []attribution.Value{attribution.LogSumExp, attribution.Probability} {
		played[v.String()] = tabulated(t, net.game(t, games.PenultimateOptions{Value: v}))
	}
	for _, e := range []attribution.Estimator{Permutation{}, Permutation{Antithetic: true}, Owen{}, Owen{Halved: true},
		Stratified{}, Stratified{Optimal: true}, KernelSHAP{}, KernelSHAP{Paired: true},
		KernelSHAP{Unbiased: true, Paired: true}, LeverageSHAP{}, OddRegression{}, SVARM{}, SVARM{Stratified: true}} {
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			first, err := e.Estimate(background, played["pairs and triples"], attribution.Options{Samples: leastUnits})
			require.NoError(t, err)
			o := attribution.Options{Samples: first.LeastSamples, Workers: 1}
			runs, held, known := 60, 0.0, quantiles{}
			if _, slow := e.(OddRegression); slow {
				if runs = 10; testing.Short() {
					t.Skip("seconds of regressions")
				}
			}
			for _, g := range played {
				truth := exactly(t, g)
				for o.Seed = range uint64(runs) {
					est, err := e.Estimate(background, g, o)
					require.NoError(t, err)
					require.False(t, est.TooFew())
					held += covered(truth, &est, 0.95, known) / float64(runs*len(played))
				}
			}
			t.Logf("coverage %.3f from %d samples on", held, o.Samples)
			assert.Greater(t, held, 0.93)
			assert.Less(t, held, 0.97)
		})
	}
}

// tabulated is a table of a game's values.
func tabulated(t *testing.T, g attribution.Game) attribution.Game {
	n := g.Players()
	all := attribution.NewCoalitions(n, 1<<n)
	for s := range 1 << n {
		for i := range n {
			if s>>i&1 != 0 {
				all.Row(s).Add(i)
			}
		}
	}
	values := make([]float64, 1<<n)
	require.NoError(t, g.Values(background, all, values))
	table, err := games.NewTable(values)
	require.NoError(t, err)
	return table
}

// triples is a table of random effects of single players, pairs and triples.
func triples(n int) attribution.Game {
	random, values := randomValues(9, 3), make([]float64, 1<<n)
	for s := range values {
		at := 0
		effect := func(size float64, players ...int) {
			product := size * random[at%len(random)]
			at++
			for _, p := range players {
				product *= float64(s>>p&1) - 0.4
			}
			values[s] += product
		}
		for i := range n {
			effect(1, i)
			for j := range i {
				effect(0.5, i, j)
				for k := range j {
					effect(0.3, i, j, k)
				}
			}
		}
	}
	table, err := games.NewTable(values)
	if err != nil {
		panic(err)
	}
	return table
}
