package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// special draws ordinary values and, among them, values that matter at boundaries.
func special[T Float](t *rapid.T, n int, label string) []T {
	rng := newRand(rapid.Uint64().Draw(t, label))
	s := randSlice[T](rng, n)
	for i := range s {
		switch rng.IntN(12) {
		case 0:
			s[i] = 0
		case 1:
			s[i] = T(math.Copysign(0, -1))
		case 2:
			s[i] = T(math.NaN())
		case 3:
			s[i] = T(math.Inf(1))
		case 4:
			s[i] = T(math.Inf(-1))
		case 5:
			s[i] = 0.5
		case 6:
			s[i] = 1
		}
	}
	return s
}

// same requires that two values are equal, where NaN equals NaN and the zeros equal each other, or that they differ by
// at most tol relative to scale.
func same[T Float](t require.TestingT, want float64, got T, tol float64, msg string, args ...any) {
	g := float64(got)
	if math.IsNaN(want) && math.IsNaN(g) || want == g || math.Abs(want-g) <= tol {
		return
	}
	require.Failf(t, "not the same", msg+": want %v, got %v, tolerance %v", append(args, want, got, tol)...)
}

// elementwise returns the operations of up to three inputs, each with its formula.
func elementwise[T Float](alpha T, limit []T, channels int, scale, shift []T, relu, accumulate bool,
	old []T) map[string]struct {
	run  func(dst, a, b []T)
	want func(i int, a, b float64) float64
} {
	at := func(s []T, i, n int, otherwise float64) float64 {
		if s == nil {
			return otherwise
		}
		return float64(s[i/n])
	}
	pos := func(v float64) float64 {
		if v < 0 {
			return 0
		}
		return v
	}
	lim := func(i int) float64 { return float64(limit[i%len(limit)]) }
	hw := max(1, len(old)/max(channels, 1))
	return map[string]struct {
		run  func(dst, a, b []T)
		want func(i int, a, b float64) float64
	}{
		"Add": {func(d, a, b []T) { Add(d, a, b) }, func(_ int, a, b float64) float64 { return a + b }},
		"AddTo": {func(d, a, b []T) { copy(d, old); AddTo(d, a) },
			func(i int, a, b float64) float64 { return float64(old[i]) + a }},
		"Mix": {func(d, a, b []T) { Mix(d, a, b, old) }, func(i int, a, b float64) float64 {
			switch r := float64(old[i]); a {
			case 1:
				return b
			case 0:
				return r
			default:
				return r + a*(b-r)
			}
		}},
		"Mul": {func(d, a, b []T) { Mul(d, a, b) }, func(_ int, a, b float64) float64 { return a * b }},
		"Scale": {func(d, a, b []T) {
			Scale(d, a, alpha)
		}, func(_ int, a, b float64) float64 { return float64(alpha) * a }},
		"Axpy": {func(d, a, b []T) { copy(d, old); Axpy(d, a, alpha) },
			func(i int, a, b float64) float64 { return float64(old[i]) + float64(alpha)*a }},
		"ReLU": {func(d, a, b []T) { ReLU(d, a) }, func(_ int, a, b float64) float64 { return pos(a) }},
		"ReLUBackward": {func(d, a, b []T) { ReLUBackward(d, a, b) }, func(_ int, a, b float64) float64 {
			if b > 0 {
				return a
			}
			return 0
		}},
		"ClipMax": {func(d, a, b []T) { ClipMax(d, a, limit) }, func(i int, a, b float64) float64 {
			if a > lim(i) {
				return lim(i)
			}
			return a
		}},
		"ClipMaxBackward": {func(d, a, b []T) { ClipMaxBackward(d, a, b, limit) }, func(i int, a, b float64) float64 {
			if b <= lim(i) {
				return a
			}
			return 0
		}},
		"Affine": {func(d, a, b []T) { Affine(d, a, scale, shift, channels, hw, relu) },
			func(i int, a, b float64) float64 {
				v := at(scale, i, hw, 1)*a + at(shift, i, hw, 0)
				if relu {
					v = pos(v)
				}
				return v
			}},
		"AffineBackward": {func(d, a, b []T) {
			copy(d, old)
			AffineBackward(d, a, b, scale, channels, hw, relu, accumulate)
		}, func(i int, a, b float64) float64 {
			v := at(scale, i, hw, 1) * a
			if relu && !(b > 0) {
				v = 0
			}
			if accumulate {
				v += float64(old[i])
			}
			return v
		}},
	}
}

