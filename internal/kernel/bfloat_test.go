package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// atBFloat16Levels runs a test once for every way to compute in bfloat16.
func atBFloat16Levels(t *testing.T, f func(t *testing.T)) {
	for _, name := range BFloat16Levels() {
		t.Run(name, func(t *testing.T) {
			restore, err := ForceBFloat16(name)
			require.NoError(t, err)
			defer restore()
			f(t)
		})
	}
}

// drawWide draws a float32 of any exponent, or a special one.
func drawWide(t *rapid.T, name string) float32 {
	if rapid.IntRange(0, 9).Draw(t, name+" kind") == 0 {
		return rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)),
			float32(math.Inf(-1)), float32(math.NaN()),
			math.SmallestNonzeroFloat32, 0x1p-126, 0x1.fffffep-127, math.MaxFloat32, 0x1.fep127, 0x1.ffp127}).Draw(t,
			name)
	}
	return math.Float32frombits(rapid.Uint32().Draw(t, name))
}

func TestToBFloat16(t *testing.T) {
	for _, c := range []struct {
		x    float32
		want uint16
	}{
		{1, 0x3f80}, {-2, 0xc000}, {0x1.01p0, 0x3f80}, {0x1.03p0, 0x3f82}, {0x1.010002p0, 0x3f81}, {0x1.fep0, 0x3fff},
		{0x1.ffp0, 0x4000},
		{math.MaxFloat32, 0x7f80}, {float32(math.Inf(-1)), 0xff80}, {0x1p-126, 0x0080}, {-0x1p-127, 0x8000},
		{0x1.fffffcp-127, 0},
		{math.Float32frombits(0x7f800001), 0x7fc0}, {math.Float32frombits(0xffa12345), 0xffe1},
	} {
		require.Equal(t, c.want, toBFloat16(c.x), "%x", c.x)
	}
	// No number with seven bits of fraction is nearer.
	rapid.Check(t, func(t *rapid.T) {
		x := math.Float32frombits(rapid.Uint32Range(0x00800000, 0x7f000000).Draw(t, "x"))
		b := toBFloat16(x)
		off := func(b uint16) float64 { return math.Abs(float64(fromBFloat16(b)) - float64(x)) }
		require.True(t, off(b) <= off(b-1) && off(b) <= off(b+1), "%x", x)
		require.True(t, b&1 == 0 || off(b) < off(b-1) && off(b) < off(b+1), "%x: a tie goes to even", x)
	})
}

func TestFMA32(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawWide(t, "a"), drawWide(t, "b"), drawWide(t, "c")
		if rapid.Bool().Draw(t, "near") { // sums near ties
			c = -float32(float64(a)*float64(b)) * float32(1+rapid.SampledFrom([]float64{0, 0x1p-23, -0x1p-22, 1, 0x1p-1,
				0x1p23}).Draw(t, "off"))
		}
		got := fma32(a, b, c)
		if notFinite(a) || notFinite(b) || notFinite(c) || a == 0 || b == 0 || c == 0 {
			want := float32(float64(a)*float64(b) + float64(c))
			require.True(t, got == want || got != got && want != want, "fma(%x, %x, %x) = %x, expected %x", a, b, c,
				got, want)
			return
		}
		exact := new(big.Float).SetPrec(2000).SetFloat64(float64(a) * float64(b))
		exact.Add(exact, new(big.Float).SetFloat64(float64(c)))
		want, _ := exact.Float32()
		require.Equal(t, want, got, "fma(%x, %x, %x)", a, b, c)
	})
}

func notFinite(x float32) bool { return x != x || math.IsInf(float64(x), 0) }

