package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawBFChain draws convolutions in bfloat16, each of which reads the output of the one before, with the height and
// width of most networks' maps or odd ones.
func drawBFChain(t *rapid.T) []*Conv[float32] {
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	c, h, w := rapid.IntRange(bfLeast, 40).Draw(t, "channels"), rapid.IntRange(1, 20).Draw(t, "rows"),
		rapid.IntRange(2, 40).Draw(t, "columns")
	var convs []*Conv[float32]
	n := rapid.IntRange(2, 4).Draw(t, "convolutions")
	for i := range n {
		g := ConvGeom{C: c, H: h, W: w, O: 2 * rapid.IntRange(4, 35).Draw(t, "outputs"), KH: 1, KW: 1}
		if rapid.Bool().Draw(t, "window") {
			g.KH, g.KW = rapid.IntRange(1, 5).Draw(t, "window rows"), rapid.IntRange(1, 5).Draw(t, "window columns")
			g.SH, g.SW = rapid.IntRange(1, 2).Draw(t, "row stride"), rapid.IntRange(1, 3).Draw(t, "column stride")
			g.DH, g.DW = rapid.IntRange(1, 2).Draw(t, "row dilation"), rapid.IntRange(1, 2).Draw(t, "column dilation")
			g.PH, g.PW = rapid.IntRange(0, 3).Draw(t, "row padding"), rapid.IntRange(0, 3).Draw(t, "column padding")
			g.EH, g.EW = rapid.IntRange(-1, 1).Draw(t, "extra rows"), rapid.IntRange(-1, 1).Draw(t, "extra columns")
		}
		if g = g.norm(); rapid.IntRange(0, 2).Draw(t, "same") > 0 {
			g.SH, g.SW, g.DH, g.DW, g.KH, g.KW = 1, 1, 1, 1, g.KH|1, g.KW|1
			g.PH, g.PW, g.EH, g.EW = g.KH/2, g.KW/2, 0, 0
		}
		if g.Check() != nil || !bfFits(g) {
			g = ConvGeom{C: c, H: h, W: w, O: g.O, KH: 1, KW: 1}.norm()
		}
		if !bfFits(g) {
			t.Skip("a single pixel stays in float32")
		}
		spec := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen()), BFloat16: true,
			Post: Activation{Kind: rapid.SampledFrom([]UnaryKind{ActIdentity, ActReLU}).Draw(t, "activation")}}
		if rapid.Bool().Draw(t, "bias") {
			spec.PostShift = randSlice[float32](rng, g.O)
		}
		if i == 0 && rapid.Bool().Draw(t, "affine") {
			spec.PreScale, spec.PreShift = randSlice[float32](rng, g.C), randSlice[float32](rng, g.C)
			spec.PreReLU = rapid.Bool().Draw(t, "ReLU")
		}
		if i == n-1 && rapid.IntRange(0, 3).Draw(t, "activation of the last") == 0 {
			spec.Post = Activation{Kind: ActSwish}
		}
		conv, err := NewConv(spec)
		require.NoError(t, err)
		require.NotNil(t, conv.bf)
		convs = append(convs, conv)
		c, h, w = g.O, g.OutH(), g.OutW()
	}
	return convs
}

// TestBFloat16Chain compares chains with their convolutions run one after the other, bit by bit.
func TestBFloat16Chain(t *testing.T) { rapid.Check(t, propBFloat16Chain) }

func FuzzBFloat16Chain(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propBFloat16Chain)) }

func propBFloat16Chain(t *rapid.T) {
	convs := drawBFChain(t)
	chain, faster := NewChain(convs...)
	require.Equal(t, BFloat16Level() == "amx", faster)
	var a arena
	defer a.free()
	first, last := convs[0].g, convs[len(convs)-1].g
	rng := newRand(rapid.Uint64().Draw(t, "seed of the images"))
	n, in, out := rapid.IntRange(1, 3).Draw(t, "images"), first.InLen()+3, last.OutLen()+5
	src := guarded(&a, randSlice[float32](rng, (n-1)*in+first.InLen()))
	dst := guarded(&a, make([]float32, (n-1)*out+last.OutLen()))
	var residual []float32
	if rapid.Bool().Draw(t, "residual") {
		residual = guarded(&a, randSlice[float32](rng, len(dst)))
	}
	chain.ForwardBatch(dst, src, residual, n, out, in, out, guarded(&a, nans[float32](chain.ScratchLen())))
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
		requireBits(t, x, dst[i*out:][:last.OutLen()], "image %d", i)
		if i+1 < n {
			require.Equal(t, make([]float32, 5), dst[i*out+last.OutLen():][:5],
				"what lies between the images is left alone")
		}
	}
	team := NewTeam(rapid.IntRange(2, 4).Draw(t, "team"))
	team.Start()
	defer team.End()
	shared := guarded(&a, make([]float32, len(dst)))
	chain.ForwardTeam(team, shared, src, residual, n, out, in, out,
		guarded(&a, nans[float32](chain.TeamScratchLen(team))))
	requireBits(t, dst, shared, "by a team of %d", team.Size())
}

// TestBFloat16ChainFits checks which convolutions make a chain where there is AMX.
func TestBFloat16ChainFits(t *testing.T) {
	if BFloat16Level() != "amx" {
		t.Skip("this CPU or system has no AMX")
	}
	conv := func(g ConvGeom, change func(*ConvSpec[float32])) *Conv[float32] {
		s := ConvSpec[float32]{Geom: g, Weight: make([]float32, g.norm().WeightLen()), BFloat16: true}
		if change != nil {
			change(&s)
		}
		c, err := NewConv(s)
		require.NoError(t, err)
		return c
	}
	point := ConvGeom{C: 16, H: 8, W: 8, O: 24, KH: 1, KW: 1}
	window := ConvGeom{C: 24, H: 8, W: 8, O: 12, KH: 3, KW: 3, PH: 1, PW: 1}
	odd, grouped := point, window
	odd.O, grouped.Groups = 23, 2
	behindOdd := window
	behindOdd.C = 23
	act := func(k UnaryKind) func(*ConvSpec[float32]) {
		return func(s *ConvSpec[float32]) { s.Post.Kind = k }
	}
	for _, c := range []struct {
		name  string
		convs []*Conv[float32]
		want  bool
	}{
		{"two", []*Conv[float32]{conv(point, nil), conv(window, nil)}, true},
		{"one", []*Conv[float32]{conv(point, nil)}, false},
		{"an odd number of channels between them", []*Conv[float32]{conv(odd, nil), conv(behindOdd, nil)}, false},
		{"groups", []*Conv[float32]{conv(point, nil), conv(grouped, nil)}, false},
		{"ReLU between them", []*Conv[float32]{conv(point, act(ActReLU)), conv(window, nil)}, true},
		{"swish between them", []*Conv[float32]{conv(point, act(ActSwish)), conv(window, nil)}, false},
		{"swish behind them", []*Conv[float32]{conv(point, nil), conv(window, act(ActSwish))}, true},
		{"ReLU in front of the second", []*Conv[float32]{conv(point, nil),
			conv(window, func(s *ConvSpec[float32]) { s.PreReLU = true })}, false},
		{"another size", []*Conv[float32]{conv(point, nil), conv(ConvGeom{C: 24, H: 4, W: 16, O: 12, KH: 1, KW: 1},
			nil)}, false},
		{"float32", []*Conv[float32]{conv(point, nil),
			conv(window, func(s *ConvSpec[float32]) { s.BFloat16 = false })}, false},
	} {
		_, got := NewChain(c.convs...)
		require.Equal(t, c.want, got, c.name)
	}
}
