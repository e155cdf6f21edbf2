package estimate

import (
	"math"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/attribution/internal/sampling"
	"github.com/line-ood/goline/internal/racetest"
)

// byPermutations is the Shapley value by its definition as a mean over all n! orders.
func byPermutations(v []float64, n int) []float64 {
	phi := make([]float64, n)
	orders := 0
	var visit func(s int, marginal []float64)
	visit = func(s int, marginal []float64) {
		if s == 1<<n-1 {
			orders++
			for i, m := range marginal {
				phi[i] += m
			}
			return
		}
		for i := range n {
			if s>>i&1 == 0 {
				marginal[i] = v[s|1<<i] - v[s]
				visit(s|1<<i, marginal)
			}
		}
	}
	visit(0, make([]float64, n))
	for i := range phi {
		phi[i] /= float64(orders)
	}
	return phi
}

func TestExactIsTheMeanOverAllOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "players")
		v := rapid.SliceOfN(rapid.Float64Range(-10, 10), 1<<n, 1<<n).Draw(t, "values")
		g, err := games.NewTable(v)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Exact{}.Estimate(background, g, attribution.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range byPermutations(v, n) {
			if math.Abs(e.Values[i]-want) > 1e-11 {
				t.Fatalf("player %d: %v, over all orders %v", i, e.Values[i], want)
			}
		}
	})
}

// drawTable draws the values of all coalitions of a game with n players.
func drawTable(t *rapid.T, n int, name string) []float64 {
	return rapid.SliceOfN(rapid.Float64Range(-10, 10), 1<<n, 1<<n).Draw(t, name)
}

func estimate(t *rapid.T, e attribution.Estimator, v []float64, opt attribution.Options) attribution.Estimate {
	g, err := games.NewTable(v)
	if err != nil {
		t.Fatal(err)
	}
	est, err := e.Estimate(background, g, opt)
	if err != nil {
		t.Fatalf("%s: %v", e.Name(), err)
	}
	return est
}

// efficient are the estimators whose values sum to v(N) - v(∅) with any number of samples.
func efficient() []attribution.Estimator {
	return []attribution.Estimator{Exact{}, Permutation{}, Permutation{Antithetic: true}, Permutation{Rotations: 3},
		KernelSHAP{}, KernelSHAP{Paired: true},
		KernelSHAP{Unbiased: true}, LeverageSHAP{}}
}

func TestEfficiency(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "players")
		v := drawTable(t, n, "values")
		for _, e := range efficient() {
			est := estimate(t, e, v, attribution.Options{Budget: 400, Seed: rapid.Uint64().Draw(t, "seed")})
			total := 0.0
			for _, x := range est.Values {
				total += x
			}
			if math.Abs(total-(v[1<<n-1]-v[0])) > 1e-10 || math.Abs(est.Residual) > 1e-10 {
				t.Fatalf("%s: the values sum to %v, v(N) - v(∅) = %v, residual %v", e.Name(), total, v[1<<n-1]-v[0],
					est.Residual)
			}
		}
	})
}

// A dummy player, whose marginal contribution is always the same, gets exactly that contribution from estimators that
// average marginal contributions.
func TestDummy(t *testing.T) {
	marginal := []attribution.Estimator{Exact{}, Permutation{}, Permutation{Antithetic: true},
		Permutation{Rotations: 2}, Stratified{}, Stratified{Optimal: true},
		Owen{}, Owen{Halved: true}, Owen{Trapezoid: true}, LeverageSHAP{}}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "players")
		dummy := rapid.IntRange(0, n-1).Draw(t, "dummy")
		adds := rapid.Float64Range(-5, 5).Draw(t, "adds")
		v := drawTable(t, n, "values")
		for s := range v {
			if s>>dummy&1 == 1 {
				v[s] = v[s&^(1<<dummy)] + adds
			}
		}
		for _, e := range marginal {
			est := estimate(t, e, v, attribution.Options{Budget: 500, Seed: 3})
			if math.Abs(est.Values[dummy]-adds) > 1e-10 || est.StdErr[dummy] > 1e-10 {
				t.Fatalf("%s: the dummy that adds %v gets %v ± %v", e.Name(), adds, est.Values[dummy],
					est.StdErr[dummy])
			}
		}
	})
}

