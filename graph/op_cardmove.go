package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/cuda"
)

const moveAxes = 8 // the most axes that the kernels support

// onCard gives a move that has just been added its form for cards, with a thread for each element that moves.
func (m move) onCard(n *G.Node, err error) (*G.Node, error) {
	fields := []int32{0}
	var size, src, dst [moveAxes]int32
	for i, k := range m.size {
		if k == 1 {
			continue
		}
		at := fields[0]
		if fields[0]++; at == moveAxes {
			return n, err
		}
		size[at], src[at], dst[at] = int32(k), int32(m.src[i]), int32(m.dst[i])
	}
	fields = append(append(append(fields, size[:]...), src[:]...), dst[:]...)
	moved, all := total(m.size), total(m.to)
	return onCardFlat(func(c *deviceCall) error {
		if moved < all {
			if err := c.launch("fill_f32", threads(all),
				c.args().Ptr(c.out.at()).Float(float32(m.fill)).Int(all)); err != nil {
				return err
			}
		}
		if moved == 0 {
			return nil
		}
		a := c.args().Ptr(c.out.at().Add(4 * m.dstAt)).Ptr(c.in[0].at().Add(4 * m.srcAt))
		return c.launch("move_f32", threads(moved), a.Struct(fields).Int(moved))
	})(n, err)
}

// reduceOnCard gives a reduction that has just been added its form for cards, with a kernel for each stage and a block
// for each result.
func reduceOnCard(stages []stage, r reducer, count int) func(*G.Node, error) (*G.Node, error) {
	var between region // results of all stages but the last
	for i, s := range stages {
		if i < len(stages)-1 {
			between.bytes += 4 * s.outer * s.inner
		}
	}
	return func(n *G.Node, err error) (*G.Node, error) {
		if err != nil {
			return n, err
		}
		o := n.Op().(*op)
		o.scratch = between.bytes
		return onCardFlat(func(c *deviceCall) error {
			src, rest := c.in[0].at(), c.p.scratch.at
			if len(stages) == 0 {
				all := c.out.n * c.out.size
				return c.launch("copy_f32", threads(all),
					c.args().Ptr(c.out.at()).Int(all).Ptr(src).Int(all).Int(all).Int(all))
			}
			for i, s := range stages {
				dst, divisor := c.out.at(), 1
				if i < len(stages)-1 {
					dst, rest = rest, rest.Add(4*s.outer*s.inner)
				} else if r == meanReducer {
					divisor = count
				}
				a := c.args().Ptr(dst).Ptr(src).Int(s.k).Int(s.inner).Int(int(r)).Float(float32(divisor))
				if err := c.launch("reduce_f32", cuda.Grid{X: s.outer * s.inner, Y: 1, Z: 1, Threads: 128},
					a); err != nil {
					return err
				}
				src = dst
			}
			return nil
		})(n, err)
	}
}

func divideCard(count int) func(*deviceCall) error {
	return func(c *deviceCall) error { return c.each("divide_f32", c.args(c.out, c.in[0]).Float(float32(count))) }
}