// TestMultiplyAdd checks the sum of bfloat16 products against exact arithmetic.
func TestMultiplyAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := fromBFloat16(toBFloat16(drawWide(t, "a"))), fromBFloat16(toBFloat16(drawWide(t, "b")))
		sum := flushed(float64(drawWide(t, "sum")))
		if rapid.Bool().Draw(t, "near") {
			sum = flushed(-float64(a) * float64(b) * (1 + rapid.SampledFrom([]float64{0, 0x1p-7, -0x1p-9, 0x1p-16,
				0x1p20, 0x1p-24}).Draw(t, "off")))
		}
		if notFinite(a) || notFinite(b) || notFinite(sum) {
			return
		}
		exact := new(big.Float).SetPrec(2000).SetFloat64(float64(a) * float64(b))
		exact.Add(exact, new(big.Float).SetPrec(2000).SetFloat64(float64(sum)))
		rounded := new(big.Float).SetPrec(24).Set(exact)
		want, _ := rounded.Float32()
		if rounded.Sign() != 0 && rounded.MantExp(nil) <= -126 {
			want = 0
		}
		require.Equal(t, want, multiplyAdd(sum, a, b)+0, "%x + %x * %x", sum, a, b)
	})
}

// drawBFSpec draws a convolution that is computed in bfloat16.
func drawBFSpec(t *rapid.T, rng *rand.Rand) ConvSpec[float32] {
	spec := drawSpec[float32](t, rng)
	g := &spec.Geom
	channels := rapid.IntRange(bfLeast, 70).Draw(t, "channels of a group")
	groups := max(g.Groups, 1)
	if groups > 3 || g.O%2 == 1 {
		groups = 1
	}
	g.Groups, g.C, g.O = groups, groups*channels, groups*rapid.IntRange(1, 70).Draw(t, "outputs of a group")
	if rapid.Bool().Draw(t, "pointwise") {
		g.KH, g.KW, g.SH, g.SW, g.PH, g.PW, g.EH, g.EW = 1, 1, 1, 1, 0, 0, 0, 0
	}
	for spec.Geom.norm().Check() != nil || !bfFits(spec.Geom.norm()) {
		g.H, g.W, g.EH, g.EW = g.H+1, g.W+2, 0, 0
	}
	resize := func(s []float32, n int) []float32 {
		if s == nil {
			return nil
		}
		return randSlice[float32](rng, n)
	}
	n := spec.Geom.norm()
	spec.Weight = randSlice[float32](rng, n.WeightLen())
	spec.PreScale, spec.PreShift = resize(spec.PreScale, n.C), resize(spec.PreShift, n.C)
	spec.PostScale, spec.PostShift = resize(spec.PostScale, n.O), resize(spec.PostShift, n.O)
	spec.BFloat16 = true
	return spec
}

// runBF runs a convolution in the forced way, on memory between guard pages.
func runBF(t require.TestingT, spec ConvSpec[float32], x, residual []float32) []float32 {
	c, err := NewConv(spec)
	require.NoError(t, err)
	require.NotNil(t, c.bf, "%+v", spec.Geom)
	var a arena
	defer a.free()
	dst := guarded(&a, make([]float32, c.g.OutLen()))
	src, scratch := guarded(&a, x), guarded(&a, make([]float32, c.ScratchLen()))
	for i := range scratch {
		scratch[i] = float32(math.NaN())
	}
	if residual != nil {
		residual = guarded(&a, residual)
	}
	c.Forward(dst, src, residual, scratch)
	return append([]float32(nil), dst...)
}

// TestBFloat16Conv checks convolutions in bfloat16 against float64 on the same rounded operands, and that AMX gives the
// bits of portable code.
func TestBFloat16Conv(t *testing.T) { rapid.Check(t, propBFloat16Conv) }

func FuzzBFloat16Conv(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propBFloat16Conv)) }

func propBFloat16Conv(t *rapid.T) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	spec := drawBFSpec(t, rng)
	g := spec.Geom.norm()
	x := randSlice[float32](rng, g.InLen())
	var residual []float32
	if rapid.Bool().Draw(t, "residual") {
		residual = randSlice[float32](rng, g.OutLen())
	}
	if rapid.IntRange(0, 4).Draw(t, "not finite") == 0 {
		x[rng.IntN(len(x))] = float32(math.NaN())
		x[rng.IntN(len(x))] = float32(math.Inf(1))
	}
	want, bound := refBF(spec, x, residual)
	outs := map[string][]float32{}
	for _, name := range BFloat16Levels() {
		restore, err := ForceBFloat16(name)
		require.NoError(t, err)
		outs[name] = runBF(t, spec, x, residual)
		restore()
		for i, v := range outs[name] {
			if want[i] != want[i] || math.IsInf(want[i], 0) {
				continue
			}
			require.InDelta(t, want[i], float64(v), bound[i], "%s: output %d of %+v", name, i, g)
		}
	}
	if got, ok := outs["amx"]; ok {
		sameBits(t, outs["portable"], got)
	}
}

