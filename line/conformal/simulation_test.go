package conformal_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/conformal"
)

// The simulations have fixed seeds, which were not selected. A mean over runs may exceed its promised value by three
// of its standard errors. Where a promise is only just kept, chance would exceed that once in 700 times.

// mean collects values of independent runs.
type mean struct{ n, sum, squares float64 }

func (m *mean) add(v float64) { m.n++; m.sum += v; m.squares += v * v }

func (m *mean) value() float64 { return m.sum / m.n }

func (m *mean) standardError() float64 {
	return math.Sqrt(max(0, m.squares/m.n-m.value()*m.value()) / m.n)
}

func (m *mean) atMost(t *testing.T, promise float64, what string) {
	t.Helper()
	t.Logf("%s: %.4f ± %.4f, promised %.4f", what, m.value(), m.standardError(), promise)
	require.LessOrEqual(t, m.value(), promise+3*m.standardError(), what)
}

// TestFalseAlarmRate splits scores 4,000 times into calibration and test, with and without ties. The mean false-alarm
// rate is at most α. The realised rate exceeds the Beta bound, and after an adjustment α, in at most a share δ of the
// splits.
func TestFalseAlarmRate(t *testing.T) {
	const splits, n, m, alpha, delta = 4000, 200, 20, 0.05, 0.1
	// cdf gives the exact probability of a new score strictly below v.
	for name, draw := range map[string]struct {
		score func(rng *rand.Rand) float64
		below func(v float64) float64
	}{
		"continuous": {func(rng *rand.Rand) float64 { return rng.Float64() }, func(v float64) float64 { return v }},
		"tied": {func(rng *rand.Rand) float64 { return math.Floor(30 * rng.Float64()) },
			func(v float64) float64 { return v / 30 }},
		"saturated": {
			func(rng *rand.Rand) float64 { return min(1, 1.5*rng.Float64()) },
			func(v float64) float64 { return v / 1.5 },
		},
	} {
		rng := rand.New(rand.NewPCG(11, 1))
		var alarms, randomised, beyond mean
		above := map[conformal.Adjustment]*mean{conformal.Simes: {}, conformal.DKW: {}, conformal.Asymptotic: {},
			conformal.Pointwise: {}}
		levels := map[conformal.Adjustment]int{} // the rank of the adjusted threshold
		scores := make([]float64, n)
		for split := range splits {
			for i := range scores {
				scores[i] = draw.score(rng)
			}
			c := calibration(t, scores...)
			th, err := c.Threshold(alpha)
			require.NoError(t, err)
			raised, byChance := 0, 0
			for j := range m {
				s := draw.score(rng)
				raised += b2i(th.OOD(s))
				byChance += b2i(c.RandomisedPValue(s, conformal.Uniform(uint64(split), uint64(j))) <= alpha)
			}
			alarms.add(float64(raised) / m)
			randomised.add(float64(byChance) / m)
			bound, err := th.Bound(delta)
			require.NoError(t, err)
			beyond.add(float64(b2i(draw.below(th.Score) > bound)))
			for a, count := range above {
				if split == 0 {
					adjusted, err := c.Conditional(a, delta)
					require.NoError(t, err)
					if th, err := adjusted.Threshold(alpha); err == nil {
						levels[a] = th.Rank
					}
				}
				if levels[a] > 0 {
					count.add(float64(b2i(draw.below(c.Scores()[levels[a]-1]) > alpha)))
				}
			}
		}
		alarms.atMost(t, alpha, name+": false-alarm rate")
		randomised.atMost(t, alpha, name+": false-alarm rate, ties broken at random")
		require.Greater(t, randomised.value(), alpha-3*randomised.standardError(), "it is exact")
		beyond.atMost(t, delta, name+": realised rate beyond the bound")
		for a, count := range above {
			if count.n > 0 {
				count.atMost(t, delta, name+": realised rate above α, "+a.String())
			}
		}
		require.Positive(t, levels[conformal.Pointwise])
		if name == "continuous" { // without ties the rates come close to what is guaranteed
			require.Greater(t, alarms.value(), 0.8*alpha)
			require.Greater(t, beyond.value(), 0.8*delta)
			require.Greater(t, above[conformal.Pointwise].value(), 0.2*delta)
		}
	}
}

