package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

func TestArrayErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	add := func(name string, shape ...int) *G.Node {
		return s.Add(graphtest.Constant(graphtest.Zeros(shape...)), name)
	}
	x, image, pair := add("x", 2, 3), add("image", 2, 8, 4, 6), add("pair", 2)
	class := s.Add(graphtest.ClassInput(0, 1), "class")
	x32 := graphtest.NewSession(t, tensor.Float32).Add(graphtest.Constant(graphtest.Zeros(2, 3)), "x32")
	for name, c := range map[string]struct {
		op   func() (*G.Node, error)
		want string
	}{
		"Transpose nil": {func() (*G.Node, error) { return graph.Transpose(nil) },
			"Transpose: expected an input, got nil"},
		"Transpose too few": {func() (*G.Node, error) { return graph.Transpose(x, 0) },
			"Transpose: expected the 2 axes of shape (2, 3), got 1 in the order [0]"},
		"Transpose twice": {func() (*G.Node, error) { return graph.Transpose(x, 1, -1) },
			"Transpose: axes [1 -1] name axis 1 twice"},
		"Transpose beyond": {func() (*G.Node, error) { return graph.Transpose(x, 0, 2) },
			"Transpose: expected one of 2 axes, got axis 2"},
		"Transpose of classes": {func() (*G.Node, error) { return graph.Transpose(class) },
			"expected element type float32 or float64, got int"},
		"ReshapeAll nil": {func() (*G.Node, error) { return graph.ReshapeAll(nil, 1) },
			"Reshape: expected an input, got nil"},
		"ReshapeAll elements": {func() (*G.Node, error) { return graph.ReshapeAll(x, 4) },
			"shape (4) has 4 elements, input (x) of shape (2, 3) has 6"},
		"ReshapeAll empty": {func() (*G.Node, error) { return graph.ReshapeAll(x, 6, 0) }, "at least one element"},
		"ReshapeAll overflow": {func() (*G.Node, error) { return graph.ReshapeAll(x, math.MaxInt, math.MaxInt) },
			"too many elements"},
		"Slice nil": {func() (*G.Node, error) { return graph.Slice(nil, 0, 0, 1, 1) },
			"Slice: expected an input, got nil"},
		"Slice axis": {func() (*G.Node, error) { return graph.Slice(x, -3, 0, 1, 1) },
			"Slice: expected one of 2 axes, got axis -3"},
		"Slice step": {func() (*G.Node, error) { return graph.Slice(x, 0, 0, 1, 0) },
			"Slice: expected a step other than 0, got 0"},
		"Slice of nothing": {func() (*G.Node, error) { return graph.Slice(x, 1, 2, 1, 1) },
			"nothing between 2 and 1 with step 1 of the 3 elements of axis 1"},
		"ConcatAxis of nothing": {func() (*G.Node, error) { return graph.ConcatAxis(0) },
			"ConcatAxis: expected at least one input, got none"},
		"ConcatAxis nil": {func() (*G.Node, error) { return graph.ConcatAxis(0, x, nil) },
			"ConcatAxis: input 1: expected a node, got nil"},
		"ConcatAxis axis": {func() (*G.Node, error) { return graph.ConcatAxis(2, x, x) },
			"expected one of 2 axes, got axis 2"},
		"ConcatAxis shapes": {func() (*G.Node, error) { return graph.ConcatAxis(0, x, image) },
			"input 1 has shape (2, 8, 4, 6), which does not fit (2, 3) but for axis 0"},
		"Pad nil": {func() (*G.Node, error) { return graph.Pad(nil, graph.PadConfig{}) },
			"Pad: expected an input, got nil"},
		"Pad sizes": {func() (*G.Node, error) { return graph.Pad(x, graph.PadConfig{Before: []int{1, 1}}) },
			"each axis of shape (2, 3), got 2 and 0"},
		"Pad mode": {func() (*G.Node, error) {
			return graph.Pad(x, graph.PadConfig{Before: []int{1, 1}, After: []int{1, 1}, Mode: 9})
		}, "one of the modes of PadMode, got 9"},
		"Pad to nothing": {func() (*G.Node, error) {
			return graph.Pad(x, graph.PadConfig{Before: []int{-1, 0}, After: []int{-1, 0}})
		}, "of 2 elements: expected at least one in all and a size that fits, got -1 more before and -1 after"},
		"Pad overflow": {func() (*G.Node, error) {
			return graph.Pad(x, graph.PadConfig{Before: []int{math.MaxInt, 0}, After: []int{math.MaxInt, 0}})
		}, "Pad: axis 0 of 2 elements: expected at least one in all and a size that fits, got"},
		"Pad too large": {func() (*G.Node, error) {
			return graph.Pad(x, graph.PadConfig{Before: []int{1 << 29, 1 << 29}, After: []int{1, 1}})
		}, "too many elements"},
		"Take nil": {func() (*G.Node, error) { return graph.Take(nil, 0, []int{0}) },
			"Take: expected an input, got nil"},
		"Take nothing": {func() (*G.Node, error) { return graph.Take(x, 0, nil) }, "at least one element"},
		"Take beyond": {func() (*G.Node, error) { return graph.Take(x, 0, []int{0, 2}) },
			"Take: expected an index of the 2 elements of axis 0, got 2"},
		"Expand nil": {func() (*G.Node, error) { return graph.Expand(nil, 3) },
			"Expand: expected an input, got nil"},
		"Expand shape": {func() (*G.Node, error) { return graph.Expand(x, 4) },
			"Expand: shape (4) does not broadcast with (2, 3)"},
		"Expand negative": {func() (*G.Node, error) { return graph.Expand(x, -1, 3) }, "at least one element"},
		"Expand overflow": {func() (*G.Node, error) { return graph.Expand(x, math.MaxInt>>2, 1, 1) },
			"too many elements"},
		"Tile nil": {func() (*G.Node, error) { return graph.Tile(nil, 3) },
			"Tile: expected an input, got nil"},
		"Tile axes": {func() (*G.Node, error) { return graph.Tile(x, 3) },
			"expected a repetition for each axis of shape (2, 3), got 1: [3]"},
		"Tile zero": {func() (*G.Node, error) { return graph.Tile(x, 0, 1) },
			"Tile: axis 0 of 2 elements: expected at least 1 repetition and a size that fits, got 0"},
		"Tile overflow": {func() (*G.Node, error) { return graph.Tile(x, 1<<30, 1<<30) }, "Tile: "},
		"ChannelShuffle nil": {func() (*G.Node, error) { return graph.ChannelShuffle(nil, 1) },
			"ChannelShuffle: expected an input, got nil"},
		"ChannelShuffle groups": {func() (*G.Node, error) { return graph.ChannelShuffle(image, 3) },
			"expected groups that divide the channels of shape (2, 8, 4, 6), got 3"},
		"DepthToSpace nil": {func() (*G.Node, error) { return graph.DepthToSpace(nil, 2, false) },
			"DepthToSpace: input 0: expected a node, got nil"},
		"DepthToSpace axes": {func() (*G.Node, error) { return graph.DepthToSpace(x, 2, false) }, "expected 4 axes"},
		"DepthToSpace block": {func() (*G.Node, error) { return graph.DepthToSpace(image, 3, false) },
			"expected blocks that divide the channels of shape (2, 8, 4, 6), got 3 × 3"},
		"DepthToSpace huge": {func() (*G.Node, error) { return graph.DepthToSpace(image, math.MaxInt, false) },
			"DepthToSpace: expected blocks that divide"},
		"DepthToSpace of four": {func() (*G.Node, error) { return graph.DepthToSpace(image, 4, false) },
			"expected blocks that divide the channels of shape (2, 8, 4, 6), got 4 × 4"},
		"SpaceToDepth block": {func() (*G.Node, error) { return graph.SpaceToDepth(image, 0, false) },
			"expected blocks of at least 1, got 0"},
		"SpaceToDepth divisor": {func() (*G.Node, error) { return graph.SpaceToDepth(image, 4, false) },
			"expected blocks that divide height and width of shape (2, 8, 4, 6), got 4 × 4"},
		"Div nil": {func() (*G.Node, error) { return graph.Div(x, nil) },
			"Div: input 1: expected a node, got nil"},
		"Div types": {func() (*G.Node, error) { return graph.Div(x, x32) },
			"input 1 (x32) is of float32, input 0 of float64"},
		"Pow of classes": {func() (*G.Node, error) { return graph.Pow(class, class) },
			"expected element type float32 or float64, got int"},
		"Where shapes": {func() (*G.Node, error) { return graph.Where(x, x, pair) },
			"Where: shape (2) does not broadcast with (2, 3)"},
		"Not nil": {func() (*G.Node, error) { return graph.Not(nil) },
			"Not: input 0: expected a node, got nil"},
		"Less nil": {func() (*G.Node, error) { return graph.Less(nil, x) },
			"Less: input 0: expected a node, got nil"},
		"ReduceSum nil": {func() (*G.Node, error) { return graph.ReduceSum(nil, true) },
			"ReduceSum: expected an input, got nil"},
		"ReduceMax axis": {func() (*G.Node, error) { return graph.ReduceMax(x, true, 2) },
			"ReduceMax: expected one of 2 axes, got axis 2"},
		"ReduceProd twice": {func() (*G.Node, error) { return graph.ReduceProd(x, true, 1, -1) },
			"axes [1 -1] name axis 1 twice"},
		"ReduceLogSumExp nil": {func() (*G.Node, error) { return graph.ReduceLogSumExp(nil, true) },
			"ReduceLogSumExp: expected an input, got nil"},
		"SoftmaxAxis nil": {func() (*G.Node, error) { return graph.SoftmaxAxis(nil, 0) },
			"SoftmaxAxis: expected an input, got nil"},
		"LogSoftmaxAxis axis": {func() (*G.Node, error) { return graph.LogSoftmaxAxis(x, 5) },
			"LogSoftmaxAxis: expected one of 2 axes, got axis 5"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := c.op()
			require.ErrorContains(t, err, c.want)
			require.Nil(t, n)
		})
	}
}

