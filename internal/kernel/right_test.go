package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// transposed returns x [rows, cols] as [cols, rows].
func transposed[T Float](x []T, rows, cols int) []T {
	out := make([]T, len(x))
	for i := range rows {
		for j := range cols {
			out[j*rows+i] = x[i*cols+j]
		}
	}
	return out
}

func propRight[T Float](eps float64) func(*rapid.T) {
	return func(t *rapid.T) {
		var mem arena
		defer mem.free()
		m, n := rapid.OneOf(rapid.IntRange(1, 30), rapid.IntRange(90, 200)).Draw(t, "m"),
			rapid.IntRange(1, 70).Draw(t, "n")
		k := rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(250, 600)).Draw(t, "k")
		transA, transB := rapid.Bool().Draw(t, "transposed a"), rapid.Bool().Draw(t, "transposed b")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		a, b, old := randSlice[T](rng, m*k), randSlice[T](rng, k*n), randSlice[T](rng, m*n)
		right, left := guarded(&mem, b), guarded(&mem, a)
		if transA {
			left = guarded(&mem, transposed(a, m, k))
		}
		if transB {
			right = guarded(&mem, transposed(b, k, n))
		}
		r := NewRight[T](k, n)
		r.Pack(randSlice[T](rng, k*n), false)
		r.Pack(right, transB)
		dst, sum := guarded(&mem, nans[T](m*n)), guarded(&mem, append([]T(nil), old...))
		scratch := guarded(&mem, nans[T](r.ScratchLen(m)))
		r.Mul(dst, left, m, transA, false, scratch)
		r.Mul(sum, left, m, transA, true, scratch)
		tol := eps * float64(k+2) * 40
		columns := transposed(b, k, n)
		a64, columns64 := to64(a), to64(columns)
		for i := range m {
			for j := range n {
				want, _ := dot64(a64[i*k:][:k], columns64[j*k:][:k])
				plain, added := math.Abs(want-float64(dst[i*n+j])),
					math.Abs(want+float64(old[i*n+j])-float64(sum[i*n+j]))
				require.True(t, plain <= tol && added <= tol, "row %d column %d of %d×%d×%d", i, j, m, k, n)
			}
		}
		// A single row and a single column give the same bits.
		i, j := rapid.IntRange(0, m-1).Draw(t, "row"), rapid.IntRange(0, n-1).Draw(t, "column")
		row := nans[T](n)
		r.Mul(row, a[i*k:], 1, false, false, nans[T](r.ScratchLen(1)))
		require.Equal(t, dst[i*n:][:n], row)
		one := NewRight[T](k, 1)
		one.Pack(columns[j*k:][:k], true)
		column := nans[T](m)
		one.Mul(column, a, m, false, false, nans[T](one.ScratchLen(m)))
		for i, v := range column {
			require.Equal(t, dst[i*n+j], v)
		}
	}
}

func TestRight(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propRight[float32](eps32)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propRight[float64](eps64)) })
}

// propRightTwins checks that all vector code agrees in every bit, and with the generic code to rounding.
func propRightTwins(t *rapid.T) {
	m, k, n := rapid.IntRange(1, 40).Draw(t, "m"), rapid.IntRange(1, 600).Draw(t, "k"), rapid.IntRange(1, 70).Draw(t,
		"n")
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	a, b := randSlice[float32](rng, m*k), randSlice[float32](rng, k*n)
	results := perLevel(t, func() []float32 {
		r := NewRight[float32](k, n)
		r.Pack(b, false)
		dst := nans[float32](m * n)
		r.Mul(dst, a, m, false, false, nans[float32](r.ScratchLen(m)))
		return dst
	})
	for level, got := range results[1:] {
		require.InDeltaSlice(t, results[0], got, 40*eps32*float64(k+2))
		if level > 0 {
			require.Equal(t, results[1], got)
		}
	}
}

func TestRightTwins(t *testing.T) { rapid.Check(t, propRightTwins) }

func FuzzRight(f *testing.F)      { fuzzAtLevels(f, propRight[float32](eps32)) }
func FuzzRightTwins(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propRightTwins)) }

func TestRightOfNothing(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		r := NewRight[float32](0, 3)
		r.Pack(nil, false)
		dst := []float32{1, 2, 3, 4, 5, 6}
		r.Mul(dst, nil, 2, false, true, nans[float32](r.ScratchLen(2)))
		require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, dst)
		r.Mul(dst, nil, 2, false, false, nans[float32](r.ScratchLen(2)))
		require.Equal(t, make([]float32, 6), dst)
		NewRight[float32](3, 0).Mul(nil, make([]float32, 6), 2, false, false, nil)
	})
}

func BenchmarkRight(b *testing.B) {
	for _, c := range []struct {
		name           string
		m, k, n        int
		constant, byTo bool
	}{
		{"mlp", 197, 768, 3072, true, false},
		{"mlp back", 197, 3072, 768, true, false},
		{"query key", 197, 64, 197, false, true},
		{"attend", 197, 197, 64, false, false},
		{"head", 1, 1280, 1000, true, false},
	} {
		rng := newRand(1)
		x, y, dst := randSlice[float32](rng, c.m*c.k), randSlice[float32](rng, c.k*c.n), make([]float32, c.m*c.n)
		var r *Right[float32]
		var scratch []float32
		var at string
		benchAtLevels(b, c.name, "GFLOP/s", float64(2*c.m*c.k*c.n), func() {
			if at != Level() {
				at, r = Level(), NewRight[float32](c.k, c.n)
				r.Pack(y, c.byTo)
				scratch = make([]float32, r.ScratchLen(c.m))
			}
			if !c.constant {
				r.Pack(y, c.byTo)
			}
			r.Mul(dst, x, c.m, false, false, scratch)
		})
	}
}
