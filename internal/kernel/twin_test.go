package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// perLevel runs f once at every level and returns its results, the generic one first.
func perLevel(t require.TestingT, f func() []float32) [][]float32 {
	var out [][]float32
	for _, name := range Levels() {
		restore, err := ForceLevel(name)
		require.NoError(t, err)
		out = append(out, f())
		restore()
	}
	return out
}

// propConvTwins checks that all vector code gives the same bits, and that these agree with the generic code up to one
// rounding per term.
func propConvTwins(t *rapid.T) {
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	checkConvTwins(t, rng, drawSpec[float32](t, rng))
}

func checkConvTwins(t require.TestingT, rng *rand.Rand, spec ConvSpec[float32]) {
	g := spec.Geom
	x, residual, dy := randSlice[float32](rng, g.InLen()), randSlice[float32](rng, g.OutLen()),
		randSlice[float32](rng, g.OutLen())
	_, bound := refForward(spec, x, residual, eps32)
	const images = 3 // images over which the weight gradient sums
	xs, dys := randSlice[float32](rng, images*g.InLen()), randSlice[float32](rng, images*g.OutLen())
	var y []float32 // output of the generic code, which sets the masks of every backward pass
	results := perLevel(t, func() []float32 {
		c, err := NewConv(spec)
		require.NoError(t, err)
		scratch := nans[float32](c.ScratchLen())
		out := make([]float32, g.OutLen())
		c.Forward(out, x, residual, scratch)
		if y == nil {
			y = out
		}
		dx, dw := make([]float32, g.InLen()), make([]float32, g.WeightLen()+g.O)
		c.BackwardInput(dx, dy, x, y, nil, nil, scratch)
		ConvBackwardWeight(g, dw[:g.WeightLen()], dw[g.WeightLen():], xs, dys, images, g.InLen(), g.OutLen(),
			nans[float32](ConvBackwardWeightScratch(g, images)))
		return append(append(out, dx...), dw...)
	})
	in := g.OutLen() + g.InLen()
	per := float64(g.O / one(g.Groups) * g.KH * g.KW)
	area := float64(images * g.OutH() * g.OutW())
	for level, got := range results[1:] {
		for i, want := range results[0] {
			tol := 0.0
			switch {
			case i < len(bound):
				tol = 2 * bound[i]
			case i < in:
				tol = 2 * eps32 * (per + 8) * (per + 8)
			default:
				// This is the worst case or, if that is less, a hundred times the expected sum of random rounding
				// errors.
				tol = min(2*eps32*(area+2)*(area+2), 16*eps32*(area+2))
			}
			require.InDelta(t, want, got[i], tol, "%s element %d of %+v", Levels()[level+1], i, g)
		}
		if level > 0 {
			require.Equal(t, results[1][:len(bound)], got[:len(bound)], "forward bits of %+v", g)
			require.Equal(t, results[1][len(bound):in], got[len(bound):in], "input gradient bits of %+v", g)
			require.Equal(t, results[1][in:], got[in:], "weight and bias gradient bits of %+v", g)
		}
	}
}

func TestConvTwins(t *testing.T) { rapid.Check(t, propConvTwins) }

// tileGeoms returns convolutions that run on register tiles of the given number of rows, of all kinds: panels with and
// without a next panel to pack, dense views, views by row, and views whose vectors span rows.
func tileGeoms(rows int) []ConvGeom {
	var all []ConvGeom
	for _, hw := range []int{7, 16, 23, 32, 45, 96, 139} {
		all = append(all, ConvGeom{C: 3, H: 1, W: hw, O: rows, KH: 1, KW: 1})
	}
	for _, w := range []int{8, 13, 16, 24, 32, 40} {
		for _, h := range []int{1, 2, 5} {
			all = append(all, ConvGeom{C: 2, H: h, W: w, O: rows, KH: 1, KW: 3, PW: 1})
		}
	}
	return all
}

// TestTileTwins runs every register tile, of which random shapes reach few, with the bounds of TestConvTwins.
func TestTileTwins(t *testing.T) {
	for rows := 1; rows <= 12; rows++ {
		for _, g := range tileGeoms(rows) {
			checkConvTwins(t, newRand(uint64(rows)), benchSpec(g, rows%2 == 0))
		}
	}
}