// TestSimultaneously: adjusted p-values hold at every level at once, in all but a share δ of the calibrations. At the
// threshold of rank i the realised rate is the i-th ordered uniform number.
func TestSimultaneously(t *testing.T) {
	const runs, n, delta = 2000, 300, 0.1
	for _, a := range []conformal.Adjustment{conformal.Simes, conformal.DKW, conformal.Asymptotic,
		conformal.MonteCarlo} {
		rng := rand.New(rand.NewPCG(12, 2))
		levels, err := conformal.Levels(n, a, delta)
		require.NoError(t, err)
		var failed mean
		scores := make([]float64, n)
		for range runs {
			for i := range scores {
				scores[i] = rng.Float64()
			}
			bad := false
			for i, v := range calibration(t, scores...).Scores() {
				bad = bad || v > levels[i]
			}
			failed.add(float64(b2i(bad)))
		}
		failed.atMost(t, delta, a.String())
	}
}

// TestPerClassRates: with classes of different difficulty each class keeps α on average, which one calibration for
// all does not.
func TestPerClassRates(t *testing.T) {
	const splits, n, alpha, classes = 1500, 300, 0.1, 4
	rng := rand.New(rand.NewPCG(13, 3))
	share := []float64{0.5, 0.3, 0.19, 0.01} // the last class has too few samples of its own
	draw := func() (score float64, class int) {
		u := rng.Float64()
		for u > share[class] && class < classes-1 {
			u -= share[class]
			class++
		}
		return rng.NormFloat64() - 2*float64(class), class
	}
	var own [classes]mean
	var pooledLast mean
	for range splits {
		scores, predicted := make([]float64, n), make([]int, n)
		for i := range scores {
			scores[i], predicted[i] = draw()
		}
		m, err := conformal.NewPerClass(scores, predicted, classes, 20)
		require.NoError(t, err)
		all := calibration(t, scores...)
		for range 20 {
			s, k := draw()
			c, group := m.For(k)
			require.Equal(t, k < 3, group == conformal.OwnClass)
			own[k].add(float64(b2i(c.PValue(s) <= alpha)))
			if k == 2 {
				pooledLast.add(float64(b2i(all.PValue(s) <= alpha)))
			}
		}
	}
	for k := range 3 {
		own[k].atMost(t, alpha, "predicted class")
	}
	require.Greater(t, pooledLast.value(), 2*alpha, "one calibration of all leaves the alarms to the hard class")
}

// stream draws m samples, a share of them out-of-distribution, and a calibration of n scores. It returns the samples'
// p-values and which of them are in-distribution.
func stream(t *testing.T, rng *rand.Rand, n, m int, share float64, adjust conformal.Adjustment,
	levels []float64) (p []float64, null []bool) {
	t.Helper()
	scores := make([]float64, n)
	for i := range scores {
		scores[i] = rng.NormFloat64()
	}
	c := calibration(t, scores...)
	p, null = make([]float64, m), make([]bool, m)
	for i := range p {
		null[i] = rng.Float64() >= share
		s := rng.NormFloat64()
		if !null[i] {
			s -= 4
		}
		p[i] = c.PValue(s)
		if adjust != conformal.Marginal {
			p[i] = levels[int(math.Round(p[i]*float64(n+1)))-1]
		}
	}
	return p, null
}

func falseShare(reject, null []bool) float64 {
	all, wrong := 0, 0
	for i, r := range reject {
		all += b2i(r)
		wrong += b2i(r && null[i])
	}
	return float64(wrong) / float64(max(1, all))
}

