package graph_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// fused is a convolution with layers around it that a Builder fuses into it.
type fused struct {
	n, c, h, w, o, k                        int
	cfg                                     graph.ConvConfig
	preNorm, preReLU, bias, norm, add, relu bool
	tap                                     bool                  // name every node in between, which prevents fusion
	act                                     graph.Activation      // in place of the last ReLU
	of                                      func(float64) float64 // the definition of act, or nil
}

const normEps = 1e-3

// norm holds the parameters of a batch norm, made by a formula.
type norm struct{ gamma, beta, mean, variance graphtest.Array }

func newNorm(m *model, r *rand.Rand, name string, channels int) norm {
	return norm{
		m.param(name+".weight", graphtest.Normal(r, channels)), m.param(name+".bias", graphtest.Normal(r, channels)),
		m.param(name+".running_mean", graphtest.Normal(r, channels)),
		m.param(name+".running_var", squared(graphtest.Normal(r, channels))),
	}
}

func squared(a graphtest.Array) graphtest.Array {
	return graphtest.Map(a.Shape, func(i []int) float64 { return float64(float32(0.1 + a.At(i...)*a.At(i...))) })
}

func (n norm) apply(x graphtest.Array, relu bool) graphtest.Array {
	return graphtest.Map(x.Shape, func(i []int) float64 {
		c := i[1]
		v := n.gamma.Data[c]*(x.At(i...)-n.mean.Data[c])/math.Sqrt(n.variance.Data[c]+normEps) + n.beta.Data[c]
		if relu {
			v = reluRef(v)
		}
		return v
	})
}

// model returns the model and a function that gives the reference value and the inputs of the ReLUs, for an input and a
// shortcut.
func (f fused) model(seed uint64) (m *model, outShape []int,
	want func(x, shortcut graphtest.Array) (y, kink graphtest.Array)) {
	r := newRand(seed)
	m = &model{shape: []int{f.c, f.h, f.w}, outputs: []string{"y", "dx", "dshortcut"}}
	w := m.param("conv.weight", graphtest.Normal(r, f.o, f.c/or1(f.cfg.Groups), f.k, f.k))
	var bias []float64
	if f.bias {
		bias = m.param("conv.bias", graphtest.Normal(r, f.o)).Data
	}
	pre, post := newNorm(m, r, "pre", f.c), newNorm(m, r, "post", f.o)
	outShape = convRef(graphtest.Zeros(f.n, f.c, f.h, f.w), w, nil, f.cfg).Shape
	want = func(x, shortcut graphtest.Array) (graphtest.Array, graphtest.Array) {
		kink := graphtest.Array{Data: []float64{1}} // the inputs of the ReLUs, to tell how near to 0 they come
		if f.preNorm {
			x = pre.apply(x, false)
		}
		if f.preReLU {
			kink.Data = append(kink.Data, x.Data...)
			x = graphtest.Map(x.Shape, func(i []int) float64 { return reluRef(x.At(i...)) })
		}
		y := convRef(x, w, bias, f.cfg)
		if f.norm {
			y = post.apply(y, false)
		}
		if f.add {
			y = graphtest.Map(y.Shape, func(i []int) float64 { return y.At(i...) + shortcut.At(i...) })
		}
		if f.of != nil {
			kink.Data = append(kink.Data, y.Data...)
			for _, v := range y.Data {
				kink.Data = append(kink.Data, v-6)
			}
			return graphtest.Map(y.Shape, func(i []int) float64 { return f.of(y.At(i...)) }), kink
		}
		if f.relu {
			kink.Data = append(kink.Data, y.Data...)
			y = graphtest.Map(y.Shape, func(i []int) float64 { return reluRef(y.At(i...)) })
		}
		return y, kink
	}
	m.build = func(b *graph.Builder, x *G.Node) error {
		names := 0
		keep := func(n *G.Node) *G.Node {
			if names++; f.tap {
				return b.Tap(fmt.Sprintf("step%d", names), n)
			}
			return n
		}
		y := x
		if f.preNorm {
			y = keep(b.BatchNorm(y, "pre", normEps))
		}
		if f.preReLU {
			y = keep(b.ReLU(y))
		}
		y = keep(b.Conv(y, "conv", f.cfg))
		if f.norm {
			y = keep(b.BatchNorm(y, "post", normEps))
		}
		shortcut := b.Input("shortcut", outShape[1:]...)
		if f.add {
			y = keep(b.Add(y, shortcut))
		}
		if f.relu {
			y = keep(b.ReLU(y))
		}
		if f.of != nil {
			y = keep(b.Activate(y, f.act))
		}
		y = b.Tap("y", y)
		gradient := func(wrt *G.Node) func() (*G.Node, error) {
			return func() (*G.Node, error) {
				gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{b.Input("cotangent", outShape[1:]...)}, G.Nodes{wrt})
				if err != nil {
					return nil, err
				}
				return gs[0], nil
			}
		}
		b.TapOnDemand("dx", gradient(x))
		b.TapOnDemand("dshortcut", gradient(shortcut))
		return b.Err()
	}
	if !f.add {
		m.outputs = m.outputs[:2]
	}
	return m, outShape, want
}