// TestGatheredTwins has so many rows that AVX2's tiles share a copy of the elements that they read of views.
func TestGatheredTwins(t *testing.T) {
	for _, g := range []ConvGeom{
		{C: 40, H: 9, W: 11, O: 70, KH: 3, KW: 3, SH: 2, SW: 2, PH: 1, PW: 1}, {C: 5, H: 4, W: 7, O: 75, KH: 2, KW: 3,
			PW: 2, EW: -1},
	} {
		checkConvTwins(t, newRand(2), benchSpec(g, true))
	}
}

func propTileTwins(t *rapid.T) {
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	g := rapid.SampledFrom(tileGeoms(rapid.IntRange(1, 26).Draw(t, "rows"))).Draw(t, "geometry")
	g.C, g.H = rapid.IntRange(1, 40).Draw(t, "C"), rapid.IntRange(1, 6).Draw(t, "H")
	checkConvTwins(t, rng, benchSpec(g, rapid.Bool().Draw(t, "pre")))
}

// propDepthwiseTwins draws the depthwise convolutions that have their own kernels, in more and wider shapes than
// propConvTwins.
func propDepthwiseTwins(t *rapid.T) {
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	g := ConvGeom{
		C: rapid.IntRange(1, 24).Draw(t, "C"), H: rapid.IntRange(1, 19).Draw(t, "H"), W: rapid.IntRange(1, 71).Draw(t,
			"W"),
		KH: 3, KW: 3, SH: rapid.IntRange(1, 2).Draw(t, "S"), PH: 1, PW: 1,
	}
	if k := rapid.SampledFrom([]int{3, 5, 7}).Draw(t, "kernel"); k > 3 {
		g.KH, g.KW, g.PH, g.PW, g.H, g.W = k, k, k/2, k/2, min(g.H, 12), min(g.W, 40)
	}
	if rapid.IntRange(0, 3).Draw(t, "other padding") == 0 {
		g.PH, g.PW = rapid.IntRange(0, 3).Draw(t, "PH"), rapid.IntRange(0, 3).Draw(t, "PW")
		g.EH, g.EW = rapid.IntRange(-g.PH, 1).Draw(t, "EH"), rapid.IntRange(-g.PW, 1).Draw(t, "EW")
		g.H, g.W = g.H+2, g.W+2
	}
	g.O, g.Groups, g.SW = g.C, g.C, g.SH
	if g.Check() != nil {
		g.H, g.W = g.H+g.KH, g.W+g.KW
	}
	checkConvTwins(t, rng, benchSpec(g, rapid.Bool().Draw(t, "pre")))
}

func TestDepthwiseTwins(t *testing.T) {
	rapid.Check(t, propDepthwiseTwins)
	for _, g := range []ConvGeom{{C: 3, H: 112, W: 112}, {C: 40, H: 1, W: 1}, {C: 3, H: 5, W: 135},
		{C: 2, H: 3, W: 300}} {
		for stride := 1; stride <= 2; stride++ {
			g.O, g.Groups, g.KH, g.KW, g.PH, g.PW, g.SH, g.SW = g.C, g.C, 3, 3, 1, 1, stride, stride
			checkConvTwins(t, newRand(1), benchSpec(g, false))
			g.PH, g.PW, g.EH, g.EW = 0, 0, 2, 2
			checkConvTwins(t, newRand(1), benchSpec(g, false))
		}
	}
}

func TestForwardBatchBits(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			rng := newRand(rapid.Uint64().Draw(t, "seed"))
			spec := drawSpec[float32](t, rng)
			g := spec.Geom
			c, err := NewConv(spec)
			require.NoError(t, err)
			n := rapid.IntRange(1, 4).Draw(t, "n")
			ss, ds := g.InLen()+rapid.IntRange(0, 20).Draw(t, "src gap"), g.OutLen()+rapid.IntRange(0, 20).Draw(t,
				"dst gap")
			src := randSlice[float32](rng, (n-1)*ss+g.InLen())
			dst := randSlice[float32](rng, (n-1)*ds+g.OutLen())
			old := append([]float32(nil), dst...)
			c.ForwardBatch(dst, src, nil, n, ds, ss, 0, nans[float32](c.ScratchLen()))
			for i := range n {
				one := make([]float32, g.OutLen())
				c.Forward(one, src[i*ss:], nil, nans[float32](c.ScratchLen()))
				require.Equal(t, one, dst[i*ds:][:len(one)], "image %d", i)
				gap := dst[i*ds+len(one) : min((i+1)*ds, len(dst))]
				require.Equal(t, old[i*ds+len(one):][:len(gap)], gap, "between images")
			}
		})
	})
}

