package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawPool(t *rapid.T, dilation bool) PoolGeom {
	for {
		g := PoolGeom{
			C: rapid.IntRange(1, 3).Draw(t, "C"), H: rapid.IntRange(1, 12).Draw(t, "H"),
			W:  rapid.IntRange(1, 20).Draw(t, "W"),
			KH: rapid.IntRange(1, 4).Draw(t, "KH"), KW: rapid.IntRange(1, 4).Draw(t, "KW"),
			SH: rapid.IntRange(0, 3).Draw(t, "SH"), SW: rapid.IntRange(0, 3).Draw(t, "SW"),
			PH: rapid.IntRange(0, 3).Draw(t, "PH"), PW: rapid.IntRange(0, 3).Draw(t, "PW"),
			EH: rapid.IntRange(-2, 2).Draw(t, "EH"), EW: rapid.IntRange(-2, 2).Draw(t, "EW"),
			CeilMode: rapid.Bool().Draw(t, "ceil"), CountIncludePad: rapid.Bool().Draw(t, "include pad"),
		}
		if dilation {
			g.DH, g.DW = rapid.IntRange(0, 2).Draw(t, "DH"), rapid.IntRange(0, 2).Draw(t, "DW")
		}
		if g.Check() == nil {
			return g
		}
	}
}

// refOut counts the windows one by one: those inside the padded input and, in ceil mode, also the last one that reaches
// beyond it, if it starts before the right padding.
func refOut(in, k, s, p, e, d int, ceil bool) int {
	n := 0
	for start := -p; ; start += s {
		end := start + (k-1)*d
		if end <= in+p+e-1 {
			n++
			continue
		}
		if ceil && end-s < in+p+e-1 && start < in {
			n++
		}
		return n
	}
}

func TestPoolOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawPool(t, true)
		n := g.norm()
		require.Equal(t, refOut(g.H, g.KH, n.SH, g.PH, g.EH, n.DH, g.CeilMode), g.OutH(), "%+v", g)
		require.Equal(t, refOut(g.W, g.KW, n.SW, g.PW, g.EW, n.DW, g.CeilMode), g.OutW(), "%+v", g)
	})
	// These are sizes of torch.nn.MaxPool2d(2, 2, ceil_mode=True) on 5 and 4, MaxPool2d(3, 2, 1) on 112, and
	// MaxPool2d(1, 3, ceil_mode=True) on 5.
	require.Equal(t, 3, PoolGeom{C: 1, H: 5, W: 5, KH: 2, KW: 2, CeilMode: true}.OutH())
	require.Equal(t, 2, PoolGeom{C: 1, H: 4, W: 4, KH: 2, KW: 2, CeilMode: true}.OutH())
	require.Equal(t, 56, PoolGeom{C: 1, H: 112, W: 112, KH: 3, KW: 3, SH: 2, SW: 2, PH: 1, PW: 1}.OutW())
	require.Equal(t, 2, PoolGeom{C: 1, H: 5, W: 5, KH: 1, KW: 1, SH: 3, SW: 3, CeilMode: true}.OutW())
}

func TestPoolCheck(t *testing.T) {
	for name, g := range map[string]PoolGeom{
		"positive": {C: 1, H: 0, W: 3, KH: 1, KW: 1},
		"window":   {C: 1, H: 9, W: 9, KH: 3, KW: 3, PH: 3},
		"zero":     {C: 1, H: 9, W: 9, KH: 3, KW: 3, PH: 1, EH: -2},
		"fit":      {C: 1, H: 2, W: 2, KH: 3, KW: 3},
	} {
		require.ErrorContains(t, g.Check(), name)
	}
}

func TestMaxPool(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propMaxPool) })
}

// TestMaxPoolStrips compares maps that are computed in several strips with the maxima found point by point.
func TestMaxPoolStrips(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		for _, g := range []PoolGeom{
			{C: 2, H: 112, W: 112, KH: 3, KW: 3, SH: 2, SW: 2, PH: 1, PW: 1},
			{C: 1, H: 90, W: 512, KH: 3, KW: 3, SH: 1, SW: 1},
			{C: 1, H: 77, W: 129, KH: 3, KW: 3, SH: 3, SW: 2, PH: 1, CeilMode: true},
		} {
			src := randSlice[float32](newRand(9), g.C*g.H*g.W)
			n := g.norm()
			want, index := make([]float32, g.C*n.OutH()*n.OutW()), make([]int32, g.C*n.OutH()*n.OutW())
			MaxPool(g, want, index, src)
			got := nans[float32](len(want))
			MaxPool(g, got, nil, src)
			requireBits(t, want, got, "%+v", g)
		}
	})
}

