package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	require.TestingT
	Helper()
}

// array is a tensor of a test, held in float64 whatever the graph computes in.
type array struct {
	shape []int
	data  []float64
}

func size(shape ...int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

func zeros(shape ...int) array { return array{shape, make([]float64, size(shape...))} }

// at returns an element, and 0 outside of the last two axes: zero padding.
func (a array) at(i ...int) float64 {
	at := 0
	for axis, k := range i {
		if k < 0 || k >= a.shape[axis] {
			return 0
		}
		at = at*a.shape[axis] + k
	}
	return a.data[at]
}

// newRand returns a source of its own for each seed.
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6c696e65)) }

// normal returns standard normal elements that float32 holds exactly.
func normal(r *rand.Rand, shape ...int) array {
	a := zeros(shape...)
	for i := range a.data {
		a.data[i] = float64(float32(r.NormFloat64()))
	}
	return a
}

// spread returns distinct elements in [-2, 2], evenly apart and none of them near 0, in random order: far from the kinks of
// ReLU, clip and maximum.
func spread(r *rand.Rand, shape ...int) array {
	a := zeros(shape...)
	n := len(a.data)
	for i, k := range r.Perm(n) {
		a.data[i] = float64(float32((float64(2*k+1)/float64(n) - 1 + 0.3/float64(n)) * 2))
	}
	return a
}

// input is an input of an operation under test.
type input struct {
	array
	classes []int // instead of elements: [batch] of int
	fixed   bool  // it has no gradient
}

func variable(a array) input        { return input{array: a} }
func constant(a array) input        { return input{array: a, fixed: true} }
func classInput(class ...int) input { return input{classes: class, fixed: true} }
func (in input) isClass() bool      { return in.classes != nil }
func (in input) withData(x []float64) input {
	in.array = array{in.shape, x}
	return in
}

// reversed returns other values of the same distribution.
func (in input) reversed() input {
	in.data, in.classes = slices.Clone(in.data), slices.Clone(in.classes)
	slices.Reverse(in.data)
	slices.Reverse(in.classes)
	return in
}

// floats copies a value's elements.
func floats(t tester, v G.Value) []float64 {
	t.Helper()
	switch data := v.Data().(type) {
	case []float64:
		return slices.Clone(data)
	case []float32:
		out := make([]float64, len(data))
		for i, x := range data {
			out[i] = float64(x)
		}
		return out
	case []int:
		out := make([]float64, len(data))
		for i, x := range data {
			out[i] = float64(x)
		}
		return out
	case float64:
		return []float64{data}
	case float32:
		return []float64{float64(data)}
	}
	require.FailNow(t, "unknown value", "%T", v.Data())
	return nil
}

// requireClose fails where elements differ by more than tol, relative to the largest of want. NaN equals NaN, and infinities
// equal themselves.
func requireClose(t tester, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	scale := 1.0
	for _, v := range want {
		if a := math.Abs(v); a > scale && !math.IsInf(a, 0) {
			scale = a
		}
	}
	for i, w := range want {
		if g := got[i]; g != w && !(math.IsNaN(g) && math.IsNaN(w)) && !(math.Abs(g-w) <= tol*scale) {
			require.FailNow(t, what, "element %d is %v, expected %v (of %d, scale %g)", i, g, w, len(want), scale)
		}
	}
}

func requireSameBits(t tester, want, got [][]float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		require.Len(t, got[i], len(want[i]), what)
		for j := range want[i] {
			if math.Float64bits(want[i][j]) != math.Float64bits(got[i][j]) {
				require.FailNow(t, what, "result %d, element %d is %v, expected %v", i, j, got[i][j], want[i][j])
			}
		}
	}
}

// opTest is an operation with what it must compute.
type opTest struct {
	in    []input
	build func(in G.Nodes) (*G.Node, error)
	want  func(in []input) array // the reference
	tol32 float64                // of float32 against float64, 2e-5 unless set
}

// check compares values with the reference, gradients for a random cotangent with central differences of the reference,
// float32 with float64, and runs each graph again with the same, other, and the first inputs.
func (o opTest) check(t tester, seed uint64) {
	t.Helper()
	want := o.want(o.in)
	cotangent := normal(newRand(seed), want.shape...)
	first := o.run(t, tensor.Float64, want, cotangent)
	requireClose(t, want.data, first[0], 1e-12, "value")
	o.checkGradients(t, cotangent, first[1:], newRand(seed))
	o.checkAlone(t, cotangent, first)
	for i, v := range o.run(t, tensor.Float32, want, cotangent) {
		requireClose(t, first[i], v, o.tolerance(tensor.Float32), "float32")
	}
}