// TestConvConcurrent shares a Conv among goroutines, for the race detector: the packing for the backward pass happens
// meanwhile.
func TestConvConcurrent(t *testing.T) {
	spec := benchSpec(ConvGeom{C: 6, H: 9, W: 17, O: 14, KH: 3, KW: 3, PH: 1, PW: 1}, true)
	c, err := NewConv(spec)
	require.NoError(t, err)
	g := spec.Geom
	x := randSlice[float32](newRand(1), g.InLen())
	results := make([][]float32, 8)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			y, dx, scratch := make([]float32, g.OutLen()), make([]float32, g.InLen()), make([]float32, c.ScratchLen())
			c.Forward(y, x, nil, scratch)
			c.BackwardInput(dx, y, x, y, nil, nil, scratch)
			results[i] = append(y, dx...)
		})
	}
	wg.Wait()
	for _, r := range results[1:] {
		require.Equal(t, results[0], r)
	}
}

// TestConvUpdate checks that an updated convolution gives the bits of a new one, and that Update allocates nothing.
func TestConvUpdate(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		for _, g := range []ConvGeom{
			{C: 5, H: 8, W: 8, O: 7, KH: 1, KW: 1},
			{C: 16, H: 16, W: 16, O: 20, KH: 3, KW: 3, PH: 1, PW: 1},
			{C: 64, H: 14, W: 15, O: 70, KH: 3, KW: 3, PH: 1, PW: 1},
			{C: 5, H: 9, W: 8, O: 7, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2},
			{C: 5, H: 6, W: 36, O: 7, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2},
			{C: 6, H: 9, W: 8, O: 6, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 6},
		} {
			first, second := benchSpec(g, true), benchSpec(g, true)
			rng := newRand(6)
			second.Weight, second.PreScale, second.PostShift = randSlice[float32](rng, g.WeightLen()),
				randSlice[float32](rng, g.C), nil
			second.PostScale = randSlice[float32](rng, g.O)
			x, y, dx := randSlice[float32](rng, g.InLen()), make([]float32, g.OutLen()), make([]float32, g.InLen())
			both := func(c *Conv[float32], scratch []float32) []float32 {
				c.Forward(y, x, nil, scratch)
				c.BackwardInput(dx, y, x, y, nil, nil, scratch)
				return append(append([]float32(nil), y...), dx...)
			}
			c, err := NewConv(first)
			require.NoError(t, err)
			fresh, err := NewConv(second)
			require.NoError(t, err)
			scratch := make([]float32, c.ScratchLen())
			before := both(c, scratch)
			require.NoError(t, c.Update(second))
			after := both(c, scratch)
			require.NotEqual(t, before, after)
			require.Equal(t, both(fresh, scratch), after)
			require.NoError(t, c.Update(first))
			require.Equal(t, before, both(c, scratch))
			require.Zero(t, testing.AllocsPerRun(3, func() {
				if err := c.Update(second); err != nil {
					panic(err)
				}
				c.Forward(y, x, nil, scratch)
				c.BackwardInput(dx, y, x, y, nil, nil, scratch)
			}))

			other := first
			other.Post.Kind = ActReLU - other.Post.Kind
			require.ErrorContains(t, c.Update(other), "parameters alone")
			other = first
			other.Weight = other.Weight[1:]
			require.ErrorContains(t, c.Update(other),
				fmt.Sprintf("weight: expected %d elements, got %d", len(first.Weight), len(other.Weight)))
		}
	})
}

