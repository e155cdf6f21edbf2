package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// TakeStep describes [Take], and a [Pad] in any mode but the constant one, which is listed as one step for each axis:
// Index holds the places of the elements along Axis. None of these numbers is negative.
type TakeStep struct {
	Axis  int
	Index []int
}

// Take returns the elements of x at the given indices along an axis, in their order: x [.., n, ..] becomes [..,
// len(index), ..]. Negative indices count from the end. The gradient of an element sums over its copies.
func Take(x *G.Node, axis int, index []int) (*G.Node, error) {
	if err := wantNode("Take", x); err != nil {
		return nil, err
	}
	a, err := wantAxis("Take", axis, x.Dims())
	if err != nil {
		return nil, err
	}
	n := x.Shape()[a]
	index = slices.Clone(index)
	for i, k := range index {
		if k < -n || k >= n {
			return nil, fmt.Errorf("Take: expected an index of the %d elements of axis %d, got %d", n, a, k)
		}
		if k < 0 {
			index[i] += n
		}
	}
	return pick("Take", x, a, index)
}

// pick is Take with an axis and indices that are in range. It keeps the slice index.
func pick(name string, x *G.Node, axis int, index []int) (*G.Node, error) {
	from := x.Shape()
	to := from.Clone()
	to[axis] = len(index)
	if _, err := elements(to); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	outer, n, inner := total(from[:axis]), from[axis], total(from[axis+1:])
	grad := same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
		return takeGradCard(n, inner, index)(floatOp(name+"'", from, []*G.Node{grad}, first(1),
			same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
				return pick(name, grad, axis, index)
			}), pickBackRun[float32](outer, n, inner, index), pickBackRun[float64](outer, n, inner, index)))
	})
	return explained("Take", TakeStep{axis, index})(takeCard(n, inner, index)(floatOp(name, to, []*G.Node{x}, first(1),
		grad, pickRun[float32](outer, n, inner, index), pickRun[float64](outer, n, inner, index))))
}

func pickRun[T kernel.Float](outer, n, inner int, index []int) func(*call[T]) error {
	return func(c *call[T]) error {
		dst, src := c.out.data, c.flat(0)
		for o := range outer {
			block := src[o*n*inner:][:n*inner]
			if inner == 1 {
				for i, k := range index {
					dst[i] = block[k]
				}
				dst = dst[len(index):]
				continue
			}
			for _, k := range index {
				dst = dst[copy(dst, block[k*inner:][:inner]):]
			}
		}
		return nil
	}
}

func pickBackRun[T kernel.Float](outer, n, inner int, index []int) func(*call[T]) error {
	return func(c *call[T]) error {
		dst, src := c.out.data, c.flat(0)
		clear(dst[:outer*n*inner])
		for o := range outer {
			block := dst[o*n*inner:][:n*inner]
			if inner == 1 {
				for i, k := range index {
					block[k] += src[i]
				}
				src = src[len(index):]
				continue
			}
			for _, k := range index {
				kernel.AddTo(block[k*inner:], src[:inner])
				src = src[inner:]
			}
		}
		return nil
	}
}

// joinRun concatenates inputs of outer × sizes[i] elements along their second axis.
func joinRun[T kernel.Float](outer int, sizes []int) func(*call[T]) error {
	return func(c *call[T]) error {
		whole := 0
		for _, n := range sizes {
			whole += n
		}
		at := 0
		for i, n := range sizes {
			src := c.flat(i)
			for o := range outer {
				copy(c.out.data[o*whole+at:], src[o*n:][:n])
			}
			at += n
		}
		return nil
	}
}
