package graph_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// coalitions returns a hook at "features" of smallNet, which mixes the features with removed ones by a mask of 3
// groups.
func coalitions(removed func(b *graph.Builder) *G.Node) map[string]graph.Hook {
	group := []int{0, 0, 0, 1, 2, 0, 1, 2, -1, 1, 1}
	return map[string]graph.Hook{"features": func(b *graph.Builder, n *G.Node) (*G.Node, error) {
		mask, r := b.Input("mask", 3), removed(b)
		return b.Do(func() (*G.Node, error) { return graph.Mix(mask, n, r, group) }), b.Err()
	}}
}

func sharedRemoved(b *graph.Builder) *G.Node { return b.SharedInput("removed", 1, 11) }

// TestSharedGiveTheBitsOfCopies: a shared input gives the same bits as one copy of it for each sample, however many
// samples run at once, and the values in the batch stay as they were.
func TestSharedGiveTheBitsOfCopies(t *testing.T) {
	const n = 7
	r := newRand(40)
	mask := narrow(graphtest.Normal(r, n, 3).Data)
	copy(mask, []float32{0, 1, 1, 1, 0, 0})
	for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, o := range []graph.Options{{}, {Batch: 1, Workers: 1}, {Batch: 9, Workers: 3}} {
			o.Dtype, o.From, o.Fetch = dtype, "features", []string{"logits"}
			o.Hooks = coalitions(func(b *graph.Builder) *G.Node { return b.Input("removed", 11) })
			copied := compile(t, smallNet(6), o)
			o.BroadcastInput, o.Hooks = true, coalitions(sharedRemoved)
			shared := compile(t, smallNet(6), o)
			require.Equal(t, []int{11}, shared.InputShape())
			x, removed := make([]float32, 11), make([]float32, 11)
			for range 3 { // new values in the same memory, which the producer may fill again after each run
				copy(x, narrow(graphtest.Normal(r, 11).Data))
				copy(removed, narrow(graphtest.Normal(r, 11).Data))
				wantX, wantRemoved := slices.Clone(x), slices.Clone(removed)
				one := graph.Batch{X: x, N: n, Inputs: map[string][]float32{"mask": mask, "removed": removed}}
				other := graph.Batch{X: removed, N: 2, Inputs: map[string][]float32{"mask": mask[:6], "removed": x}}
				all := func(b graph.Batch) graph.Batch {
					return graph.Batch{X: slices.Repeat(b.X, b.N), N: b.N, Inputs: map[string][]float32{
						"mask": b.Inputs["mask"], "removed": slices.Repeat(b.Inputs["removed"], b.N)}}
				}
				want := fetched(t, copied, stream(all(one), all(other)))
				graphtest.RequireSameBits(t, [][]float64{want["logits"]},
					[][]float64{fetched(t, shared, stream(one, other))["logits"]}, "logits")
				require.Equal(t, wantX, x)
				require.Equal(t, wantRemoved, removed)
			}
		}
	}
}

// TestSharedIsNotCopied: the program reads the value in the batch's own memory.
func TestSharedIsNotCopied(t *testing.T) {
	p := compile(t, smallNet(6), graph.Options{From: "features", BroadcastInput: true, Fetch: []string{"logits"},
		Hooks: coalitions(sharedRemoved)})
	x, removed := make([]float32, 11), make([]float32, 11)
	fetched(t, p,
		stream(graph.Batch{X: x, N: 1, Inputs: map[string][]float32{"mask": make([]float32, 3), "removed": removed}}))
	require.True(t, p.Reads(x))
	require.True(t, p.Reads(removed))
	require.False(t, p.Reads(make([]float32, 11)))
}

// TestSharedWithStockOperations: stock operations may write to what they read, so they get a copy of a shared input.
func TestSharedWithStockOperations(t *testing.T) {
	m := &model{shape: []int{2}, outputs: []string{"sum"}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		bank := b.SharedInput("bank", 2, 2)
		b.Tap("sum", b.Do(func() (*G.Node, error) { return G.Add(G.Must(G.Square(bank)), x) }))
		return b.Err()
	}
	p := compile(t, m, graph.Options{Batch: 2, Workers: 1})
	bank := []float32{1, 2, 3, 4}
	for range 2 {
		got := fetched(t, p,
			stream(graph.Batch{X: []float32{10, 20, 30, 40}, N: 2, Inputs: map[string][]float32{"bank": bank}}))
		require.Equal(t, []float64{11, 24, 39, 56}, got["sum"])
		require.Equal(t, []float32{1, 2, 3, 4}, bank)
	}
	require.False(t, p.Reads(bank))
}