func propMaxPool(t *rapid.T) {
	g := drawPool(t, true)
	n := g.norm()
	src := special[float32](t, g.C*g.H*g.W, "src")
	oh, ow := g.OutH(), g.OutW()
	dst, index := make([]float32, g.C*oh*ow), make([]int32, g.C*oh*ow)
	MaxPool(g, dst, index, src)
	plain := make([]float32, len(dst))
	MaxPool(g, plain, nil, src)
	for i := range dst {
		same(t, float64(dst[i]), plain[i], 0, "without index")
		c, y, x := i/(oh*ow), i/ow%oh, i%ow
		best, at := math.Inf(-1), -1
		for kh := range g.KH {
			for kw := range g.KW {
				iy, ix := y*n.SH-g.PH+kh*n.DH, x*n.SW-g.PW+kw*n.DW
				if iy < 0 || iy >= g.H || ix < 0 || ix >= g.W {
					continue
				}
				v := float64(src[(c*g.H+iy)*g.W+ix])
				if at < 0 || v > best || math.IsNaN(v) {
					best, at = v, iy*g.W+ix
				}
			}
		}
		same(t, best, dst[i], 0, "output %d of %+v", i, g)
		if at >= 0 {
			require.EqualValues(t, at, index[i], "index %d of %+v", i, g)
		}
		require.True(t, index[i] >= 0 && int(index[i]) < g.H*g.W)
	}
	dy := randSlice[float32](newRand(1), len(dst))
	dx := nans[float32](len(src))
	MaxPoolBackward(g, dx, dy, index)
	want := make([]float32, len(src))
	for i, v := range dy {
		want[i/(oh*ow)*g.H*g.W+int(index[i])] += v
	}
	require.Equal(t, want, dx)
}

func propAvgPool[T Float](eps float64) func(*rapid.T) {
	return func(t *rapid.T) {
		g := drawPool(t, true)
		if rapid.Bool().Draw(t, "two by two") {
			g.KH, g.KW, g.SH, g.SW, g.PH, g.PW, g.EH, g.EW = 2, 2, 2, 2, 0, 0, max(0, g.EH), max(0, g.EW)
			g.W *= 3
			if g.Check() != nil {
				t.Skip("too small")
			}
		}
		n := g.norm()
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		src := randSlice[T](rng, g.C*g.H*g.W)
		oh, ow := g.OutH(), g.OutW()
		dst := nans[T](g.C * oh * ow)
		AvgPool(g, dst, src)
		dy := randSlice[T](rng, len(dst))
		dx := nans[T](len(src))
		AvgPoolBackward(g, dx, dy)
		wantDx := make([]float64, len(src))
		for i := range dst {
			c, y, x := i/(oh*ow), i/ow%oh, i%ow
			sum, inside, padded := 0.0, 0, 0
			visit := func(f func(at int)) {
				for kh := range g.KH {
					for kw := range g.KW {
						iy, ix := y*n.SH-g.PH+kh*n.DH, x*n.SW-g.PW+kw*n.DW
						if iy < g.H+g.PH+g.EH && ix < g.W+g.PW+g.EW {
							padded++
						}
						if iy >= 0 && iy < g.H && ix >= 0 && ix < g.W {
							inside++
							f((c*g.H+iy)*g.W + ix)
						}
					}
				}
			}
			visit(func(at int) { sum += float64(src[at]) })
			div := inside
			if g.CountIncludePad {
				div = padded
			}
			if inside == 0 {
				require.Zero(t, dst[i])
				continue
			}
			require.InDelta(t, sum/float64(div), float64(dst[i]), 20*eps, "output %d of %+v", i, g)
			visit(func(at int) { wantDx[at] += float64(dy[i]) / float64(div) })
		}
		for i, v := range wantDx {
			require.InDelta(t, v, float64(dx[i]), 40*eps, "gradient %d of %+v", i, g)
		}
	}
}

func TestAvgPool(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propAvgPool[float32](eps32)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propAvgPool[float64](eps64)) })
}

func TestGlobalAvgPool(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		var mem arena
		defer mem.free()
		rng := newRand(2)
		for hw := 1; hw < 80; hw += 3 {
			src := guarded(&mem, randSlice[float32](rng, 5*hw))
			dst, dx := guarded(&mem, nans[float32](5)), guarded(&mem, nans[float32](5*hw))
			GlobalAvgPool(dst, src, 5, hw)
			GlobalAvgPoolBackward(dx, dst, 5, hw)
			for c := range 5 {
				sum := 0.0
				for _, v := range src[c*hw:][:hw] {
					sum += float64(v)
				}
				require.InDelta(t, sum/float64(hw), dst[c], eps32*float64(hw))
				require.Equal(t, dst[c]/float32(hw), dx[c*hw+hw-1])
			}
		}
	})
}
