package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TransposeStep describes [Transpose]: axis i of the result is axis Perm[i] of the input.
type TransposeStep struct{ Perm []int }

// Transpose returns x with its axes in another order: axis i of the result is axis perm[i] of x, as NumPy's transpose.
// Without perm the order is reversed.
func Transpose(x *G.Node, perm ...int) (*G.Node, error) {
	if err := wantNode("Transpose", x); err != nil {
		return nil, err
	}
	from := x.Shape()
	if len(perm) == 0 {
		for i := range from {
			perm = append(perm, len(from)-1-i)
		}
	}
	if len(perm) != len(from) {
		return nil, fmt.Errorf("Transpose: expected the %d axes of shape %v, got %d in the order %v", len(from), from,
			len(perm), perm)
	}
	if _, err := wantAxes("Transpose", perm, len(from)); err != nil {
		return nil, err
	}
	m := move{from: from, size: make([]int, len(from)), src: make([]int, len(from))}
	strides := rowMajor(from)
	order := make([]int, len(from))
	for i, p := range perm {
		p, _ = wantAxis("Transpose", p, len(from))
		order[i] = p
		m.size[i], m.src[i] = from[p], strides[p]
	}
	m.to, m.dst, m.attributes = m.size, rowMajor(m.size), TransposeStep{order}
	return m.node("Transpose", x)
}

// ReshapeAll returns x with the given shape, batch axis included. The elements and their order stay the same.
func ReshapeAll(x *G.Node, shape ...int) (*G.Node, error) {
	if err := wantNode("Reshape", x); err != nil {
		return nil, err
	}
	if n, err := elements(shape); err != nil {
		return nil, fmt.Errorf("Reshape: %w", err)
	} else if from := x.Shape(); n != from.TotalSize() {
		return nil, fmt.Errorf("Reshape: shape %v has %d elements, input (%s) of shape %v has %d", tensor.Shape(shape),
			n, x.Name(), from, from.TotalSize())
	}
	return reshapeTo("Reshape", x, shape)
}

func reshapeTo(name string, x *G.Node, shape tensor.Shape) (*G.Node, error) {
	if sameShape(x.Shape(), shape) {
		return x, nil
	}
	n := []int{total(shape)}
	return move{from: x.Shape(), to: shape, size: n, src: ones(1), dst: ones(1)}.node(name, x)
}

// ShuffleStep describes [ChannelShuffle] of so many Groups.
type ShuffleStep struct{ Groups int }

// ChannelShuffle interleaves groups of channels of x [batch, channels, ...]: channel j·groups + g of the result is
// channel g·(channels/groups) + j of x (Zhang et al., CVPR 2018, section 3.1).
func ChannelShuffle(x *G.Node, groups int) (*G.Node, error) {
	if err := wantBatched("ChannelShuffle", 2, x); err != nil {
		return nil, err
	}
	s := x.Shape()
	if groups < 1 || s[1]%groups != 0 {
		return nil, fmt.Errorf("ChannelShuffle: expected groups that divide the channels of shape %v, got %d", s,
			groups)
	}
	return regroup("ChannelShuffle", ShuffleStep{groups}, x, s, []int{s[0], groups, s[1] / groups, total(s[2:])}, 0, 2,
		1, 3)
}

// BlockStep describes [DepthToSpace] and [SpaceToDepth].
type BlockStep struct {
	Block int  // pixels on a side of a block
	CRD   bool // the order of channels is that of ONNX's mode CRD, otherwise of DCR
}

// DepthToSpace moves channels of x [batch, channels, height, width] into blocks of block × block pixels: [batch,
// channels/block², height·block, width·block]. The channels of x are [block, block, channels/block²], or with crd
// [channels/block², block, block] as in PyTorch's pixel shuffle (the modes DCR and CRD of the ONNX operator).
func DepthToSpace(x *G.Node, block int, crd bool) (*G.Node, error) {
	if err := wantBlocks("DepthToSpace", x, block); err != nil {
		return nil, err
	}
	s := x.Shape()
	if s[1]/block%block != 0 || s[1]%block != 0 {
		return nil, fmt.Errorf("DepthToSpace: expected blocks that divide the channels of shape %v, got %d × %d", s,
			block, block)
	}
	n, c, h, w := s[0], s[1]/block/block, s[2], s[3]
	if h > maxAxis/block || w > maxAxis/block {
		return nil, fmt.Errorf("DepthToSpace: blocks of %d × %d are too large for shape %v", block, block, s)
	}
	to := tensor.Shape{n, c, h * block, w * block}
	if crd {
		return regroup("DepthToSpace", BlockStep{block, crd}, x, to, []int{n, c, block, block, h, w}, 0, 1, 4, 2, 5, 3)
	}
	return regroup("DepthToSpace", BlockStep{block, crd}, x, to, []int{n, block, block, c, h, w}, 0, 3, 4, 1, 5, 2)
}

// SpaceToDepth is the inverse of [DepthToSpace]: it moves blocks of block × block pixels of x [batch, channels, height,
// width] into channels, [batch, channels·block², height/block, width/block].
func SpaceToDepth(x *G.Node, block int, crd bool) (*G.Node, error) {
	if err := wantBlocks("SpaceToDepth", x, block); err != nil {
		return nil, err
	}
	s := x.Shape()
	if s[2]%block != 0 || s[3]%block != 0 {
		return nil, fmt.Errorf("SpaceToDepth: expected blocks that divide height and width of shape %v, got %d × %d", s,
			block, block)
	}
	n, c, h, w := s[0], s[1], s[2]/block, s[3]/block
	to := tensor.Shape{n, c * block * block, h, w}
	if crd {
		return regroup("SpaceToDepth", BlockStep{block, crd}, x, to, []int{n, c, h, block, w, block}, 0, 1, 3, 5, 2, 4)
	}
	return regroup("SpaceToDepth", BlockStep{block, crd}, x, to, []int{n, c, h, block, w, block}, 0, 3, 5, 1, 2, 4)
}

// maxAxis is more than any axis has elements.
const maxAxis = 1 << (30 + 10*(^uint(0)>>63))

func wantBlocks(name string, x *G.Node, block int) error {
	if err := wantDims(name, 4, x); err != nil {
		return err
	}
	if block < 1 {
		return fmt.Errorf("%s: expected blocks of at least 1, got %d", name, block)
	}
	return nil
}

// regroup reads x as an array with the given axes, permutes them by perm and gives the result the shape to.
func regroup(name string, attributes any, x *G.Node, to tensor.Shape, axes []int, perm ...int) (*G.Node, error) {
	m := move{from: x.Shape(), to: to, size: make([]int, len(axes)), src: make([]int, len(axes)),
		attributes: attributes}
	strides := rowMajor(axes)
	for i, p := range perm {
		m.size[i], m.src[i] = axes[p], strides[p]
	}
	m.dst = rowMajor(m.size)
	return m.node(name, x)
}
