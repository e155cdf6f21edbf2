package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

type unaryOp = func(x *G.Node) (*G.Node, error)

// activation returns the operation that applies an activation.
func activation(a graph.Activation) unaryOp {
	return func(x *G.Node) (*G.Node, error) { return graph.Activate(x, a) }
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func clamp(x, lo, hi float64) float64 { return math.Min(math.Max(x, lo), hi) }

func eluRef(x, pos, neg, in float64) float64 {
	if x > 0 {
		return pos * x
	}
	return neg * (math.Exp(in*x) - 1)
}

// unaryOps are the elementwise functions with their definitions and the points where they have no derivative.
var unaryOps = map[string]struct {
	op    unaryOp
	f     func(x float64) float64
	kinks []float64
	grow  float64 // the domain is grow·[-2, 2], or grow·(0, 4] where above is set
	above bool
}{
	"Sigmoid": {op: graph.Sigmoid, f: logistic, grow: 4},
	"SiLU":    {op: graph.SiLU, f: func(x float64) float64 { return x * logistic(x) }, grow: 4},
	"Swish": {op: func(x *G.Node) (*G.Node, error) { return graph.Swish(x, 1.75) },
		f: func(x float64) float64 { return x * logistic(1.75*x) }, grow: 2},
	"HardSwish": {op: graph.HardSwish, f: func(x float64) float64 { return x * clamp(x/6+0.5, 0, 1) },
		kinks: []float64{-3, 3}, grow: 2},
	"HardSigmoid": {op: func(x *G.Node) (*G.Node, error) { return graph.HardSigmoid(x, 0.25, 0.625) },
		f: func(x float64) float64 { return clamp(0.25*x+0.625, 0, 1) }, kinks: []float64{-2.5, 1.5}, grow: 2},
	"GELU": {op: graph.GELU, f: func(x float64) float64 { return x * (1 + math.Erf(x/math.Sqrt2)) / 2 }, grow: 2},
	"GELUTanh": {op: graph.GELUTanh, f: func(x float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}, grow: 2},
	"Tanh":     {op: graph.Tanh, f: math.Tanh, grow: 2},
	"Softplus": {op: graph.Softplus, f: func(x float64) float64 { return math.Log(1 + math.Exp(x)) }, grow: 8},
	"Mish":     {op: graph.Mish, f: func(x float64) float64 { return x * math.Tanh(math.Log(1+math.Exp(x))) }, grow: 4},
	"Softsign": {op: graph.Softsign, f: func(x float64) float64 { return x / (1 + math.Abs(x)) }, grow: 2},
	"LeakyReLU": {op: func(x *G.Node) (*G.Node, error) { return graph.LeakyReLU(x, 0.25) }, f: func(x float64) float64 {
		return math.Max(x, 0) + 0.25*math.Min(x, 0)
	}, grow: 1},
	"ELU": {op: func(x *G.Node) (*G.Node, error) { return graph.ELU(x, 1.5) },
		f: func(x float64) float64 { return eluRef(x, 1, 1.5, 1) }, grow: 2},
	"CELU": {op: func(x *G.Node) (*G.Node, error) { return graph.CELU(x, 2) },
		f: func(x float64) float64 { return eluRef(x, 1, 2, 0.5) }, grow: 2},
	"SELU": {op: func(x *G.Node) (*G.Node, error) { return graph.SELU(x, 1.5, 1.25) },
		f: func(x float64) float64 { return eluRef(x, 1.25, 1.25*1.5, 1) }, grow: 2},
	"Clamp": {op: func(x *G.Node) (*G.Node, error) { return graph.Clamp(x, -0.75, 1) },
		f: func(x float64) float64 { return clamp(x, -0.75, 1) }, kinks: []float64{-0.75, 1}, grow: 1},
	"Clamp open": {op: func(x *G.Node) (*G.Node, error) { return graph.Clamp(x, -inf, 1) },
		f: func(x float64) float64 { return math.Min(x, 1) }, kinks: []float64{1}, grow: 1},
	"ReLU6": {op: activation(graph.ActReLU6()), f: func(x float64) float64 { return clamp(x, 0, 6) },
		kinks: []float64{6}, grow: 4},
	"ReLU":       {op: activation(graph.ActReLU()), f: func(x float64) float64 { return math.Max(x, 0) }, grow: 1},
	"Identity":   {op: activation(graph.ActIdentity()), f: func(x float64) float64 { return x }, grow: 1},
	"Exp":        {op: graph.Exp, f: math.Exp, grow: 1},
	"Log":        {op: graph.Log, f: math.Log, grow: 1, above: true},
	"Sqrt":       {op: graph.Sqrt, f: math.Sqrt, grow: 1, above: true},
	"Reciprocal": {op: graph.Reciprocal, f: func(x float64) float64 { return 1 / x }, grow: 1, above: true},
	"Abs":        {op: graph.Abs, f: math.Abs, grow: 1},
	"Neg":        {op: graph.Neg, f: func(x float64) float64 { return -x }, grow: 1},
	"Erf":        {op: graph.Erf, f: math.Erf, grow: 2},
	"Sin":        {op: graph.Sin, f: math.Sin, grow: 4},
	"Cos":        {op: graph.Cos, f: math.Cos, grow: 4},
	"Square":     {op: graph.Square, f: func(x float64) float64 { return x * x }, grow: 1},
	"Floor":      {op: graph.Floor, f: math.Floor, kinks: []float64{-4, -3, -2, -1, 1, 2, 3, 4}, grow: 2},
	"Ceil":       {op: graph.Ceil, f: math.Ceil, kinks: []float64{-4, -3, -2, -1, 1, 2, 3, 4}, grow: 2},
	"Round": {op: graph.Round, f: math.RoundToEven, kinks: []float64{-3.5, -2.5, -1.5, -.5, .5, 1.5, 2.5, 3.5},
		grow: 2},
	"Sign": {op: graph.Sign, f: func(x float64) float64 { return x / math.Abs(x) }, grow: 1},
}

func TestUnary(t *testing.T) {
	for name, c := range unaryOps {
		t.Run(name, func(t *testing.T) {
			for seed, shape := range [][]int{{1}, {7}, {2, 3}, {1, 9}, {3, 2, 5}, {2, 3, 3, 4}} {
				x := graphtest.Spread(newRand(uint64(seed)), shape...)
				for i := range x.Data {
					if c.above {
						x.Data[i] = float64(float32(x.Data[i] + 2.0625))
					}
					x.Data[i] *= c.grow
					for _, k := range c.kinks {
						if math.Abs(x.Data[i]-k) < 1e-2 {
							x.Data[i] = k + 1.0/64
						}
					}
				}
				o := elementwise(func(in G.Nodes) (*G.Node, error) { return c.op(in[0]) },
					func(x []float64) float64 { return c.f(x[0]) },
					graphtest.Variable(x).Batched())
				if name == "Log" || name == "Reciprocal" {
					o.Tolerance32 = 1e-4
				}
				o.Check(t, uint64(seed))
			}
		})
	}
}

// TestUnaryEdges looks at kinks, infinities and NaN.
func TestUnaryEdges(t *testing.T) {
	at := func(v ...float64) graphtest.Array { return graphtest.NewArray([]int{1, len(v)}, v) }
	x := at(0, 6, nan, inf, -inf)
	edge(t, activation(graph.ActReLU6()), x, []float64{0, 6, nan, 6, 0}, []float64{0, 0, 0, 0, 0})
	edge(t, activation(graph.ActClamp(0, 6)), x, []float64{0, 6, nan, 6, 0}, []float64{1, 2, 0, 0, 0})
	edge(t, activation(graph.ActClamp(2, 1)), x, []float64{1, 1, nan, 1, 1}, []float64{0, 0, 0, 0, 0})
	edge(t, activation(graph.ActClamp(-inf, inf)), x, []float64{0, 6, nan, inf, -inf}, []float64{1, 2, 0, 4, 5})
	edge(t, graph.HardSwish, at(-3, 3, nan, inf, -4), []float64{0, 3, nan, inf, 0}, []float64{0, 2, nan, 4, 0})
	edge(t, activation(graph.ActHardSigmoid(0.2, 0.5)), at(-2.5, 2.5, nan, inf, -inf), []float64{0, 1, nan, 1, 0},
		[]float64{0, 0, 0, 0, 0})
	edge(t, activation(graph.ActLeakyReLU(0.5)), at(0, -2, nan, inf, -inf), []float64{0, -1, nan, inf, -inf},
		[]float64{.5, 1, 1.5, 4, 2.5})
	edge(t, graph.Abs, at(0, -2, nan, inf, -inf), []float64{0, 2, nan, inf, inf}, []float64{0, -2, nan, 4, -5})
	edge(t, graph.Sigmoid, at(200, -200, nan, inf, -inf), []float64{1, 0, nan, 1, 0}, []float64{0, 0, nan, 0, 0})
	edge(t, graph.SiLU, at(200, -200, nan, 0), []float64{200, 0, nan, 0}, []float64{1, 0, nan, 2})
	edge(t, graph.GELU, at(200, -200, nan, 0), []float64{200, 0, nan, 0}, []float64{1, 0, nan, 2})
	edge(t, graph.GELUTanh, at(200, -200, nan, 0), []float64{200, 0, nan, 0}, []float64{1, 0, nan, 2})
	edge(t, graph.Mish, at(200, -200, nan), []float64{200, 0, nan}, []float64{1, 0, nan})
	edge(t, graph.Softplus, at(200, -200, nan, inf, -inf), []float64{200, 0, nan, inf, 0}, []float64{1, 0, nan, 4, 0})
	edge(t, graph.Tanh, at(200, -200, nan, inf, -inf), []float64{1, -1, nan, 1, -1}, []float64{0, 0, nan, 0, 0})
	edge(t, activation(graph.ActELU(2)), at(0, -200, nan, inf, -inf), []float64{0, -2, nan, inf, -2},
		[]float64{2, 0, nan, 4, 0})
	edge(t, graph.Log, at(0, -1, nan, inf), []float64{-inf, nan, nan, inf}, []float64{inf, -2, nan, 0})
	edge(t, graph.Round, at(.5, 1.5, 2.5, -.5, nan, inf), []float64{0, 2, 2, 0, nan, inf}, make([]float64, 6))
	edge(t, graph.Sign, at(0, -2, nan, inf, -inf), []float64{0, -1, nan, 1, -1}, make([]float64, 5))
}

// TestUnaryOfView runs a function on a value that lies in a dense block's buffer.
func TestUnaryOfView(t *testing.T) {
	for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		s := graphtest.NewSession(t, dtype, graphtest.Variable(graphtest.Normal(newRand(1), 2, 3, 2, 2)))
		block, err := graph.NewDenseBlock(s.In[0], 5)
		require.NoError(t, err)
		require.NoError(t, block.Append(must2(t)(graph.Channels(s.In[0], 0, 2))))
		y := must2(t)(graph.SiLU(block.Node()))
		s.Read(y)
		x := graphtest.Floats(t, s.In[0].Value())
		for i, v := range s.Run()[0] {
			n, c := i/20, i/4%5
			if c >= 3 {
				c -= 3
			}
			want := x[n*12+c*4+i%4]
			require.InDelta(t, want*logistic(want), v, 1e-6)
		}
	}
}

