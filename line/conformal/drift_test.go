package conformal_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/conformal"
)

func drift(t testing.TB, c *conformal.Calibration, o conformal.DriftOptions) *conformal.Drift {
	t.Helper()
	d, err := conformal.NewDrift(c, o)
	require.NoError(t, err)
	return d
}

// TestDriftIsTheDefinition compares with p-values counted among all earlier scores and capital computed as a plain
// product. A Drift that is written and read again continues in the same way.
func TestDriftIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := drawScores(t, 20)
		stream := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(scores), rapid.Float64Range(-3, 3)), 1, 30).Draw(t,
			"stream")
		stop := rapid.IntRange(0, 30).Draw(t, "file after")
		o := conformal.DriftOptions{Betting: rapid.SampledFrom(conformal.Bettings()).Draw(t, "betting"),
			Seed: rapid.Uint64().Draw(t, "seed")}
		c, err := conformal.New(scores)
		require.NoError(t, err)
		d, err := conformal.NewDrift(c, o)
		require.NoError(t, err)
		before := slices.Clone(scores)
		jumper := [3]float64{1. / 3, 1. / 3, 1. / 3}
		power := make([]float64, 100)
		for i := range power {
			power[i] = 0.01
		}
		highest := 1.0
		for i, s := range stream {
			if i == stop {
				data, err := json.Marshal(d)
				require.NoError(t, err)
				d = &conformal.Drift{}
				require.NoError(t, json.Unmarshal(data, d), string(data))
				again, err := json.Marshal(d)
				require.NoError(t, err)
				require.Equal(t, string(data), string(again))
			}
			below, equal := 0, 1
			for _, v := range before {
				if v < s {
					below++
				}
				if v == s {
					equal++
				}
			}
			p := (float64(below) + conformal.Uniform(o.Seed, uint64(i))*float64(equal)) / float64(len(before)+1)
			before = append(before, s)
			total := jumper[0] + jumper[1] + jumper[2]
			a, b := 0.0, 0.0
			for j := range jumper {
				jumper[j] = (0.99*jumper[j] + 0.01*total/3) * (1 + float64(j-1)*(p-0.5))
				a += jumper[j]
			}
			for j := range power {
				e := float64(j+1) / 100
				power[j] *= e * math.Pow(p, e-1)
				b += power[j]
			}
			want := map[conformal.Betting]float64{conformal.Jumper: a, conformal.Power: b,
				conformal.Both: (a + b) / 2}[o.Betting]
			highest = max(highest, want)

			e, err := d.Observe(s)
			require.NoError(t, err)
			require.InDelta(t, p, e.P, 1e-15)
			require.InDelta(t, math.Log(want), e.Log, 1e-9)
			require.InDelta(t, math.Log(highest), e.Highest, 1e-9)
			require.InEpsilon(t, want, e.Value(), 1e-8)
			require.Equal(t, e.Highest >= math.Log(100), e.Alarm)
			require.Equal(t, i+1, d.Seen())
		}
	})
}

// TestDriftAlarm: scores like the calibration's raise no alarm, others soon do, and the alarm stays until a restart.
func TestDriftAlarm(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	normal := func(n int, mean float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = mean + rng.NormFloat64()
		}
		return out
	}
	c := calibration(t, normal(500, 0)...)
	for _, betting := range conformal.Bettings() {
		d := drift(t, c, conformal.DriftOptions{Betting: betting})
		for _, s := range normal(2000, 0) {
			e, err := d.Observe(s)
			require.NoError(t, err)
			require.False(t, e.Alarm, betting)
		}
		at := -1
		for i, s := range normal(300, -2) {
			e, err := d.Observe(s)
			require.NoError(t, err)
			if e.Alarm && at < 0 {
				at = i
			}
		}
		require.True(t, at > 0 && at < 60, "%s: alarm after %d", betting, at)
		for _, s := range normal(10, 0) {
			e, err := d.Observe(s)
			require.NoError(t, err)
			require.True(t, e.Alarm, "it stays")
		}
		d.Restart()
		e := d.Evidence()
		require.False(t, e.Alarm)
		require.InDelta(t, 0, e.Log, 1e-12)
	}
}

