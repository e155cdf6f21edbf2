package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Expand returns x broadcast with a shape by NumPy's rule, as ONNX's Expand does: an axis of one element in x is
// repeated to the length in shape, and an axis of length 1 in shape keeps the length in x. The gradient sums over the
// repetitions.
func Expand(x *G.Node, shape ...int) (*G.Node, error) {
	if err := wantNode("Expand", x); err != nil {
		return nil, err
	}
	if _, err := elements(shape); err != nil {
		return nil, fmt.Errorf("Expand: %w", err)
	}
	to, err := broadcastShape("Expand", x.Shape(), shape)
	if err != nil {
		return nil, err
	}
	return expandTo("Expand", x, to)
}

// expandTo repeats x to the shape to, to which it must broadcast.
func expandTo(name string, x *G.Node, to tensor.Shape) (*G.Node, error) {
	from := x.Shape()
	if sameShape(from, to) {
		return x, nil
	}
	m := move{from: from, to: to, size: to, src: alignedStrides(from, to), dst: rowMajor(to)}
	return m.nodeWith(name, x, same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) { return sumTo(grad, from) }))
}

// TileStep describes [Tile]: Reps says how often each axis is repeated.
type TileStep struct{ Reps []int }

// Tile returns x repeated reps[i] times along each axis i, as NumPy's tile.
func Tile(x *G.Node, reps ...int) (*G.Node, error) {
	if err := wantNode("Tile", x); err != nil {
		return nil, err
	}
	from := x.Shape()
	if len(reps) != len(from) {
		return nil, fmt.Errorf("Tile: expected a repetition for each axis of shape %v, got %d: %v", from, len(reps),
			reps)
	}
	to := from.Clone()
	var split tensor.Shape // for each axis its repetitions, then its elements
	var src []int
	strides := rowMajor(from)
	for i, r := range reps {
		if r < 1 || r > maxAxis/from[i] {
			return nil,
				fmt.Errorf("Tile: axis %d of %d elements: expected at least 1 repetition and a size that fits, got "+
					"%d", i, from[i], r)
		}
		to[i] *= r
		split, src = append(split, r, from[i]), append(src, 0, strides[i])
	}
	if _, err := elements(to); err != nil {
		return nil, fmt.Errorf("Tile: %w", err)
	}
	reps = slices.Clone(reps)
	m := move{from: from, to: to, size: split, src: src, dst: rowMajor(split)}
	m.attributes = TileStep{reps}
	return m.nodeWith("Tile", x, same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
		repeated := make([]bool, len(split))
		for i := range reps {
			repeated[2*i] = true
		}
		return reduceTo("Tile'", grad, split, repeated, from, sumReducer)
	}))
}
