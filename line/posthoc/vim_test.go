package posthoc_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/mat"
)

// principalCut returns where ascending eigenvalues are split so that count of them are principal.
func principalCut(values []float64, count int) int {
	n := len(values)
	at := n - min(count, n)
	for at > 0 && at < n && values[at]-values[at-1] <= math.Max(float64(n), 64)*0x1p-52*values[n-1] {
		at++
	}
	return at
}

type literalSpace struct {
	u       []float64
	values  []float64
	vectors *mat.Dense
}

func spaceOf(q problem) literalSpace {
	classes, dim := q.head.Classes, q.head.FeatureDim
	w := mat.NewDense(classes, dim, row(q.head.Weight, 0, classes*dim))
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDFull) {
		panic("no singular values")
	}
	var left, right mat.Dense
	svd.UTo(&left)
	svd.VTo(&right)
	s := literalSpace{u: make([]float64, dim)}
	sigma := svd.Values(nil)
	for e, v := range sigma {
		if v <= float64(max(classes, dim))*0x1p-52*sigma[0] {
			continue
		}
		var along float64
		for k := range classes {
			along += left.At(k, e) * float64(q.head.Bias[k])
		}
		for d := range dim {
			s.u[d] -= right.At(d, e) * along / v
		}
	}
	var rows [][]float64
	for n := range q.fit.N {
		rows = append(rows, minus(row(q.fit.Features, n, dim), s.u))
	}
	s.values, s.vectors = eigen(covarianceOf(rows))
	return s
}

// left returns ‖P(z - u)‖.
func (s literalSpace) left(z []float64, count int) float64 {
	x := minus(z, s.u)
	var sum float64
	for e := range principalCut(s.values, count) {
		var along float64
		for d, v := range x {
			along += s.vectors.At(d, e) * v
		}
		sum += along * along
	}
	return math.Sqrt(sum)
}

func principalCount(params map[string]float64, dim int) int {
	switch {
	case params["dim"] > 0:
		return int(params["dim"])
	case dim >= 2048:
		return 1000
	case dim >= 768:
		return 512
	}
	return dim / 2
}

func init() {
	tolerance["vim"], tolerance["residual"] = 1e-8, 1e-8
	literals["residual"] = func(params map[string]float64, q problem, i int) float64 {
		s := once("vim", q, func() literalSpace { return spaceOf(q) })
		return -s.left(row(q.test.Features, i, q.test.FeatureDim), principalCount(params, q.fit.FeatureDim))
	}
	literals["vim"] = func(params map[string]float64, q problem, i int) float64 {
		s, count := once("vim", q, func() literalSpace { return spaceOf(q) }), principalCount(params, q.fit.FeatureDim)
		scale := once("vim scale", withParam(q, params["dim"]), func() float64 {
			var top, left, squares, far float64
			for n := range q.fit.N {
				z := row(q.fit.Features, n, q.fit.FeatureDim)
				top += slices.Max(row(q.fit.Logits, n, q.fit.Classes))
				length := power(z, 2) + power(s.u, 2)
				if size := power(row(q.head.Weight, 0, len(q.head.Weight)), 2); size > 1e-12 {
					length += power(row(q.head.Bias, 0, q.head.Classes), 2) / size
				}
				far += length * length
				left += s.left(z, count)
				squares += s.left(z, count) * s.left(z, count)
			}
			if squares <= math.Max(float64(q.fit.FeatureDim), 64)*0x1p-52*far {
				return 0
			}
			return top / left
		})
		return stableLSE(row(q.test.Logits, i, q.test.Classes)) - scale*s.left(row(q.test.Features, i,
			q.test.FeatureDim), count)
	}
}

// withParam returns a problem that the function once distinguishes from those for other values of a parameter.
func withParam(q problem, v float64) problem {
	q.head.Bias = append(slices.Clone(q.head.Bias), float32(v))
	return q
}

// TestVimInThePlane: two samples span all that is principal, and with a short second direction its eigenvector is known
// to ten digits only. What is then left of both is rounding, which must not be divided by.
func TestVimInThePlane(t *testing.T) {
	p := realistic(1, 5, 2, 1)
	p.head.Weight, p.head.Bias = []float32{0, 0, 0, 0.125, 2}, []float32{-0.125}
	p.fit = samplesOf(p.head, []float32{0, 0, 0, 0, 0, 0, 0, 0.125, 0, 3})
	p.test = samplesOf(p.head, []float32{0, 0, 0, 0, 0, 1, 2, 3, 4, 5})
	assert.InDeltaSlice(t, fitAndScore(t, newMethod(t, "energy", optionsOf(nil)), p),
		fitAndScore(t, newMethod(t, "vim", optionsOf(nil)), p), 1e-12)
}

// For features on a line through the origin of the head nothing is left of z - u, so that vim is the energy.
func TestVimOnTheLine(t *testing.T) {
	p := realistic(3, 4, 4, 2)
	clear(p.head.Bias)
	p.fit = samplesOf(p.head, []float32{1, 2, 3, 4, 2, 4, 6, 8, 3, 6, 9, 12})
	p.test = samplesOf(p.head, []float32{5, 10, 15, 20, 4, -2, 0, 0})
	assert.InDeltaSlice(t, []float64{0, -math.Sqrt(20)},
		fitAndScore(t, newMethod(t, "residual", optionsOf(map[string]float64{"dim": 1})), p), 1e-6)
	assert.InDeltaSlice(t, fitAndScore(t, newMethod(t, "energy", optionsOf(nil)), p),
		fitAndScore(t, newMethod(t, "vim", optionsOf(nil)), p), 1e-12)
}