// TestMasksHaveNoGradient: a gradient through a mask is an error, because a mask does not depend differentiably on its
// inputs.
func TestMasksHaveNoGradient(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(graphtest.Zeros(2, 3)))
	for _, op := range []func(a, b *G.Node) (*G.Node, error){
		graph.Less, graph.LessOrEqual, graph.Equal, graph.And, graph.Or, graph.Xor} {
		mask := must2(t)(op(s.In[0], s.In[0]))
		_, err := graph.Gradients(G.Nodes{must2(t)(graph.Not(mask))}, G.Nodes{s.In[0]}, s.In)
		require.ErrorContains(t, err, "no output depends differentiably")
	}
}

// TestArrayOperationsExplained compares the attributes in a program's steps with the arguments that the operations were
// given.
func TestArrayOperationsExplained(t *testing.T) {
	want := map[string]any{
		"Transpose": graph.TransposeStep{Perm: []int{0, 2, 3, 1}}, "Slice": graph.SliceStep{Axis: 2, First: 3, Step: -2,
			Count: 2},
		"ConcatAxis": graph.ConcatStep{Axis: 1}, "Pad": graph.PadConfig{Before: []int{0, 0, 1, 0},
			After: []int{0, 0, 0, 2}, Value: 3},
		"Take": graph.TakeStep{Axis: 3, Index: []int{1, 0}}, "Expand": nil,
		"Tile":           graph.TileStep{Reps: []int{1, 1, 2, 1}},
		"ChannelShuffle": graph.ShuffleStep{Groups: 2}, "DepthToSpace": graph.BlockStep{Block: 2, CRD: true},
		"Reshape": nil, "Mul": nil,
		"SoftmaxAxis": graph.SoftmaxStep{Axis: 1}, "ReduceMean": graph.ReduceStep{Axes: []int{1}},
	}
	net := func(b *graph.Builder, x *G.Node) error {
		m := must2(t)
		y := m(graph.Transpose(x, 0, -2, -1, 1)) // [n, 4, 4, 4]
		y = m(graph.Slice(y, 2, -1, -9, -2))     // [n, 4, 2, 4]
		y = m(graph.ConcatAxis(-3, y, y))        // [n, 8, 2, 4]
		y = m(graph.Pad(y, graph.PadConfig{Before: []int{0, 0, 1, 0}, After: []int{0, 0, 0, 2}, Value: 3}))
		y = m(graph.Take(y, 3, []int{1, -6})) // [n, 8, 3, 2]
		y = m(graph.Tile(y, 1, 1, 2, 1))      // [n, 8, 6, 2]
		y = m(graph.ChannelShuffle(y, 2))
		y = m(graph.DepthToSpace(y, 2, true)) // [n, 2, 12, 4]
		y = m(graph.ReshapeAll(y, y.Shape()[0], 96))
		y = m(graph.Mul(y, m(graph.Expand(m(graph.ReduceMean(y, true, -1)), 1, 96))))
		b.Tap("logits", m(graph.SoftmaxAxis(y, -1)))
		return b.Err()
	}
	p := compile(t, &model{shape: []int{4, 4, 4}, outputs: []string{"logits"}, build: net},
		graph.Options{Batch: 2, Workers: 1, Fetch: []string{"logits"}})
	got := map[string]any{}
	for _, s := range p.Steps() {
		got[s.Kind] = s.Attributes
	}
	require.Equal(t, want, got)
}
