package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/cuda"
)

// flatRowsCard runs a kernel with a block for each row of k elements of contiguous values.
func flatRowsCard(name string, k int) func(*deviceCall) error {
	return func(c *deviceCall) error {
		a := c.args()
		for _, m := range append([]*mirror{c.out}, c.in...) {
			a.Ptr(m.at()).Int(k)
		}
		return c.rows(name, c.out.n*c.out.size/k, a.Int(k))
	}
}

// joinCard joins inputs of outer × sizes[i] elements along their second axis.
func joinCard(outer int, sizes []int) func(*deviceCall) error {
	whole := 0
	for _, n := range sizes {
		whole += n
	}
	return func(c *deviceCall) error {
		at := 0
		for i, n := range sizes {
			a := c.args().Ptr(c.out.at().Add(4 * at)).Int(whole).Ptr(c.in[i].at()).Int(n)
			if err := c.launch("copy_f32", threads(outer*n), a.Int(n).Int(outer*n)); err != nil {
				return err
			}
			at += n
		}
		return nil
	}
}

// card runs a normalisation on a card, with a block for each group.
func (g normGeom) card(c *deviceCall, at normAt) error {
	a := c.args().Ptr(c.out.at()).Ptr(c.in[0].at())
	for _, i := range []int{at.scale, at.bias} {
		if i < 0 {
			a.Ptr(0)
		} else {
			a.Ptr(c.in[i].at())
		}
	}
	return g.launch(c, "norm_f32", a)
}

// gradCard runs the gradient by x. Its inputs are the gradient of the output, x and, where there is one, the scale.
func (g normGeom) gradCard(c *deviceCall) error {
	a := c.args().Ptr(c.out.at()).Ptr(c.in[0].at()).Ptr(c.in[1].at())
	if len(c.in) > 2 {
		a.Ptr(c.in[2].at())
	} else {
		a.Ptr(0)
	}
	return g.launch(c, "norm_grad_f32", a)
}

func (g normGeom) launch(c *deviceCall, name string, a *cuda.Args) error {
	a.Int(g.groups).Int(g.channels).Int(g.hw).Double(g.eps).Int(flag(g.centre))
	return c.rows(name, c.out.n*c.out.size/(g.channels*g.hw), a)
}

// sumsCard sums the gradient of the output over rows, for each channel; with byScale it sums the gradient's product
// with the standardised x, the second input.
func (g normGeom) sumsCard(byScale bool) func(*G.Node, error) (*G.Node, error) {
	return func(n *G.Node, err error) (*G.Node, error) {
		if err != nil {
			return n, err
		}
		o, size := n.Op().(*op), g.channels*g.hw
		all := o.in[0].Shape().TotalSize() / size // groups of all rows together
		if byScale {
			o.scratch = 16 * all
		}
		return onCardFlat(func(c *deviceCall) error {
			var x, moments cuda.Ptr
			if byScale {
				x, moments = c.in[1].at(), c.p.scratch.at
				a := c.args().Ptr(moments).Ptr(x).Int(size).Double(g.eps).Int(flag(g.centre))
				if err := c.rows("norm_moments_f32", all, a); err != nil {
					return err
				}
			}
			a := c.args().Ptr(c.out.at()).Ptr(c.in[0].at()).Ptr(x).Ptr(moments).Int(all / g.groups)
			return c.rows("norm_sums_f32", g.groups*g.channels, a.Int(g.groups).Int(g.channels).Int(g.hw))
		})(n, err)
	}
}

// matmulCard holds the table on the card of which matrices are multiplied.
type matmulCard struct {
	table *region
	there bool
}

func (f *matmulFn[T]) reserve(state, _ func(bytes int) *region) {
	f.card = matmulCard{table: state(8 * 3 * len(f.c))}
}

func (f *matmulFn[T]) deviceForm() *deviceForm {
	const most = 65535 // the most products in one launch
	if len(f.c) > most {
		return nil
	}
	for _, again := range f.again { // products that are added to an earlier result have no kernel
		if again {
			return nil
		}
	}
	return &deviceForm{flat: true, run: func(c *deviceCall) error {
		if !f.card.there {
			table := append(append(append([]int{}, f.a...), f.b...), f.products.c...)
			if err := cuda.Upload(c.p.stream, f.card.table.at, table); err != nil {
				return err
			}
			f.card.there = true
		}
		a := c.args().Ptr(c.out.at()).Ptr(c.in[0].at())
		if f.transA {
			a.Int(1).Int(f.m)
		} else {
			a.Int(f.k).Int(1)
		}
		if a.Ptr(c.in[1].at()); f.transB {
			a.Int(1).Int(f.k)
		} else {
			a.Int(f.n).Int(1)
		}
		name, tr, tc := matrixTile(f.m, f.n)
		a.Ptr(f.card.table.at).Int(len(f.products.c)).Int(f.m).Int(f.n).Int(f.k)
		return c.launch("matrices"+name+"f32", tiles(f.m, f.n, tr, tc, len(f.products.c)), a)
	}}
}
