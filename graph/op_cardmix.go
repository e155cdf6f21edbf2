package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/cuda"
)

// mixed adds the arguments that all kernels of [Mix] and its variants have: present and removed values, the rows of the
// removed values that the samples take, and where to report a row that does not exist.
func (c *deviceCall) mixed(a *cuda.Args, m *mixing, present, removed, row *mirror) *cuda.Args {
	a.Ptr(present.at()).Int(present.stride).Ptr(removed.at()).Int(removed.stride)
	if m.byRow {
		a.Ptr(row.at())
	} else {
		a.Ptr(0)
	}
	return a.Int(removed.n).Int(flag(present.n == 1)).Ptr(c.p.status.at).Int(c.o.number)
}

// last returns the last of the values.
func last(in []*mirror) *mirror { return in[len(in)-1] }

func (m *mixing) card() func(*G.Node, error) (*G.Node, error) {
	return onCardTable(m.group, func(c *deviceCall) error {
		a := c.args(c.out, c.in[0]).Ptr(c.table())
		return c.each("mix_f32", c.mixed(a, m, c.in[1], c.in[2], last(c.in)))
	})
}

func (m *mixing) bitsCard() func(*G.Node, error) (*G.Node, error) {
	return onCard(func(c *deviceCall) error {
		bits := last(c.in)
		a := c.args(c.out).Ptr(bits.at()).Int(bits.size)
		return c.each("mix_bits_f32", c.mixed(a, m, c.in[0], c.in[1], c.in[2]))
	})
}

// maskGradCard is the gradient by the mask. Its inputs are the gradient of the output, present and removed values and,
// with byRow, the rows.
func (m *mixing) maskGradCard(groups int) func(*G.Node, error) (*G.Node, error) {
	return onCardTable(placesOf(m.group, groups), func(c *deviceCall) error {
		a := c.args(c.out, c.in[0]).Ptr(c.table()).Int(groups)
		return c.each("mix_mask_grad_f32", c.mixed(a, m, c.in[1], c.in[2], last(c.in)))
	})
}

func (m *mixing) gradCard(present bool) func(*G.Node, error) (*G.Node, error) {
	return onCardTable(m.group, func(c *deviceCall) error {
		return c.each("mix_grad_f32", c.args(c.out, c.in[0], c.in[1]).Ptr(c.table()).Int(flag(!present)))
	})
}

// placesOf returns a table of the indices at which each value from 0 to n-1 occurs in values: first, for each value,
// the start of its indices in the list that follows, and the list's length; then the list of indices, sorted by value.
// Negative values are left out.
func placesOf(values []int, n int) []int {
	table := make([]int, n+1)
	for _, v := range values {
		if v >= 0 {
			table[v+1]++
		}
	}
	for i := range n {
		table[i+1] += table[i]
	}
	next := append([]int{}, table...)
	table = append(table, make([]int, table[n])...)
	for i, v := range values {
		if v >= 0 {
			table[n+1+next[v]] = i
			next[v]++
		}
	}
	return table
}

func dropoutCard(rate float64, salt uint64) func(*G.Node, error) (*G.Node, error) {
	return onCard(func(c *deviceCall) error {
		draws := (c.out.size + 1) / 2
		a := c.args(c.out,
			c.in[0]).Ptr(c.in[1].at()).Int(int(salt)).Int(int(dropLimit(rate))).Float(keptShare[float32](rate))
		return c.launch("dropout_f32", threads(c.out.n*draws), a.Int(c.out.size).Int(draws).Int(c.out.n*draws))
	})
}

// takeCard picks elements by index along an axis of n elements, each of which is a block of inner elements.
func takeCard(n, inner int, index []int) func(*G.Node, error) (*G.Node, error) {
	return attached(&deviceForm{flat: true, table: index, run: func(c *deviceCall) error {
		all := c.out.n * c.out.size
		a := c.args().Ptr(c.out.at()).Ptr(c.in[0].at()).Ptr(c.table())
		return c.launch("take_f32", threads(all), a.Int(n).Int(len(index)).Int(inner).Int(all))
	}})
}

func takeGradCard(n, inner int, index []int) func(*G.Node, error) (*G.Node, error) {
	return attached(&deviceForm{flat: true, table: placesOf(index, n), run: func(c *deviceCall) error {
		all := c.out.n * c.out.size
		a := c.args().Ptr(c.out.at()).Ptr(c.in[0].at()).Ptr(c.table())
		return c.launch("take_grad_f32", threads(all), a.Int(n).Int(len(index)).Int(inner).Int(all))
	}})
}