func propElementwise[T Float](eps float64) func(*rapid.T) {
	return func(t *rapid.T) {
		var mem arena
		defer mem.free()
		channels := rapid.IntRange(1, 4).Draw(t, "channels")
		n := channels * rapid.IntRange(1, 70).Draw(t, "hw")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		a, b := guarded(&mem, special[T](t, n, "a")), guarded(&mem, special[T](t, n, "b"))
		limit := guarded(&mem, randSlice[T](rng, 1))
		if rapid.Bool().Draw(t, "per neuron") {
			limit = guarded(&mem, randSlice[T](rng, rapid.IntRange(2, 40).Draw(t, "limits")))
		}
		limit[0] = 0.5
		opt := func(name string) []T {
			if rapid.Bool().Draw(t, name) {
				return randSlice[T](rng, channels)
			}
			return nil
		}
		old := randSlice[T](rng, n)
		ops := elementwise(T(-0.75), limit, channels, opt("scale"), opt("shift"), rapid.Bool().Draw(t, "relu"),
			rapid.Bool().Draw(t, "accumulate"), old)
		for name, op := range ops {
			dst := guarded(&mem, nans[T](n))
			op.run(dst, a, b)
			for i := range dst {
				x, y := float64(a[i]), float64(b[i])
				same(t, op.want(i, x, y), dst[i], 8*eps, "%s %d of %d: a %v b %v", name, i, n, x, y)
			}
		}
	}
}

func TestElementwise(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propElementwise[float32](eps32)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propElementwise[float64](eps64)) })
}

func TestElementwiseInPlace(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rng := newRand(4)
		for n := 1; n < 70; n++ {
			a, b, limit := randSlice[float32](rng, n), randSlice[float32](rng, n), []float32{0.25}
			for name, f := range map[string]func(dst, a []float32){
				"Add":             func(d, a []float32) { Add(d, a, b) },
				"Mul":             func(d, a []float32) { Mul(d, b, a) },
				"Mix":             func(d, a []float32) { Mix(d, a, b, b) },
				"Mix of":          func(d, a []float32) { Mix(d, b, a, b) },
				"Mix with":        func(d, a []float32) { Mix(d, b, b, a) },
				"Scale":           func(d, a []float32) { Scale(d, a, 3) },
				"ReLU":            func(d, a []float32) { ReLU(d, a) },
				"ReLUBackward":    func(d, a []float32) { ReLUBackward(d, a, b) },
				"ClipMax":         func(d, a []float32) { ClipMax(d, a, limit) },
				"ClipMaxBackward": func(d, a []float32) { ClipMaxBackward(d, a, b, limit) },
				"Affine":          func(d, a []float32) { Affine(d, a, b[:1], nil, 1, n, true) },
				"AffineBackward":  func(d, a []float32) { AffineBackward(d, a, b, nil, 1, n, true, false) },
			} {
				want := make([]float32, n)
				f(want, a)
				got := append([]float32(nil), a...)
				f(got, got)
				require.Equal(t, want, got, "%s of %d", name, n)
			}
		}
	})
}

// TestMixBits: masks between 0 and 1 mix to the same bits whatever the instruction set.
func TestMixBits(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rng := newRand(6)
		for n := range 70 {
			m, p, r, got := randSlice[float32](rng, n), randSlice[float32](rng, n), randSlice[float32](rng, n),
				make([]float32, n)
			Mix(got, m, p, r)
			for i := range got {
				d := float32(p[i] - r[i])
				d = float32(m[i] * d)
				require.Equal(t, r[i]+d, got[i])
			}
		}
	})
}

func TestDot(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		var mem arena
		defer mem.free()
		rng := newRand(9)
		require.Zero(t, Dot[float32](nil, nil))
		for n := 1; n < 100; n++ {
			a, b := guarded(&mem, randSlice[float32](rng, n)), guarded(&mem, randSlice[float32](rng, n))
			want, mag := dot64(to64(a), to64(b))
			require.InDelta(t, want, Dot(a, b), eps32*float64(n)*mag)
		}
	})
}
