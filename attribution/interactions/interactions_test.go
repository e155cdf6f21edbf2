package interactions

import (
	"context"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/nets"
)

var background = context.Background()

var indices = []Index{SII, KSII, Banzhaf}

func table(t testing.TB, values []float64) attribution.Game {
	t.Helper()
	g, err := games.NewTable(values)
	require.NoError(t, err)
	return g
}

func randomTable(t testing.TB, n int, seed uint64) attribution.Game {
	r, v := rand.New(rand.NewPCG(seed, 3)), make([]float64, 1<<n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return table(t, v)
}

// penultimate is a log-sum-exp game of neurons in front of a random final layer.
func penultimate(t testing.TB, neurons int, removal attribution.Removal) attribution.Game {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	head := nets.Head{Classes: 3, FeatureDim: neurons, Weight: make([]float32, 3*neurons), Bias: make([]float32, 3)}
	for i := range head.Weight {
		head.Weight[i] = float32(r.NormFloat64())
	}
	z := make([]float64, neurons)
	for i := range z {
		z[i] = r.ExpFloat64()
	}
	readout, err := games.NewReadout(head)
	require.NoError(t, err)
	g, err := games.NewPenultimate(readout, z, -1, games.PenultimateOptions{Value: attribution.LogSumExp,
		Removal: removal})
	require.NoError(t, err)
	return g
}

// bare hides all capabilities of a game but its values.
type bare struct{ attribution.Game }

// A game is a sum of unanimity games u_T, which are 1 where all of T are present. Among t players of T, the Shapley
// interaction index of a pair is 1/(t-1), the Banzhaf index 1/2^(t-2), the Shapley value 1/t, the Banzhaf value
// 1/2^(t-1) (Grabisch and Roubens 1999).
func TestExactOnSumsOfUnanimityGames(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(rt, "players")
		dividends := make([]float64, 1<<n)
		for s := range dividends {
			if rapid.Bool().Draw(rt, "present") {
				dividends[s] = rapid.Float64Range(-3, 3).Draw(rt, "dividend")
			}
		}
		v := make([]float64, 1<<n)
		for s := range v {
			for sub, d := range dividends {
				if sub&s == sub {
					v[s] += d
				}
			}
		}
		for _, x := range indices {
			found, err := Exact{x}.Estimate(background, table(t, v), attribution.Options{Workers: 1})
			require.NoError(rt, err)
			singles, together := make([]float64, n), make([]float64, pairs(n))
			for sub, d := range dividends {
				size := bits.OnesCount(uint(sub))
				one, two := 1/float64(size), 1/float64(size-1)
				if x == Banzhaf {
					one, two = math.Pow(0.5, float64(size-1)), math.Pow(0.5, float64(size-2))
				}
				for i := range n {
					if sub>>i&1 == 0 {
						continue
					}
					singles[i] += d * one
					for j := i + 1; j < n; j++ {
						if sub>>j&1 == 0 {
							continue
						}
						together[pairAt(n, i, j)] += d * two
						if x == KSII {
							singles[i] -= d * two / 2
							singles[j] -= d * two / 2
						}
					}
				}
			}
			for i := range singles {
				require.InDelta(rt, singles[i], found.Singles[i], 1e-10, "%v of player %d", x, i)
			}
			for k := range together {
				require.InDelta(rt, together[k], found.Pairs[k], 1e-10, "%v of pair %d", x, k)
			}
			if x == KSII {
				require.InDelta(rt, 0, found.Residual, 1e-9, "k-SII sums to v(N) - v(∅)")
			} else {
				require.True(rt, math.IsNaN(found.Residual))
			}
		}
	})
}

// Over thousands of samples the mean is the enumerated value: with and without walkers, with and without drawn
// members, for all pairs and for some.
func TestSampledIsUnbiased(t *testing.T) {
	rows := [][]float64{{0.1, 0, 0.4, 0, 1, 0.2, 0}, {0, 2, 0, 0.3, 0, 0.1, 0}, {1, 1, 0, 0, 0.5, 0, 0.2}}
	for name, g := range map[string]attribution.Game{"table": randomTable(t, 6, 1), "penultimate": penultimate(t, 7,
		attribution.RemoveToZero()),
		"two players": randomTable(t, 2, 9), "members": penultimate(t, 7, attribution.RemoveByResampling(rows))} {
		for _, x := range indices {
			want, err := Exact{x}.Estimate(background, g, attribution.Options{})
			require.NoError(t, err)
			found, err := Sampled{Index: x}.Estimate(background, g, attribution.Options{Samples: 20000, Seed: 3})
			require.NoError(t, err)
			require.Equal(t, 20000, found.Samples)
			z := 0.0
			for k := range want.Pairs {
				z = max(z, math.Abs(want.Pairs[k]-found.Pairs[k])/(found.PairsStdErr[k]+1e-12))
			}
			for i := range want.Singles {
				z = max(z, math.Abs(want.Singles[i]-found.Singles[i])/(found.SinglesStdErr[i]+1e-12))
			}
			assert.Less(t, z, 4.5, "%s, %v: the worst of %d differences in standard errors", name, x,
				len(want.Pairs)+len(want.Singles))
			if x == KSII {
				continue
			}
			some, err := Sampled{Index: x, Among: []int{0, 1}}.Estimate(background, g,
				attribution.Options{Samples: 20000, Seed: 4})
			require.NoError(t, err)
			p, ok := some.Of(1, 0)
			require.True(t, ok)
			q, _ := want.Of(0, 1)
			assert.InDelta(t, q.Value, p.Value, 4.5*p.StdErr+1e-12, "%s, %v", name, x)
		}
	}
}

