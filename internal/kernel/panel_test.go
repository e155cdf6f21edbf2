package kernel

import (
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDoublePanel(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			var mem arena
			defer mem.free()
			rows, terms := rapid.IntRange(1, PanelRows).Draw(t, "rows"), rapid.IntRange(0, 40).Draw(t, "terms")
			ldc := DoubleColumns + rapid.IntRange(0, 3).Draw(t, "more")
			resume := rapid.Bool().Draw(t, "resume")
			rng := newRand(rapid.Uint64().Draw(t, "seed"))
			draw := func(n int) []float64 {
				s := make([]float64, n)
				for i := range s {
					s[i] = rng.NormFloat64()
				}
				return guarded(&mem, s)
			}
			a, b, c := draw(terms*rows), draw(terms*DoubleColumns), draw((rows-1)*ldc+DoubleColumns)
			want := append([]float64(nil), c...)
			for i := range rows {
				for j := range DoubleColumns {
					s := 0.0
					if resume {
						s = c[i*ldc+j]
					}
					for l := range terms {
						s += float64(a[l*rows+i] * b[l*DoubleColumns+j])
					}
					want[i*ldc+j] = s
				}
			}
			DoublePanel(c, ldc, a, b, rows, terms, resume)
			require.Equal(t, want, c)
		})
	})
}

func TestShortPanel(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			var mem arena
			defer mem.free()
			rows, pairs := rapid.IntRange(1, PanelRows).Draw(t, "rows"), rapid.IntRange(0, 40).Draw(t, "pairs")
			ldc := ShortColumns + rapid.IntRange(0, 3).Draw(t, "more")
			resume := rapid.Bool().Draw(t, "resume")
			most := rapid.SampledFrom([]int{1, 1000, math.MaxInt16}).Draw(t, "most")
			rng := newRand(rapid.Uint64().Draw(t, "seed"))
			// The pairs of int16 lie in a slice of float32, which has their size and a guard page.
			draw := func(pairs int) []int16 {
				f := guarded(&mem, make([]float32, pairs))
				s := unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(f))), 2*pairs)
				for i := range s {
					s[i] = int16(rng.IntN(2*most+1) - most)
				}
				return s
			}
			a, b, c := draw(pairs*rows), draw(pairs*ShortColumns), make([]int32, (rows-1)*ldc+ShortColumns)
			for i := range c {
				c[i] = rng.Int32()
			}
			want := append([]int32(nil), c...)
			for i := range rows {
				for j := range ShortColumns {
					if !resume {
						want[i*ldc+j] = 0
					}
					for l := range 2 * pairs {
						want[i*ldc+j] += int32(a[l/2*2*rows+2*i+l%2]) * int32(b[l/2*2*ShortColumns+2*j+l%2])
					}
				}
			}
			ShortPanel(c, ldc, a, b, rows, pairs, resume)
			require.Equal(t, want, c)
		})
	})
}

func TestNotBelow(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			var mem arena
			defer mem.free()
			n := 8 * rapid.IntRange(0, 20).Draw(t, "eights")
			gain, shift := guarded(&mem, special[float32](t, n, "gain")), guarded(&mem, special[float32](t, n, "shift"))
			scale, bound := special[float32](t, 1, "scale")[0], special[float32](t, 1, "bound")[0]
			rng := newRand(rapid.Uint64().Draw(t, "seed"))
			f := guarded(&mem, make([]float32, n))
			src := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(f))), n)
			for i := range src {
				src[i] = int32(rng.Uint32()) >> rng.IntN(32)
			}
			got := make([]uint8, n/8)
			NotBelow(got, src, gain, shift, scale, bound)
			for i := range src {
				v := float32(src[i])
				v *= gain[i]
				v *= scale
				v = float32(v) + shift[i]
				require.Equal(t, !(v < bound), got[i/8]>>(i%8)&1 == 1, "%d", i)
			}
		})
	})
}

func TestRotate(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			var mem arena
			defer mem.free()
			n := rapid.IntRange(0, 20).Draw(t, "turns")
			rng := newRand(rapid.Uint64().Draw(t, "seed"))
			draw := func(n int) []float64 {
				s := make([]float64, n)
				for i := range s {
					s[i] = rng.NormFloat64()
				}
				return guarded(&mem, s)
			}
			rows, turns := draw((n+1)*RotateColumns), draw(2*n)
			want := append([]float64(nil), rows...)
			up := rapid.Bool().Draw(t, "up")
			for i := range n {
				from, to := i, i+1
				if up {
					from, to = n-i, n-i-1
				}
				for j := range RotateColumns {
					x, y, c, s := want[from*RotateColumns+j], want[to*RotateColumns+j], turns[2*i], turns[2*i+1]
					want[from*RotateColumns+j] = float64(c*x) + float64(s*y)
					want[to*RotateColumns+j] = float64(c*y) - float64(s*x)
				}
			}
			Rotate(rows, turns, up)
			require.Equal(t, want, rows)
		})
	})
}

func TestPanelsAreChecked(t *testing.T) {
	require.Panics(t, func() { DoublePanel(make([]float64, 100), 8, nil, nil, 7, 0, false) })
	require.Panics(t, func() { ShortPanel(make([]int32, 100), 16, nil, nil, 0, 0, false) })
	require.Panics(t, func() { NotBelow(nil, make([]int32, 7), nil, nil, 1, 1) })
}

func BenchmarkDoublePanel(b *testing.B) {
	const terms = 256
	a, r, c := make([]float64, terms*PanelRows), make([]float64, terms*DoubleColumns),
		make([]float64, PanelRows*DoubleColumns)
	for b.Loop() {
		DoublePanel(c, DoubleColumns, a, r, PanelRows, terms, false)
	}
	b.ReportMetric(2*terms*PanelRows*DoubleColumns*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}

func BenchmarkShortPanel(b *testing.B) {
	const pairs = 256
	a, r, c := make([]int16, 2*pairs*PanelRows), make([]int16, 2*pairs*ShortColumns),
		make([]int32, PanelRows*ShortColumns)
	for b.Loop() {
		ShortPanel(c, ShortColumns, a, r, PanelRows, pairs, false)
	}
	b.ReportMetric(2*2*pairs*PanelRows*ShortColumns*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GOP/s")
}

func BenchmarkRotate(b *testing.B) {
	rows, turns := make([]float64, 1025*RotateColumns), make([]float64, 2*1024)
	for b.Loop() {
		Rotate(rows, turns, false)
	}
	b.ReportMetric(6*1024*RotateColumns*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}
