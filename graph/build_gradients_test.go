package graph_test

import (
	"errors"
	"fmt"
	"hash"
	"math"
	"testing"

	"github.com/chewxy/hm"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// head is a small network: x [2, 4] → a = relu(x·w1ᵀ + b) [2, 5] → logits = a·w2ᵀ [2, 3].
type head struct {
	*graphtest.Session
	a, logits, ones *G.Node
	data            []graphtest.Input
}

func newHead(t tester, dtype tensor.Dtype) head {
	r := newRand(3)
	data := []graphtest.Input{graphtest.Variable(graphtest.Normal(r, 2, 4)),
		graphtest.Variable(graphtest.Normal(r, 5, 4)), graphtest.Variable(graphtest.Normal(r, 5)),
		graphtest.Variable(graphtest.Normal(r, 3, 5))}
	h := head{Session: graphtest.NewSession(t, dtype, data...), data: data}
	h.a = must2(t)(graph.ReLU(must2(t)(graph.Linear(h.In[0], h.In[1], h.In[2]))))
	h.logits = must2(t)(graph.Linear(h.a, h.In[3], nil))
	h.ones = h.Add(graphtest.Constant(graphtest.NewArray([]int{2}, []float64{1, 1})), "ones")
	return h
}

// headRef returns the activations and logits of the reference.
func headRef(in []graphtest.Input) (a, logits graphtest.Array) {
	a = linearRef(in[0].Array, in[1].Array, in[2].Data)
	a = graphtest.Map(a.Shape, func(i []int) float64 { return reluRef(a.At(i...)) })
	return a, linearRef(a, in[3].Array, nil)
}

// TestGradientsOfSeveralObjectives differentiates two objectives through shared nodes in one graph, and compares with a
// graph for each.
func TestGradientsOfSeveralObjectives(t *testing.T) {
	objectives := []func(h head) (G.Nodes, G.Nodes){
		func(h head) (G.Nodes, G.Nodes) {
			return G.Nodes{must2(t)(graph.LogSumExp(h.logits))}, G.Nodes{h.ones}
		},
		func(h head) (G.Nodes, G.Nodes) {
			return G.Nodes{must2(t)(graph.Gather(h.logits, must2(t)(graph.ArgMax(h.logits))))}, G.Nodes{h.ones}
		},
		func(h head) (G.Nodes, G.Nodes) { // two outputs at once, one of them an intermediate
			return G.Nodes{must2(t)(graph.Softmax(h.logits)), h.a}, G.Nodes{h.logits, h.a}
		},
	}
	wrt := func(h head) G.Nodes { return append(G.Nodes{h.a, h.logits}, h.In...) }
	var apart [][]float64
	for _, f := range objectives {
		h := newHead(t, tensor.Float64)
		outputs, seeds := f(h)
		by := wrt(h)
		gs, err := graph.Gradients(outputs, seeds, by)
		require.NoError(t, err)
		h.Read(gs...)
		apart = append(apart, h.Run()...)
	}
	h := newHead(t, tensor.Float64)
	before := len(h.Graph.AllNodes())
	for _, f := range objectives {
		outputs, seeds := f(h)
		gs, err := graph.Gradients(outputs, seeds, wrt(h))
		require.NoError(t, err)
		for i, n := range wrt(h) {
			require.Equal(t, n.Shape(), gs[i].Shape())
		}
		h.Read(gs...)
	}
	require.Greater(t, len(h.Graph.AllNodes()), before)
	graphtest.RequireSameBits(t, apart, h.Run(), "together")
	graphtest.RequireSameBits(t, apart, h.Run(), "together, second run")
}

// TestGradientsOfNonLeaves differentiates with respect to nodes that are computed: it compares d LSE(logits)/d a with
// its closed form, softmax(logits)·w2, and differentiates by an output itself.
func TestGradientsOfNonLeaves(t *testing.T) {
	for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
		h := newHead(t, dtype)
		lse := must2(t)(graph.LogSumExp(h.logits))
		gs, err := graph.Gradients(G.Nodes{lse}, G.Nodes{h.ones}, G.Nodes{h.a, h.logits, lse, h.a})
		require.NoError(t, err)
		require.Same(t, h.ones, gs[2])
		require.Same(t, gs[0], gs[3])
		h.Read(gs...)
		got := h.Run()
		_, logits := headRef(h.data)
		p := softmaxRef(logits)
		want := graphtest.Map([]int{2, 5}, func(i []int) float64 {
			sum := 0.0
			for k := range 3 {
				sum += p.At(i[0], k) * h.data[3].At(k, i[1])
			}
			return sum
		})
		tol := map[tensor.Dtype]float64{tensor.Float64: 1e-12, tensor.Float32: 1e-5}[dtype]
		graphtest.RequireClose(t, want.Data, got[0], tol, "by the activation")
		graphtest.RequireClose(t, p.Data, got[1], tol, "by the logits")
	}
}

