package kernel

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestMemory(t *testing.T) {
	for _, n := range []int{0, 1, 17, 1000, hugePage/8 + 1, hugePage / 4, hugePage/4 + 1, 3 * hugePage / 4} {
		for range 3 { // later rounds may get memory that was used before
			checkMemory[float32](t, n)
			checkMemory[float64](t, n)
		}
	}
}

func checkMemory[T Float](t *testing.T, n int) {
	s := Memory[T](n)
	require.Len(t, s, n)
	require.Equal(t, n, cap(s))
	for i, v := range s {
		if v != 0 {
			t.Fatalf("element %d of %d is %v", i, n, v)
		}
		s[i] = 1
	}
	align := uintptr(cacheLine)
	if n*int(unsafe.Sizeof(*new(T))) > hugePage/2 {
		align = hugePage
	}
	if n > 0 {
		require.Zero(t, uintptr(unsafe.Pointer(&s[0]))%align, "%d elements", n)
	}
}
