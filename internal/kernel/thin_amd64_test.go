//go:build amd64 && !noasm

package kernel

import (
	"os"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestThinTile: a thin tile gives the bits of the tiles of whole vectors, with every option, NaN and infinities among
// the terms, and touches nothing else.
func TestThinTile(t *testing.T) {
	if !slices.Contains(Levels(), avx512.String()) {
		t.Skip("the processor has no AVX-512")
	}
	rapid.Check(t, func(t *rapid.T) {
		var mem arena
		defer mem.free()
		rows, tiles := rapid.IntRange(1, 12).Draw(t, "rows"), rapid.IntRange(1, thinTogether).Draw(t, "tiles")
		cols, k := rapid.IntRange(1, thinColumns).Draw(t, "columns"), rapid.IntRange(1, 40).Draw(t, "terms")
		ldc, ldb := cols+rapid.IntRange(0, 20).Draw(t, "apart"), cols+rapid.IntRange(0, 20).Draw(t, "terms apart")
		m := tiles * rows
		numbers := func(n int, label string) []float32 {
			return randSlice[float32](newRand(rapid.Uint64().Draw(t, label)), n)
		}
		if rapid.Bool().Draw(t, "infinities") {
			numbers = func(n int, label string) []float32 { return special[float32](t, n, label) }
		}
		a, b := guarded(&mem, numbers(m*k, "weights")), guarded(&mem, numbers((k-1)*ldb+cols, "x"))
		bias := guarded(&mem, numbers(m, "bias"))
		c := numbers((m-1)*ldc+cols, "outputs")
		got, res := guarded(&mem, c), guarded(&mem, numbers(len(c), "residual"))
		off := make([]int32, k)
		for i := range off {
			off[i] = int32(4 * i * ldb)
		}
		args := tileArgs{k: k, off: unsafe.Pointer(&off[0]), b: ptr(b, 0), ldc: 4 * ldc, ceil: 6,
			flags: rapid.IntRange(0, 7).Draw(t, "flags")}
		with := rapid.IntRange(0, 3).Draw(t, "bias and residual")
		at := func(t tileArgs, tile int, c []float32) tileArgs {
			t.a, t.c = ptr(a, tile*rows*k), ptr(c, tile*rows*ldc)
			if with&1 > 0 {
				t.bias = ptr(bias, tile*rows)
			}
			if with&2 > 0 {
				t.res = ptr(res, tile*rows*ldc)
			}
			return t
		}
		first := at(args, 0, got)
		thinTile(rows, tiles, cols, &first)

		want := append(append([]float32{}, c...), make([]float32, 16)...)
		wide := make([]float32, len(b)+16) // since whole vectors are read
		copy(wide, b)
		args.b = ptr(wide, 0)
		args.mask = tileMask(avx512, cols)
		for tile := range tiles {
			one := at(args, tile, want)
			tileAVX512(rows, 1, &one)
		}
		require.Equal(t, bitsOf(want[:len(c)]), bitsOf(got))
	})
}

// TestThinSpeed logs what a thin tile takes beside the tiles of whole vectors. It runs only if the variable SPEED is
// set.
func TestThinSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("set SPEED=1")
	}
	const rows, tiles = 12, 4
	for _, k := range []int{64, 160, 384} {
		a, b, c := make([]float32, tiles*rows*k), make([]float32, 32*k+64), make([]float32, tiles*rows*49)
		off := make([]int32, k)
		for i := range off {
			off[i] = int32(128 * i)
		}
		args := tileArgs{a: ptr(a, 0), k: k, off: unsafe.Pointer(&off[0]), b: ptr(b, 0), c: ptr(c, 0), ldc: 4 * 49}
		whole := best(func() {
			for i := range tiles {
				one := args
				one.a, one.mask = ptr(a, i*rows*k), 1
				tileAVX512(rows, 1, &one)
			}
		}, 100)
		for cols := 1; cols <= thinColumns; cols++ {
			s := best(func() { thinTile(rows, tiles, cols, &args) }, 100)
			t.Logf("k=%d: %d columns %.0f ns, a vector of columns %.0f ns", k, cols, s*1e9, whole*1e9)
		}
	}
}