func TestGradientsErrors(t *testing.T) {
	h := newHead(t, tensor.Float64)
	lse := must2(t)(graph.LogSumExp(h.logits))
	argmax := must2(t)(graph.ArgMax(h.logits))
	other := h.Add(graphtest.Constant(graphtest.Zeros(2)), "other")
	far := graphtest.NewSession(t, tensor.Float64).Add(graphtest.Constant(graphtest.Zeros(2)), "far")
	throughClass := must2(t)(graph.ClassMask(h.Add(graphtest.Constant(graphtest.Zeros(2, 3)), "z"), argmax,
		h.Add(graphtest.Constant(graphtest.Zeros(3, 3)), "table")))
	seed23 := h.Add(graphtest.Constant(graphtest.Zeros(2, 3)), "seed23")
	column := h.Add(graphtest.Constant(graphtest.Zeros(2, 1)), "column")
	ones32 := graphtest.NewSession(t, tensor.Float32).Add(graphtest.Constant(graphtest.Zeros(2)), "ones32")
	for name, c := range map[string]struct {
		outputs, seeds, wrt G.Nodes
		want                string
	}{
		"nothing":    {nil, nil, G.Nodes{h.a}, "expected a seed for each of 0 outputs, got 0"},
		"no seed":    {G.Nodes{lse}, nil, G.Nodes{h.a}, "expected a seed for each of 1 outputs, got 0"},
		"nil output": {G.Nodes{nil}, G.Nodes{h.ones}, G.Nodes{h.a}, "output 0: expected a node, got nil"},
		"nil second output": {G.Nodes{lse, nil}, G.Nodes{h.ones, h.ones}, G.Nodes{h.a},
			"output 1: expected a node, got nil"},
		"nil seed": {G.Nodes{lse}, G.Nodes{nil}, G.Nodes{h.a}, "seed 0: expected a node, got nil"},
		"nil node": {G.Nodes{lse}, G.Nodes{h.ones}, G.Nodes{h.a, nil},
			"node to differentiate by 1: expected a node, got nil"},
		"seed shape": {G.Nodes{lse}, G.Nodes{seed23}, G.Nodes{h.a},
			"is of shape (2) and float64, its seed of shape (2, 3)"},
		"seed column":          {G.Nodes{lse}, G.Nodes{column}, G.Nodes{h.a}, "its seed of shape (2, 1)"},
		"seed elsewhere":       {G.Nodes{lse}, G.Nodes{far}, G.Nodes{h.a}, "seed 0 (far) is not in the graph"},
		"seed of another type": {G.Nodes{lse}, G.Nodes{ones32}, G.Nodes{h.a}, "seed 0 (ones32) is not in the graph"},
		"node elsewhere":       {G.Nodes{lse}, G.Nodes{h.ones}, G.Nodes{far}, "(far) is not in the graph"},
		"unreachable": {G.Nodes{lse}, G.Nodes{h.ones}, G.Nodes{other},
			"no output depends differentiably on other"},
		"one unreachable": {G.Nodes{lse}, G.Nodes{h.ones}, G.Nodes{h.a, other},
			"no output depends differentiably on other"},
		"reversed": {G.Nodes{h.a}, G.Nodes{h.a}, G.Nodes{lse}, "no output depends"},
		"through argmax": {G.Nodes{throughClass}, G.Nodes{seed23}, G.Nodes{h.logits},
			"no output depends differentiably on"},
		"by the argmax": {G.Nodes{throughClass}, G.Nodes{seed23}, G.Nodes{argmax},
			"no output depends differentiably on"},
		"of a gradient": {G.Nodes{gradientOf(t, lse, h.ones, h.logits)}, G.Nodes{seed23}, G.Nodes{h.logits},
			"no output depends differentiably on"},
	} {
		t.Run(name, func(t *testing.T) {
			gs, err := graph.Gradients(c.outputs, c.seeds, c.wrt)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "gradients: ")
			require.Nil(t, gs)
		})
	}
	gs, err := graph.Gradients(G.Nodes{lse}, G.Nodes{h.ones}, nil)
	require.NoError(t, err)
	require.Empty(t, gs)
	// The graph still works after all these failures.
	h.Read(gradientOf(t, lse, h.ones, h.a))
	h.Read(lse)
	_, logits := headRef(h.data)
	graphtest.RequireClose(t, lseRef(logits).Data, h.Run()[1], 1e-12, "value")
}

