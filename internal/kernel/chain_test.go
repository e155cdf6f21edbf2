package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/racetest"
)

// chainCase is an inverted residual to test.
type chainCase struct {
	in, mid, out, h, w, k, stride int
	pad, extra                    int
	expand, residual              bool
	stem                          int // window of a first convolution of stride two instead, 0 for none
	inner, last                   Activation
	images                        int
}

func (c chainCase) String() string {
	return fmt.Sprintf("%d-%d-%d %dx%d k%d/%d pad %d+%d expand %v residual %v %v ×%d", c.in, c.mid, c.out, c.h, c.w,
		c.k, c.stride, c.pad, c.extra,
		c.expand, c.residual, c.inner.Kind, c.images)
}

func (c chainCase) convs(t require.TestingT) []*Conv[float32] {
	g := ConvGeom{C: c.mid, O: c.mid, H: c.h, W: c.w, KH: c.k, KW: c.k, SH: c.stride, SW: c.stride, PH: c.pad,
		PW: c.pad, EH: c.extra, EW: c.extra, Groups: c.mid}
	gs := []ConvGeom{g, {C: c.mid, O: c.out, H: g.OutH(), W: g.OutW(), KH: 1, KW: 1}}
	posts := []Activation{c.inner, c.last}
	switch {
	case c.stem > 0: // its input has twice as many rows and columns
		pad := (c.stem - 1) / 2
		stem := ConvGeom{C: c.in, O: c.mid, H: 2*c.h + (c.stem-1)%2, W: 2*c.w + (c.stem-1)%2, KH: c.stem, KW: c.stem,
			SH: 2, SW: 2, PH: pad, PW: pad}
		gs, posts = append([]ConvGeom{stem}, gs...), append([]Activation{c.inner}, posts...)
	case c.expand:
		gs, posts = append([]ConvGeom{{C: c.in, O: c.mid, H: c.h, W: c.w, KH: 1, KW: 1}}, gs...),
			append([]Activation{c.inner}, posts...)
	}
	var convs []*Conv[float32]
	for i, g := range gs {
		rng := newRand(uint64(7 + i))
		conv, err := NewConv(ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen()),
			PostShift: randSlice[float32](rng, g.O), Post: posts[i]})
		require.NoError(t, err)
		convs = append(convs, conv)
	}
	return convs
}

// check compares a chain with its convolutions run one after the other, image by image, bit by bit. cache is the number
// of bytes that the chain's maps may take.
func (c chainCase) check(t require.TestingT, cache int) {
	convs := c.convs(t)
	chain, _ := NewChain(convs...)
	chain.fast = nil
	if f := newChain32(convs, cache); f != nil {
		chain.fast = f
	}
	var a arena
	defer a.free()
	first, last := convs[0].g, convs[len(convs)-1].g
	rng := newRand(11)
	n, in, out := c.images, first.InLen()+3, last.OutLen()+5
	src := guarded(&a, randSlice[float32](rng, (n-1)*in+first.InLen()))
	dst := guarded(&a, make([]float32, (n-1)*out+last.OutLen()))
	var residual []float32
	if c.residual {
		residual = guarded(&a, randSlice[float32](rng, len(dst)))
	}
	scratch := guarded(&a, slices.Repeat([]float32{float32(math.NaN())}, chain.ScratchLen()))
	chain.ForwardBatch(dst, src, residual, n, out, in, out, scratch)
	for _, size := range []int{2, 3} {
		team := NewTeam(size)
		team.Start()
		shared := guarded(&a, make([]float32, len(dst)))
		work := guarded(&a, nans[float32](chain.TeamScratchLen(team)))
		chain.ForwardTeam(team, shared, src, residual, n, out, in, out, work)
		team.End()
		requireBits(t, dst, shared, "%v by a team of %d, cache %d", c, size, cache)
	}
	for i := range n {
		x := src[i*in:][:first.InLen()]
		for j, conv := range convs {
			y := make([]float32, conv.g.OutLen())
			var add []float32
			if j == len(convs)-1 && residual != nil {
				add = residual[i*out:]
			}
			conv.Forward(y, x, add, make([]float32, conv.ScratchLen()))
			x = y
		}
		requireBits(t, x, dst[i*out:][:last.OutLen()], "%v image %d, cache %d", c, i, cache)
		if i+1 < n {
			require.Equal(t, make([]float32, 5), dst[i*out+last.OutLen():][:5],
				"%v: what lies between the images is left alone", c)
		}
	}
}

