package npyz_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
)

func TestConvertersAreExact(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	type row struct {
		name               string
		a                  npyz.Array
		f32, round, f64, i bool // whether each conversion succeeds
	}
	for _, c := range []row{
		{"float32", npyz.New([]float32{1.5}), true, true, true, false},
		{"whole float32", npyz.New([]float32{-3}), true, true, true, true},
		{"float64 fits", npyz.New([]float64{0.5, -0.25, nan, inf}), true, true, true, false},
		{"float64 too fine", npyz.New([]float64{0.1}), false, true, true, false},
		{"float64 too large", npyz.New([]float64{1e300}), false, false, true, false},
		{"float64 too small", npyz.New([]float64{1e-300}), false, true, true, false},
		{"2^63", npyz.New([]float64{1 << 63}), true, true, true, false},
		{"-2^63", npyz.New([]float64{-1 << 63}), true, true, true, true},
		{"int64 2^24", npyz.New([]int64{1 << 24}), true, true, true, true},
		{"int64 2^24+1", npyz.New([]int64{1<<24 + 1}), false, true, true, true},
		{"int64 2^53+1", npyz.New([]int64{1<<53 + 1}), false, true, false, true},
		{"int64 max", npyz.New([]int64{math.MaxInt64}), false, true, false, true},
		{"int64 min", npyz.New([]int64{math.MinInt64}), true, true, true, true},
		{"int32 2^24+1", npyz.New([]int32{1<<24 + 1}), false, true, true, true},
		{"int32 max", npyz.New([]int32{math.MaxInt32}), false, true, true, true},
		{"uint8", npyz.New([]uint8{255}), true, true, true, true},
		{"bool", npyz.New([]bool{true, false}), false, false, false, true},
		{"string", npyz.New([]string{"1"}), false, false, false, false},
		{"nothing", npyz.Array{}, false, false, false, false},
	} {
		_, err := c.a.AsFloat32()
		require.Equal(t, c.f32, err == nil, "%s as float32: %v", c.name, err)
		_, err = c.a.RoundFloat32()
		require.Equal(t, c.round, err == nil, "%s rounded: %v", c.name, err)
		_, err = c.a.AsFloat64()
		require.Equal(t, c.f64, err == nil, "%s as float64: %v", c.name, err)
		_, err = c.a.AsInt64()
		require.Equal(t, c.i, err == nil, "%s as int64: %v", c.name, err)
	}

	f, err := npyz.New([]float64{0.1, 1}).RoundFloat32()
	require.NoError(t, err)
	require.Equal(t, []float32{0.1, 1}, f)
	i, err := npyz.New([]bool{true, false}).AsInts()
	require.NoError(t, err)
	require.Equal(t, []int{1, 0}, i)
	n, err := npyz.New([]uint8{1, 255}).AsInt64()
	require.NoError(t, err)
	require.Equal(t, []int64{1, 255}, n)
	s, err := npyz.New([]string{"a"}).AsStrings()
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, s)
}

func TestCheckShape(t *testing.T) {
	a := npyz.New(make([]float32, 6), 2, 3)
	require.NoError(t, a.CheckShape(2, 3))
	require.NoError(t, a.CheckShape(-1, 3))
	require.Error(t, a.CheckShape(2))
	require.Error(t, a.CheckShape(3, 2))
	require.EqualError(t, a.CheckShape(-1, 4), "expected shape [any 4], got [2 3]")
	require.NoError(t, npyz.Scalar("x").CheckShape())
}