func TestNoAllocations(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rng := newRand(1)
		check := func(name string, f func()) {
			f()
			require.Zero(t, testing.AllocsPerRun(3, f), name)
		}
		for _, g := range []ConvGeom{
			{C: 5, H: 8, W: 8, O: 7, KH: 1, KW: 1},
			{C: 5, H: 9, W: 8, O: 7, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2},
			{C: 5, H: 6, W: 36, O: 7, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2},
			{C: 6, H: 9, W: 8, O: 6, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 6},
			{C: 64, H: 14, W: 15, O: 70, KH: 3, KW: 3, PH: 1, PW: 1},
		} {
			c, err := NewConv(benchSpec(g, true))
			require.NoError(t, err)
			x, y, dx := randSlice[float32](rng, g.InLen()), make([]float32, g.OutLen()), make([]float32, g.InLen())
			scratch, dw, dwScratch := make([]float32, c.ScratchLen()), make([]float32, g.WeightLen()),
				make([]float32, ConvBackwardWeightScratch(g, 1))
			check("Forward", func() { c.Forward(y, x, nil, scratch) })
			check("BackwardInput", func() { c.BackwardInput(dx, y, x, y, nil, dx, scratch) })
			check("ConvBackwardWeight", func() { ConvBackwardWeight(g, dw, y[:g.O], x, y, 1, 0, 0, dwScratch) })
		}
		a, b, d, class := randSlice[float32](rng, 400), randSlice[float32](rng, 400), make([]float32, 400), []int{0, 1}
		index, pool := make([]int32, 400), PoolGeom{C: 4, H: 10, W: 10, KH: 2, KW: 2}
		check("Affine", func() { Affine(d, a, b, b, 4, 100, true) })
		check("AffineBackward", func() { AffineBackward(d, a, b, b, 4, 100, true, true) })
		check("ReLU", func() { ReLU(d, a) })
		check("ReLUBackward", func() { ReLUBackward(d, a, b) })
		check("Add", func() { Add(d, a, b) })
		check("Mul", func() { Mul(d, a, b) })
		check("Select", func() { Select(d, a, b, []uint64{1, 2, 3, 4, 5, 6, 7}) })
		check("Mix", func() { Mix(d, a, b, a) })
		check("Scale", func() { Scale(d, a, 2) })
		check("Axpy", func() { Axpy(d, a, 2) })
		check("Dot", func() { d[0] = Dot(a, b) })
		check("ClipMax", func() { ClipMax(d, a, b[:40]) })
		check("ClipMaxBackward", func() { ClipMaxBackward(d, a, b, b[:40]) })
		for _, act := range activations {
			check("Activate "+act.Kind.String(), func() { Activate(d, a, act) })
			check("ActivateBackward "+act.Kind.String(), func() { ActivateBackward(d, a, b, act) })
		}
		check("MaxPool", func() { MaxPool(pool, d, index, a) })
		check("MaxPoolBackward", func() { MaxPoolBackward(pool, d, a, index) })
		check("AvgPool", func() { AvgPool(pool, d, a) })
		check("AvgPoolBackward", func() { AvgPoolBackward(pool, d, a) })
		check("GlobalAvgPool", func() { GlobalAvgPool(d, a, 4, 100) })
		check("Linear", func() { Linear(d, a, b, b, 20, 20, 20) })
		check("LinearBackwardInput", func() { LinearBackwardInput(d, a, b, 20, 20, 20) })
		check("LinearBackwardWeight", func() { LinearBackwardWeight(d, d, a, b, 20, 20, 20) })
		right := NewRight[float32](20, 20)
		work := make([]float32, right.ScratchLen(20))
		check("Right", func() {
			right.Pack(b, false)
			right.Pack(b, true)
			right.Mul(d, a, 20, false, false, work)
			right.Mul(d, a, 20, true, true, work)
		})
		check("Standardize", func() {
			mean, inv := Moments(a, 1e-5, true)
			Standardize(d, a, mean, inv, 1)
			StandardizeBackward(d, b, a, mean, inv, true)
		})
		check("LRN", func() {
			l := LRN{Size: 3, Alpha: 1, Beta: 0.75, K: 1}
			LRNForward(l, d, a, 4, 100)
			LRNBackward(l, d, b, a, make([]float32, 400), 4, 100)
		})
		volume, err := NewPoolND(PoolNDGeom{In: []int{4, 5, 5}, Kernel: []int{2, 2, 2}})
		require.NoError(t, err)
		check("PoolND", func() {
			MaxPoolND(volume, d, index, a, 4)
			MaxPoolNDBackward(volume, d, a, index, 4)
			AvgPoolND(volume, d, a, 4)
			AvgPoolNDBackward(volume, d, a, 4)
		})
		check("AvgPool 3", func() {
			AvgPool(PoolGeom{C: 4, H: 10, W: 10, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1}, d, a)
		})
		check("GlobalMaxPool", func() { GlobalMaxPool(d, index, a, 4, 100) })
		check("RoutedLinear", func() { RoutedLinear(d, a, b, b, a, 0, 20, 20) })
		check("RoutedLinearBatch", func() { RoutedLinearBatch(d, a, b, b, a, class, b, 20, 20) })
		check("RoutedLinearBackwardInput", func() { RoutedLinearBackwardInput(d, a, b, a, 0, 20, 20) })
		check("Softmax", func() { Softmax(d, a, 20, 20) })
		for _, hw := range []int{48, 50} {
			norm := NewBatchNorm[float32](4, hw, 1e-5, true)
			back := norm.Gradient(true)
			check("BatchNorm, forward", func() { normForward(norm, d, a[:8*hw], nil, b, b, 2) })
			check("BatchNorm, backward", func() { normBackward(back, d, a, b[:8*hw], b, 2) })
		}
	})
}

