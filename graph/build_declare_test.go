package graph_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

func TestDeclare(t *testing.T) {
	specs, err := graph.Declare([]int{4, 5, 5}, func(b *graph.Builder, x *G.Node) error {
		require.False(t, b.HasParam("a.weight"))
		x = b.Conv(x, "a", graph.ConvConfig{Out: 6, Kernel: [2]int{3, 1}, Groups: 2, Stride: [2]int{2, 2}})
		require.True(t, b.HasParam("a.weight"))
		require.Equal(t, []int{1, 6, 2, 3}, []int(x.Shape()))
		x = b.DenseBlock(x, 8, 1, func(int, *G.Node) *G.Node {
			b.Param("b.weight", 2, 6, 1, 1)
			return b.Conv(x, "b", graph.ConvConfig{}) // whose weight is there already
		})
		x = b.Add(x, b.ReLU(b.BatchNorm(x, "n", 1)))
		z := b.Tap("z", b.Dropout(b.GlobalAvgPool(b.AvgPool(x, graph.PoolConfig{Kernel: [2]int{2, 2}})), "drop", 0.5))
		tied := b.Param("tied", 8, 8)
		require.Same(t, tied, b.Param("tied"))
		require.Same(t, tied, b.Param("tied", 8, 8))
		b.Linear(b.Do(func() (*G.Node, error) { return graph.Linear(z, tied, nil) }), "fc", 3)
		return b.Err()
	})
	require.NoError(t, err)
	require.Equal(t, []graph.ParamSpec{
		{Name: "a.weight", Shape: []int{6, 2, 3, 1}}, {Name: "b.weight", Shape: []int{2, 6, 1, 1}},
		{Name: "n.weight", Shape: []int{8}}, {Name: "n.bias", Shape: []int{8}},
		{Name: "n.running_mean", Shape: []int{8}, Buffer: true}, {Name: "n.running_var", Shape: []int{8}, Buffer: true},
		{Name: "tied", Shape: []int{8, 8}}, {Name: "fc.weight", Shape: []int{3, 8}}, {Name: "fc.bias", Shape: []int{3}},
	}, specs)
	require.Equal(t, 36, specs[0].Len())
	p := specs[4].NewParam()
	require.Equal(t, "n.running_mean [8]", p.String())
	require.True(t, p.Buffer)

	_, err = graph.Declare([]int{2}, func(*graph.Builder, *G.Node) error { return errors.New("own error") })
	require.EqualError(t, err, "graph: own error")
	_, err = graph.Declare([]int{2}, func(b *graph.Builder, x *G.Node) error {
		b.Linear(x, "fc")
		return errors.New("a later error")
	})
	require.EqualError(t, err, `graph: parameter "fc.weight" has no shape where it is first asked for`)
	_, err = graph.Declare([]int{2, 3, 3}, func(b *graph.Builder, x *G.Node) error {
		b.Conv(x, "c", graph.ConvConfig{Out: 4})
		return b.Err()
	})
	require.EqualError(t, err,
		"graph: convolution c: expected ConvConfig.Out and Kernel of at least 1, got 4 and [0 0]")
}
