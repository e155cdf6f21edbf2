package graph_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// TestOperationsThatShareMemory compares random graphs, with stock operations among theirs, with the operations'
// formulas, on two batches in turn. An operation that overwrote a value before its last reader would give wrong
// results.
func TestOperationsThatShareMemory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const n, width = 3, 4
		draw := func(name string, hi int) int { return rapid.IntRange(0, hi).Draw(rt, name) }
		type step struct{ kind, a, b int }
		steps := make([]step, 1+draw("steps", 25))
		widths := []int{width}
		for i := range steps {
			s := step{draw("kind", 5), draw("a", i), draw("b", i)}
			w := widths[s.a]
			switch s.kind {
			case 0, 1: // an operation on two nodes of one shape
				for widths[s.b] != w {
					s.b = (s.b + 1) % (i + 1)
				}
			case 2:
				if w += widths[s.b]; w > 16 {
					s.kind, w = 3, widths[s.a]
				}
			case 5:
				w = (w + 1) / 2
			}
			steps[i] = s
			widths = append(widths, w)
		}
		fetch := []string{fmt.Sprint(len(steps))}
		for range draw("fetches", 2) {
			if name := fmt.Sprint(1 + draw("fetch", len(steps)-1)); !slices.Contains(fetch, name) {
				fetch = append(fetch, name)
			}
		}
		m := &model{shape: []int{width}, outputs: fetch, build: func(b *graph.Builder, x *G.Node) error {
			nodes := G.Nodes{x}
			for i, s := range steps {
				a, c := nodes[s.a], nodes[s.b]
				y := b.Do(func() (*G.Node, error) {
					switch s.kind {
					case 0:
						return graph.Add(a, c)
					case 1:
						return graph.Sub(a, c)
					case 2:
						return graph.Concat(a, c)
					case 3:
						return graph.ReLU(a)
					case 4:
						return G.Tanh(a)
					default:
						return graph.Channels(a, 0, widths[i+1])
					}
				})
				nodes = append(nodes, b.Tap(fmt.Sprint(i+1), y))
			}
			return b.Err()
		}}
		want := func(x graphtest.Array) []graphtest.Array {
			values := []graphtest.Array{x}
			for i, s := range steps {
				a, c := values[s.a], values[s.b]
				values = append(values, graphtest.Map([]int{n, widths[i+1]}, func(at []int) float64 {
					switch s.kind {
					case 0:
						return a.At(at...) + c.At(at...)
					case 1:
						return a.At(at...) - c.At(at...)
					case 2:
						if at[1] >= widths[s.a] {
							return c.At(at[0], at[1]-widths[s.a])
						}
					case 3:
						return reluRef(a.At(at...))
					case 4:
						return math.Tanh(a.At(at...))
					}
					return a.At(at...)
				}))
			}
			return values[1:]
		}
		p := compile(rt, m, graph.Options{Batch: n, Workers: 1, Dtype: tensor.Float64})
		r := newRand(rapid.Uint64().Draw(rt, "seed"))
		for range 2 {
			x := graphtest.Normal(r, n, width)
			got, values := fetched(rt, p, stream(batchOf(x))), want(x)
			for i, v := range values {
				if name := fmt.Sprint(i + 1); slices.Contains(fetch, name) {
					require.InDeltaSlice(rt, v.Data, got[name], 1e-9, "node %s of %v", name, steps)
				}
			}
		}
	})
}