// TestGradientTimesActivation compares the contributions with z ⊙ w2[class].
func TestGradientTimesActivation(t *testing.T) {
	h := newHead(t, tensor.Float64)
	class := h.Add(graphtest.ClassInput(2, 0), "class")
	h.Read(must2(t)(graph.GradientTimesActivation(h.a, h.logits, class, h.ones)))
	a, _ := headRef(h.data)
	want := graphtest.Map([]int{2, 5}, func(i []int) float64 {
		return a.At(i...) * h.data[3].At([]int{2, 0}[i[0]], i[1])
	})
	graphtest.RequireClose(t, want.Data, h.Run()[0], 1e-12, "contribution")
}

// TestActivationIsNotOverwritten guards against stock operations that work in place on shared memory. It multiplies an
// activation with its gradient while the activation is reshaped and read elsewhere and the input is differentiated,
// too.
func TestActivationIsNotOverwritten(t *testing.T) {
	r := newRand(5)
	x, w, v := graphtest.Normal(r, 2, 3, 4, 4), graphtest.Normal(r, 6, 3, 3, 3), graphtest.Normal(r, 4, 6)
	pooled := func(s *graphtest.Session) *G.Node {
		return must2(t)(graph.GlobalAvgPool2D(must2(t)(graph.ReLU(must2(t)(graph.Conv2D(s.In[0], s.In[1], nil,
			graph.ConvConfig{}))))))
	}
	s := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(x), graphtest.Variable(w), graphtest.Variable(v))
	a := must2(t)(graph.Flatten(pooled(s)))
	reshaped := G.Must(G.Reshape(must2(t)(graph.Copy(a)), tensor.Shape{2, 6}))
	logits := must2(t)(graph.Linear(must2(t)(graph.Add(G.Must(G.Tanh(reshaped)), a)), s.In[2], nil))
	lse := must2(t)(graph.LogSumExp(logits))
	gs, err := graph.Gradients(G.Nodes{lse},
		G.Nodes{s.Add(graphtest.Constant(graphtest.NewArray([]int{2}, []float64{1, 1})), "ones")}, G.Nodes{a, s.In[0]})
	require.NoError(t, err)
	s.Read(gs[0], gs[1], must2(t)(graph.Mul(gs[0], a)))
	forward := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(x), graphtest.Variable(w))
	forward.Read(pooled(forward))
	activation := forward.Run()[0]
	for range 2 {
		got := s.Run()
		want := make([]float64, len(activation))
		for i, z := range activation {
			want[i] = got[0][i] * z
		}
		graphtest.RequireClose(t, want, got[2], 1e-14, "gradient times activation")
	}
}

// oddOp is a foreign operation, x ↦ 2x + y, with unusual answers about its gradients that differentiation must survive.
type oddOp struct {
	diff    []bool
	symDiff func(in G.Nodes, grad *G.Node) (G.Nodes, error)
}