func TestLevels(t *testing.T) {
	require.Contains(t, Levels(), Level())
	require.Equal(t, "generic", Levels()[0])
	_, err := ForceLevel("abacus")
	require.ErrorContains(t, err, "abacus")
	before := Level()
	restore, err := ForceLevel("generic")
	require.NoError(t, err)
	require.Equal(t, "generic", Level())
	restore()
	require.Equal(t, before, Level())
	amd64, arm64 := []level{generic, avx2, avx512}, []level{generic, neon}
	require.Equal(t, generic, lowered(amd64, "Generic"))
	require.Equal(t, generic, lowered(amd64[:1], "avx512"))
	require.Equal(t, avx2, lowered(amd64, "avx2"))
	require.Equal(t, avx2, lowered(amd64[:2], ""))
	require.Equal(t, neon, lowered(arm64, "avx2"))
	require.Equal(t, generic, lowered(arm64, "generic"))
	require.Equal(t, neon, lowered(arm64, ""))
}

func TestPeakFMA(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		p := PeakFMA(1)
		require.True(t, p > 0.01 && p < 1e4 && !math.IsInf(p, 0), "%v GFLOP/s", p)
	})
}

// TestLevelBits checks that the vector levels give the same bits outside of convolutions, too.
func TestLevelBits(t *testing.T) {
	if len(Levels()) < 3 {
		t.Skipf("this CPU or build has no two vector levels, but %v", Levels())
	}
	rapid.Check(t, func(t *rapid.T) {
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		n, in, out := rapid.IntRange(1, 9).Draw(t, "n"), rapid.IntRange(1, 90).Draw(t, "in"),
			rapid.IntRange(1, 40).Draw(t, "out")
		x, w, dy := randSlice[float32](rng, n*in), randSlice[float32](rng, out*in), randSlice[float32](rng, n*out)
		c := randSlice[float32](rng, in)
		results := perLevel(t, func() []float32 {
			var all []float32
			keep := func(size int, f func(dst []float32)) {
				dst := make([]float32, size)
				f(dst)
				all = append(all, dst...)
			}
			keep(n*out, func(d []float32) { Linear(d, x, w, nil, n, in, out) })
			keep(n*in, func(d []float32) { LinearBackwardInput(d, dy, w, n, in, out) })
			keep(out*in, func(d []float32) { LinearBackwardWeight(d, nil, x, dy, n, in, out) })
			keep(out, func(d []float32) { RoutedLinear(d, x, w, nil, c, 0.1, in, out) })
			keep(in, func(d []float32) { RoutedLinearBackwardInput(d, dy, w, c, 0.1, in, out) })
			keep(n, func(d []float32) { GlobalAvgPool(d, x, n, in) })
			keep(in, func(d []float32) { Affine(d, x[:in], c, c, in, 1, true) })
			keep(1, func(d []float32) { d[0] = Dot(x, x) })
			keep(n*out, func(d []float32) {
				RoutedLinearBatch(d, x, w, nil, c, make([]int, n), make([]float32, out), in, out)
			})
			keep(n*(in/4), func(d []float32) {
				AvgPool(PoolGeom{C: n, H: 2, W: in / 4 * 2, KH: 2, KW: 2, SH: 2, SW: 2}, d, x)
			})
			keep(n*in, func(d []float32) {
				AvgPool(PoolGeom{C: n, H: 1, W: in, KH: 1, KW: 3, SW: 1, PW: 1, CountIncludePad: true}, d, x)
			})
			keep(in, func(d []float32) { MaxPool(PoolGeom{C: 1, H: n, W: in, KH: n, KW: 2, EW: 1, SW: 1}, d, nil, x) })
			keep(in, func(d []float32) { AvgPool(PoolGeom{C: 1, H: n, W: in, KH: n, KW: 2, EW: 1, SW: 1}, d, x) })
			keep(out*in+out, func(d []float32) { LinearBackwardWeight(d[:out*in], d[out*in:], x, dy, n, in, out) })
			keep(in, func(d []float32) { AffineBackward(d, x[:in], c, c, in, 1, true, true) })
			return all
		})
		for _, got := range results[1:] {
			require.Equal(t, results[1], got)
		}
	})
}
