package conformal_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/conformal"
)

func online(t testing.TB, o conformal.OnlineOptions) *conformal.Online {
	t.Helper()
	out, err := conformal.NewOnline(o)
	require.NoError(t, err)
	return out
}

// literalLevel is the level of test t = len(p)+1, computed from all earlier p-values and decisions with each sum
// written out as published.
func literalLevel(o conformal.OnlineOptions, p []float64, rejected []bool) float64 {
	t := len(p) + 1
	lord := func(t int) float64 {
		x := float64(t)
		return 0.07720838 * math.Log(max(x, 2)) / (x * math.Exp(math.Sqrt(math.Log(x))))
	}
	saffron := func(t int) float64 { return 0.4374901658 / math.Pow(float64(t), 1.6) }
	var times []int // times of the discoveries, counted from 1
	for i, r := range rejected {
		if r {
			times = append(times, i+1)
		}
	}
	count := func(from int, in func(p float64) bool) (n int) { // counts tests from..t-1
		for i := from; i < t; i++ {
			n += b2i(in(p[i-1]))
		}
		return n
	}
	mix := func(first float64, later func(j int) float64) float64 {
		sum := o.Wealth * first
		for j := range times {
			if j == 0 {
				sum += (o.Alpha - o.Wealth) * later(0)
			} else {
				sum += o.Alpha * later(j)
			}
		}
		return sum
	}
	candidate := func(p float64) bool { return p <= o.Lambda }
	selected := func(p float64) bool { return p <= o.Tau }
	switch o.Procedure {
	case conformal.LOND, conformal.LONDDependent:
		level := o.Alpha * lord(t) * float64(len(times)+1)
		if o.Procedure == conformal.LONDDependent {
			h := 0.0
			for i := 1; i <= t; i++ {
				h += 1 / float64(i)
			}
			level /= h
		}
		return level
	case conformal.LORD:
		return mix(lord(t), func(j int) float64 { return lord(t - times[j]) })
	case conformal.SAFFRON:
		level := mix(saffron(t-count(1, candidate)), func(j int) float64 {
			return saffron(t - times[j] - count(times[j]+1, candidate))
		})
		return min(o.Lambda, (1-o.Lambda)*level)
	case conformal.ADDIS:
		s := 1 + count(1, selected)
		level := mix(saffron(s-count(1, candidate)), func(j int) float64 {
			upTo := 0
			for i := 1; i <= times[j]; i++ {
				upTo += b2i(selected(p[i-1]))
			}
			return saffron(s - upTo - count(times[j]+1, candidate))
		})
		return min(o.Lambda, (o.Tau-o.Lambda)*level)
	}
	// LORD under dependence: replay the wealth
	xi := func(t int) float64 {
		return 0.139307 * o.Alpha / (o.Alpha - o.Wealth) / (float64(t) * math.Pow(math.Log(max(float64(t), 2)), 3))
	}
	wealth, atLast := o.Wealth, o.Wealth
	for i := 1; i < t; i++ {
		wealth -= xi(i) * atLast
		if rejected[i-1] {
			wealth += o.Alpha - o.Wealth
			atLast = wealth
		}
	}
	return xi(t) * atLast
}

func drawStream(t *rapid.T, most int) []float64 {
	p := rapid.OneOf(rapid.SampledFrom([]float64{0, 1e-4, 0.01, 0.25, 0.5, 1}), rapid.Float64Range(0, 1))
	return rapid.SliceOfN(p, 0, most).Draw(t, "p")
}

func drawOnline(t *rapid.T) conformal.OnlineOptions {
	alpha := rapid.Float64Range(0.01, 0.5).Draw(t, "alpha")
	o := conformal.OnlineOptions{Procedure: rapid.SampledFrom(conformal.Procedures()).Draw(t, "procedure"),
		Alpha: alpha}
	if rapid.Bool().Draw(t, "own parameters") {
		o.Wealth = alpha * rapid.Float64Range(0.01, 0.5).Draw(t, "wealth")
		o.Tau = rapid.Float64Range(0.4, 1).Draw(t, "tau")
		o.Lambda = rapid.Float64Range(0.05, 0.39).Draw(t, "lambda")
	}
	return o
}

