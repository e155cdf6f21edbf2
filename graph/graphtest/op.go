package graphtest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// Op is an operation together with a reference for what it must compute.
type Op struct {
	// In are the inputs to test the operation with. Elements that float32 holds exactly, away from kinks, make the
	// tightest test.
	In []Input
	// Build adds the operation to a graph. It is called for element types float32 and float64, and for the single
	// samples of a batch where inputs are [Input.Batched].
	Build func(in G.Nodes) (*G.Node, error)
	// Want is the reference: it computes the expected value from the operation's definition. It must not change its
	// inputs.
	Want func(in []Input) Array
	// Tolerance32 bounds how far float32 may be from float64, relative to the largest element if that is beyond 1; 0
	// means 2e-5.
	Tolerance32 float64
	// Cancels says that gradients may be what is left of terms that cancel, all of them small beside the terms. The
	// processor, which rounds the terms to float32, then is further from float64 than a card, which does not.
	Cancels bool
}

// Check fails the test unless
//   - values in float64 are the reference's, to 1e-12 relative to the largest,
//   - gradients of a random cotangent, drawn from the seed, are central differences of the reference, to 1e-6,
//   - values and gradients in float32 are those in float64, to Tolerance32,
//   - those of a card, where [DeviceVariable] names one, are the processor's in float32, to 1e-5 of the largest element
//     or of 0.01, whichever is more; an operation that Cancels may instead be nearer to float64 than the processor,
//   - a graph that runs again gives the same bits, after other inputs too, and leaves its inputs as they were,
//   - each result computed alone has the same bits,
//   - and where inputs are [Input.Batched], the first and the last sample have the same bits in a batch of one.
func (o Op) Check(t T, seed uint64) {
	t.Helper()
	want := o.Want(o.In)
	cotangent := Normal(newRand(seed), want.Shape...)
	first := o.Evaluate(t, tensor.Float64, cotangent)
	RequireClose(t, want.Data, first[0], 1e-12, "value")
	o.CheckGradients(t, cotangent, first[1:], newRand(seed))
	o.checkAlone(t, cotangent, first)
	o.checkSamples(t, tensor.Float64, cotangent, first)
	single := o.Evaluate(t, tensor.Float32, cotangent)
	for i, v := range single {
		RequireClose(t, first[i], v, o.tolerance(tensor.Float32), "float32")
	}
	o.checkSamples(t, tensor.Float32, cotangent, single)
	o.checkCard(t, cotangent, first, single)
}

// newRand returns a random source for the seed.
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6c696e65)) }

// Evaluate returns the value of the operation, which must have the shape of the cotangent, followed by the gradient of
// Σ cotangent·value by each input that is not fixed. It runs the graph again with the same, other, and the first
// inputs, as Check says.
func (o Op) Evaluate(t T, dtype tensor.Dtype, cotangent Array) [][]float64 {
	t.Helper()
	s, _ := o.session(t, dtype, cotangent)
	before := s.floats()
	first := s.Run()
	RequireSameBits(t, first, s.Run(), "second run")
	var other []Input
	for _, x := range o.In {
		other = append(other, x.Reversed())
	}
	RequireClose(t, o.Want(other).Data, s.Run(other...)[0], o.tolerance(dtype), "value of other inputs")
	RequireSameBits(t, first, s.Run(o.In...), "run after other inputs")
	RequireSameBits(t, before, s.floats(), "inputs after the runs")
	return first
}

// session returns a session that reads the value and the gradients, and the indices of the inputs that the gradients
// belong to.
func (o Op) session(t T, dtype tensor.Dtype, cotangent Array) (s *Session, variables []int) {
	t.Helper()
	s = NewSession(t, dtype, o.In...)
	y := o.node(s)
	if !slices.Equal(y.Shape(), cotangent.Shape) {
		t.Fatalf("value: expected shape %v, got %v", cotangent.Shape, []int(y.Shape()))
	}
	if y.Dtype() != dtype {
		t.Fatalf("value: expected elements of %v, got %v", dtype, y.Dtype())
	}
	s.Read(y)
	var wrt G.Nodes
	for i, x := range o.In {
		if !x.Fixed {
			wrt, variables = append(wrt, s.In[i]), append(variables, i)
		}
	}
	if len(wrt) == 0 {
		return s, nil
	}
	gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{s.Add(Constant(cotangent), "cotangent")}, wrt)
	if err != nil {
		t.Fatalf("gradients: %v", err)
	}
	for i, g := range gs {
		if !slices.Equal(g.Shape(), wrt[i].Shape()) {
			t.Fatalf("gradient of input %d: expected shape %v, got %v", variables[i], []int(wrt[i].Shape()),
				[]int(g.Shape()))
		}
	}
	s.Read(gs...)
	return s, variables
}

