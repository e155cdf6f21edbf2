package posthoc_test

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/mat"
)

// memo keeps what a literal score has computed from a problem's fitted samples, for the next sample.
var memo = struct {
	sync.Mutex
	of     map[string]problem
	values map[string]any
}{of: map[string]problem{}, values: map[string]any{}}

// once returns compute(), which it calls only for another problem than the last one under that name.
func once[T any](name string, q problem, compute func() T) T {
	memo.Lock()
	defer memo.Unlock()
	last, ok := memo.of[name]
	if !ok || !slices.Equal(last.fit.Features, q.fit.Features) || !slices.Equal(last.fit.Labels, q.fit.Labels) ||
		!slices.Equal(last.head.Weight, q.head.Weight) || !slices.Equal(last.head.Bias, q.head.Bias) ||
		last.head.FeatureDim != q.head.FeatureDim ||
		!slices.Equal(last.fit.Logits, q.fit.Logits) {
		memo.of[name], memo.values[name] = q, compute()
	}
	return memo.values[name].(T)
}

// eigen returns the eigenvalues of a symmetric matrix, ascending, and its eigenvectors as columns.
func eigen(a [][]float64) ([]float64, *mat.Dense) {
	s := mat.NewSymDense(len(a), nil)
	for i := range a {
		for j := range a {
			s.SetSym(i, j, a[i][j])
		}
	}
	var e mat.EigenSym
	if !e.Factorize(s, true) {
		panic("no eigenvalues")
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	return e.Values(nil), &vectors
}

// covarianceOf is the mean of the outer products of rows that are already centred.
func covarianceOf(rows [][]float64) [][]float64 {
	out := make([][]float64, len(rows[0]))
	for i := range out {
		out[i] = make([]float64, len(out))
	}
	for _, x := range rows {
		for i, v := range x {
			for j, w := range x {
				out[i][j] += v * w / float64(len(rows))
			}
		}
	}
	return out
}

// pseudoInverse leaves out eigenvalues of at most max(n, 64) 2^-52 times the largest. It is nil where a kept
// eigenvalue is nearly as small.
func pseudoInverse(a [][]float64) [][]float64 {
	values, vectors := eigen(a)
	n := len(a)
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, n)
	}
	for e, v := range values {
		if v <= math.Max(float64(n), 64)*0x1p-52*values[n-1] {
			continue
		}
		if v < 1e-8*values[n-1] {
			return nil
		}
		for i := range n {
			for j := range n {
				out[i][j] += vectors.At(i, e) * vectors.At(j, e) / v
			}
		}
	}
	return out
}

func quadratic(x []float64, a [][]float64) float64 {
	var sum float64
	for i := range x {
		sum += x[i] * inner(a[i], x)
	}
	return sum
}

// average is the mean of rows.
func average(rows [][]float64) []float64 {
	out := make([]float64, len(rows[0]))
	for _, x := range rows {
		for d, v := range x {
			out[d] += v
		}
	}
	for d := range out {
		out[d] /= float64(len(rows))
	}
	return out
}

type literalGaussians struct {
	means       [][]float64
	tied, whole [][]float64
	mean        []float64
}

func mahalanobisOf(q problem, shape func([]float64) []float64) literalGaussians {
	of := map[int][][]float64{}
	var all [][]float64
	for n := range q.fit.N {
		x := shape(row(q.fit.Features, n, q.fit.FeatureDim))
		all = append(all, x)
		if c := q.fit.Labels[n]; c >= 0 {
			of[c] = append(of[c], x)
		}
	}
	var g literalGaussians
	var centred, labelled [][]float64
	single := true
	for _, rows := range of {
		mean := average(rows)
		g.means = append(g.means, mean)
		single = single && len(rows) == 1
		for _, x := range rows {
			centred, labelled = append(centred, minus(x, mean)), append(labelled, x)
		}
	}
	if single {
		for i, x := range labelled {
			centred[i] = minus(x, average(labelled))
		}
	}
	g.tied = pseudoInverse(covarianceOf(centred))
	g.mean = average(all)
	for i, x := range all {
		all[i] = minus(x, g.mean)
	}
	g.whole = pseudoInverse(covarianceOf(all))
	return g
}

func init() {
	asIs := func(x []float64) []float64 { return x }
	for name, shape := range map[string]func([]float64) []float64{"mds": asIs, "mds++": unit} {
		distances := func(q problem, i int) (class, all float64) {
			g := once(name, q, func() literalGaussians { return mahalanobisOf(q, shape) })
			if g.tied == nil || g.whole == nil {
				return math.NaN(), math.NaN()
			}
			x := shape(row(q.test.Features, i, q.test.FeatureDim))
			class = math.Inf(1)
			for _, mean := range g.means {
				class = math.Min(class, quadratic(minus(x, mean), g.tied))
			}
			return class, quadratic(minus(x, g.mean), g.whole)
		}
		literals[name] = func(_ map[string]float64, q problem, i int) float64 {
			class, _ := distances(q, i)
			return -class
		}
		literals["r"+name] = func(_ map[string]float64, q problem, i int) float64 {
			class, all := distances(q, i)
			if all > 1e4*math.Max(1, math.Abs(all-class)) {
				return math.NaN()
			}
			return -class + all
		}
		tolerance[name], tolerance["r"+name] = 1e-7, 1e-7
	}
}

// TestMahalanobisByHand: two classes of unit variance along one axis, with distances computed by hand.
func TestMahalanobisByHand(t *testing.T) {
	p := oddProblems()["one class"]
	// variance 1 around each class mean, 1 and 11; variance 26 around the common mean 6
	z := []float32{0, 0, 0, 2, 0, 0, 10, 0, 0, 12, 0, 0}
	p.fit = samplesOf(p.head, z)
	p.fit.Labels = []int{0, 0, 0, 0}
	p.test = samplesOf(p.head, []float32{6, 5, 0, 9, 0, 7})
	assert.InDeltaSlice(t, []float64{0, -9.0 / 26}, fitAndScore(t, newMethod(t, "mds", optionsOf(nil)), p), 1e-12,
		"one class, and no variance along two neurons")

	two := realistic(2, 3, 4, 2)
	two.fit, two.test = samplesOf(two.head, z), samplesOf(two.head, []float32{6, 5, 0, 9, 0, 7})
	two.fit.Labels = []int{0, 0, 1, 1}
	assert.InDeltaSlice(t, []float64{-25, -4}, fitAndScore(t, newMethod(t, "mds", optionsOf(nil)), two), 1e-12)
	assert.InDeltaSlice(t, []float64{-25, -4 + 9.0/26}, fitAndScore(t, newMethod(t, "rmds", optionsOf(nil)), two),
		1e-12)
}