// TestOnlineIsTheDefinition compares with literalLevel. A procedure that is written and read again continues in the
// same way.
func TestOnlineIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, err := conformal.NewOnline(drawOnline(t))
		require.NoError(t, err)
		stream := drawStream(t, 40)
		stop := rapid.IntRange(0, 40).Draw(t, "file after")
		var rejected []bool
		for i, p := range stream {
			if i == stop {
				data, err := json.Marshal(o)
				require.NoError(t, err)
				again := &conformal.Online{}
				require.NoError(t, json.Unmarshal(data, again), string(data))
				second, err := json.Marshal(again)
				require.NoError(t, err)
				require.JSONEq(t, string(data), string(second))
				o = again
			}
			want := literalLevel(o.Options(), stream[:i], rejected)
			d, err := o.Test(p)
			require.NoError(t, err)
			require.InDelta(t, want, d.Level, 1e-12*max(1e-3, want), "%s, test %d", o.Options().Procedure, i)
			require.Equal(t, p <= d.Level, d.Reject)
			require.Equal(t, i+1, o.Tested())
			rejected = append(rejected, d.Reject)
		}
	})
}

// TestOverspentStateIsRead: LORDDependent without discoveries spends more than an initial wealth of Alpha/2. Its state
// is then read as any other, and continues; a state that spent more than all tests together can is refused.
func TestOverspentStateIsRead(t *testing.T) {
	o := online(t, conformal.OnlineOptions{Procedure: conformal.LORDDependent, Alpha: 0.2, Wealth: 0.1})
	for range 2000 {
		_, err := o.Test(1)
		require.NoError(t, err)
	}
	data, err := json.Marshal(o)
	require.NoError(t, err)
	var state struct {
		State struct{ Wealth float64 } `json:"state"`
	}
	require.NoError(t, json.Unmarshal(data, &state))
	require.InDelta(t, -0.0409791, state.State.Wealth, 1e-6) // 0.1 (1 - 0.278614 Σ_{t≤2000} 1/(t log³ max(t, 2)))
	again := &conformal.Online{}
	require.NoError(t, json.Unmarshal(data, again))
	for range 3 { // a discovery makes the wealth positive again, and the level with it
		want, err := o.Test(0)
		require.NoError(t, err)
		got, err := again.Test(0)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Positive(t, got.Level)
	}
	overspent := `{"procedure":"lord-dep","alpha":0.2,"wealth":0.1,"tested":9,` +
		`"state":{"tests":9,"wealth":-0.0422,"at_last":0.1}}`
	require.ErrorContains(t, json.Unmarshal([]byte(overspent), again), "does not go with 9 tests")
}

// TestSequencesShareOut: the levels given out over time sum to at most what the theorems allow. Integrals bound the
// tails beyond the computed sums.
func TestSequencesShareOut(t *testing.T) {
	const n = 1_000_000
	lord, saffron, dependent := 0.0, 0.0, 0.0
	for i := n; i >= 1; i-- {
		x := float64(i)
		log := math.Log(max(x, 2))
		lord += 0.07720838 * log / (x * math.Exp(math.Sqrt(math.Log(x))))
		saffron += 0.4374901658 / math.Pow(x, 1.6)
		dependent += 0.139307 / (x * log * log * log) * (1 + math.Log(x))
	}
	log := math.Log(n)
	root := math.Sqrt(log)
	lord += 0.07720838 * 2 * math.Exp(-root) * (root*root*root + 3*root*root + 6*root + 6) // ∫ log x/(x e^√log x)
	saffron += 0.4374901658 / 0.6 * math.Pow(n, -0.6)
	dependent += 0.139307 * (1/log + 1/(2*log*log))
	for name, sum := range map[string]float64{"lord++": lord, "saffron": saffron, "lord-dep": dependent} {
		require.LessOrEqual(t, sum, 1+1e-5, name) // the published constants have six or more digits
		require.Greater(t, sum, 0.95, name)
	}
}

