package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/racetest"
)

// edgeGeoms returns depthwise convolutions of every width up to one at which all kinds of strips have occurred, of
// widths with one strip more, and of planes smaller than a vector.
func edgeGeoms() []ConvGeom {
	var all []ConvGeom
	add := func(c, h, w, stride, ph, pw int) {
		g := ConvGeom{C: c, O: c, Groups: c, H: h, W: w, KH: 3, KW: 3, SH: stride, SW: stride, PH: ph, PW: pw}
		for _, extra := range [][2]int{{}, {1, 1}, {-1, 2}, {2, -1}} {
			if g.EH, g.EW = extra[0], extra[1]; g.Check() == nil {
				all = append(all, g)
			}
		}
	}
	widths := []int{111, 112, 120, 121, 127, 128, 129, 240, 241, 255, 256, 257, 258}
	for w := 1; w <= 40; w++ {
		widths = append(widths, w)
	}
	for _, stride := range []int{1, 2} {
		for _, k := range []int{5, 7} {
			for w := 1; w <= 20; w++ {
				for _, c := range []int{1, 10} {
					g := ConvGeom{C: c, O: c, Groups: c, H: 4, W: w, KH: k, KW: k, SH: stride, SW: stride, PH: k / 2,
						PW: k/2 - 1 + w%2, EW: w % 2}
					if g.Check() == nil {
						all = append(all, g)
					}
				}
			}
		}
		for _, w := range widths {
			for pw := range 3 {
				add(1, 3, w, stride, pw%2, pw)
				add(9, 3, w, stride, pw%2, pw)
			}
		}
		for w := 1; w <= 9; w++ {
			add(40, 1, w, stride, 2, 1)
		}
	}
	return all
}

// TestDepthwiseEdges runs the depthwise kernels on memory between guard pages.
func TestDepthwiseEdges(t *testing.T) {
	racetest.OneGoroutine(t)
	atLevels(t, func(t *testing.T) {
		rng := newRand(3)
		for i, g := range edgeGeoms() {
			behind := i%2 == 0
			spec := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen())}
			c, err := NewConv(spec)
			require.NoError(t, err)
			var mem arena
			x, dy := guardedAt(&mem, randSlice[float32](rng, g.InLen()), behind),
				guardedAt(&mem, randSlice[float32](rng, g.OutLen()), behind)
			want, bound := refForward(spec, x, nil, eps32)
			y := guardedAt(&mem, nans[float32](g.OutLen()), behind)
			c.Forward(y, x, nil, guarded(&mem, nans[float32](c.ScratchLen())))
			for i := range want {
				if !(math.Abs(want[i]-float64(y[i])) <= bound[i]) {
					t.Fatalf("output %d of %+v: %v, expected %v", i, g, y[i], want[i])
				}
			}
			dw, ref := guardedAt(&mem, make([]float32, g.WeightLen()), behind), make([]float32, g.WeightLen())
			ConvBackwardWeight(g, dw, nil, x, dy, 1, 0, 0,
				guarded(&mem, nans[float32](ConvBackwardWeightScratch(g, 1))))
			convBackwardWeightGeneric(g.norm(), ref, nil, x, dy)
			require.InDeltaSlice(t, ref, dw, 1e-4, "weight gradient of %+v", g)
			mem.free()
		}
	})
}

// TestDepthwiseKeepsNaNs fills all channels except one, and the input that no output reads, with NaN, which must not
// spread.
func TestDepthwiseKeepsNaNs(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rng := newRand(4)
		for _, g := range edgeGeoms() {
			if g.C != 9 {
				continue
			}
			c, err := NewConv(ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen())})
			require.NoError(t, err)
			run := func(x, dy []float32) (y, dw []float32) {
				y, dw = make([]float32, g.OutLen()), make([]float32, g.WeightLen())
				c.Forward(y, x, nil, make([]float32, c.ScratchLen()))
				ConvBackwardWeight(g, dw, nil, x, dy, 1, 0, 0, make([]float32, ConvBackwardWeightScratch(g, 1)))
				return y, dw
			}
			x, dy := randSlice[float32](rng, g.InLen()), randSlice[float32](rng, g.OutLen())
			y, dw := run(x, dy)
			in, out := g.H*g.W, len(dy)/g.C
			seen := (g.OutW()-1)*g.SW + 3 - g.PW
			for _, keep := range []int{0, 4, 8} {
				nx, ndy := nans[float32](len(x)), nans[float32](len(dy))
				copy(nx[keep*in:][:in], x[keep*in:])
				copy(ndy[keep*out:][:out], dy[keep*out:])
				for row := range g.H {
					for col := seen; col < g.W; col++ {
						nx[keep*in+row*g.W+col] = float32(math.NaN())
					}
				}
				ny, ndw := run(nx, ndy)
				require.Equal(t, y[keep*out:][:out], ny[keep*out:][:out], "outputs of channel %d, %+v", keep, g)
				require.Equal(t, dw[9*keep:][:9], ndw[9*keep:][:9], "weight gradient of channel %d, %+v", keep, g)
			}
		}
	})
}

// TestConvWeightBlocks has sizes with several blocks of channels, rows and images, which random shapes do not reach,
// and NaNs between the samples.
func TestConvWeightBlocks(t *testing.T) {
	for _, tc := range []struct {
		what   string
		g      ConvGeom
		images int
	}{
		{"input channels, several images", ConvGeom{C: 131, H: 7, W: 7, O: 5, KH: 3, KW: 3, PH: 1, PW: 1}, 7},
		{"output channels", ConvGeom{C: 7, H: 16, W: 32, O: 260, KH: 1, KW: 1}, 2},
		{"output channels, uneven images", ConvGeom{C: 7, H: 15, W: 11, O: 250, KH: 3, KW: 3, PH: 1, PW: 1}, 5},
		{"strips of a pointwise convolution", ConvGeom{C: 5, H: 45, W: 40, O: 6, KH: 1, KW: 1}, 2},
		{"depthwise", ConvGeom{C: 3, H: 13, W: 12, O: 3, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2, Groups: 3}, 3},
	} {
		g, n := tc.g, tc.images
		atLevels(t, func(t *testing.T) {
			rng := newRand(5)
			var mem arena
			defer mem.free()
			xs, dys := g.InLen()+5, g.OutLen()+3
			x, dy := nans[float32]((n-1)*xs+g.InLen()), nans[float32]((n-1)*dys+g.OutLen())
			for i := range n {
				copy(x[i*xs:], randSlice[float32](rng, g.InLen()))
				copy(dy[i*dys:], randSlice[float32](rng, g.OutLen()))
			}
			x, dy = guarded(&mem, x), guarded(&mem, dy)
			dw, dbias := guarded(&mem, make([]float32, g.WeightLen())), guarded(&mem, make([]float32, g.O))
			ConvBackwardWeight(g, dw, dbias, x, dy, n, xs, dys,
				guarded(&mem, nans[float32](ConvBackwardWeightScratch(g, n))))
			want, wantBias := make([]float32, g.WeightLen()), make([]float32, g.O)
			for i := range n {
				convBackwardWeightGeneric(g.norm(), want, wantBias, x[i*xs:], dy[i*dys:])
			}
			require.InDeltaSlice(t, want, dw, 2e-3, tc.what)
			require.InDeltaSlice(t, wantBias, dbias, 2e-3, tc.what)
			ConvBackwardWeight(g, dw, dbias, nil, nil, 0, xs, dys, nil)
			require.InDeltaSlice(t, want, dw, 2e-3, "no images")
		})
	}
}
