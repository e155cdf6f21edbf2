package probe

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
)

// gramSums computes the row sums by forming the matrices.
func gramSums(m []float64, channels, powers int) (out []float64) {
	for p := 1; p <= powers; p++ {
		f := mat.NewDense(channels, len(m)/channels, nil)
		f.Apply(func(d, j int, _ float64) float64 { return math.Pow(m[d*len(m)/channels+j], float64(p)) }, f)
		var product mat.Dense
		product.Mul(f, f.T())
		for d := range channels {
			sum := mat.Sum(product.RowView(d))
			out = append(out, math.Copysign(math.Pow(math.Abs(sum), 1/float64(p)), sum))
		}
	}
	return out
}

func TestGramSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	for _, c := range []struct{ channels, pixels, powers int }{{1, 1, 1}, {3, 4, 10}, {7, 49, 20}, {5, 1, 3}} {
		m, wide := make([]float32, c.channels*c.pixels), make([]float64, c.channels*c.pixels)
		for i := range m {
			m[i] = float32(rng.NormFloat64() * 5)
			wide[i] = float64(m[i])
		}
		got := appendGramSums(nil, m, c.channels, c.powers)
		require.Len(t, got, c.channels*c.powers)
		for i, want := range gramSums(wide, c.channels, c.powers) {
			assert.InDelta(t, want, got[i], 1e-5*math.Max(1e-3, math.Abs(want)), "%v at %d", c, i)
		}
	}
	assert.Equal(t, make([]float32, 6), appendGramSums(nil, make([]float32, 12), 3, 2), "an empty map")
	// squares are within the range of float32, powers of 20 are not
	for _, v := range appendGramSums(nil, []float32{3e18, 1e-18, 0, 2e18}, 2, 20) {
		assert.False(t, math.IsNaN(float64(v)) || math.IsInf(float64(v), 0), v)
	}
}

func TestGramOfNetwork(t *testing.T) {
	const name = "map.gram(powers=3)"
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	b := nettest.Batch(3, net.InputShape(), 3, 7)
	got, err := Compute(t.Context(), net, []string{name}, nettest.Stream(b), graph.Options{})
	require.NoError(t, err)
	require.Equal(t, 3*net.FeatureDim(), got[name].Width)
	maps := values(t, net, mapNode, b.X, 3)
	each := len(maps) / 3
	for i := range 3 {
		for j, want := range gramSums(maps[i*each:][:each], net.FeatureDim(), 3) {
			assert.InDelta(t, want, got[name].Values[i*got[name].Width+j], 1e-4*math.Max(1e-2, math.Abs(want)),
				"image %d, sum %d", i, j)
		}
	}
	_, err = Compute(t.Context(), net, []string{"map.gram(powers=2.5)"}, nettest.Stream(b), graph.Options{})
	assert.EqualError(t, err, `probe: "map.gram(powers=2.5)": expected a whole number of powers in [1, 20], got 2.5`)
	assert.Error(t, Check(net, []string{"map.gram(powers=21)"}))
	require.NoError(t, Check(net, []string{name}))
}
