package graphtest_test

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/chewxy/hm"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// recorder keeps the message with which a test would have failed.
type recorder struct{ failure string }

func (*recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failureOf returns the message with which f fails, "" where it does not fail.
func failureOf(f func(t graphtest.T)) string {
	var r recorder
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(&r)
	}()
	<-done
	return r.failure
}

// double is the operation 2x, [batch, n], with at most one fault.
type double struct {
	fault string
	scale float64
	runs  *int
	out   *tensor.Dense
}

func (o *double) Arity() int { return 1 }
func (o *double) Type() hm.Type {
	t := G.TensorType{Dims: 2, Of: hm.TypeVariable('a')}
	return hm.NewFnType(t, t)
}
func (o *double) InferShape(in ...G.DimSizer) (tensor.Shape, error) { return in[0].(tensor.Shape), nil }
func (o *double) ReturnsPtr() bool                                  { return false }
func (o *double) CallsExtern() bool                                 { return false }
func (o *double) OverwritesInput() int                              { return -1 }
func (o *double) String() string                                    { return fmt.Sprintf("Double %v", o.scale) }
func (o *double) WriteHash(h hash.Hash)                             { fmt.Fprint(h, o.String()) }
func (o *double) DiffWRT(int) []bool                                { return []bool{true} }
func (o *double) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o *double) SymDiff(_ G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	back := &double{scale: o.scale, runs: new(int)}
	if o.fault == "gradient" {
		back.scale = 3
	}
	n, err := G.ApplyOp(back, grad)
	return G.Nodes{n}, err
}

func (o *double) Do(in ...G.Value) (G.Value, error) {
	x := in[0].(*tensor.Dense)
	o.out = tensor.New(tensor.Of(x.Dtype()), tensor.WithShape(x.Shape()...))
	*o.runs++
	width := x.Shape()[1]
	f := func(v float64, i int) float64 {
		y := o.scale * v
		switch {
		case o.fault == "value", o.fault == "second run" && *o.runs == 2, o.fault == "batch" && i >= width:
			y += 1e-3
		case o.fault == "float32" && x.Dtype() == tensor.Float32:
			y *= 1.001
		}
		return y
	}
	switch data := x.Data().(type) {
	case []float64:
		for i, v := range data {
			o.out.Float64s()[i] = f(v, i)
		}
		if o.fault == "inputs" {
			data[0]++
		}
	case []float32:
		for i, v := range data {
			o.out.Float32s()[i] = float32(f(float64(v), i))
		}
	}
	return o.out, nil
}

func doubleTest(fault string) graphtest.Op {
	r := rand.New(rand.NewPCG(1, 2))
	runs := 0
	return graphtest.Op{
		In: []graphtest.Input{graphtest.Variable(graphtest.Normal(r, 3, 4)).Batched()},
		Build: func(in G.Nodes) (*G.Node, error) {
			return G.ApplyOp(&double{fault: fault, scale: 2, runs: &runs}, in[0])
		},
		Want: func(in []graphtest.Input) graphtest.Array {
			return graphtest.Map(in[0].Shape, func(i []int) float64 {
				y := 2 * in[0].At(i...)
				if fault == "batch" && i[0] > 0 {
					y += 1e-3 // the reference has the same fault
				}
				return y
			})
		},
	}
}

func TestCheckFindsEachFault(t *testing.T) {
	require.Empty(t, failureOf(func(t graphtest.T) { doubleTest("").Check(t, 1) }))
	for fault, want := range map[string]string{
		"value": "element 0 of", "gradient": "gradient of input 0: element", "second run": "second run: result 0",
		"inputs": "second run: result 0, element 0: expected the bits of", "float32": "expected",
		"batch": "value of sample 2 in a batch of one: result 0, element 0",
	} {
		require.Contains(t, failureOf(func(t graphtest.T) { doubleTest(fault).Check(t, 1) }), want, fault)
	}
	wrongShape := doubleTest("")
	wrongShape.Want = func([]graphtest.Input) graphtest.Array { return graphtest.Zeros(4, 3) }
	require.Contains(t, failureOf(func(t graphtest.T) { wrongShape.Check(t, 1) }),
		"value: expected shape [4 3], got [3 4]")
	broken := doubleTest("")
	broken.Build = func(in G.Nodes) (*G.Node, error) { return graph.Conv2D(in[0], in[0], nil, graph.ConvConfig{}) }
	require.Contains(t, failureOf(func(t graphtest.T) { broken.Check(t, 1) }), "build: Conv2D")
	mixed := doubleTest("")
	mixed.Build = func(in G.Nodes) (*G.Node, error) { return graph.Reshape(in[0], 4) }
	mixed.Want = func(in []graphtest.Input) graphtest.Array { return in[0].Array }
	require.Empty(t, failureOf(func(t graphtest.T) { mixed.Check(t, 1) }))
}

