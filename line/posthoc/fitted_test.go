package posthoc_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/posthoc"
)

// column returns a neuron's features over the samples.
func column(s posthoc.Samples, d int) []float64 {
	out := make([]float64, s.N)
	for i := range out {
		out[i] = float64(s.Features[i*s.FeatureDim+d])
	}
	return out
}

// rectified returns the features of sample i after VRA.
func rectified(params map[string]float64, q problem, i int) []float64 {
	bounds := learn("vra", params, q, func() (out [][2]float64) {
		for d := range q.fit.FeatureDim {
			v := column(q.fit, d)
			out = append(out, [2]float64{percentile(v, params["lo"]), percentile(v, params["hi"])})
		}
		return out
	})
	z := row(q.test.Features, i, q.test.FeatureDim)
	for d, v := range z {
		z[d] = math.Min(v, bounds[d][1])
		if v < bounds[d][0] {
			z[d] = 0
		}
	}
	return z
}

func init() {
	literals["vra"] = func(params map[string]float64, q problem, i int) float64 {
		return lse(affine(q.head, rectified(params, q, i), nil))
	}
	literals["vra++"] = func(params map[string]float64, q problem, i int) float64 {
		score := lse(affine(q.head, rectified(params, q, i), nil))
		for _, v := range row(q.test.Features, i, q.test.FeatureDim) {
			score -= params["a"] * (v - params["m"]) * (v - params["m"])
		}
		return score
	}
	literals["klm"] = func(params map[string]float64, q problem, i int) float64 {
		p, best := probabilities(q.test, i), math.Inf(1)
		for _, c := range learn("klm", params, q, func() map[int][]float64 {
			return means(q.fit, func(n int) []float64 { return probabilities(q.fit, n) })
		}) {
			var kl float64
			for j := range p {
				kl += p[j] * math.Log(p[j]/c[j])
			}
			best = math.Min(best, kl)
		}
		return -best
	}
	literals["ras"] = func(params map[string]float64, q problem, i int) float64 {
		curve := learn("ras", params, q, func() []float64 {
			curve := make([]float64, q.fit.FeatureDim)
			for n := range q.fit.N {
				for rank, v := range slices.Sorted(slices.Values(row(q.fit.Features, n, q.fit.FeatureDim))) {
					curve[rank] += v / float64(q.fit.N)
				}
			}
			return curve
		})
		z := row(q.test.Features, i, q.test.FeatureDim)
		out := make([]float64, len(z))
		for d, v := range z {
			rank := 0
			for e, u := range z {
				if u < v || u == v && e < d {
					rank++
				}
			}
			out[d] = curve[rank]
		}
		return lse(affine(q.head, out, nil))
	}
	literals["optfs"] = func(params map[string]float64, q problem, i int) float64 {
		theta := learn("optfs", params, q, func() func(float64) float64 { return optimalShape(q) })
		c := q.test.Predictions()[i]
		var sum float64
		for d, v := range row(q.test.Features, i, q.test.FeatureDim) {
			sum += v * float64(q.head.Weight[c*q.head.FeatureDim+d]) * theta(v)
		}
		return sum
	}
	literals["tempscale"] = func(params map[string]float64, q problem, i int) float64 {
		t := learn("tempscale", params, q, func() float64 { return likeliestTemperature(q.fit) })
		l := row(q.test.Logits, i, q.test.Classes)
		var sum float64
		for k := range l {
			l[k] /= t
		}
		for _, v := range l {
			sum += math.Exp(v - slices.Max(l))
		}
		return 1 / sum
	}
	tolerance["klm"], tolerance["optfs"], tolerance["tempscale"] = 1e-11, 1e-10, 1e-6
	tolerance["vra++"] = 1e-11
}

// optimalShape returns OptFS's theta as a function that tries the bins one after another.
func optimalShape(q problem) func(v float64) float64 {
	all := row(q.fit.Features, 0, len(q.fit.Features))
	lo, hi := percentile(all, 0.1), percentile(all, 99.9)
	width := (hi - lo) / 100
	theta := make([]float64, 100)
	bin := func(v float64) *float64 {
		for b := range theta {
			if v >= lo+float64(float64(b)*width) && (v < lo+float64(float64(b+1)*width) || b == 99) && v < hi {
				return &theta[b]
			}
		}
		return nil
	}
	for n, c := range q.fit.Predictions() {
		for d, v := range row(q.fit.Features, n, q.fit.FeatureDim) {
			if b := bin(v); b != nil {
				*b += v * float64(q.head.Weight[c*q.head.FeatureDim+d]) / float64(q.fit.N)
			}
		}
	}
	var squares float64
	for _, v := range theta {
		squares += v * v
	}
	return func(v float64) float64 {
		if b := bin(v); b != nil && squares > 0 {
			return *b / math.Sqrt(squares) * 1000
		}
		return 0
	}
}