func TestOnlineOptions(t *testing.T) {
	for _, p := range conformal.Procedures() {
		o := online(t, conformal.OnlineOptions{Procedure: p, Alpha: 0.1})
		for _, bad := range []float64{-0.1, 1.1, math.NaN()} {
			_, err := o.Test(bad)
			require.ErrorContains(t, err, "conformal: "+string(p)+": test 1: expected a p-value in [0, 1], got ")
		}
		require.Zero(t, o.Tested())
		_, err := conformal.NewOnline(conformal.OnlineOptions{Procedure: p, Alpha: 1})
		require.ErrorContains(t, err, "expected a rate between 0 and 1, got 1")
	}
	require.Equal(t, conformal.OnlineOptions{Procedure: conformal.ADDIS, Alpha: 0.1, Wealth: 0.05, Lambda: 0.25,
		Tau: 0.5},
		online(t, conformal.OnlineOptions{Procedure: conformal.ADDIS, Alpha: 0.1}).Options())
	for want, o := range map[string]conformal.OnlineOptions{
		`expected a procedure of lond, lond-dep, lord++, lord-dep, saffron, addis, got "bh"`: {Procedure: "bh",
			Alpha: 0.1},
		"expected an initial wealth above 0 and at most 0.1, got 0.2": {Procedure: conformal.LORD, Alpha: 0.1,
			Wealth: 0.2},
		"expected an initial wealth above 0 and at most 0.05, got 0.06": {Procedure: conformal.LORDDependent,
			Alpha: 0.1, Wealth: 0.06},
		"expected an initial wealth above 0 and at most 0.1, got -1": {Procedure: conformal.SAFFRON, Alpha: 0.1,
			Wealth: -1},
		"expected λ between 0 and 1, got 1":                {Procedure: conformal.SAFFRON, Alpha: 0.1, Lambda: 1},
		"expected 0 < λ < τ ≤ 1, got λ = 0.5 and τ = 0.5":  {Procedure: conformal.ADDIS, Alpha: 0.1, Lambda: 0.5},
		"expected 0 < λ < τ ≤ 1, got λ = 0.25 and τ = 1.5": {Procedure: conformal.ADDIS, Alpha: 0.1, Tau: 1.5},
	} {
		_, err := conformal.NewOnline(o)
		require.EqualError(t, err, "conformal: "+want)
	}
	require.True(t, conformal.LOND.SharedCalibration())
	require.False(t, conformal.LORD.SharedCalibration())
	require.True(t, conformal.LORDDependent.AnyDependence())
}

func TestGridPoint(t *testing.T) {
	require.Equal(t, 0.5, conformal.GridPoint(0.5, 9))
	require.Equal(t, 5.0/11, conformal.GridPoint(0.5, 10))
	require.Equal(t, 0.29, conformal.GridPoint(0.29, 99))
	require.Equal(t, 0.1, conformal.GridPoint(0.001, 9))
}

// FuzzOnlineState: a text is refused, or it is a state that continues without a panic and can be written again.
func FuzzOnlineState(f *testing.F) {
	for _, p := range conformal.Procedures() {
		o := online(f, conformal.OnlineOptions{Procedure: p, Alpha: 0.1})
		for i := range 12 {
			_, err := o.Test([]float64{1e-6, 0.9, 0.3}[i%3])
			require.NoError(f, err)
		}
		data, err := json.Marshal(o)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"procedure":"lord++","alpha":0.1,"tested":3,"state":{"clock":4,"first":0,"times":[2,1],` +
		`"counts":[1,1]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o := online(t, conformal.OnlineOptions{Procedure: conformal.LORD, Alpha: 0.2})
		if err := json.Unmarshal(data, o); err != nil {
			require.Equal(t, conformal.OnlineOptions{Procedure: conformal.LORD, Alpha: 0.2, Wealth: 0.02}, o.Options(),
				"unchanged")
			return
		}
		if o.Tested() > 1<<16 {
			return // the sequence γ would be computed up to there, which takes too long
		}
		for _, p := range []float64{0, 0.3, 1} {
			d, err := o.Test(p)
			require.NoError(t, err)
			require.True(t, d.Level >= 0, "level %v of %s", d.Level, data)
		}
		_, err := json.Marshal(o)
		require.NoError(t, err)
	})
}
