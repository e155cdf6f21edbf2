package graph_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// bitModel mixes its input with removed activations by bits. Both may be shared by all samples, and the removed
// activations come from one row or from one of several.
type bitModel struct {
	elements, rows           int
	sharedPresent, sharedOff bool
}

func (m bitModel) model() *model {
	return &model{shape: []int{m.elements}, outputs: []string{"y"}, build: func(b *graph.Builder, x *G.Node) error {
		present := x
		if m.sharedPresent {
			present = b.SharedInput("present", 1, m.elements)
		}
		bits := b.BitInput("coalition", m.elements)
		b.Tap("y", b.Do(func() (*G.Node, error) {
			var y *G.Node
			var err error
			switch {
			case m.rows > 0:
				y, err = graph.MixRowsBits(bits, present, b.SharedInput("removed", m.rows, m.elements), b.Input("row"))
			case m.sharedOff:
				y, err = graph.MixBits(bits, present, b.SharedInput("removed", 1, m.elements))
			default:
				y, err = graph.MixBits(bits, present, b.Input("removed", m.elements))
			}
			if err != nil {
				return nil, err
			}
			return graph.Add(y, x)
		}))
		return b.Err()
	}}
}

func TestMixBits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := bitModel{
			elements: rapid.IntRange(1, 200).Draw(rt, "elements"), rows: rapid.IntRange(0, 3).Draw(rt, "rows"),
			sharedPresent: rapid.Bool().Draw(rt, "shared present"), sharedOff: rapid.Bool().Draw(rt, "shared removed"),
		}
		n, r := rapid.IntRange(1, 9).Draw(rt, "samples"), newRand(rapid.Uint64().Draw(rt, "seed"))
		words := (m.elements + 63) / 64
		x, present := graphtest.Normal(r, n, m.elements), graphtest.Normal(r, 1, m.elements)
		removedRows := n
		if m.rows > 0 {
			removedRows = m.rows
		} else if m.sharedOff {
			removedRows = 1
		}
		removed, row, bits := graphtest.Normal(r, removedRows, m.elements), make([]float32, n), make([]uint64, n*words)
		for i := range bits {
			bits[i] = r.Uint64()
		}
		want := make([]float64, n*m.elements)
		for i := range n {
			off := i % removedRows
			if m.rows > 0 {
				row[i] = float32(r.IntN(m.rows))
				off = int(row[i])
			}
			for e := range m.elements {
				y := removed.At(off, e)
				if bits[i*words+e/64]>>(e%64)&1 == 1 {
					y = x.At(i, e)
					if m.sharedPresent {
						y = present.At(0, e)
					}
				}
				want[i*m.elements+e] = y + x.At(i, e)
			}
		}
		batch := graph.Batch{
			X: narrow(x.Data), N: n, Bits: map[string][]uint64{"coalition": bits},
			Inputs: map[string][]float32{"present": narrow(present.Data), "removed": narrow(removed.Data), "row": row},
		}
		for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			p := compile(rt, m.model(), graph.Options{Batch: 4, Dtype: dtype, Workers: 2})
			for range 2 {
				require.InDeltaSlice(rt, want, fetched(rt, p, stream(batch))["y"], 1e-5)
			}
		}
	})
}

func TestBitsRefusals(t *testing.T) {
	try := func(f func(b *graph.Builder, x *G.Node) (*G.Node, error)) error {
		m := &model{shape: []int{70}, outputs: []string{"y"}, build: func(b *graph.Builder, x *G.Node) error {
			b.Tap("y", b.Do(func() (*G.Node, error) { return f(b, x) }))
			return b.Err()
		}}
		_, err := graph.Compile(m, graph.Options{Batch: 4})
		return err
	}
	for want, f := range map[string]func(b *graph.Builder, x *G.Node) (*G.Node, error){
		"expected at least 1 bit, got 0": func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			return b.BitInput("i", 0), nil
		},
		`"i" is one of numbers`: func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			b.Input("i", 2)
			return b.BitInput("i", 2), nil
		},
		`"i" is one of bits`: func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			b.BitInput("i", 2)
			return b.Input("i", 2), nil
		},
		`"s" is one of bits`: func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			b.BitInput("s", 2)
			return b.SharedInput("s", 2), nil
		},
		"input: i (input:i): expected shape (4, 1), got (4, 2)": func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			b.BitInput("i", 128)
			return b.BitInput("i", 2), nil
		},
		"expected uint64": func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			return graph.MixBits(b.Input("i", 2), x, x)
		},
		"bits (input:i): expected shape": func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			return graph.MixBits(b.BitInput("i", 64), x, x)
		},
		"(input:r): expected shape [70] for a sample, got [71]": func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			return graph.MixBits(b.BitInput("i", 70), x, b.Input("r", 71))
		},
		"present activations (input:r): expected 1 or 4 sampl": func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			return graph.MixBits(b.BitInput("i", 70), b.SharedInput("r", 2, 70), x)
		},
		"removed activations (input:r): expected 1 or 4 sampl": func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			return graph.MixBits(b.BitInput("i", 70), x, b.SharedInput("r", 2, 70))
		},
		"MixRowsBits: row": func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			return graph.MixRowsBits(b.BitInput("i", 70), x, x, x)
		},
	} {
		require.ErrorContains(t, try(f), want)
	}
	p := compile(t, bitModel{elements: 70, sharedOff: true}.model(), graph.Options{Batch: 4})
	in := map[string][]float32{"removed": make([]float32, 70)}
	for _, bits := range [][]uint64{nil, make([]uint64, 3), make([]uint64, 2)} {
		for _, err := range p.Run(context.Background(), stream(graph.Batch{X: make([]float32, 140), N: 2, Inputs: in,
			Bits: map[string][]uint64{"coalition": bits}})) {
			require.ErrorContains(t, err,
				fmt.Sprintf(`input "coalition": expected 2 words of bits for each of 2 samples, got %d`, len(bits)))
		}
	}
}
