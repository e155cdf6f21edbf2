package posthoc_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

// perturbedHeads returns WeiPer's heads, computed one after another in float64: shape [repeat, class, feature].
func perturbedHeads(params map[string]float64, h posthoc.Head) [][][]float64 {
	norm := func(x []float64) (sum float64) {
		for _, v := range x {
			sum += float64(v * v)
		}
		return math.Sqrt(sum)
	}
	heads := make([][][]float64, int(params["r"]))
	for i := range heads {
		for k := range h.Classes {
			rng := rand.New(rand.NewPCG(uint64(params["seed"]), uint64(i*h.Classes+k)))
			w, u := row(h.Weight, k, h.FeatureDim), make([]float64, h.FeatureDim)
			for d := range u {
				u[d] = rng.NormFloat64()
			}
			// Rounded in the order in which the definition is read, because logits of a single neuron lie on the ends
			// of bins.
			scale := params["delta"] * norm(w) / norm(u)
			for d := range w {
				w[d] += float64(scale * u[d])
			}
			heads[i] = append(heads[i], w)
		}
	}
	return heads
}

// perturbedLogits returns the logits of each head.
func perturbedLogits(heads [][][]float64, h posthoc.Head, z []float64) [][]float64 {
	out := make([][]float64, len(heads))
	for i, w := range heads {
		for k := range w {
			var l float64
			for d, v := range z {
				l += float64(w[k][d] * v)
			}
			out[i] = append(out[i], l+float64(h.Bias[k]))
		}
	}
	return out
}

func meanMSP(logits [][]float64) (mean float64) {
	for _, l := range logits {
		var sum float64
		for _, v := range l {
			sum += math.Exp(v - slices.Max(l))
		}
		mean += 1 / sum / float64(len(logits))
	}
	return mean
}

// density returns the share of values in each bin of [lo, hi].
func density(values []float64, lo, hi float64, bins int) []float64 {
	out := make([]float64, bins)
	width := (hi - lo) / float64(bins)
	for _, v := range values {
		for b := range out {
			if v >= lo+float64(float64(b)*width) && (v < lo+float64(float64(b+1)*width) || b == bins-1 && v <= hi) &&
				v <= hi {
				out[b] += 1 / float64(len(values))
				break
			}
		}
	}
	return out
}

// klBoth is KL(p ‖ q) + KL(q ‖ p) of p + eps and q + eps, where q is averaged over windows of s bins before eps is
// added.
func klBoth(p, q []float64, s int, eps float64) (kl float64) {
	n := len(q)
	padded := slices.Concat(slices.Repeat(q[:1], (s-1)/2), q, slices.Repeat(q[n-1:], s-1-(s-1)/2))
	a, b, as, bs := make([]float64, n), make([]float64, n), 0.0, 0.0
	for i := range n {
		for _, v := range padded[i : i+s] {
			b[i] += v / float64(s)
		}
		a[i], b[i] = p[i]+eps, b[i]+eps
		as, bs = as+a[i], bs+b[i]
	}
	for i := range n {
		a[i], b[i] = a[i]/as, b[i]/bs
		kl += a[i]*math.Log(a[i]/b[i]) + b[i]*math.Log(b[i]/a[i])
	}
	return kl
}

func init() {
	literals["weiper-msp"] = func(params map[string]float64, q problem, i int) float64 {
		heads := learn("weiper-msp", params, q, func() [][][]float64 { return perturbedHeads(params, q.head) })
		return meanMSP(perturbedLogits(heads, q.head, row(q.test.Features, i, q.test.FeatureDim)))
	}
	type histograms struct {
		heads        [][][]float64
		lo, hi       [2]float64
		z, perturbed []float64
	}
	literals["weiper-kld"] = func(params map[string]float64, q problem, i int) float64 {
		bins := int(params["bins"])
		h := learn("weiper-kld", params, q, func() (h histograms) {
			h.heads = perturbedHeads(params, q.head)
			var logits []float64
			for n := range q.fit.N {
				logits = append(logits,
					slices.Concat(perturbedLogits(h.heads, q.head, row(q.fit.Features, n, q.fit.FeatureDim))...)...)
			}
			z := row(q.fit.Features, 0, len(q.fit.Features))
			h.lo, h.hi = [2]float64{slices.Min(z), slices.Min(logits)}, [2]float64{slices.Max(z), slices.Max(logits)}
			h.z, h.perturbed = density(z, h.lo[0], h.hi[0], bins), density(logits, h.lo[1], h.hi[1], bins)
			return h
		})
		z := row(q.test.Features, i, q.test.FeatureDim)
		logits := perturbedLogits(h.heads, q.head, z)
		return params["lambda2"]*meanMSP(logits) -
			klBoth(h.z, density(z, h.lo[0], h.hi[0], bins), int(params["s1"]), 0.01) -
			params["lambda1"]*klBoth(h.perturbed, density(slices.Concat(logits...), h.lo[1], h.hi[1], bins),
				int(params["s2"]), 0.025)
	}
	tolerance["weiper-msp"], tolerance["weiper-kld"] = 1e-10, 1e-9
}