// node adds the operation to a session.
func (o Op) node(s *Session) *G.Node {
	s.t.Helper()
	y, err := o.Build(s.In)
	if err != nil {
		s.t.Fatalf("build: %v", err)
	}
	return y
}

// checkAlone computes each result in a graph that runs nothing but what this result needs.
func (o Op) checkAlone(t T, cotangent Array, want [][]float64) {
	t.Helper()
	wrt := -1
	for k := range want {
		s := NewSession(t, tensor.Float64, o.In...)
		n := o.node(s)
		if k > 0 {
			for wrt++; o.In[wrt].Fixed; wrt++ {
			}
			gs, err := graph.Gradients(G.Nodes{n}, G.Nodes{s.Add(Constant(cotangent), "cotangent")}, G.Nodes{s.In[wrt]})
			if err != nil {
				t.Fatalf("gradient of input %d alone: %v", wrt, err)
			}
			n = gs[0]
		}
		s.CompileFor(n)
		RequireSameBits(t, want[k:k+1], s.Run(), fmt.Sprintf("result %d alone", k))
	}
}

// checkSamples computes the first and the last sample of the batch alone.
func (o Op) checkSamples(t T, dtype tensor.Dtype, cotangent Array, want [][]float64) {
	t.Helper()
	at := slices.IndexFunc(o.In, func(x Input) bool { return x.PerSample && !x.isClass() })
	if at < 0 {
		return
	}
	n := o.In[at].samples()
	if len(cotangent.Shape) == 0 || cotangent.Shape[0] != n {
		t.Fatalf("value: expected %d samples first, as many as input %d has, got shape %v", n, at, cotangent.Shape)
	}
	for _, i := range []int{0, n - 1} {
		one := o
		one.In = nil
		for _, x := range o.In {
			one.In = append(one.In, x.sample(i))
		}
		s, variables := one.session(t, dtype, cotangent.sample(i))
		got := s.Run()
		row := func(k int) []float64 { return want[k][i*len(want[k])/n:][:len(want[k])/n] }
		RequireSameBits(t, [][]float64{row(0)}, got[:1], fmt.Sprintf("value of sample %d in a batch of one", i))
		for k, v := range variables {
			if o.In[v].PerSample {
				RequireSameBits(t, [][]float64{row(k + 1)}, got[k+1:k+2],
					fmt.Sprintf("gradient of input %d by sample %d in a batch of one", v, i))
			}
		}
	}
}

func (o Op) tolerance(dtype tensor.Dtype) float64 {
	switch {
	case dtype == tensor.Float64:
		return 1e-12
	case o.Tolerance32 != 0:
		return o.Tolerance32
	}
	return 2e-5
}

// CheckGradients compares the gradient of each input that is not fixed with central differences of Σ
// cotangent·reference: along each element, or where there are many, along some of them and along random directions
// through all.
func (o Op) CheckGradients(t T, cotangent Array, gradients [][]float64, r *rand.Rand) {
	t.Helper()
	const many, some, directions = 40, 12, 3
	in := slices.Clone(o.In)
	for k, x := range o.In {
		if x.Fixed {
			continue
		}
		g := gradients[0]
		gradients = gradients[1:]
		slope := func(direction []float64) float64 {
			const h = 1e-5
			at := func(step float64) float64 {
				data := slices.Clone(x.Data)
				for i, d := range direction {
					data[i] += step * d
				}
				in[k] = x.withData(data)
				return dot(o.Want(in).Data, cotangent.Data)
			}
			return (at(h) - at(-h)) / (2 * h)
		}
		elements := r.Perm(len(x.Data))
		if len(elements) > many {
			elements = elements[:some]
			for range directions {
				d := Normal(r, len(g)).Data
				RequireClose(t, []float64{slope(d)}, []float64{dot(g, d)}, 1e-6,
					fmt.Sprintf("gradient of input %d along a random direction", k))
			}
		}
		want, got := make([]float64, len(elements)), make([]float64, len(elements))
		for i, e := range elements {
			unit := make([]float64, len(g))
			unit[e] = 1
			want[i], got[i] = slope(unit), g[e]
		}
		RequireClose(t, want, got, 1e-6, fmt.Sprintf("gradient of input %d", k))
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
