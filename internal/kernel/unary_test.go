package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/racetest"
)

// activations has at least one activation of every kind.
var activations = []Activation{
	{Kind: ActIdentity}, {Kind: ActReLU}, {Kind: ActReLU6}, {ActClamp, -0.75, 1.5}, {ActClamp, math.Inf(-1), 0.3},
	{ActClamp, 1, -1},
	{Kind: ActSigmoid}, {ActSwish, 1, 0}, {ActSwish, -1.702, 0}, {ActHardSigmoid, 0.2, 0.5},
	{ActHardSigmoid, 1.0 / 6, 0.5}, {Kind: ActHardSwish},
	{Kind: ActGELU}, {Kind: ActGELUTanh}, {Kind: ActTanh}, {Kind: ActSoftplus}, {Kind: ActMish}, {Kind: ActSoftsign},
	{ActLeakyReLU, 0.01, 0},
	{ActLeakyReLU, -2, 0}, {ActELU, 1, 0}, {ActELU, 0.3, 0}, {ActCELU, 2, 0}, {ActCELU, -0.5, 0},
	{ActSELU, 1.67326, 1.0507},
	{Kind: ActExp}, {Kind: ActLog}, {Kind: ActSqrt}, {Kind: ActReciprocal}, {Kind: ActAbs}, {Kind: ActNeg},
	{Kind: ActErf}, {Kind: ActSin},
	{Kind: ActCos}, {Kind: ActSquare}, {Kind: ActFloor}, {Kind: ActCeil}, {Kind: ActRound}, {Kind: ActSign},
}

// anyFloat draws a float32 of any kind: a special value, one near it, an ordinary one, or random bits.
func anyFloat(rng *rand.Rand) float32 {
	switch rng.IntN(8) {
	case 0:
		return math.Float32frombits(rng.Uint32())
	case 1, 2:
		s := [...]float64{0, 1, 0.5, 0.6, 3, 6, 20, 87.3, 88.7228, 88.8, 89, 103.9, 104, 1e-45, 1e-38, 1e-30, 1e-8,
			1e20, math.MaxFloat32, math.Inf(1), math.NaN()}
		v := float32(s[rng.IntN(len(s))])
		if rng.IntN(2) == 0 {
			v = -v
		}
		if rng.IntN(3) == 0 && v-v == 0 {
			v = math.Nextafter32(v, float32(rng.IntN(3)-1)*math.MaxFloat32)
		}
		return v
	case 3:
		return float32(200 * (rng.Float64() - 0.5))
	}
	return float32(rng.NormFloat64() * 4)
}

func anyFloats(rng *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = anyFloat(rng)
	}
	return s
}

// requireBits requires equal bits. All NaNs count as equal.
func requireBits(t require.TestingT, want, got []float32, format string, args ...any) {
	for i, w := range want {
		if math.Float32bits(w) != math.Float32bits(got[i]) && (w == w || got[i] == got[i]) {
			require.Failf(t, "other bits", format+": element %d is %v (%#x), expected %v (%#x)",
				append(args, i, got[i], math.Float32bits(got[i]), w, math.Float32bits(w))...)
		}
	}
}

// checkUnary runs a function and its gradient on x at every level, in place and not.
func checkUnary(t require.TestingT, a Activation, x, dy []float32) {
	var mem arena
	defer mem.free()
	n := len(x)
	u := newUnary32(a)
	want, grad := make([]float32, n), make([]float32, n)
	u.each(want, x)
	u.eachSlope(grad, dy, x)
	perLevel(t, func() []float32 {
		src, dst := guarded(&mem, x), guarded(&mem, nans[float32](n))
		Activate(dst, src, a)
		requireBits(t, want, dst, "%v %s of %v", a, Level(), x)
		requireBits(t, x, src, "input of %v", a)
		Activate(src, src, a)
		requireBits(t, want, src, "%v %s in place", a, Level())
		copy(src, x)
		for i := range dst {
			dst[i] = float32(math.NaN())
		}
		g := guarded(&mem, dy)
		ActivateBackward(dst, g, src, a)
		requireBits(t, grad, dst, "gradient of %v %s of %v by %v", a, Level(), x, dy)
		ActivateBackward(g, g, src, a)
		requireBits(t, grad, g, "gradient of %v %s in place", a, Level())
		ActivateBackward(src, append([]float32(nil), dy...), src, a)
		requireBits(t, grad, src, "gradient of %v %s over x", a, Level())
		return nil
	})
	for i, v := range x {
		if v != v {
			require.True(t, math.IsNaN(float64(want[i])), "%v of NaN is %v", a, want[i])
		}
	}
}

