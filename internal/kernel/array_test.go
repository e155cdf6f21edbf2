package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func propPairs[T Float](t *rapid.T) {
	var mem arena
	defer mem.free()
	n := rapid.IntRange(1, 90).Draw(t, "n")
	a, b := guarded(&mem, special[T](t, n, "a")), guarded(&mem, special[T](t, n, "b"))
	s := special[T](t, 1, "s")[0]
	for name, op := range map[string]struct {
		run  func(dst, a, b []T)
		want func(a, b T) T
	}{
		"Shift":   {func(d, a, _ []T) { Shift(d, a, s) }, func(a, _ T) T { return a + s }},
		"Sub":     {func(d, a, b []T) { Sub(d, a, b) }, func(a, b T) T { return a - b }},
		"SubFrom": {func(d, a, _ []T) { SubFrom(d, s, a) }, func(a, _ T) T { return s - a }},
		"Div":     {func(d, a, b []T) { Div(d, a, b) }, func(a, b T) T { return a / b }},
		"DivBy":   {func(d, a, _ []T) { DivBy(d, a, s) }, func(a, _ T) T { return a / s }},
		"DivInto": {func(d, a, _ []T) { DivInto(d, s, a) }, func(a, _ T) T { return s / a }},
		"Maximum": {func(d, a, b []T) { Maximum(d, a, b) }, func(a, b T) T { return max(a, b) }},
		"AtLeast": {func(d, a, _ []T) { AtLeast(d, a, s) }, func(a, _ T) T { return max(a, s) }},
		"Minimum": {func(d, a, b []T) { Minimum(d, a, b) }, func(a, b T) T { return min(a, b) }},
		"AtMost":  {func(d, a, _ []T) { AtMost(d, a, s) }, func(a, _ T) T { return min(a, s) }},
	} {
		dst := guarded(&mem, nans[T](n))
		op.run(dst, a, b)
		for i := range dst {
			same(t, float64(op.want(a[i], b[i])), dst[i], 0, "%s %d of %d: a %v b %v s %v", name, i, n, a[i], b[i], s)
		}
		in := append([]T(nil), a...)
		op.run(in, in, b)
		for i := range dst {
			same(t, float64(dst[i]), in[i], 0, "%s in place, %d of %d", name, i, n)
		}
	}
}

// propRows compares rows that are scaled and shifted in one call with rows done one by one.
func propRows[T Float](t *rapid.T) {
	var mem arena
	defer mem.free()
	rows, n := rapid.IntRange(1, 9).Draw(t, "rows"), rapid.IntRange(1, 40).Draw(t, "n")
	a, s := guarded(&mem, special[T](t, rows*n, "a")), guarded(&mem, special[T](t, rows, "s"))
	scaled, shifted := guarded(&mem, nans[T](rows*n)), guarded(&mem, nans[T](rows*n))
	ScaleRows(scaled, a, s, n)
	ShiftRows(shifted, a, s, n)
	for i, v := range a {
		same(t, float64(v*s[i/n]), scaled[i], 0, "scaled %d of rows of %d", i, n)
		same(t, float64(v+s[i/n]), shifted[i], 0, "shifted %d of rows of %d", i, n)
	}
}

func TestRows(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propRows[float32]) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propRows[float64]) })
}

func TestPairs(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propPairs[float32]) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propPairs[float64]) })
}

func propMove[T Float](t *rapid.T) {
	var mem arena
	defer mem.free()
	rows, cols := rapid.IntRange(1, 40).Draw(t, "rows"), rapid.IntRange(1, 150).Draw(t, "cols")
	gap := rapid.IntRange(0, 3).Draw(t, "gap")
	m := Moving{Rows: rows, RowDst: cols + gap, Cols: cols, ColDst: 1}
	from := 0
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0: // transposition
		m.RowSrc, m.ColSrc = 1, rows+gap
	case 1: // rows
		m.RowSrc, m.ColSrc = cols+gap, 1
	case 2: // repeated
		m.RowSrc, m.ColSrc = 1, 0
	case 3: // backward
		m.RowSrc, m.ColSrc = cols, -1
		from = cols - 1
	case 4:
		m.RowSrc, m.ColSrc = 1, -rows
		from = (cols - 1) * rows
	case 5: // spread
		m.RowSrc, m.ColSrc, m.RowDst, m.ColDst = cols, 1, 2*cols, 2
	}
	last := func(row, col int) int { return max(0, (rows-1)*row) + max(0, (cols-1)*col) }
	src := guarded(&mem, randSlice[T](newRand(1), from+1+last(m.RowSrc, m.ColSrc)))
	dst := guarded(&mem, nans[T](last(m.RowDst, m.ColDst)+1))
	want := nans[T](len(dst))
	for i := range rows {
		for j := range cols {
			want[i*m.RowDst+j*m.ColDst] = src[from+i*m.RowSrc+j*m.ColSrc]
		}
	}
	Move(dst, 0, src, from, m)
	require.Equal(t, bitsOf(want), bitsOf(dst))
}