// Without a perturbation all heads are the network's head.
func TestWeiPerAtDeltaZeroIsMSP(t *testing.T) {
	p := realistic(5, 40, 60, 12)
	msp := fitAndScore(t, newMethod(t, "msp", posthoc.Options{}), p)
	got := fitAndScore(t, newMethod(t, "weiper-msp", posthoc.Options{Params: map[string]float64{"delta": 0, "r": 3}}),
		p)
	assert.InDeltaSlice(t, msp, got, 1e-6, "the logits given are float32, WeiPer's own float64")
}

func TestWeiPerSeed(t *testing.T) {
	p := realistic(5, 40, 60, 12)
	seed := func(v float64) []float64 {
		return fitAndScore(t, newMethod(t, "weiper-msp", posthoc.Options{Params: map[string]float64{"seed": v}}), p)
	}
	a, b := seed(1), seed(2)
	assert.Equal(t, a, seed(1))
	for i := range a {
		assert.NotEqual(t, a[i], b[i])
		assert.InDelta(t, a[i], b[i], 0.1, "means over 100 heads")
	}
}

// No score is NaN for features, weights or logits without spread, features outside the range, one class, or many
// bins.
func TestWeiPerWithoutSpread(t *testing.T) {
	for _, name := range []string{"weiper-msp", "weiper-kld"} {
		for _, classes := range []int{1, 3} {
			head := posthoc.Head{Classes: classes, FeatureDim: 4, Weight: make([]float32, 4*classes),
				Bias: make([]float32, classes)}
			fit := samplesOf(head, make([]float32, 8))
			head.Weight[0] = 1
			test := samplesOf(head, []float32{0, 0, 0, 0, 1, 2, 3, 4, -1e30, 1e30, 0, 0})
			for i, v := range fitAndScore(t, newMethod(t, name, posthoc.Options{}), problem{head, fit, test}) {
				assert.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%s, sample %d: %v", name, i, v)
			}
		}
	}
	p := realistic(3, 8, 20, 6)
	for _, params := range []map[string]float64{{"bins": 1}, {"bins": 1, "s1": 9, "s2": 8}, {"bins": 5000},
		{"s1": 1, "s2": 1}, {"s2": 300}} {
		m := newMethod(t, "weiper-kld", posthoc.Options{Params: params})
		full := map[string]float64{}
		for key, v := range m.Params() {
			full[key] = v.(float64)
		}
		for i, got := range fitAndScore(t, m, p) {
			assert.InDelta(t, literals["weiper-kld"](full, p, i), got, 1e-9, "%v", params)
		}
	}
}

// The perturbed heads count as memory although they are not part of the state.
func TestWeiPerBytes(t *testing.T) {
	p := realistic(3, 8, 20, 6)
	for name, want := range map[string]int64{"weiper-msp": 0, "weiper-kld": 8 * (4 + 2*100)} {
		m := newMethod(t, name, posthoc.Options{Params: map[string]float64{"r": 10}})
		require.NoError(t, m.Fit(t.Context(), p.head, p.fit))
		assert.Equal(t, want+8*10*3*8, m.(posthoc.Sizer).Bytes())
	}
}

func TestWeiPerRestoreChecksBins(t *testing.T) {
	p := realistic(3, 8, 20, 6)
	m := newMethod(t, "weiper-kld", posthoc.Options{})
	require.NoError(t, m.Fit(t.Context(), p.head, p.fit))
	state, err := posthoc.State(m)
	require.NoError(t, err)
	other := newMethod(t, "weiper-kld", posthoc.Options{Params: map[string]float64{"bins": 50}})
	assert.EqualError(t, posthoc.Restore(other, p.head, state),
		"posthoc: weiper-kld: expected histograms of 50 bins, got 100 and 100")
}