// check compares value and gradients with the reference in both precisions.
func (f fused) check(t tester, seed uint64) {
	t.Helper()
	m, outShape, want := f.model(seed)
	r := newRand(seed + 1)
	x, shortcut, cotangent := graphtest.Normal(r, f.n, f.c, f.h, f.w), graphtest.Normal(r, outShape...),
		graphtest.Normal(r, outShape...)
	y, kink := want(x, shortcut)
	for _, v := range kink.Data {
		if math.Abs(v) < 1e-3 {
			return // too close to a kink for central differences
		}
	}
	ref := graphtest.Op{
		In: []graphtest.Input{graphtest.Variable(x), graphtest.Variable(shortcut)},
		Want: func(in []graphtest.Input) graphtest.Array {
			y, _ := want(in[0].Array, in[1].Array)
			return y
		},
	}
	if !f.add {
		ref.In[1].Fixed = true
	}
	batch := batchOf(x)
	batch.Inputs = map[string][]float32{"shortcut": narrow(shortcut.Data), "cotangent": narrow(cotangent.Data)}
	p := compile(t, m, graph.Options{Dtype: tensor.Float64, Batch: 2, Workers: 1})
	got := fetched(t, p, stream(batch))
	graphtest.RequireClose(t, y.Data, got["y"], 1e-12, "value")
	gradients := [][]float64{got["dx"]}
	if f.add {
		gradients = append(gradients, got["dshortcut"])
	}
	ref.CheckGradients(t, cotangent, gradients, newRand(seed))
	for name, v := range fetched(t, compile(t, m, graph.Options{Batch: 2, Workers: 1}), stream(batch)) {
		graphtest.RequireClose(t, got[name], v, 5e-5, "float32 "+name)
	}
}

// TestFusedConvolutions goes through every combination of layers, fused and kept apart.
func TestFusedConvolutions(t *testing.T) {
	on := func(bits, i int) bool { return bits>>i&1 == 1 }
	for bits := range 1 << 7 {
		f := fused{
			n: 3, c: 2, h: 4, w: 3, o: 3, k: 3, cfg: graph.ConvConfig{Padding: [2]int{1, 1}},
			preNorm: on(bits, 0), preReLU: on(bits, 1), bias: on(bits, 2), norm: on(bits, 3), add: on(bits, 4),
			relu: on(bits, 5),
			tap:  on(bits, 6),
		}
		f.check(t, uint64(bits))
		if t.Failed() {
			t.Fatalf("%+v", f)
		}
	}
}

// TestFusedActivations puts activations other than ReLU behind convolutions, fused and kept apart.
func TestFusedActivations(t *testing.T) {
	for i, c := range []struct {
		act graph.Activation
		of  func(float64) float64
	}{
		{graph.ActReLU6(), func(x float64) float64 { return min(max(x, 0), 6) }},
		{graph.ActClamp(0, 6), func(x float64) float64 { return min(max(x, 0), 6) }},
		{graph.ActClamp(0, math.Inf(1)), func(x float64) float64 { return max(x, 0) }},
		{graph.ActSiLU(), func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
		{graph.ActTanh(), math.Tanh},
	} {
		for bits := range 1 << 4 {
			on := func(i int) bool { return bits>>i&1 == 1 }
			f := fused{
				n: 2, c: 2, h: 4, w: 3, o: 3, k: 3, cfg: graph.ConvConfig{Padding: [2]int{1, 1}}, preReLU: on(0),
				norm: on(1), add: on(2), tap: on(3),
				act: c.act, of: c.of,
			}
			f.check(t, uint64(100*i+bits))
			if t.Failed() {
				t.Fatalf("%+v", f)
			}
		}
	}
}

// TestActivationSteps makes sure that an activation is fused, and that the program's steps still list it.
func TestActivationSteps(t *testing.T) {
	f := fused{n: 1, c: 2, h: 3, w: 3, o: 2, k: 1, bias: true, act: graph.ActHardSwish(), of: math.Abs}
	m, _, _ := f.model(1)
	p := compile(t, m, graph.Options{Fetch: []string{"y"}})
	var dot bytes.Buffer
	require.NoError(t, p.DOT(&dot))
	require.Contains(t, dot.String(), "Conv2D+bias→HardSwish")
	steps := p.Steps()
	require.Len(t, steps, 1)
	require.Equal(t, graph.ActHardSwish(), steps[0].Attributes.(graph.ConvStep).Activation)
}

func TestFusedConvolutionsAnyGeometry(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(rt, name) }
		yes := func(name string) bool { return rapid.Bool().Draw(rt, name) }
		groups := draw("groups", 1, 2)
		f := fused{
			n: draw("batch", 1, 3), c: groups * draw("in", 1, 4), h: draw("height", 3, 6), w: draw("width", 3, 6),
			o: groups * draw("out", 1, 4), k: draw("kernel", 1, 3),
			cfg: graph.ConvConfig{
				Stride: [2]int{draw("stride", 1, 2), draw("stride", 1, 2)}, Padding: [2]int{draw("padding", 0, 1),
					draw("padding", 0, 1)},
				Groups: groups,
			},
			preNorm: yes("pre norm"), preReLU: yes("pre ReLU"), bias: yes("bias"), norm: yes("norm"), add: yes("add"),
			relu: yes("ReLU"),
		}
		f.check(rt, rapid.Uint64().Draw(rt, "seed"))
	})
}