func TestMove(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propMove[float32]) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propMove[float64]) })
}

func propReduce[T Float](t *rapid.T) {
	outer, k, inner := rapid.IntRange(1, 6).Draw(t, "outer"), rapid.IntRange(1, 150).Draw(t, "k"),
		rapid.IntRange(1, 20).Draw(t, "inner")
	src := special[T](t, outer*k*inner, "src")
	if rapid.Bool().Draw(t, "ordinary") {
		src = randSlice[T](newRand(3), len(src))
	}
	sum, high, low := nans[T](outer*inner), nans[T](outer*inner), nans[T](outer*inner)
	ReduceSum(sum, src, outer, k, inner)
	ReduceMax(high, src, outer, k, inner)
	ReduceMin(low, src, outer, k, inner)
	for o := range outer {
		for i := range inner {
			s, h, l := 0.0, math.Inf(-1), math.Inf(1)
			for j := range k {
				v := float64(src[(o*k+j)*inner+i])
				s, h, l = s+v, max(h, v), min(l, v)
			}
			at := o*inner + i
			same(t, s, sum[at], 1e-4, "sum %d", at)
			same(t, h, high[at], 0, "maximum %d", at)
			same(t, l, low[at], 0, "minimum %d", at)
		}
	}
}

func TestReduce(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propReduce[float32]) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propReduce[float64]) })
}

// TestSoftmaxRows compares with exponentials in float64, and compares a row alone with the same row among others.
func TestSoftmaxRows(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			var mem arena
			defer mem.free()
			n, k := rapid.IntRange(1, 4).Draw(t, "n"), rapid.IntRange(1, 70).Draw(t, "k")
			src := guarded(&mem, randSlice[float32](newRand(rapid.Uint64().Draw(t, "seed")), n*k))
			scale := rapid.SampledFrom([]float32{1, 10, 100, 1e4}).Draw(t, "scale")
			if rapid.Bool().Draw(t, "special") {
				src = guarded(&mem, special[float32](t, n*k, "src"))
			}
			for i := range src {
				src[i] *= scale
			}
			got, want := guarded(&mem, nans[float32](n*k)), make([]float32, n*k)
			SoftmaxRows(got, src, n, k)
			Softmax(want, src, n, k)
			for i, w := range want {
				below := float64(largest(src[i/k*k:][:k]) - src[i]) // rounds to T
				same(t, float64(w), got[i], (4e-7+1e-7*below)*float64(w)+1e-37, "element %d: %v", i, src[i])
			}
			one := make([]float32, k)
			SoftmaxRows(one, src[(n-1)*k:], 1, k)
			require.Equal(t, bitsOf(got[(n-1)*k:]), bitsOf(one))
			SoftmaxRows(src, src, n, k)
			require.Equal(t, bitsOf(got), bitsOf(src))
		})
	})
}

func BenchmarkArray(b *testing.B) {
	x, y := randSlice[float32](newRand(1), 197*768), make([]float32, 197*768)
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"copy", func() { copy(y, x) }},
		{"Sub", func() { Sub(y, x, x) }},
		{"Div", func() { Div(y, x, x) }},
		{"transpose", func() {
			Move(y, 0, x, 0, Moving{Rows: 768, RowSrc: 1, RowDst: 197, Cols: 197, ColSrc: 768, ColDst: 1})
		}},
		{"transpose of three", func() {
			Move(y, 0, x, 0, Moving{Rows: 3, RowSrc: 1, RowDst: 197 * 256, Cols: 197 * 256, ColSrc: 3, ColDst: 1})
		}},
		{"ReduceSum of rows", func() { ReduceSum(y, x, 768, 197, 1) }},
		{"ReduceSum of columns", func() { ReduceSum(y, x, 1, 197, 768) }},
		{"ReduceMax of rows", func() { ReduceMax(y, x, 768, 197, 1) }},
		{"Softmax", func() { Softmax(y, x, 768, 197) }},
		{"SoftmaxRows", func() { SoftmaxRows(y, x, 768, 197) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			b.ReportAllocs()
			for b.Loop() {
				c.f()
			}
		})
	}
}
