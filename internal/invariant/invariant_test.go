package invariant

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInvariants(t *testing.T) {
	f32, f64, ints := []float32{1}, []float64{1}, []int{1}
	for _, m := range []any{f32, f64, ints, nil, "other"} {
		Poison(m)
	}
	require.Equal(t, On, f32[0] != f32[0])
	require.Equal(t, On, f64[0] != f64[0])
	require.Equal(t, On, ints[0] < 0)
	require.Equal(t, On, Sum([]float32{1, 2}) != Sum([]float32{2, 1}))
	Check(true, "fine")
	if On {
		require.PanicsWithValue(t, "invariant: 1 is not 2", func() { Check(false, "%d is not %d", 1, 2) })
	} else {
		Check(false, "not looked at")
	}
}