// Walkers give the same differences as coalition values.
func TestWalkersSayWhatValuesSay(t *testing.T) {
	g := penultimate(t, 40, attribution.RemoveToZero())
	for _, x := range indices {
		for _, among := range [][]int{nil, {3, 4, 17, 39}} {
			if x == KSII && among != nil {
				continue
			}
			fast, err := Sampled{x, among}.Estimate(background, g, attribution.Options{Samples: 5, Seed: 1})
			require.NoError(t, err)
			slow, err := Sampled{x, among}.Estimate(background, bare{g}, attribution.Options{Samples: 5, Seed: 1})
			require.NoError(t, err)
			assert.InDeltaSlice(t, slow.Pairs, fast.Pairs, 1e-9)
			assert.InDeltaSlice(t, slow.Singles, fast.Singles, 1e-9)
			assert.Equal(t, slow.Evaluations, fast.Evaluations,
				"a walker's work counts as the values that it stands for")
		}
	}
}

// 95 % intervals hold 93 to 97 % of the true values from 30 samples on.
func TestIntervalsCover(t *testing.T) {
	g := penultimate(t, 8, attribution.RemoveToZero())
	for _, x := range indices {
		want, err := Exact{x}.Estimate(background, g, attribution.Options{})
		require.NoError(t, err)
		held, all := 0, 0
		for seed := range uint64(300) {
			found, err := Sampled{Index: x}.Estimate(background, g, attribution.Options{Samples: 30, Seed: seed,
				Workers: 1})
			require.NoError(t, err)
			for k, p := range found.All() {
				lo, hi := found.Interval(p, 0.95)
				if all++; lo <= want.Pairs[k] && want.Pairs[k] <= hi {
					held++
				}
			}
		}
		share := float64(held) / float64(all)
		assert.True(t, share > 0.93 && share < 0.97, "%v: %.4f of %d", x, share, all)
	}
	few, err := Sampled{Index: SII}.Estimate(background, g, attribution.Options{Samples: 29})
	require.NoError(t, err)
	lo, _ := few.Interval(few.All()[0], 0.95)
	assert.True(t, few.TooFew() && math.IsNaN(lo), "no intervals from 29 samples")
}

func TestLinearGamesHaveNoInteractions(t *testing.T) {
	g := games.Func(70, func(c attribution.Coalition) float64 { return 2*float64(c.Size()) + 1 })
	for _, x := range indices {
		found, err := Sampled{Index: x}.Estimate(background, g, attribution.Options{Samples: 2})
		require.NoError(t, err)
		for _, v := range found.Pairs {
			require.Zero(t, v)
		}
		for _, v := range found.Singles {
			require.Equal(t, 2.0, v)
		}
	}
}

func TestSameBitsForAnyWorkers(t *testing.T) {
	g := randomTable(t, 9, 4)
	for _, opt := range []attribution.Options{{Samples: 100, Seed: 7}, {TargetStdErr: 0.1, Seed: 7},
		{Budget: 5000, Seed: 7}} {
		var first Estimate
		for workers := 1; workers < 4; workers++ {
			opt.Workers = workers
			found, err := Sampled{Index: SII}.Estimate(background, g, opt)
			require.NoError(t, err)
			found.Seconds = 0
			if workers == 1 {
				first = found
			}
			first.Residual, found.Residual = 0, 0 // the residuals are NaN, which is never equal
			require.Equal(t, first, found)
		}
		if opt.TargetStdErr > 0 {
			assert.Equal(t, attribution.StopTarget, first.Stopped)
			assert.LessOrEqual(t, first.PairsStdErr[0], 0.1)
		}
		if opt.Budget > 0 {
			assert.LessOrEqual(t, first.Equivalents, 5000.0)
			assert.Greater(t, first.Equivalents, 5000.0-2*46)
		}
	}
}