// TestChain covers the blocks of the networks that chains are made for, and blocks with few and with many rows.
func TestChain(t *testing.T) {
	racetest.OneGoroutine(t)
	relu6, swish := Activation{Kind: ActReLU6}, Activation{Kind: ActHardSwish}
	atLevels(t, func(t *testing.T) {
		for _, c := range []chainCase{
			{in: 3, mid: 32, out: 16, h: 24, w: 112, k: 3, stride: 1, pad: 1, stem: 3, inner: relu6, images: 2},
			{in: 3, mid: 16, out: 16, h: 21, w: 39, k: 3, stride: 2, pad: 1, stem: 3, inner: swish, images: 2},
			{in: 3, mid: 8, out: 24, h: 19, w: 24, k: 5, stride: 1, pad: 2, stem: 7, inner: relu6, images: 1},
			{in: 32, mid: 32, out: 16, h: 24, w: 112, k: 3, stride: 1, pad: 1, inner: relu6, images: 2},
			{in: 16, mid: 96, out: 24, h: 20, w: 112, k: 3, stride: 2, pad: 1, expand: true, inner: relu6, images: 1},
			{in: 16, mid: 96, out: 24, h: 20, w: 112, k: 3, stride: 2, pad: 0, extra: 1, expand: true, inner: relu6,
				images: 2},
			{in: 24, mid: 144, out: 24, h: 28, w: 56, k: 3, stride: 1, pad: 1, expand: true, residual: true,
				inner: relu6, images: 1},
			{in: 24, mid: 144, out: 40, h: 28, w: 56, k: 5, stride: 2, pad: 1, extra: 1, expand: true, inner: relu6,
				images: 1},
			{in: 40, mid: 240, out: 40, h: 28, w: 28, k: 5, stride: 1, pad: 2, expand: true, residual: true,
				inner: relu6, images: 1},
			{in: 80, mid: 480, out: 112, h: 14, w: 14, k: 5, stride: 1, pad: 2, expand: true, inner: relu6, images: 2},
			{in: 112, mid: 672, out: 192, h: 14, w: 14, k: 5, stride: 2, pad: 1, extra: 1, expand: true, inner: relu6,
				images: 5},
			{in: 192, mid: 1152, out: 192, h: 7, w: 7, k: 5, stride: 1, pad: 2, expand: true, residual: true,
				inner: relu6, images: 7},
			{in: 160, mid: 960, out: 320, h: 7, w: 7, k: 3, stride: 1, pad: 1, expand: true, inner: relu6, last: relu6,
				images: 3},
			{in: 16, mid: 64, out: 24, h: 13, w: 11, k: 3, stride: 2, pad: 1, expand: true, residual: true,
				inner: swish, last: swish, images: 3},
			// No output reads the last row.
			{in: 1, mid: 2, out: 1, h: 4, w: 21, k: 3, stride: 2, stem: 2, images: 1},
			{in: 3, mid: 40, out: 2, h: 8, w: 21, k: 3, stride: 2, expand: true, inner: relu6, images: 1},
			{in: 3, mid: 5, out: 1, h: 1, w: 1, k: 3, stride: 1, pad: 1, expand: true, inner: relu6, images: 4},
		} {
			for _, cache := range []int{chainCache(), 60 << 10, 1} {
				c.check(t, cache)
			}
		}
	})
}

// TestChainShapes draws blocks of every size.
func TestChainShapes(t *testing.T) {
	kinds := []Activation{{}, {Kind: ActReLU}, {Kind: ActReLU6}, {Kind: ActClamp, B: 2}, {Kind: ActSwish},
		{Kind: ActClamp, A: -1, B: 1}}
	atLevels(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			c := chainCase{
				in: rapid.IntRange(1, 40).Draw(t, "in"), mid: rapid.IntRange(1, 50).Draw(t, "mid"),
				out: rapid.IntRange(1, 30).Draw(t, "out"),
				h:   rapid.IntRange(1, 20).Draw(t, "h"), w: rapid.IntRange(1, 40).Draw(t, "w"),
				k: rapid.SampledFrom([]int{3, 5, 7}).Draw(t, "k"), stride: rapid.IntRange(1, 2).Draw(t, "stride"),
				expand: rapid.Bool().Draw(t, "expand"), residual: rapid.Bool().Draw(t, "residual"),
				inner: rapid.SampledFrom(kinds).Draw(t, "inner"), last: rapid.SampledFrom(kinds).Draw(t, "last"),
				images: rapid.IntRange(1, 6).Draw(t, "images"),
			}
			if rapid.IntRange(0, 3).Draw(t, "stem") == 0 {
				c.stem = rapid.SampledFrom([]int{2, 3, 5}).Draw(t, "stem kernel")
			}
			c.pad = rapid.IntRange(0, c.k/2).Draw(t, "pad")
			c.extra = rapid.IntRange(-c.pad, c.k/2-c.pad).Draw(t, "extra")
			if c.h+2*c.pad+c.extra < c.k || c.w+2*c.pad+c.extra < c.k {
				t.Skip("the kernel is larger than the padded map")
			}
			c.check(t, rapid.SampledFrom([]int{1, 4 << 10, 64 << 10, chainCache()}).Draw(t, "cache"))
		})
	})
}

// TestChainFits checks which convolutions are chained where there is vector code.
func TestChainFits(t *testing.T) {
	if Level() == "generic" || Level() == "neon" {
		t.Skip("chains are not for " + Level())
	}
	convs := chainCase{in: 8, mid: 24, out: 8, h: 9, w: 9, k: 3, stride: 1, pad: 1, expand: true}.convs(t)
	last := convs[2].g
	short, err := NewConv(ConvSpec[float32]{Geom: last, Weight: make([]float32, last.WeightLen()), BFloat16: true})
	require.NoError(t, err)
	for _, c := range []struct {
		name  string
		convs []*Conv[float32]
		want  bool
	}{
		{"behind the first of an image", chainCase{in: 3, mid: 32, out: 16, h: 56, w: 56, k: 3, stride: 1, pad: 1,
			stem: 3}.convs(t), true},
		{"the last in bfloat16", []*Conv[float32]{convs[0], convs[1], short}, false},
		{"all three", convs, true}, {"without the first", convs[1:], true}, {"without the last", convs[:2], false},
		{"one", convs[2:], false},
		{"the first twice", []*Conv[float32]{convs[0], convs[0], convs[2]}, false}, {"none", nil, false},
	} {
		_, ok := NewChain(c.convs...)
		require.Equal(t, c.want, ok, c.name)
	}
}