// In a game whose value depends only on the coalition's size all players get the same.
func TestSymmetry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 7).Draw(t, "players")
		bySize := rapid.SliceOfN(rapid.Float64Range(-10, 10), n+1, n+1).Draw(t, "values")
		v := make([]float64, 1<<n)
		for s := range v {
			v[s] = bySize[bits.OnesCount(uint(s))]
		}
		want := (bySize[n] - bySize[0]) / float64(n)
		for _, e := range []attribution.Estimator{Exact{}, LeverageSHAP{}} {
			est := estimate(t, e, v, attribution.Options{Budget: math.Ldexp(1, n)})
			for i, x := range est.Values {
				if math.Abs(x-want) > 1e-10 {
					t.Fatalf("%s: player %d gets %v, all the same would be %v", e.Name(), i, x, want)
				}
			}
		}
	})
	// Two players that can be exchanged, among others that cannot.
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "players")
		v := drawTable(t, n, "values")
		for s := range v {
			if s&3 == 2 {
				v[s] = v[s^3]
			}
		}
		est := estimate(t, Exact{}, v, attribution.Options{})
		if math.Abs(est.Values[0]-est.Values[1]) > 1e-11 {
			t.Fatalf("players 0 and 1 get %v and %v", est.Values[0], est.Values[1])
		}
	})
}

// Players that can be exchanged get the same from every estimator that samples, in the mean over seeds.
func TestSymmetryOfSampling(t *testing.T) {
	racetest.OneGoroutine(t)
	const n, runs = 6, 1000
	v := randomValues(n, 31)
	for s := range v {
		if s&3 == 2 {
			v[s] = v[s^3]
		}
	}
	g, err := games.NewTable(v)
	require.NoError(t, err)
	for _, e := range append(samplers(), Owen{Trapezoid: true}) {
		opt := attribution.Options{Budget: 300, Workers: 1}
		if _, ok := e.(LeverageSHAP); ok {
			// all 31 pairs of 6 players would make the estimate exact
			opt = attribution.Options{Samples: 15, Workers: 1}
		}
		difference := sampling.NewMoments(1)
		for seed := range uint64(runs) {
			opt.Seed = seed
			est, err := e.Estimate(background, g, opt)
			require.NoError(t, err, e.Name())
			difference.Add([]float64{est.Values[0] - est.Values[1]})
		}
		require.Positive(t, difference.StandardError(0), e.Name())
		// Normal beyond 4.5 in one of 17 comparisons has probability 1e-4.
		assert.Less(t, math.Abs(difference.Mean[0])/difference.StandardError(0), 4.5, e.Name())
	}
}

// A complement or a reversed order cancels terms that are linear in the coalition's size, and rotations take a player
// to every position. In a game that has only such terms nothing is left to chance. (Without them estimates are
// unbiased too, but vary.)
func TestPairsAndRotationsCancel(t *testing.T) {
	const n = 7
	square := plain{games.Func(n, func(c attribution.Coalition) float64 { return float64(c.Size() * c.Size()) })}
	cube := plain{games.Func(n, func(c attribution.Coalition) float64 { return math.Pow(float64(c.Size()), 3) })}
	for _, c := range []struct {
		e    attribution.Estimator
		g    attribution.Game
		want float64
		sure bool
	}{
		{Permutation{}, square, n, false}, {Permutation{Antithetic: true}, square, n, true},
		{Permutation{Antithetic: true}, cube, n * n, false},
		{Permutation{Rotations: n - 1}, cube, n * n, false}, {Permutation{Rotations: n}, cube, n * n, true},
		{Owen{}, square, n, false}, {Owen{Halved: true}, square, n, true}, {Owen{Halved: true, Levels: 3}, square, n,
			true},
		{Owen{Halved: true, Trapezoid: true}, square, n, true}, {Owen{Halved: true}, cube, n * n, false},
		{KernelSHAP{Unbiased: true}, square, n, false}, {KernelSHAP{Unbiased: true, Paired: true}, square, n, true},
		{TopK{K: n}, square, n, true}, {TopK{K: n}, cube, n * n, false},
	} {
		est, err := c.e.Estimate(background, c.g, attribution.Options{Samples: 20, Seed: 3})
		require.NoError(t, err, c.e.Name())
		assert.Equal(t, c.sure, est.MaxStdErr() < 1e-10, "%s: standard error %v", c.e.Name(), est.MaxStdErr())
		for _, v := range est.Values {
			assert.InDelta(t, c.want, v, 1e-10+5*est.MaxStdErr(), c.e.Name())
		}
	}
}