func TestSharedRefusals(t *testing.T) {
	hooks := coalitions(sharedRemoved)
	kept := map[string]graph.Hook{"features": func(_ *graph.Builder, n *G.Node) (*G.Node, error) { return n, nil }}
	adding := func(input func(b *graph.Builder) *G.Node) graph.Options {
		return graph.Options{Hooks: coalitions(input)}
	}
	removed := func(shape ...int) graph.Options {
		return adding(func(b *graph.Builder) *G.Node { return b.SharedInput("removed", shape...) })
	}
	mask := func(b *graph.Builder) *G.Node { return b.SharedInput("mask", 4, 11) }
	otherShape := func(b *graph.Builder) *G.Node { sharedRemoved(b); return b.SharedInput("removed", 2, 11) }
	notShared := func(b *graph.Builder) *G.Node { sharedRemoved(b); return b.Input("removed", 11) }
	for want, o := range map[string]graph.Options{
		`activations at "" that all samples share need a hook`: {BroadcastInput: true,
			Hooks: hooks},
		`activations at "features" that all samples share need a hook there`: {From: "features",
			BroadcastInput: true},
		`activations at "block" that all samples share need a hook there`: {From: "block",
			BroadcastInput: true, Hooks: hooks},
		"result for features (features): expected shape (8, 11), got (1, 11)": {From: "features",
			BroadcastInput: true, Hooks: kept},
		`input "mask" is one for each sample, not shared by them`:                      adding(mask),
		"shared input: removed (input:removed): expected shape (2, 11), got (1, 11)":   adding(otherShape),
		`input "removed" is shared by all samples, not one for each`:                   adding(notShared),
		"input:removed: expected a shared input of at least one axis, got none":        removed(),
		"input:removed: shape (0, 11): expected at least one element along every axis": removed(0, 11),
		"removed activations (input:removed): expected 1 or 8 samp":                    removed(2, 11),
	} {
		_, err := graph.Compile(smallNet(6), o)
		require.ErrorContains(t, err, want)
	}
	p := compile(t, smallNet(6), graph.Options{From: "features", BroadcastInput: true, Hooks: hooks,
		Fetch: []string{"logits"}})
	x, ones := make([]float32, 11), make([]float32, 6)
	for want, b := range map[string]graph.Batch{
		"batch 0: expected 11 values of shape [11], which 2 samples share, got 22": {X: make([]float32, 22), N: 2},
		`batch 0: input "removed": expected 11 values of shape [1 11], which 2 samples share, got 10`: {X: x,
			N: 2, Inputs: map[string][]float32{"mask": ones, "removed": x[1:]}},
		`batch 0: input "removed": expected 11 values of shape [1 11], which 2 samples share, got 0`: {X: x,
			N: 2, Inputs: map[string][]float32{"mask": ones}},
		`batch 0: input "mask": expected 3 values of shape [3] for each of 2 samples, got 3`: {X: x,
			N: 2, Inputs: map[string][]float32{"mask": ones[:3], "removed": x}},
		`batch 0: expected 11 values of shape [11], which 4611686018427387904 samples share, got 0`: {
			N: math.MaxInt>>1 + 1},
		`batch 0: input "mask": expected 3 values of shape [3] for each of 4611686018427387904 samples, got 6`: {X: x,
			N: math.MaxInt>>1 + 1, Inputs: map[string][]float32{"mask": ones, "removed": x}},
		"batch 0: expected at least 1 sample, got 0": {X: x, Inputs: map[string][]float32{"mask": ones, "removed": x}},
	} {
		for _, err := range p.Run(context.Background(), stream(b)) {
			require.EqualError(t, err, want)
		}
	}
}