// TestBatchFalseDiscoveryRate: the procedures keep the rate for p-values that share one calibration.
func TestBatchFalseDiscoveryRate(t *testing.T) {
	const runs, n, m, level = 1500, 500, 100, 0.2
	lambda := conformal.GridPoint(0.5, n)
	for _, share := range []float64{0, 0.1, 0.5} {
		rng := rand.New(rand.NewPCG(14, 4))
		var bh, storey, by, power mean
		for range runs {
			p, null := stream(t, rng, n, m, share, conformal.Marginal, nil)
			for f, m := range map[*mean]func() ([]bool, error){
				&bh:     func() ([]bool, error) { return conformal.BenjaminiHochberg(p, level) },
				&storey: func() ([]bool, error) { return conformal.Storey(p, level, lambda) },
				&by:     func() ([]bool, error) { return conformal.BenjaminiYekutieli(p, level) },
			} {
				reject, err := m()
				require.NoError(t, err)
				f.add(falseShare(reject, null))
				if f == &bh && share > 0 {
					power.add(1 - falseShare(reject, negate(null)))
				}
			}
		}
		bh.atMost(t, (1-share)*level, "BH")
		storey.atMost(t, level, "Storey")
		by.atMost(t, level, "BY")
		require.Greater(t, bh.value(), 0.4*(1-share)*level, "the guarantee is not idle")
	}
}

func negate(v []bool) []bool {
	out := make([]bool, len(v))
	for i, b := range v {
		out[i] = !b
	}
	return out
}

// TestOnlineFalseDiscoveryRate: with independent p-values all procedures keep the rate. With p-values of one shared
// calibration those keep it whose SharedCalibration is true. With adjusted p-values all keep the level plus δ.
func TestOnlineFalseDiscoveryRate(t *testing.T) {
	const runs, n, m, level, delta = 1000, 300, 80, 0.2, 0.1
	adjusted, err := conformal.Levels(n, conformal.Simes, delta)
	require.NoError(t, err)
	for _, procedure := range conformal.Procedures() {
		o := conformal.OnlineOptions{Procedure: procedure, Alpha: level}
		if procedure == conformal.ADDIS {
			o.Tau = conformal.GridPoint(0.5, n)
		}
		rng := rand.New(rand.NewPCG(15, 5))
		var independent, shared, conditional mean
		found := 0
		for range runs {
			run := func(p []float64, null []bool) float64 {
				test := online(t, o)
				reject := make([]bool, len(p))
				for i, v := range p {
					d, err := test.Test(v)
					require.NoError(t, err)
					reject[i] = d.Reject
					found += b2i(d.Reject)
				}
				return falseShare(reject, null)
			}
			p, null := make([]float64, m), make([]bool, m)
			for i := range p {
				null[i] = rng.Float64() >= 0.2
				p[i] = rng.Float64()
				if !null[i] {
					p[i] = math.Pow(p[i], 12)
				}
			}
			independent.add(run(p, null))
			if procedure.SharedCalibration() {
				shared.add(run(stream(t, rng, n, m, 0.2, conformal.Marginal, nil)))
			}
			conditional.add(run(stream(t, rng, n, m, 0.2, conformal.Simes, adjusted)))
		}
		independent.atMost(t, level, string(procedure)+", independent")
		if shared.n > 0 {
			shared.atMost(t, level, string(procedure)+", one calibration")
		}
		conditional.atMost(t, level+delta, string(procedure)+", one calibration, adjusted")
		require.Greater(t, found, runs, "%s finds something", procedure)
	}
}

// TestDriftFalseAlarms: over streams that are like the calibration the capital reaches 1/level in at most a share
// level of them.
func TestDriftFalseAlarms(t *testing.T) {
	const runs, n, m, level = 1000, 40, 60, 0.1
	for _, betting := range conformal.Bettings() {
		rng := rand.New(rand.NewPCG(16, 6))
		var alarms mean
		scores := make([]float64, n)
		for run := range runs {
			for i := range scores {
				scores[i] = math.Floor(8 * rng.Float64()) // many ties
			}
			d := drift(t, calibration(t, scores...), conformal.DriftOptions{Level: level, Betting: betting,
				Seed: uint64(run)})
			for range m {
				_, err := d.Observe(math.Floor(8 * rng.Float64()))
				require.NoError(t, err)
			}
			alarms.add(float64(b2i(d.Evidence().Alarm)))
		}
		alarms.atMost(t, level, string(betting))
	}
}