// TestFusion makes sure that the layers above are fused at all, and that a tap keeps them apart.
func TestFusion(t *testing.T) {
	f := fused{n: 1, c: 2, h: 3, w: 3, o: 2, k: 1, preNorm: true, preReLU: true, bias: true, norm: true, add: true,
		relu: true}
	dot := func() string {
		m, _, _ := f.model(1)
		var buf bytes.Buffer
		require.NoError(t, compile(t, m, graph.Options{Fetch: []string{"y"}}).DOT(&buf))
		return buf.String()
	}
	require.Contains(t, dot(), "Affine→ReLU→Conv2D→Affine→Add→ReLU")
	f.tap = true
	require.NotContains(t, dot(), "→")
}

// TestAffineReLU has batch norm and ReLU without a convolution beside them into which they could be fused.
func TestAffineReLU(t *testing.T) {
	r := newRand(9)
	m := &model{shape: []int{3, 4, 2}, outputs: []string{"y", "dx"}}
	n := newNorm(m, r, "norm", 3)
	m.build = func(b *graph.Builder, x *G.Node) error {
		y := b.Tap("y", b.ReLU(b.BatchNorm(x, "norm", normEps)))
		b.TapOnDemand("dx", func() (*G.Node, error) {
			return gradientOf(t, y, b.Input("cotangent", m.shape...), x), nil
		})
		return b.Err()
	}
	x, cotangent := graphtest.Normal(r, 2, 3, 4, 2), graphtest.Normal(r, 2, 3, 4, 2)
	o := graphtest.Op{In: []graphtest.Input{graphtest.Variable(x)},
		Want: func(in []graphtest.Input) graphtest.Array { return n.apply(in[0].Array, true) }}
	batch := batchOf(x)
	batch.Inputs = map[string][]float32{"cotangent": narrow(cotangent.Data)}
	for dtype, tol := range map[tensor.Dtype]float64{tensor.Float64: 1e-12, tensor.Float32: 1e-5} {
		p := compile(t, m, graph.Options{Dtype: dtype, Batch: 2})
		got := fetched(t, p, stream(batch))
		graphtest.RequireClose(t, o.Want(o.In).Data, got["y"], tol, "value")
		if dtype == tensor.Float64 {
			o.CheckGradients(t, cotangent, [][]float64{got["dx"]}, r)
		}
		var dot bytes.Buffer
		require.NoError(t, p.DOT(&dot))
		require.Contains(t, dot.String(), "Affine→ReLU")
	}
}

// TestSharedConvolution uses the weights of one convolution with different layers fused to it. Replicas share the
// packed form of each fused convolution; the different fused convolutions must not share one.
func TestSharedConvolution(t *testing.T) {
	r := newRand(13)
	m := &model{shape: []int{2, 5, 5}, outputs: []string{"plain", "relu", "pre", "pre relu", "norm"}}
	w := m.param("conv.weight", graphtest.Normal(r, 3, 2, 3, 3))
	pre, post := newNorm(m, r, "pre", 2), newNorm(m, r, "post", 3)
	m.build = func(b *graph.Builder, x *G.Node) error {
		conv := func(x *G.Node) *G.Node { return b.Conv(x, "conv", graph.ConvConfig{}) }
		b.Tap("plain", conv(x))
		b.Tap("relu", b.ReLU(conv(x)))
		b.Tap("pre", conv(b.BatchNorm(x, "pre", normEps)))
		b.Tap("pre relu", conv(b.ReLU(b.BatchNorm(x, "pre", normEps))))
		b.Tap("norm", b.BatchNorm(conv(x), "post", normEps))
		return b.Err()
	}
	x := graphtest.Normal(r, 2, 2, 5, 5)
	conv := func(x graphtest.Array) graphtest.Array { return convRef(x, w, nil, graph.ConvConfig{}) }
	plain := conv(x)
	got := fetched(t, compile(t, m, graph.Options{Dtype: tensor.Float64, Workers: 2}), stream(batchOf(x)))
	for name, want := range map[string]graphtest.Array{
		"plain": plain, "relu": graphtest.Map(plain.Shape, func(i []int) float64 { return reluRef(plain.At(i...)) }),
		"pre": conv(pre.apply(x, false)), "pre relu": conv(pre.apply(x, true)), "norm": post.apply(plain, false),
	} {
		graphtest.RequireClose(t, want.Data, got[name], 1e-12, name)
	}
}