func TestWhatCannotBe(t *testing.T) {
	g := randomTable(t, 4, 1)
	for want, f := range map[string]func() (Estimate, error){
		"unknown interaction index 3": func() (Estimate, error) {
			return Exact{3}.Estimate(background, g, attribution.Options{})
		},
		"needs 16 forward-equivalents": func() (Estimate, error) {
			return Exact{}.Estimate(background, g, attribution.Options{Budget: 15})
		},
		"expected at most 20 players, got 21": func() (Estimate, error) {
			return Exact{}.Estimate(background, games.Func(21, nil), attribution.Options{})
		},
		"needs 24 forward-equivalents": func() (Estimate, error) {
			return Sampled{}.Estimate(background, g, attribution.Options{Budget: 23})
		},
		"number of samples, a budget or a target": func() (Estimate, error) {
			return Sampled{}.Estimate(background, g, attribution.Options{})
		},
		"expected pairs among all 4 players": func() (Estimate, error) {
			return Sampled{KSII, []int{1, 2}}.Estimate(background, g, attribution.Options{Samples: 1})
		},
		"expected 1 to 1024 players in Among": func() (Estimate, error) {
			return Sampled{SII, []int{}}.Estimate(background, g, attribution.Options{Samples: 1})
		},
		"ascending players below 4, got 1": func() (Estimate, error) {
			return Sampled{SII, []int{2, 1}}.Estimate(background, g, attribution.Options{Samples: 1})
		},
		"ascending players below 4, got 4": func() (Estimate, error) {
			return Sampled{SII, []int{2, 4}}.Estimate(background, g, attribution.Options{Samples: 1})
		},
		"expected at most 1024 players, got 1025": func() (Estimate, error) {
			return Sampled{}.Estimate(background, games.Func(1025, nil), attribution.Options{Samples: 1})
		},
		"for 9 samples, the budget is 100": func() (Estimate, error) {
			return Sampled{}.Estimate(background, g, attribution.Options{Samples: 9, Budget: 100})
		},
		"value is not finite": func() (Estimate, error) {
			return Sampled{}.Estimate(background,
				games.Func(3, func(attribution.Coalition) float64 { return math.NaN() }),
				attribution.Options{Samples: 1})
		},
		"attribution: the game has no players": func() (Estimate, error) {
			return Exact{}.Estimate(background, nil, attribution.Options{})
		},
		"expected a budget of at least 0 forward-equivalents, got -1": func() (Estimate, error) {
			return Sampled{}.Estimate(background, g, attribution.Options{Budget: -1})
		},
	} {
		_, err := f()
		assert.ErrorContains(t, err, want)
	}
	_, err := ParseIndex("SII")
	assert.ErrorContains(t, err, `got "SII"`)
	for _, x := range indices {
		back, err := ParseIndex(x.String())
		require.NoError(t, err)
		assert.Equal(t, x, back)
	}
	_, ok := new(Estimate).Of(0, 1)
	assert.False(t, ok)
}

// An interrupted estimate holds what was computed, exactly as if that many samples had been asked for.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	opt := attribution.Options{Samples: 1 << 20, Seed: 2, Workers: 1, Progress: func(done, _ int) {
		if done > 500 {
			cancel()
		}
	}}
	g := randomTable(t, 5, 8)
	found, err := Sampled{}.Estimate(ctx, g, opt)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, attribution.StopInterrupted, found.Stopped)
	again, err := Sampled{}.Estimate(background, g, attribution.Options{Samples: found.Samples, Seed: 2})
	require.NoError(t, err)
	assert.Equal(t, again.Pairs, found.Pairs)
	none, err := Exact{}.Estimate(ctx, g, attribution.Options{})
	require.ErrorIs(t, err, context.Canceled)
	assert.Nil(t, none.Pairs)
	nothing, err := Sampled{}.Estimate(ctx, g, attribution.Options{Samples: 3})
	require.ErrorIs(t, err, context.Canceled)
	assert.Nil(t, nothing.Pairs)
}

func TestLargestAreLargestInSize(t *testing.T) {
	e := Estimate{Players: []int{2, 5, 9}, Pairs: []float64{1, -3, 1}, PairsStdErr: []float64{0.1, 0.2, 0.3}}
	assert.Equal(t, []Pair{{2, 9, -3, 0.2}, {2, 5, 1, 0.1}}, e.Largest(2))
	assert.Len(t, e.Largest(7), 3)
	p, ok := e.Of(9, 5)
	assert.True(t, ok)
	assert.Equal(t, Pair{5, 9, 1, 0.3}, p)
	_, ok = e.Of(5, 5)
	assert.False(t, ok)
}

// A sample evaluates one member and costs as much as one; the values of ∅ and N evaluate all members.
func TestMembersAreBilledOneByOne(t *testing.T) {
	rows := [][]float64{{0, 0, 1, 0}, {0, 2, 0, 1}, {1, 0, 0, 0}}
	for _, g := range []attribution.Game{penultimate(t, 4, attribution.RemoveByResampling(rows))} {
		require.Equal(t, 3.0, attribution.ForwardsPerValue(g))
		found, err := Sampled{Index: SII}.Estimate(background, g, attribution.Options{Budget: 100})
		require.NoError(t, err)
		assert.Equal(t, 4, found.Samples, "6 for the ends, 22 for a sample")
		assert.Equal(t, 6.0+4*22, found.Equivalents)
	}
}
