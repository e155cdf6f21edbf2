package graph

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// move copies elements from one arrangement to another: for every index i of an array of shape size, the element at
// srcAt + Σ i·src of the source to dstAt + Σ i·dst of the destination.
type move struct {
	from, to     tensor.Shape // shapes of the source and of the destination
	size         []int
	src, dst     []int // strides; those of the source may be 0
	srcAt, dstAt int
	fill         float64 // the value of elements of the destination that nothing is moved to
	attributes   any     // what its [Step] tells about it
}

// inverse moves every element back, and leaves zeros elsewhere.
func (m move) inverse() move {
	return move{from: m.to, to: m.from, size: m.size, src: m.dst, dst: m.src, srcAt: m.dstAt, dstAt: m.srcAt}
}

// node adds the move as an operation whose gradient is the inverse move.
func (m move) node(name string, x *G.Node) (*G.Node, error) {
	return m.nodeWith(name, x, same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
		return m.inverse().node(name+"'", grad)
	}))
}

func (m move) nodeWith(name string, x *G.Node, grad gradient) (*G.Node, error) {
	return explained(name, m.attributes)(m.onCard(floatOp(name, m.to, []*G.Node{x}, first(1), grad, moveRun[float32](m),
		moveRun[float64](m))))
}

func moveRun[T kernel.Float](m move) func(*call[T]) error {
	p := newMovePlan(m)
	full, empty := total(m.size) == total(m.to), total(m.size) == 0
	return func(c *call[T]) error {
		dst := c.out.data[:c.out.n*c.out.size]
		if !full {
			kernel.Fill(dst, T(m.fill))
		}
		if !empty {
			runMove(p, dst, c.flat(0))
		}
		return nil
	}
}

// movePlan is a move with as few axes as possible, ordered as in the destination.
type movePlan struct {
	inner        kernel.Moving // the two innermost axes
	outer        []int         // lengths of the outer axes, over which run loops
	src, dst     []int         // their strides
	srcAt, dstAt int

	at []int // reused by run
}

// newMovePlan drops axes of one element, turns axes so that their strides in the destination are positive, and joins
// neighbouring axes that are contiguous in both source and destination.
func newMovePlan(m move) *movePlan {
	type axis struct{ n, src, dst int }
	var axes []axis
	p := &movePlan{srcAt: m.srcAt, dstAt: m.dstAt}
	for i, n := range m.size {
		a := axis{n, m.src[i], m.dst[i]}
		if a.dst < 0 {
			p.srcAt, p.dstAt = p.srcAt+(n-1)*a.src, p.dstAt+(n-1)*a.dst
			a.src, a.dst = -a.src, -a.dst
		}
		if n > 1 {
			axes = append(axes, a)
		}
	}
	slices.SortStableFunc(axes, func(a, b axis) int { return b.dst - a.dst })
	joined := axes[:0]
	for _, a := range axes {
		if last := len(joined) - 1; last >= 0 && joined[last].src == a.n*a.src && joined[last].dst == a.n*a.dst {
			a.n *= joined[last].n
			joined[last] = a
			continue
		}
		joined = append(joined, a)
	}
	// take removes axis i from joined and returns it; a negative i stands for an axis of one element.
	take := func(i int) (n, src, dst int) {
		if i < 0 {
			return 1, 1, 1
		}
		a := joined[i]
		joined = slices.Delete(joined, i, i+1)
		return a.n, a.src, a.dst
	}
	in := &p.inner
	in.Cols, in.ColSrc, in.ColDst = take(len(joined) - 1)
	// The rows are the axis along which the source is contiguous, unless the columns are: together they make a
	// transposition.
	row := slices.IndexFunc(joined, func(a axis) bool { return a.src == 1 })
	if row < 0 || in.ColSrc == 1 {
		row = len(joined) - 1
	}
	in.Rows, in.RowSrc, in.RowDst = take(row)
	for _, a := range joined {
		p.outer, p.src, p.dst = append(p.outer, a.n), append(p.src, a.src), append(p.dst, a.dst)
	}
	p.at = make([]int, len(p.outer))
	return p
}

func runMove[T kernel.Float](p *movePlan, dst, src []T) {
	s, d := p.srcAt, p.dstAt
	clear(p.at)
	for {
		kernel.Move(dst, d, src, s, p.inner)
		i := len(p.at) - 1
		for ; i >= 0; i-- {
			s, d = s+p.src[i], d+p.dst[i]
			if p.at[i]++; p.at[i] < p.outer[i] {
				break
			}
			p.at[i] = 0
			s, d = s-p.outer[i]*p.src[i], d-p.outer[i]*p.dst[i]
		}
		if i < 0 {
			return
		}
	}
}