// checkAlone computes each of the results with nothing else run than what it needs.
func (o opTest) checkAlone(t tester, cotangent array, want [][]float64) {
	t.Helper()
	wrt := -1
	for k := range want {
		s := newSession(t, tensor.Float64, o.in...)
		n, err := o.build(s.in)
		require.NoError(t, err)
		if k > 0 {
			for wrt++; o.in[wrt].fixed; wrt++ {
			}
			n = gradientOf(t, n, s.add(constant(cotangent), "cotangent"), s.in[wrt])
		}
		s.compileFor(n)
		requireSameBits(t, want[k:k+1], s.run(), fmt.Sprintf("result %d alone", k))
	}
}

// run returns the value and the gradients of the inputs that have one.
func (o opTest) run(t tester, dtype tensor.Dtype, want, cotangent array) [][]float64 {
	t.Helper()
	s := newSession(t, dtype, o.in...)
	y, err := o.build(s.in)
	require.NoError(t, err)
	require.Equal(t, want.shape, []int(y.Shape()), "shape")
	require.Equal(t, dtype, y.Dtype())
	s.read(y)
	var wrt G.Nodes
	for i, x := range o.in {
		if !x.fixed {
			wrt = append(wrt, s.in[i])
		}
	}
	if len(wrt) > 0 {
		gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{s.add(constant(cotangent), "cotangent")}, wrt)
		require.NoError(t, err)
		for i, g := range gs {
			require.Equal(t, wrt[i].Shape(), g.Shape(), "shape of gradient %d", i)
		}
		s.read(gs...)
	}
	var before [][]float64
	for i, x := range o.in {
		if !x.isClass() {
			before = append(before, floats(t, s.in[i].Value()))
		}
	}
	first := s.run()
	requireSameBits(t, first, s.run(), "second run")
	var other []input
	for _, x := range o.in {
		other = append(other, x.reversed())
	}
	requireClose(t, o.want(other).data, s.run(other...)[0], o.tolerance(dtype), "value of other inputs")
	requireSameBits(t, first, s.run(o.in...), "run after other inputs")
	var after [][]float64
	for i, x := range o.in {
		if !x.isClass() {
			after = append(after, floats(t, s.in[i].Value()))
		}
	}
	requireSameBits(t, before, after, "inputs after the runs")
	return first
}

func (o opTest) tolerance(dtype tensor.Dtype) float64 {
	switch {
	case dtype == tensor.Float64:
		return 1e-12
	case o.tol32 != 0:
		return o.tol32
	}
	return 2e-5
}

// checkGradients compares each input's gradient with central differences of Σ cotangent·reference: along each element, or
// where there are many, along some of them and along random directions through all.
func (o opTest) checkGradients(t tester, cotangent array, gradients [][]float64, r *rand.Rand) {
	t.Helper()
	const many, some, directions = 40, 12, 3
	in := slices.Clone(o.in)
	for k, x := range o.in {
		if x.fixed {
			continue
		}
		g := gradients[0]
		gradients = gradients[1:]
		slope := func(direction []float64) float64 {
			const h = 1e-5
			at := func(step float64) float64 {
				data := slices.Clone(x.data)
				for i, d := range direction {
					data[i] += step * d
				}
				in[k] = x.withData(data)
				return dot(o.want(in).data, cotangent.data)
			}
			return (at(h) - at(-h)) / (2 * h)
		}
		elements := r.Perm(len(x.data))
		if len(elements) > many {
			elements = elements[:some]
			for range directions {
				d := normal(r, len(g)).data
				requireClose(t, []float64{slope(d)}, []float64{dot(g, d)}, 1e-6, fmt.Sprintf("gradient of input %d along a random direction", k))
			}
		}
		want, got := make([]float64, len(elements)), make([]float64, len(elements))
		for i, e := range elements {
			unit := make([]float64, len(g))
			unit[e] = 1
			want[i], got[i] = slope(unit), g[e]
		}
		requireClose(t, want, got, 1e-6, fmt.Sprintf("gradient of input %d", k))
		in[k] = x
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// must returns the node or fails the test.
func must(t tester, n *G.Node, err error) *G.Node {
	t.Helper()
	require.NoError(t, err)
	return n
}

// gradientOf returns the gradient of Σ seed·y with respect to one node.
func gradientOf(t tester, y, seed, wrt *G.Node) *G.Node {
	t.Helper()
	gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{seed}, G.Nodes{wrt})
	require.NoError(t, err)
	return gs[0]
}
