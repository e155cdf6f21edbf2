package line

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestColumnsSelectLikeSorting compares with sorted products, from distributions with ties, zeros and a single sign.
func TestColumnsSelectLikeSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, features := rapid.IntRange(1, 90).Draw(t, "classes"), rapid.IntRange(1, 150).Draw(t, "features")
		levels := rapid.SampledFrom([]int{1, 2, 5, 1 << 20}).Draw(t, "levels")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		weight, factor := make([]float32, classes*features), make([]float32, features)
		for i := range weight {
			weight[i] = float32(rng.IntN(2*levels+1)-levels) / float32(levels)
		}
		for i := range factor {
			factor[i] = float32(rng.IntN(levels+1)) / float32(levels)
		}
		var products []float32
		for j := range weight {
			products = append(products, factor[j%features]*weight[j])
		}
		slices.Sort(products)
		s := newColumns(weight, classes).search()
		for range 5 {
			k := rng.IntN(len(products))
			a, b := s.pair(factor, k)
			require.Equal(t, products[k], a)
			require.Equal(t, products[min(k+1, len(products)-1)], b)
		}
	})
}

func TestThresholdsBothWaysAgree(t *testing.T) {
	const classes, features = 40, 300
	rng := rand.New(rand.NewPCG(3, 1))
	mean, weight := make([]float32, classes*features), make([]float32, classes*features)
	for i := range mean {
		mean[i], weight[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
	}
	columns := newColumns(weight, classes)
	for _, p := range []float64{0, 10, 50, 90, 99.99, 100} {
		direct, err := weightThresholds(context.Background(), mean, weight, classes, p)
		require.NoError(t, err)
		find := columnThreshold(columns, p)()
		for k := range classes {
			factor := make([]float32, features)
			for i := range factor {
				factor[i] = abs(mean[k*features+i])
			}
			got, err := find(factor)
			require.NoError(t, err)
			require.Equal(t, direct[k], below(got), "class %d, percentile %v", k, p)
		}
	}
}

func BenchmarkWeightThresholdsImageNet(b *testing.B) {
	const classes, features = 1000, 2048
	rng := rand.New(rand.NewPCG(3, 1))
	mean, weight := make([]float32, classes*features), make([]float32, classes*features)
	for i := range mean {
		mean[i], weight[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64()*0.03)
	}
	for b.Loop() {
		if _, err := weightThresholds(context.Background(), mean, weight, classes, 10); err != nil {
			b.Fatal(err)
		}
	}
}