func propUnary(t *rapid.T) {
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	n := rapid.IntRange(0, 70).Draw(t, "n")
	checkUnary(t, rapid.SampledFrom(activations).Draw(t, "activation"), anyFloats(rng, n), anyFloats(rng, n))
}

func TestUnaryTwins(t *testing.T) {
	rapid.Check(t, propUnary)
	for _, a := range activations {
		rng := newRand(uint64(a.Kind))
		for n := range 20 {
			checkUnary(t, a, anyFloats(rng, n), anyFloats(rng, n))
		}
		checkUnary(t, a, anyFloats(rng, 20_000), anyFloats(rng, 20_000))
	}
}

func FuzzUnary(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propUnary)) }

// TestUnaryAccuracy checks the errors of functions and derivatives in float32 against the documented bounds.
func TestUnaryAccuracy(t *testing.T) {
	racetest.OneGoroutine(t)
	for _, a := range activations {
		ulp, abs := 0.5, 0.0
		switch a.Kind {
		case ActSigmoid, ActSwish, ActTanh, ActSoftplus, ActMish, ActELU, ActCELU, ActSELU, ActExp, ActErf:
			ulp, abs = 4, 1e-36
			if a.Kind == ActSwish && a.A != 1 { // A·x is rounded
				abs = 1e-7
			}
		case ActGELU, ActGELUTanh:
			ulp, abs = 3, 5e-8
		case ActHardSigmoid, ActHardSwish:
			ulp, abs = 1, 5e-7
		case ActClamp, ActLeakyReLU: // the parameters are rounded to float32
			ulp = 1
		case ActSoftsign:
			ulp = 1.5
		}
		within := func(what string, x, want float64, got float32, ulps, abs float64) {
			w := float32(math.Abs(want))
			if math.IsNaN(want) || w > math.MaxFloat32/2 {
				return
			}
			unit := float64(math.Nextafter32(w, math.MaxFloat32) - w)
			if e := math.Abs(float64(got) - want); !(e <= ulps*unit+abs) {
				require.Failf(t, "inaccurate", "%s of %v at %v is %v, expected %v: off by %.3g or %.3g units", what, a,
					x, got, want, e, e/unit)
			}
		}
		u := newUnary32(a)
		each := func(x float32) {
			within("value", float64(x), a.at64(float64(x)), u.at(x), ulp, abs)
			within("slope", float64(x), a.slope64(float64(x)), u.slope(x), 4, 3e-7)
		}
		for x := float32(-110); x < 110; x += 0.00371 {
			each(x)
		}
		for x := float32(1e-40); x < 110; x *= 1.0007 {
			each(x)
			each(-x)
		}
	}
}

// BenchmarkActivate reports the rate of bytes read, for data in the L1 cache.
func BenchmarkActivate(b *testing.B) {
	for _, level := range Levels() {
		for _, a := range []Activation{{ActSwish, 1, 0}, {Kind: ActHardSwish}, {Kind: ActSigmoid}, {Kind: ActGELU},
			{Kind: ActReLU6}} {
			x, dy, dst := randSlice[float32](newRand(1), 2048), randSlice[float32](newRand(2), 2048),
				make([]float32, 2048)
			run := func(name string, f func()) {
				b.Run(level+"/"+a.Kind.String()+name, func(b *testing.B) {
					restore, err := ForceLevel(level)
					require.NoError(b, err)
					defer restore()
					b.SetBytes(4 * 2048)
					for b.Loop() {
						f()
					}
				})
			}
			run("", func() { Activate(dst, x, a) })
			run("'", func() { ActivateBackward(dst, dy, x, a) })
		}
	}
}