// means returns, for each class, the mean of a vector over the samples predicted as the class.
func means(s posthoc.Samples, of func(i int) []float64) map[int][]float64 {
	sum, count := map[int][]float64{}, map[int]float64{}
	for i, c := range s.Predictions() {
		v := of(i)
		if sum[c] == nil {
			sum[c] = make([]float64, len(v))
		}
		for j := range v {
			sum[c][j] += v[j]
		}
		count[c]++
	}
	for c := range sum {
		for j := range sum[c] {
			sum[c][j] /= count[c]
		}
	}
	return sum
}

// likelihoodSlope is the derivative of the negative log-likelihood with respect to 1/T.
func likelihoodSlope(s posthoc.Samples, beta float64) (slope float64) {
	for i, y := range s.Labels {
		if y < 0 {
			continue
		}
		l := row(s.Logits, i, s.Classes)
		top := slices.Max(l)
		var weights, sum float64
		for _, v := range l {
			w := math.Exp(beta * (v - top))
			weights += w
			sum += w * v
		}
		slope += sum/weights - l[y]
	}
	return slope
}

// likeliestTemperature bisects on a logarithmic scale; it returns 1 where the slope does not change its sign.
func likeliestTemperature(s posthoc.Samples) float64 {
	lo, hi := -30.0, 30.0
	var rises, falls bool
	for i, y := range s.Labels {
		if y >= 0 {
			rises = rises || s.Logits[i*s.Classes+y] < slices.Max(s.Logits[i*s.Classes:][:s.Classes])
		}
	}
	falls = likelihoodSlope(s, 0) < 0
	if !rises || !falls {
		return 1
	}
	for range 60 {
		if mid := (lo + hi) / 2; likelihoodSlope(s, math.Exp(mid)) < 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Exp(-lo)
}

// A neuron's percentiles are numpy's, over that neuron's features alone.
func TestVRABounds(t *testing.T) {
	head := identity(2)
	fit := samplesOf(head, []float32{0, 10, 1, 20, 2, 30, 3, 40, 4, 50})
	m := newMethod(t, "vra", posthoc.Options{Params: map[string]float64{"lo": 50, "hi": 85}})
	require.NoError(t, m.Fit(t.Context(), head, fit))
	state, err := posthoc.State(m)
	require.NoError(t, err)
	assert.Equal(t, []float64{2, 30}, state["vra.Low"])
	assert.InDeltaSlice(t, []float64{3.4, 44}, state["vra.High"], 1e-12)
	_, err = posthoc.New("vra", posthoc.Options{Params: map[string]float64{"lo": 95}})
	assert.EqualError(t, err, "posthoc: vra: expected lo <= hi, got lo = 95, hi = 90")
}

// Bounds that are given as values of features do not depend on samples.
func TestVRAConstants(t *testing.T) {
	assert.Equal(t, []float64{0, 0.5, 0.75, 1, 0},
		shaped(t, "vra", map[string]float64{"lo": 0.5, "hi": 1, "constants": 1}, 0.25, 0.5, 0.75, 3, -2))
}

// At a = 0 the score is VRA's energy. A shaper in front changes the energy but not the penalty.
func TestVRAPenalty(t *testing.T) {
	p := realistic(5, 40, 60, 12)
	with := func(name string, params map[string]float64) []float64 {
		return fitAndScore(t, newMethod(t, name, posthoc.Options{Params: params}), p)
	}
	assert.Equal(t, with("vra", map[string]float64{"lo": 50, "hi": 85}), with("vra++", map[string]float64{"a": 0}))
	plain, scaled := with("vra++", nil), with("scale+vra++", nil)
	energy, scaledEnergy := with("vra++", map[string]float64{"a": 0}),
		with("scale+vra++", map[string]float64{"vra++.a": 0})
	for i := range plain {
		assert.InDelta(t, energy[i]-plain[i], scaledEnergy[i]-scaled[i], 1e-9)
		assert.NotEqual(t, energy[i], scaledEnergy[i])
	}
}

// For a network with probabilities of 1, mean probabilities below the smallest float64 still have finite logarithms.
func TestKLMatchingOfSureSamples(t *testing.T) {
	head := identity(3)
	s := samplesOf(head, []float32{2000, 0, 0, 0, 2000, 0, 1000, 1000, 0})
	m := newMethod(t, "klm", posthoc.Options{})
	got := fitAndScore(t, m, problem{head, samplesOf(head, []float32{2000, 0, 0, 0, 3000, 0}), s})
	assert.InDeltaSlice(t, []float64{0, 0, math.Ln2 - 1000}, got, 1e-9)
	state, err := posthoc.State(m)
	require.NoError(t, err)
	assert.Len(t, state["klm.LogMean"], 2*3, "no sample is taken for the third class")
}

// A single fitted sample is its own class mean.
func TestKLMatchingOfOneSample(t *testing.T) {
	p := realistic(4, 10, 1, 1)
	p.test = p.fit
	assert.InDelta(t, 0, fitAndScore(t, newMethod(t, "klm", posthoc.Options{}), p)[0], 1e-15)
}

// RAS gives the samples that it was fitted to their mean curve, whatever factor their features have.
func TestRankedShift(t *testing.T) {
	head := identity(3)
	fit := samplesOf(head, []float32{3, 1, 2, 30, 20, 10})
	s := samplesOf(head, []float32{7, 9, 8, 0, 0, 0})
	got := fitAndScore(t, newMethod(t, "ras+maxlogit", posthoc.Options{}), problem{head, fit, s})
	assert.Equal(t, []float64{16.5, 16.5}, got)
	for d, want := range []float64{5.5, 11, 16.5} { // ties are ranked by index
		one := posthoc.Head{Classes: 1, FeatureDim: 3, Weight: make([]float32, 3), Bias: []float32{0}}
		one.Weight[d] = 1
		q := problem{one, samplesOf(one, fit.Features), samplesOf(one, []float32{0, 0, 0})}
		assert.Equal(t, []float64{want}, fitAndScore(t, newMethod(t, "ras+maxlogit", posthoc.Options{}), q))
	}
}

// Features without spread, or all zero, fall into no bin.
func TestOptimalShapingWithoutSpread(t *testing.T) {
	head := identity(3)
	for _, v := range []float32{0, 2} {
		s := samplesOf(head, slices.Repeat([]float32{v}, 12))
		assert.Equal(t, []float64{0, 0, 0, 0}, fitAndScore(t, newMethod(t, "optfs", posthoc.Options{}),
			problem{head, s, s}))
	}
}

func TestTemperature(t *testing.T) {
	temperature := func(s posthoc.Samples) float64 {
		m := newMethod(t, "tempscale", posthoc.Options{Workers: 2})
		head := identity(s.Classes)
		s.FeatureDim, s.Features = s.Classes, s.Logits
		require.NoError(t, m.Fit(t.Context(), head, s))
		state, err := posthoc.State(m)
		require.NoError(t, err)
		return state["tempscale.Temperature"].(float64)
	}
	// Two classes with a gap of 2, right three times out of four: p = 3/4 at gap/T = log 3.
	s := posthoc.Samples{N: 4, Classes: 2, Logits: []float32{2, 0, 2, 0, 0, 2, 1, 3}, Labels: []int{0, 0, 1, 0}}
	assert.InEpsilon(t, 2/math.Log(3), temperature(s), 1e-12)
	s.Labels = []int{0, 0, 1, -1}
	assert.Equal(t, 1.0, temperature(s), "all right: no temperature is the best")
	s.Labels = []int{1, 1, 0, 0}
	assert.Equal(t, 1.0, temperature(s), "all wrong")
	s.Labels = []int{0, -1, -1, 0}
	assert.Equal(t, 1.0, temperature(s), "no better than chance")
	s.Labels = []int{0, 0, 1, 0}
	for i := range s.Logits {
		s.Logits[i] *= 1e20
	}
	assert.InEpsilon(t, 2e20/math.Log(3), temperature(s), 1e-6)
	assert.Equal(t, 1.0, temperature(posthoc.Samples{N: 1, Classes: 1, Logits: []float32{3}, Labels: []int{0}}))
}

// Multiplying all logits by a factor multiplies the temperature by it, and the score stays the same.
func TestTemperatureFollowsScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t)
		double := p
		double.fit.Logits, double.test.Logits = slices.Clone(p.fit.Logits), slices.Clone(p.test.Logits)
		for i := range double.fit.Logits {
			double.fit.Logits[i] *= 2
		}
		for i := range double.test.Logits {
			double.test.Logits[i] *= 2
		}
		// Where the likelihood is flat at 1/T = 0, rounding decides whether there is a temperature, which is then huge.
		if likeliest := likeliestTemperature(p.fit); likeliest == 1 || likeliest > 1e6 {
			t.Skip("no best temperature")
		}
		m := newMethod(t, "tempscale", posthoc.Options{})
		assert.InDeltaSlice(t, fitAndScore(t, m, p), fitAndScore(t, m, double), 1e-7)
	})
}

func TestTemperatureNeedsLabels(t *testing.T) {
	p := realistic(4, 10, 5, 1)
	for _, labels := range [][]int{nil, {-1, -1, -1, -1, -1}} {
		p.fit.Labels = labels
		err := newMethod(t, "tempscale", posthoc.Options{}).Fit(t.Context(), p.head, p.fit)
		assert.EqualError(t, err,
			"posthoc: tempscale: expected labelled in-distribution samples, got 5 without a label")
	}
}
