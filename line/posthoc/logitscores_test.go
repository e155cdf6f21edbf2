package posthoc_test

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

// probabilities is the softmax of one sample's logits, computed by its definition.
func probabilities(s posthoc.Samples, i int) []float64 {
	p := row(s.Logits, i, s.Classes)
	var sum float64
	for k := range p {
		p[k] = math.Exp(p[k])
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// complement is 1 - p[k], computed as the sum of the others.
func complement(p []float64, k int) float64 {
	var sum float64
	for j, v := range p {
		if j != k {
			sum += v
		}
	}
	return sum
}

func init() {
	literals["entropy"] = func(_ map[string]float64, q problem, i int) float64 {
		var sum float64
		for _, p := range probabilities(q.test, i) {
			sum += p * math.Log(p)
		}
		return sum
	}
	literals["gradnorm"] = func(_ map[string]float64, q problem, i int) float64 {
		// The gradient of -sum_j log softmax(W z + b)_j, computed entry by entry.
		p, z := probabilities(q.test, i), row(q.test.Features, i, q.test.FeatureDim)
		var norm float64
		for k := range p {
			for d := range z {
				var slope float64
				for j := range p { // d(-log p_j)/dW_kd = (p_k - [j = k]) z_d
					slope += p[k] * z[d]
					if j == k {
						slope -= z[d]
					}
				}
				norm += math.Abs(slope)
			}
		}
		return norm
	}
	literals["gen"] = func(params map[string]float64, q problem, i int) float64 {
		p := probabilities(q.test, i)
		order := make([]int, len(p))
		for k := range order {
			order[k] = k
		}
		slices.SortFunc(order, func(a, b int) int {
			if p[a] > p[b] {
				return -1
			}
			return 1
		})
		var sum float64
		for at, k := range order {
			if at < int(params["M"]) {
				sum += math.Pow(p[k]*complement(p, k), params["g"])
			}
		}
		return -sum
	}
	tolerance["gen"], tolerance["gradnorm"] = 1e-11, 1e-11
}

// logitsOnly is one sample without features.
func logitsOnly(logits ...float32) posthoc.Samples {
	return posthoc.Samples{N: 1, Classes: len(logits), Logits: logits}
}

func scoreOf(t *testing.T, name string, params map[string]float64, s posthoc.Samples) float64 {
	t.Helper()
	dst := make([]float64, s.N)
	require.NoError(t, newMethod(t, name, posthoc.Options{Params: params}).Score(t.Context(), s, dst))
	return dst[0]
}

// Scores still differ between samples whose p is 1 up to rounding.
func TestSureSamples(t *testing.T) {
	for _, gap := range []float32{30, 40, 200, 3000} {
		rest := math.Exp(-float64(gap)) // p of the second of two classes
		assert.InEpsilon(t, -2*math.Exp(-0.1*float64(gap)), scoreOf(t, "gen", nil, logitsOnly(gap, 0)), 1e-6, "gap %v",
			gap)
		if rest > 0 {
			assert.InEpsilon(t, -rest*(1+float64(gap)), scoreOf(t, "entropy", nil, logitsOnly(gap, 0)), 1e-9, "gap %v",
				gap)
		}
	}
}

func TestOneClass(t *testing.T) {
	for _, name := range []string{"gen", "entropy", "gradnorm"} {
		got := scoreOf(t, name, nil, logitsOnly(-7))
		assert.Equal(t, 0.0, got, name)
		assert.False(t, math.Signbit(got), "%s is -0", name)
	}
	assert.Equal(t, 1.0, scoreOf(t, "msp", nil, logitsOnly(-7)))
}

// For equal logits of K classes the scores have closed forms.
func TestManyEqualLogits(t *testing.T) {
	const classes = 1000
	s := logitsOnly(make([]float32, classes)...)
	assert.InEpsilon(t, -math.Log(classes), scoreOf(t, "entropy", nil, s), 1e-12)
	for _, m := range []float64{1, 100, 1000, 5000} {
		want := -min(m, classes) * math.Pow(1./classes*(1-1./classes), 0.1)
		assert.InEpsilon(t, want, scoreOf(t, "gen", map[string]float64{"M": m}, s), 1e-12, "M %v", m)
	}
	s.FeatureDim, s.Features = 2, []float32{3, -4}
	assert.InDelta(t, 0, scoreOf(t, "gradnorm", nil, s), 1e-9)
}

// Entropy and GEN of random logits agree with a computation with 200 bits.
func TestScoresAgainstManyBits(t *testing.T) {
	p := realistic(10, 30, 1, 20)
	exp := func(x float64) *big.Float { // by halving the argument and the power series
		r := new(big.Float).SetPrec(200).SetFloat64(x / 1024)
		sum, term := big.NewFloat(1).SetPrec(200), big.NewFloat(1).SetPrec(200)
		for n := range 60 {
			term.Mul(term, r).Quo(term, big.NewFloat(float64(n+1)))
			sum.Add(sum, term)
		}
		for range 10 {
			sum.Mul(sum, sum)
		}
		return sum
	}
	for i := range p.test.N {
		logits := row(p.test.Logits, i, p.test.Classes)
		total := new(big.Float).SetPrec(200)
		var parts []*big.Float
		for _, l := range logits {
			parts = append(parts, exp(l))
			total.Add(total, parts[len(parts)-1])
		}
		var want float64
		for k := range parts {
			in, _ := new(big.Float).Quo(parts[k], total).Float64()
			rest, _ := new(big.Float).Quo(new(big.Float).Sub(total, parts[k]), total).Float64()
			want -= math.Pow(in, 0.1) * math.Pow(rest, 0.1)
		}
		got := make([]float64, p.test.N)
		require.NoError(t, newMethod(t, "gen", posthoc.Options{}).Score(t.Context(), p.test, got))
		assert.InEpsilon(t, want, got[i], 1e-13)
	}
}
