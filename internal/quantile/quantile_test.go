package quantile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/quantile"
)

// sorted returns the percentile by its definition: it sorts, then interpolates.
func sorted[T quantile.Float](values []T, p float64) float64 {
	s := slices.Sorted(slices.Values(values))
	v := float64(len(s)-1) * (p / 100)
	k := int(math.Floor(v))
	t := v - math.Floor(v)
	a := float64(s[k])
	if t == 0 {
		return a
	}
	b := float64(s[k+1])
	if a == b { // the difference of equal infinities would be NaN
		return a
	}
	if t >= 0.5 {
		return b - (b-a)*(1-t)
	}
	return a + (b-a)*t
}

// TestPercentileNumpy compares with numpy.percentile(x, p) of numpy 2.4.6, with x of dtype float64.
func TestPercentileNumpy(t *testing.T) {
	x := []float64{0.1, -3.7, 2.25, 11, 0.1, 5.5, -0.3}
	for _, c := range []struct{ p, want float64 }{
		{0, -3.7}, {5, -2.6799999999999997}, {33.3, 0.09919999999999991}, {50, 0.1}, {62.5, 1.7125},
		{90, 7.700000000000002}, {95, 9.349999999999996}, {99.9, 10.967000000000004}, {100, 11},
	} {
		got, err := quantile.Percentile(x, c.p)
		require.NoError(t, err)
		assert.Equal(t, c.want, got, "p = %v", c.p)
	}
}

func TestPercentileAgainstSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkAgainstSorting[float64](t, rapid.Float64Range(-1e3, 1e3)) })
	rapid.Check(t, func(t *rapid.T) { checkAgainstSorting[float32](t, rapid.Float32Range(-1e3, 1e3)) })
}

func checkAgainstSorting[T quantile.Float](t *rapid.T, continuous *rapid.Generator[T]) {
	few := rapid.Map(rapid.IntRange(-2, 2), func(i int) T { return T(i) }) // so that there are many ties, of both signs
	values := rapid.OneOf(rapid.SliceOfN(continuous, 1, 300), rapid.SliceOfN(few, 1, 300)).Draw(t, "values")
	p := rapid.OneOf(rapid.Float64Range(0, 100), rapid.SampledFrom([]float64{0, 10, 50, 90, 100})).Draw(t, "p")
	want := sorted(values, p)
	before := slices.Clone(values)
	got, err := quantile.Percentile(values, p)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, before, values, "Percentile must leave its input alone")

	inPlace, err := quantile.PercentileInPlace(values, p)
	require.NoError(t, err)
	assert.Equal(t, want, inPlace)
	slices.Sort(before)
	slices.Sort(values)
	assert.Equal(t, before, values, "PercentileInPlace may only reorder")
}

// TestPercentileLong has slices above the size from which Percentile does not copy.
func TestPercentileLong(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 70_000
	for name, draw := range map[string]func(i int) float64{
		"normal":   func(int) float64 { return rng.NormFloat64() },
		"relu":     func(int) float64 { return math.Max(0, rng.NormFloat64()) },
		"ties":     func(int) float64 { return float64(rng.IntN(3) - 1) },
		"constant": func(int) float64 { return -2.5 },
		"sorted":   func(i int) float64 { return float64(i) },
		"reversed": func(i int) float64 { return float64(-i) },
		"tiny":     func(int) float64 { return rng.NormFloat64() * 1e-40 },
		"infinite": func(i int) float64 { return []float64{rng.Float64(), math.Inf(1), math.Inf(-1)}[i%7/5*(1+i%2)] },
	} {
		t.Run(name, func(t *testing.T) {
			f64 := make([]float64, n)
			f32 := make([]float32, n)
			for i := range f64 {
				f64[i] = draw(i)
				f32[i] = float32(f64[i])
			}
			for _, p := range []float64{0, 1e-4, 10, 37.5, 50, 90, 99.9999, 100} {
				got64, err := quantile.Percentile(f64, p)
				require.NoError(t, err)
				assert.Equal(t, sorted(f64, p), got64, "float64, p = %v", p)
				got32, err := quantile.Percentile(f32, p)
				require.NoError(t, err)
				assert.Equal(t, sorted(f32, p), got32, "float32, p = %v", p)
			}
		})
	}
}

func TestPercentileOneValue(t *testing.T) {
	for _, p := range []float64{0, 33, 100} {
		got, err := quantile.Percentile([]float32{4.25}, p)
		require.NoError(t, err)
		assert.Equal(t, 4.25, got)
	}
}

func TestPercentileInfinite(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		values  []float64
		p, want float64
	}{
		{[]float64{inf, inf, inf}, 40, inf},
		{[]float64{-inf, -inf, 0}, 25, -inf},
		{[]float64{-inf, 0}, 50, -inf},
		{[]float64{0, inf}, 1, inf},
		{[]float64{-math.MaxFloat64, math.MaxFloat64}, 50, 0},
	} {
		got, err := quantile.Percentile(c.values, c.p)
		require.NoError(t, err)
		assert.Equal(t, c.want, got, "%v at %v", c.values, c.p)
	}
	_, err := quantile.Percentile([]float64{inf, -inf}, 50)
	assert.ErrorContains(t, err, "between -Inf and +Inf")
}

func TestPercentileErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		values []float64
		p      float64
		want   string
	}{
		{nil, 50, "no values"},
		{[]float64{1, 2, nan, nan}, 50, "value 2 of 4 is NaN"},
		{[]float64{1}, -0.1, "expected a percentile in [0, 100], got -0.1"},
		{[]float64{1}, 100.1, "in [0, 100], got"},
		{[]float64{1}, nan, "in [0, 100], got NaN"},
	} {
		_, err := quantile.Percentile(c.values, c.p)
		assert.ErrorContains(t, err, c.want)
		_, err = quantile.PercentileInPlace(c.values, c.p)
		assert.ErrorContains(t, err, c.want)
	}
}

func ExamplePercentile() {
	p90, err := quantile.Percentile([]float32{3, 1, 2, 4, 5}, 90)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.1f\n", p90)
	// Output: 4.6
}

func benchmarkValues(n int) []float32 {
	rng := rand.New(rand.NewPCG(3, 4))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(math.Max(0, rng.NormFloat64()))
	}
	return values
}

func BenchmarkPercentile(b *testing.B) {
	for _, n := range []int{342, 200_000, 2_000_000} {
		values := benchmarkValues(n)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.SetBytes(int64(4 * n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := quantile.Percentile(values, 90); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