func (o *oddOp) Arity() int { return 2 }
func (o *oddOp) Type() hm.Type {
	v := G.TensorType{Dims: 1, Of: tensor.Float64}
	return hm.NewFnType(v, v, v)
}
func (o *oddOp) InferShape(s ...G.DimSizer) (tensor.Shape, error) {
	return s[0].(tensor.Shape).Clone(), nil
}
func (o *oddOp) ReturnsPtr() bool      { return false }
func (o *oddOp) CallsExtern() bool     { return false }
func (o *oddOp) OverwritesInput() int  { return -1 }
func (o *oddOp) WriteHash(h hash.Hash) { fmt.Fprintf(h, "%p", o) }
func (o *oddOp) Hashcode() uint32      { return 7 }
func (o *oddOp) String() string        { return "odd" }
func (o *oddOp) DiffWRT(int) []bool {
	if o.diff == nil {
		panic("not differentiable")
	}
	return o.diff
}

func (o *oddOp) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) { return o.symDiff(in, grad) }

func (o *oddOp) Do(in ...G.Value) (G.Value, error) {
	x, y := in[0].Data().([]float64), in[1].Data().([]float64)
	out := make([]float64, len(x))
	for i := range x {
		out[i] = 2*x[i] + y[i]
	}
	return tensor.New(tensor.WithBacking(out)), nil
}

func TestGradientsThroughOddOperations(t *testing.T) {
	both := []bool{true, true}
	for name, c := range map[string]struct {
		op   *oddOp
		want string // error of the gradient by x
	}{
		"nil gradient": {&oddOp{both, func(in G.Nodes, g *G.Node) (G.Nodes, error) {
			return make(G.Nodes, 2), nil
		}}, "odd returned no gradient for input 0"},
		"no gradients at all": {&oddOp{both, func(in G.Nodes, g *G.Node) (G.Nodes, error) { return nil, nil }},
			"odd returned no gradient for input 0"},
		"error": {&oddOp{both, func(in G.Nodes, g *G.Node) (G.Nodes, error) {
			return nil, errors.New("cannot")
		}}, "cannot"},
		"panic": {&oddOp{both, func(in G.Nodes, g *G.Node) (G.Nodes, error) { panic("oh") }}, "panic: oh"},
		"wrong shape": {&oddOp{both, func(in G.Nodes, g *G.Node) (G.Nodes, error) {
			return G.Nodes{in[0], G.Must(G.Sum(g))}, nil
		}}, ""},
		"DiffWRT panics":   {&oddOp{nil, nil}, "no output depends differentiably on ina"},
		"DiffWRT is empty": {&oddOp{[]bool{}, nil}, "no output depends differentiably on ina"},
		"DiffWRT is short": {&oddOp{both[:1], func(in G.Nodes, g *G.Node) (G.Nodes, error) {
			return G.Nodes{G.Must(G.Add(g, g))}, nil
		}}, ""},
		"second is nil": {&oddOp{[]bool{true, false}, func(in G.Nodes, g *G.Node) (G.Nodes, error) {
			return G.Nodes{G.Must(G.Add(g, g)), nil}, nil
		}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(graphtest.Normal(newRand(1), 3)),
				graphtest.Variable(graphtest.Normal(newRand(2), 3)))
			y := G.Must(G.ApplyOp(c.op, must2(t)(graph.Copy(s.In[0])), must2(t)(graph.Copy(s.In[1]))))
			y = must2(t)(graph.Copy(y))
			seed := s.Add(graphtest.Constant(graphtest.NewArray([]int{3}, []float64{1, 2, 3})), "seed")
			if name == "wrong shape" {
				_, err := graph.Gradients(G.Nodes{y}, G.Nodes{seed}, G.Nodes{s.In[1]})
				require.ErrorContains(t, err, "expected shape (3), got ()")
				return
			}
			gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{seed}, G.Nodes{s.In[0]})
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			s.Read(gs[0])
			require.Equal(t, [][]float64{{2, 4, 6}}, s.Run())
		})
	}
}

// TestDeepGraph differentiates through a long chain in which every node is read twice: y_n = y_{n-1} + y_{n-1}.
func TestDeepGraph(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(graphtest.NewArray([]int{1}, []float64{1})))
	y := s.In[0]
	for range 300 {
		y = must2(t)(graph.Add(y, y))
	}
	s.Read(y, gradientOf(t, y, s.Add(graphtest.Constant(graphtest.NewArray([]int{1}, []float64{1})), "seed"), s.In[0]))
	got := s.Run()
	require.Equal(t, math.Ldexp(1, 300), got[0][0])
	require.Equal(t, math.Ldexp(1, 300), got[1][0])
}