// sameBits fails unless two slices have the same bits. All NaNs count as equal.
func sameBits(t require.TestingT, want, got []float32) {
	for i, v := range want {
		if math.Float32bits(v) != math.Float32bits(got[i]) && (v == v || got[i] == got[i]) {
			require.Failf(t, "bits differ", "element %d: expected %x, got %x", i, v, got[i])
		}
	}
}

// refBF evaluates a spec in float64 on operands rounded to bfloat16, and returns bounds on the error of sums in
// float32.
func refBF(s ConvSpec[float32], x, residual []float32) (y, bound []float64) {
	g := s.Geom.norm()
	plain := ConvSpec[float32]{Geom: g, Weight: append([]float32(nil), s.Weight...), PostShift: s.PostShift,
		Post: s.Post}
	scaleRows(plain.Weight, s.PostScale)
	for i, v := range plain.Weight {
		plain.Weight[i] = fromBFloat16(toBFloat16(v))
	}
	in := make([]float32, len(x))
	for i, v := range x {
		scale, shift, c := float32(1), float32(0), i/(g.H*g.W)
		if s.PreScale != nil {
			scale = s.PreScale[c]
		}
		if s.PreShift != nil {
			shift = s.PreShift[c]
		}
		v = fma32(scale, v, shift)
		if s.PreReLU && v < 0 {
			v = 0
		}
		in[i] = fromBFloat16(toBFloat16(v))
	}
	return refForward(plain, in, residual, eps32)
}

// TestBFloat16Batch: the bits of an image do not depend on the other images.
func TestBFloat16Batch(t *testing.T) {
	atBFloat16Levels(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		g := ConvGeom{C: 37, H: 9, W: 7, O: 21, KH: 3, KW: 3, PH: 1, PW: 1}
		c, err := NewConv(ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen()), BFloat16: true})
		require.NoError(t, err)
		n := 3
		x, y := randSlice[float32](rng, n*g.InLen()), make([]float32, n*g.OutLen())
		c.ForwardBatch(y, x, nil, n, g.OutLen(), g.InLen(), 0, make([]float32, c.ScratchLen()))
		for i := range n {
			one := make([]float32, g.OutLen())
			c.Forward(one, x[i*g.InLen():], nil, make([]float32, c.ScratchLen()))
			require.Equal(t, one, y[i*g.OutLen():][:g.OutLen()])
		}
	})
}

// TestBFloat16StaysFloat32: convolutions with few channels or a single pixel are not rounded.
func TestBFloat16StaysFloat32(t *testing.T) {
	for _, g := range []ConvGeom{
		{C: 3, H: 8, W: 8, O: 16, KH: 3, KW: 3, PH: 1, PW: 1}, {C: 16, H: 8, W: 8, O: 16, KH: 3, KW: 3, PH: 1, PW: 1,
			Groups: 16},
		{C: 64, H: 1, W: 1, O: 16, KH: 1, KW: 1}, {C: 16, H: 4, W: 4, O: 8, KH: 4, KW: 4},
	} {
		rng := rand.New(rand.NewPCG(3, 4))
		spec := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen())}
		x := randSlice[float32](rng, g.InLen())
		var out [2][]float32
		for i := range out {
			spec.BFloat16 = i == 1
			c, err := NewConv(spec)
			require.NoError(t, err)
			out[i] = make([]float32, g.OutLen())
			c.Forward(out[i], x, nil, make([]float32, c.ScratchLen()))
		}
		require.Equal(t, out[0], out[1], "%+v", g)
	}
}