func TestArrays(t *testing.T) {
	a := graphtest.NewArray([]int{2, 3}, []float64{1, 2, 3, 4, 5, 6})
	require.Equal(t, 6.0, a.At(1, 2))
	require.Zero(t, a.At(-1, 0), "zero padding")
	require.Zero(t, a.At(0, 3))
	require.Panics(t, func() { graphtest.NewArray([]int{2, 3}, []float64{1}) })
	require.Equal(t, []float64{1}, graphtest.NewArray(nil, []float64{1}).Data, "a scalar")
	x := graphtest.Spread(rand.New(rand.NewPCG(1, 2)), 5, 4)
	for i, v := range x.Data {
		require.Greater(t, math.Abs(v), 0.01)
		for _, w := range x.Data[:i] {
			require.Greater(t, math.Abs(v-w), 0.1)
		}
	}
}

func TestComparisons(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	fails := func(want, got []float64) string {
		return failureOf(func(t graphtest.T) { graphtest.RequireClose(t, want, got, 0.1, "x") })
	}
	require.Empty(t, fails([]float64{nan, inf, 10}, []float64{nan, inf, 10.9}))
	require.Contains(t, fails([]float64{1}, []float64{1.2}), "x: element 0 of 1: expected 1 ± 0.1, got 1.2")
	require.Contains(t, fails([]float64{nan}, []float64{1}), "expected NaN")
	require.Contains(t, fails([]float64{1}, nil), "expected 1 elements, got 0")
	require.Contains(t, failureOf(func(t graphtest.T) {
		graphtest.RequireSameBits(t, [][]float64{{0}}, [][]float64{{math.Copysign(0, -1)}}, "zero")
	}), "zero: result 0, element 0")
	require.Contains(t, failureOf(func(t graphtest.T) { graphtest.RequireSameBits(t, nil, [][]float64{{0}}, "y") }),
		"expected 0 results, got 1")
}

// TestRequireCard: a card's result must be near the processor's, relative to the largest element or to the floor. Where
// terms cancel it may differ by more if it is nearer to the exact result.
func TestRequireCard(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		exact, processor, card []float64
		cancels, fails         bool
	}{
		{[]float64{4, 0}, []float64{4, 0}, []float64{4, 3.9e-5}, false, false},
		{[]float64{4, 0}, []float64{4, 0}, []float64{4, 4.1e-5}, false, true},
		{[]float64{4, 0}, []float64{4, 0}, []float64{4, 4.1e-5}, true, true},
		{[]float64{0}, []float64{0}, []float64{0.9e-7}, false, false},
		{[]float64{0}, []float64{0}, []float64{1.1e-7}, false, true},
		{[]float64{0}, []float64{5e-5}, []float64{0}, false, true},
		{[]float64{0}, []float64{5e-5}, []float64{0}, true, false},
		{[]float64{0}, []float64{5e-5}, []float64{-5.1e-5}, true, true},
		{[]float64{nan, inf, 2}, []float64{nan, inf, 2}, []float64{nan, inf, 2}, false, false},
		{[]float64{nan, 2}, []float64{nan, 2}, []float64{2, 2}, false, true},
		{[]float64{1, 2}, []float64{1, 2}, []float64{nan, 2}, true, true},
		{[]float64{inf, 2}, []float64{inf, 2}, []float64{-inf, 2}, true, true},
	} {
		failure := failureOf(func(t graphtest.T) {
			graphtest.RequireCard(t, c.exact, c.processor, c.card, c.cancels, "result")
		})
		require.Equal(t, c.fails, failure != "", "%+v: %s", c, failure)
	}
}