func TestPReLU(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape, seed := anyShape(rt), rapid.Uint64().Draw(rt, "seed")
		slopeShape := append([]int(nil), shape[rapid.IntRange(0, len(shape)-1).Draw(rt, "axes left out"):]...)
		for i := range slopeShape {
			if rapid.Bool().Draw(rt, "one") {
				slopeShape[i] = 1
			}
		}
		x := graphtest.Variable(graphtest.Spread(newRand(seed), shape...))
		if len(slopeShape) < len(shape) || slopeShape[0] == 1 {
			x = x.Batched()
		}
		graphtest.Op{
			In:    []graphtest.Input{x, graphtest.Variable(graphtest.Normal(newRand(seed+1), slopeShape...))},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.PReLU(in[0], in[1]) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return graphtest.Map(shape, func(i []int) float64 {
					at := append([]int(nil), i[len(i)-len(slopeShape):]...)
					for k, n := range slopeShape {
						if n == 1 {
							at[k] = 0
						}
					}
					v := in[0].At(i...)
					return math.Max(v, 0) + in[1].At(at...)*math.Min(v, 0)
				})
			},
		}.Check(rt, seed)
	})
}

func TestUnaryErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	x := s.Add(graphtest.Constant(graphtest.Zeros(2, 3)), "x")
	slope := s.Add(graphtest.Constant(graphtest.Zeros(2)), "slope")
	class := s.Add(graphtest.ClassInput(0, 1), "class")
	for name, c := range unaryOps {
		n, err := c.op(nil)
		require.ErrorContains(t, err, "expected an input, got nil", name)
		require.Nil(t, n, name)
	}
	for _, c := range []struct {
		op   func() (*G.Node, error)
		want string
	}{
		{func() (*G.Node, error) { return graph.Sigmoid(class) },
			"Sigmoid: expected element type float32 or float64, got int"},
		{func() (*G.Node, error) { return graph.Clamp(x, nan, 1) },
			"Clamp: parameters: expected finite numbers, got NaN and 1"},
		{func() (*G.Node, error) { return graph.ELU(x, inf) }, "ELU: parameters: expected finite numbers, got +Inf"},
		{func() (*G.Node, error) { return graph.LeakyReLU(x, 1e300) }, "finite"},
		{func() (*G.Node, error) { return graph.CELU(x, 0) }, "CELU: alpha: expected a number other than zero, got 0"},
		{func() (*G.Node, error) { return graph.PReLU(x, slope) },
			"PReLU: slope (slope): shape (2) does not broadcast to (2, 3)"},
		{func() (*G.Node, error) { return graph.PReLU(slope, x) }, "does not broadcast"},
		{func() (*G.Node, error) { return graph.PReLU(x, nil) }, "PReLU: input 1: expected a node, got nil"},
	} {
		n, err := c.op()
		require.ErrorContains(t, err, c.want)
		require.Nil(t, n)
	}
}

