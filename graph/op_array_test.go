package graph

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestArrayOfEmptyTensor(t *testing.T) {
	_, err := arrayOf[float32](tensor.New(tensor.WithBacking([]float32{}), tensor.WithShape(0, 3)))
	require.ErrorContains(t, err, "(0, 3)")
}

func TestSliceOf(t *testing.T) {
	for name, d := range map[string]*tensor.Dense{
		"scalar": tensor.New(tensor.FromScalar(float32(3))),
		"vector": tensor.New(tensor.WithBacking([]float32{3})),
	} {
		s, err := sliceOf[float32](d)
		require.NoError(t, err, name)
		require.Equal(t, []float32{3}, s, name)
		s[0] = 4
		require.Equal(t, float32(4), d.Get(0), name)
		_, err = sliceOf[float64](d)
		require.Error(t, err, name)
	}
	doubles := tensor.New(tensor.WithBacking([]float64{1, 2}))
	_, err := sliceOf[float32](doubles)
	require.Error(t, err, "of another type")
	_, err = sliceOf[int](doubles)
	require.Error(t, err, "of another type")
	_, err = sliceOf[uint64](doubles)
	require.Error(t, err, "of another type")
	_, err = sliceOf[float64](tensor.New(tensor.WithBacking([]uint64{1})))
	require.Error(t, err, "of another type")
	rows := tensor.New(tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}), tensor.WithShape(3, 2))
	middle, err := rows.Slice(tensor.S(1, 2))
	require.NoError(t, err)
	s, err := sliceOf[float32](middle.(*tensor.Dense))
	require.NoError(t, err)
	require.Equal(t, []float32{3, 4}, s)
	column, err := rows.Slice(nil, tensor.S(1))
	require.NoError(t, err)
	s, err = sliceOf[float32](column.(*tensor.Dense))
	require.NoError(t, err)
	require.Equal(t, []float32{2, 4, 6}, s)
}
