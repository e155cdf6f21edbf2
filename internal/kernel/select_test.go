package kernel

import (
	"math/bits"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func propSelect[T Float](t *rapid.T) {
	var mem arena
	defer mem.free()
	n := rapid.IntRange(0, 300).Draw(t, "n")
	on, off := guarded(&mem, special[T](t, n, "on")), guarded(&mem, special[T](t, n, "off"))
	rng := newRand(rapid.Uint64().Draw(t, "bits"))
	// The words of bits lie in a slice of float64, which has their size and a guard page.
	lanes := guarded(&mem, make([]float64, (n+63)/64))
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(lanes))), len(lanes))
	for i := range words {
		words[i] = rng.Uint64()
	}
	want, got := make([]T, n), guarded(&mem, nans[T](n))
	for i := range want {
		want[i] = off[i]
		if bits.RotateLeft64(words[i/64], -i)&1 == 1 {
			want[i] = on[i]
		}
	}
	Select(got, on, off, words)
	require.Equal(t, bitsOf(want), bitsOf(got))
	for _, in := range [][]T{on, off} { // in place
		dst := append([]T(nil), in...)
		a, b := on, off
		if n > 0 && &in[0] == &on[0] {
			a = dst
		} else {
			b = dst
		}
		Select(dst, a, b, words)
		require.Equal(t, bitsOf(want), bitsOf(dst))
	}
}

func TestSelect(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propSelect[float32]) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propSelect[float64]) })
}

func FuzzSelect(f *testing.F) { fuzzAtLevels(f, propSelect[float32]) }