func TestActivations(t *testing.T) {
	require.Equal(t, graph.Activation{}, graph.ActIdentity())
	require.Equal(t, graph.ActSwish(1), graph.ActSiLU())
	require.NotEqual(t, graph.ActELU(1), graph.ActELU(2))
	for want, a := range map[string]graph.Activation{
		"Identity": graph.ActIdentity(), "SiLU": graph.ActSiLU(), "Swish(2)": graph.ActSwish(2),
		"Clamp(0, 6)": graph.ActClamp(0, 6), "GELU": graph.ActGELU(),
		"SELU(2, 3)": graph.ActSELU(2, 3), "Mish": graph.ActMish(), "Softsign": graph.ActSoftsign(),
	} {
		require.Equal(t, want, a.String())
	}
}

// TestActivationProgram runs every activation and its gradient in one program: nothing is allocated, results have the
// same bits for other batches and workers, and the steps name the activations.
func TestActivationProgram(t *testing.T) {
	all := []graph.Activation{
		graph.ActReLU6(), graph.ActClamp(-1, 2), graph.ActSigmoid(), graph.ActSiLU(), graph.ActSwish(2),
		graph.ActHardSigmoid(0.2, 0.5),
		graph.ActHardSwish(), graph.ActGELU(), graph.ActGELUTanh(), graph.ActTanh(), graph.ActSoftplus(),
		graph.ActMish(), graph.ActSoftsign(),
		graph.ActLeakyReLU(0.1), graph.ActELU(1), graph.ActCELU(2), graph.ActSELU(1.5, 1.25),
	}
	slope := newParam("slope", 0.25, -0.5)
	slope.Value = tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]float32{0.25, -0.5}))
	m := &model{shape: []int{2, 9}, outputs: []string{"y", "gradient"}, params: []*graph.Param{slope}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		x = b.Tap("x", x)
		y := b.Do(func() (*G.Node, error) { return graph.PReLU(x, b.Param("slope")) })
		for _, a := range all {
			y = b.Add(y, b.Activate(x, a))
		}
		b.Tap("y", y)
		b.TapOnDemand("gradient", func() (*G.Node, error) {
			gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{y}, G.Nodes{x})
			if err != nil {
				return nil, err
			}
			return gs[0], nil
		})
		return b.Err()
	}
	const n = 7
	images := graph.Batch{X: narrow(graphtest.Normal(newRand(1), n*18).Data), N: n}
	var want map[string][]float64
	for _, o := range []graph.Options{{Batch: 4, Workers: 1}, {Batch: 1, Workers: 2}, {Batch: 7, Workers: 2}} {
		p := compile(t, m, o)
		got := fetched(t, p, stream(images))
		if want == nil {
			want = got
			for op, objects := range p.Allocations() {
				require.Zero(t, objects, op)
			}
			var found []graph.Activation
			for _, s := range p.Steps() {
				if a, ok := s.Attributes.(graph.Activation); ok {
					require.Equal(t, a.Name(), s.Kind)
					found = append(found, a)
				}
			}
			require.ElementsMatch(t, all, found)
		}
		for name := range want {
			graphtest.RequireSameBits(t, [][]float64{want[name]}, [][]float64{got[name]}, name)
		}
	}
}

// TestBuilderActivate checks the values of an activation behind a convolution, where all but the identity are fused.
func TestBuilderActivate(t *testing.T) {
	for _, a := range []graph.Activation{graph.ActReLU(), graph.ActHardSwish(), graph.ActIdentity()} {
		w := newParam("c.weight", -1)
		w.Value = tensor.New(tensor.WithShape(1, 1, 1, 1), tensor.WithBacking([]float32{-2}))
		m := &model{shape: []int{1, 1, 2}, outputs: []string{"y"}, params: []*graph.Param{w}}
		m.build = func(b *graph.Builder, x *G.Node) error {
			b.Tap("y", b.Activate(b.Conv(x, "c", graph.ConvConfig{}), a))
			return b.Err()
		}
		got := fetched(t, compile(t, m, graph.Options{Batch: 1}), stream(graph.Batch{X: []float32{1, -1}, N: 1}))["y"]
		switch a {
		case graph.ActReLU():
			require.Equal(t, []float64{0, 2}, got)
		case graph.ActHardSwish():
			graphtest.RequireClose(t, []float64{-2.0 / 6, 2 * (2.0/6 + 0.5)}, got, 1e-6, "y")
		default:
			require.Equal(t, []float64{-2, 2}, got)
		}
	}
}
