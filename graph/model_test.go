package graph_test

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// model is a [graph.Model] made of a function.
type model struct {
	shape   []int
	params  []*graph.Param
	outputs []string
	build   func(b *graph.Builder, x *G.Node) error
}

func (m *model) InputShape() []int                       { return m.shape }
func (m *model) Params() []*graph.Param                  { return m.params }
func (m *model) Outputs() []string                       { return m.outputs }
func (m *model) Build(b *graph.Builder, x *G.Node) error { return m.build(b, x) }

// param adds a parameter to the model.
func (m *model) param(name string, a graphtest.Array) graphtest.Array {
	p := graph.NewParam(name, a.Shape...)
	for i, v := range a.Data {
		p.Float32s()[i] = float32(v)
	}
	m.params = append(m.params, p)
	return a
}

// stream returns a stream of the given batches.
func stream(bs ...graph.Batch) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		for _, b := range bs {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

func batchOf(x graphtest.Array) graph.Batch { return graph.Batch{X: narrow(x.Data), N: x.Shape[0]} }

// fetched returns copies of what a program fetches from a stream, all batches joined.
func fetched(t tester, p *graph.Program, batches graph.Batches) map[string][]float64 {
	t.Helper()
	all := map[string][]float64{}
	for out, err := range p.Run(context.Background(), batches) {
		require.NoError(t, err)
		for _, name := range p.Options().Fetch {
			all[name] = append(all[name], outputs(out, name)...)
		}
	}
	return all
}

// outputs copies what was fetched under a name, whatever its type.
func outputs(out *graph.Outputs, name string) (x []float64) {
	switch out.Dtype(name) {
	case tensor.Float64:
		return slices.Clone(out.Float64(name))
	case tensor.Int:
		for _, v := range out.Ints(name) {
			x = append(x, float64(v))
		}
	default:
		for _, v := range out.Float32(name) {
			x = append(x, float64(v))
		}
	}
	return x
}

func compile(t tester, m graph.Model, o graph.Options) *graph.Program {
	t.Helper()
	p, err := graph.Compile(m, o)
	require.NoError(t, err)
	return p
}
