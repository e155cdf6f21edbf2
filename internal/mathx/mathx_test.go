package mathx_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/mathx"
)

func TestLogSumExp(t *testing.T) {
	require.Equal(t, 1000+math.Log(2), mathx.LogSumExp([]float64{1000, 1000}))
	require.Equal(t, math.Inf(1), mathx.LogSumExp([]float64{0, math.Inf(1)}))
	require.Equal(t, math.Inf(-1), mathx.LogSumExp([]float64{math.Inf(-1), math.Inf(-1)}))
}

func TestArgMaxIsTheFirst(t *testing.T) {
	require.Equal(t, 1, mathx.ArgMax([]float64{0, 2, 2, 1}))
}

func TestFirstNotFinite(t *testing.T) {
	require.Equal(t, -1, mathx.FirstNotFinite([]float64{0, 1}))
	require.Equal(t, 1, mathx.FirstNotFinite([]float64{0, math.NaN(), math.Inf(1)}))
}

func TestMeanOfNothingIsNaN(t *testing.T) {
	require.True(t, math.IsNaN(mathx.Mean(nil)))
	require.Equal(t, 2.0, mathx.Mean([]float64{1, 3}))
}

// TestQuantileT compares 97.5 % points with those in printed tables.
func TestQuantileT(t *testing.T) {
	require.InDelta(t, 2.228, mathx.QuantileT(0.975, 10), 5e-4)
	require.InDelta(t, 1.960, mathx.QuantileT(0.975, math.Inf(1)), 5e-4)
	require.True(t, math.IsNaN(mathx.QuantileT(0.975, 0)))
}

func TestFloat64s(t *testing.T) {
	require.Equal(t, []float64{0.5, -1}, mathx.Float64s([]float32{0.5, -1}))
}