// TestDriftOverManyScores: with so many scores the bag's runs are cut, and counts stay right.
func TestDriftOverManyScores(t *testing.T) {
	all := shuffled(9000, 9)
	c := calibration(t, all[:10]...)
	d := drift(t, c, conformal.DriftOptions{})
	before := slices.Clone(c.Scores())
	for i, s := range all[10:] {
		at, _ := slices.BinarySearch(before, s)
		e, err := d.Observe(s)
		require.NoError(t, err)
		require.Equal(t, (float64(at)+conformal.Uniform(0, uint64(i)))/float64(len(before)+1), e.P)
		before = slices.Insert(before, at, s)
	}
}

func TestDriftRefuses(t *testing.T) {
	c := calibration(t, 1, 2)
	d := drift(t, c, conformal.DriftOptions{})
	require.Equal(t, conformal.DriftOptions{Level: 0.01, Betting: conformal.Both}, d.Options())
	_, err := d.Observe(math.NaN())
	require.EqualError(t, err, "conformal: score 0 of the stream is NaN")
	require.Zero(t, d.Seen())
	_, err = conformal.NewDrift(c, conformal.DriftOptions{Level: 1})
	require.EqualError(t, err, "conformal: expected an alarm level between 0 and 1, got 1")
	_, err = conformal.NewDrift(c, conformal.DriftOptions{Betting: "dice"})
	require.EqualError(t, err, `conformal: expected a way to bet of jumper, power, both, got "dice"`)
	m, err := conformal.NewMartingale(conformal.Both)
	require.NoError(t, err)
	require.InDelta(t, 0, m.Log(), 1e-12)
	for _, p := range []float64{0, -1, 1.5, math.NaN()} {
		require.ErrorContains(t, m.Update(p), "expected a p-value in (0, 1], got ")
	}
	require.InDelta(t, 0, m.Log(), 1e-12)
}

// TestMartingaleIsFair: from any state, the expectation of the capital after a uniform p-value is the capital before
// it. The midpoint rule integrates the linear jumper exactly.
func TestMartingaleIsFair(t *testing.T) {
	const steps = 1500
	for _, betting := range conformal.Bettings() {
		for _, past := range [][]float64{nil, {0.9, 0.8}, {0.01, 0.3, 0.02}} {
			before, mean := 0.0, 0.0
			for i := range steps {
				m, err := conformal.NewMartingale(betting)
				require.NoError(t, err)
				for _, p := range past {
					require.NoError(t, m.Update(p))
				}
				before = m.Log()
				// substituting p = x^50 removes the pole of p^(ε-1): dp = 50 x^49 dx
				x := (float64(i) + 0.5) / steps
				require.NoError(t, m.Update(math.Pow(x, 50)))
				mean += math.Exp(m.Log()-before) * 50 * math.Pow(x, 49) / steps
			}
			tolerance := 1e-3
			if betting != conformal.Jumper {
				tolerance = 0.01 // at ε = 0.01 some of the integrable pole remains
			}
			require.InDelta(t, 1, mean, tolerance, "%s after %v", betting, past)
		}
	}
}

// FuzzDriftState: a text is refused, or it is a state that can continue and be written again.
func FuzzDriftState(f *testing.F) {
	for _, b := range conformal.Bettings() {
		d := drift(f, calibration(f, math.Inf(-1), 0, 1, math.Inf(1)), conformal.DriftOptions{Betting: b})
		for _, s := range []float64{0, 5, math.Inf(1)} {
			_, err := d.Observe(s)
			require.NoError(f, err)
		}
		data, err := json.Marshal(d)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"level":0.1,"betting":"jumper","calibrated":1,"scores":[1,2],"jumper":[0,0,0],"power":[],` +
		`"highest":2,"plus_infinity":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := drift(t, calibration(t, 1), conformal.DriftOptions{})
		if err := json.Unmarshal(data, d); err != nil {
			require.Zero(t, d.Seen(), "unchanged")
			return
		}
		for _, s := range []float64{math.Inf(-1), 0, 1e300} {
			e, err := d.Observe(s)
			require.NoError(t, err)
			require.True(t, e.P > 0 && e.P <= 1)
			require.False(t, math.IsNaN(e.Log), string(data))
		}
		_, err := json.Marshal(d)
		require.NoError(t, err)
	})
}
