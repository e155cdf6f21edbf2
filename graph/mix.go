package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// AlwaysPresent marks, in the groups of [Mix], an element that belongs to no group.
const AlwaysPresent = -1

// Mix returns removed + mask[group]·(present - removed): the activations of a coalition, in which the groups of mask 1 are
// present and those of mask 0 removed. In between it is a point on the way from one to the other.
//
// present and removed are [batch, ...] of one shape, mask is [batch, groups]; group holds for each element of a sample the
// group it belongs to, or AlwaysPresent. All three inputs have gradients.
func Mix(mask, present, removed *G.Node, group []int) (*G.Node, error) {
	const name = "Mix"
	if err := wantDims(name, 2, mask); err != nil {
		return nil, err
	}
	if err := wantBatched(name, 1, present); err != nil {
		return nil, err
	}
	shape := present.Shape()
	if err := wantShape(name, "removed activations", removed, shape...); err != nil {
		return nil, err
	}
	if err := wantShape(name, "mask", mask, shape[0], mask.Shape()[1]); err != nil {
		return nil, err
	}
	groups := mask.Shape()[1]
	if size := shape.TotalSize() / shape[0]; len(group) != size {
		return nil, fmt.Errorf("%s: groups of %d elements, activations have %d", name, len(group), size)
	}
	for i, g := range group {
		if g < AlwaysPresent || g >= groups {
			return nil, fmt.Errorf("%s: element %d is in group %d, expected %d to %d", name, i, g, AlwaysPresent, groups-1)
		}
	}
	grad := func(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = make(G.Nodes, 3)
		if need[0] {
			args := []*G.Node{grad, in[1], in[2]}
			if gs[0], err = floatOp(name+"'mask", mask.Shape(), args, nil, nil, mixDMask[float32](group), mixDMask[float64](group)); err != nil {
				return nil, err
			}
		}
		for i := 1; i <= 2; i++ {
			if !need[i] {
				continue
			}
			args := []*G.Node{grad, in[0]}
			if gs[i], err = floatOp(name+"'x", shape, args, nil, nil, mixDX[float32](group, i == 1), mixDX[float64](group, i == 1)); err != nil {
				return nil, err
			}
		}
		return gs, nil
	}
	return floatOp(name, shape, []*G.Node{mask, present, removed}, all(3), grad, mixRun[float32](group), mixRun[float64](group))
}

func mixRun[T kernel.Float](group []int) func(*call[T]) error {
	return func(c *call[T]) error {
		for i := range c.out.n {
			out, m, p, r := c.out.sample(i), c.in[0].sample(i), c.in[1].sample(i), c.in[2].sample(i)
			for e, g := range group {
				switch {
				case g < 0 || m[g] == 1: // not r + (p - r), which rounds
					out[e] = p[e]
				case m[g] == 0:
					out[e] = r[e]
				default:
					out[e] = r[e] + m[g]*(p[e]-r[e])
				}
			}
		}
		return nil
	}
}

func mixDMask[T kernel.Float](group []int) func(*call[T]) error {
	return func(c *call[T]) error {
		for i := range c.out.n {
			dm, dy, p, r := c.out.sample(i), c.in[0].sample(i), c.in[1].sample(i), c.in[2].sample(i)
			clear(dm)
			for e, g := range group {
				if g >= 0 {
					dm[g] += dy[e] * (p[e] - r[e])
				}
			}
		}
		return nil
	}
}

func mixDX[T kernel.Float](group []int, present bool) func(*call[T]) error {
	return func(c *call[T]) error {
		for i := range c.out.n {
			dx, dy, m := c.out.sample(i), c.in[0].sample(i), c.in[1].sample(i)
			for e, g := range group {
				share := T(1)
				if g >= 0 {
					share = m[g]
				}
				if !present {
					share = 1 - share
				}
				dx[e] = dy[e] * share
			}
		}
		return nil
	}
}