// Every estimator is linear in the game when the seed is the same.
func TestLinearity(t *testing.T) {
	all := append([]attribution.Estimator{Exact{}, Owen{Trapezoid: true}}, samplers()...)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "players")
		v, w := drawTable(t, n, "v"), drawTable(t, n, "w")
		a, b := rapid.Float64Range(-3, 3).Draw(t, "a"), rapid.Float64Range(-3, 3).Draw(t, "b")
		sum := make([]float64, len(v))
		for s := range v {
			sum[s] = a*v[s] + b*w[s]
		}
		opt := attribution.Options{Budget: 500, Seed: rapid.Uint64().Draw(t, "seed")}
		for _, e := range all {
			if s, ok := e.(Stratified); ok && s.Optimal {
				continue // the estimator's allocation of samples depends on the game
			}
			x, y, z := estimate(t, e, v, opt), estimate(t, e, w, opt), estimate(t, e, sum, opt)
			for i := range z.Values {
				if want := a*x.Values[i] + b*y.Values[i]; math.Abs(z.Values[i]-want) > 1e-8 {
					t.Fatalf("%s: player %d gets %v in a v + b w, a φ(v) + b φ(w) = %v", e.Name(), i, z.Values[i], want)
				}
			}
		}
	})
}

// The logit game with a zero baseline is linear: all estimators must find W[c, i] z_i, the deterministic ones and those
// that average marginal contributions within 1e-5, the others within five standard errors.
func TestLogitGameAgreement(t *testing.T) {
	net := randomNetwork(5, 12, 17)
	g := net.game(t, games.PenultimateOptions{Value: attribution.Logit, Target: attribution.TargetClass(3)})
	want := make([]float64, 12)
	for i := range want {
		want[i] = net.w[3*12+i] * net.z[i]
	}
	for _, game := range []attribution.Game{g, plain{g}} {
		exact := []attribution.Estimator{Exact{}, Permutation{}, Permutation{Antithetic: true}, Stratified{}, Owen{},
			Owen{Trapezoid: true}}
		if game == g {
			exact = append(exact, ClosedForm{}, GradientActivation{}, IntegratedGradients{},
				IntegratedGradients{Rule: Trapezoid},
				IntegratedGradients{Rule: RightRiemann}, ExpectedGradients{})
		}
		for _, e := range exact {
			est, err := e.Estimate(background, game, attribution.Options{Budget: 5000})
			require.NoError(t, err, e.Name())
			assert.InDeltaSlice(t, want, est.Values, 1e-5, e.Name())
			assert.InDelta(t, 0, est.MaxStdErr(), 1e-12, e.Name())
		}
		for _, e := range samplers() {
			est, err := e.Estimate(background, game, attribution.Options{Budget: 5000, Seed: 2})
			require.NoError(t, err, e.Name())
			for i := range want {
				assert.InDelta(t, want[i], est.Values[i], 5*est.StdErr[i]+1e-9, "%s player %d", e.Name(), i)
			}
		}
	}
}

// Where the game is not linear, gradient × activation differs from the Shapley value, and the sampling estimators do
// not.
func TestGradientActivationMissesNonlinearGames(t *testing.T) {
	net := randomNetwork(4, 8, 23)
	for i := range net.z {
		net.z[i] *= 2
	}
	for _, v := range []attribution.Value{attribution.Probability, attribution.LogSumExp} {
		g := net.game(t, games.PenultimateOptions{Value: v})
		truth := exactly(t, g)
		ga, err := GradientActivation{}.Estimate(background, g, attribution.Options{})
		require.NoError(t, err)
		assert.Greater(t, meanSquaredError(truth, ga.Values), 1e-4, v)
		assert.Greater(t, math.Abs(ga.Residual), 0.05, v)
		p, err := Permutation{}.Estimate(background, g, attribution.Options{Samples: 20000})
		require.NoError(t, err)
		for i := range truth {
			assert.InDelta(t, truth[i], p.Values[i], 5*p.StdErr[i]+1e-12)
		}
	}
}
