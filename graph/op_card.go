package graph

import (
	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/kernel"
)

// This file holds the forms in which operations run on a card. The kernels and what they compute are described in
// internal/cuda/kernels.

func unaryCard(a kernel.Activation) func(*deviceCall) error {
	return func(c *deviceCall) error {
		return c.each("unary_f32", c.args(c.out, c.in[0]).Int(int(a.Kind)).Float(float32(a.A)).Float(float32(a.B)))
	}
}

func unaryGradCard(a kernel.Activation) func(*deviceCall) error {
	return func(c *deviceCall) error {
		return c.each("unary_grad_f32",
			c.args(c.out, c.in[0], c.in[1]).Int(int(a.Kind)).Float(float32(a.A)).Float(float32(a.B)))
	}
}

// Activations without parameters.
var (
	reluCard     = unaryCard(kernel.Activation{Kind: kernel.ActReLU})
	reluGradCard = unaryGradCard(kernel.Activation{Kind: kernel.ActReLU})
	negateCard   = unaryCard(kernel.Activation{Kind: kernel.ActNeg})
)

// clipCard runs a kernel whose last input is the limit, of one element or one per element of a sample.
func clipCard(name string) func(*deviceCall) error {
	return func(c *deviceCall) error {
		last := len(c.in) - 1
		limit := c.in[last]
		return c.each(name, c.args(append([]*mirror{c.out}, c.in[:last]...)...).Ptr(limit.at()).Int(limit.n*limit.size))
	}
}

func affineCard(channels int, relu bool) func(*deviceCall) error {
	return func(c *deviceCall) error {
		a := c.args(c.out, c.in[0]).Ptr(c.in[1].at()).Ptr(c.in[2].at())
		return c.each("affine_f32", a.Int(c.out.size/channels).Int(flag(relu)))
	}
}

func affineDXCard(channels int, relu bool) func(*deviceCall) error {
	return func(c *deviceCall) error {
		a := c.args(c.out, c.in[0]).Ptr(c.in[1].at())
		if relu {
			a.Ptr(c.in[2].at()).Int(c.in[2].stride)
		} else {
			a.Ptr(0).Int(0)
		}
		return c.each("affine_grad_f32", a.Int(c.out.size/channels))
	}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sumPlanesCard sums the first input, or its product with the second input, over samples and pixels: one sum for each
// channel.
func sumPlanesCard(c *deviceCall) error {
	channels := c.out.n * c.out.size
	a := c.args().Ptr(c.out.at()).Ptr(c.in[0].at()).Int(c.in[0].stride)
	if len(c.in) > 1 {
		a.Ptr(c.in[1].at()).Int(c.in[1].stride)
	} else {
		a.Ptr(0).Int(0)
	}
	g := cuda.Grid{X: channels, Y: 1, Z: 1, Threads: blockThreads}
	return c.launch("sum_planes_f32", g, a.Int(c.in[0].n).Int(c.in[0].size/channels))
}

// sumRowsCard sums the rows of the first input, each as long as the output.
func sumRowsCard(c *deviceCall) error {
	k := c.out.n * c.out.size
	return c.launch("sum_rows_f32", threads(k),
		c.args().Ptr(c.out.at()).Ptr(c.in[0].at()).Int(c.in[0].n*c.in[0].size/k).Int(k))
}

// copyCard copies all elements; samples may lie apart. Where input and output have different numbers of samples, both
// must be contiguous.
func copyCard(c *deviceCall) error { return c.copy(c.out, 0, c.in[0], 0, c.out.size) }

// copy copies size elements of each sample, from element fromAt on to element toAt on.
func (c *deviceCall) copy(to *mirror, toAt int, from *mirror, fromAt, size int) error {
	a := c.args().Ptr(to.at().Add(4 * toAt)).Int(to.stride).Ptr(from.at().Add(4 * fromAt)).Int(from.stride)
	return c.launch("copy_f32", threads(to.n*size), a.Int(size).Int(to.n*size))
}

func concatCard(c *deviceCall) error {
	at := 0
	for _, m := range c.in {
		if err := c.copy(c.out, at, m, 0, m.size); err != nil {
			return err
		}
		at += m.size
	}
	return nil
}

func channelsCard(from, channels int) func(*deviceCall) error {
	return func(c *deviceCall) error { return c.copy(c.out, 0, c.in[0], from*(c.in[0].size/channels), c.out.size) }
}

func padChannelsCard(from, to int) func(*deviceCall) error {
	return func(c *deviceCall) error {
		in := c.in[0].size
		return c.each("pad_f32", c.args(c.out, c.in[0]).Int(from*(in/(to-from))).Int(in))
	}
}

// nothingCard runs nothing: the value lies where the input does, which is on the card by then.
func nothingCard(*deviceCall) error { return nil }

// classCard runs a kernel whose last two inputs are a table with a row for each class and the classes of the samples.
func classCard(name string) func(*deviceCall) error {
	return func(c *deviceCall) error {
		last := len(c.in) - 1
		table := c.in[last-1]
		a := c.args(append([]*mirror{c.out}, c.in[:last-1]...)...).Ptr(table.at())
		return c.each(name, c.classes(a, c.in[last], table.n))
	}
}

func gatherCard(c *deviceCall) error {
	a := c.args().Ptr(c.out.at()).Ptr(c.in[0].at()).Int(c.in[0].stride)
	n := c.in[0].n
	return c.launch("gather_f32", threads(n), c.classes(a, c.in[1], c.in[0].size).Int(n))
}

func scatterCard(c *deviceCall) error {
	return c.each("scatter_f32", c.classes(c.args(c.out).Ptr(c.in[0].at()), c.in[1], c.out.size))
}

func argMaxCard(c *deviceCall) error {
	a := c.args().Ptr(c.out.at()).Ptr(c.in[0].at()).Int(c.in[0].stride)
	if len(c.in) > 1 {
		a.Ptr(c.in[1].at())
	} else {
		a.Ptr(0)
	}
	return c.rows("arg_max_f32", c.in[0].n, a.Int(c.in[0].size))
}

func selectClassCard(c *deviceCall) error {
	n := c.out.n
	return c.launch("select_class", threads(n), c.args().Ptr(c.out.at()).Ptr(c.in[0].at()).Ptr(c.in[1].at()).Int(n))
}

// rowsCard runs a kernel with one block for each sample of input k, a row of as many elements as this input has per
// sample. Inputs and outputs with one element per row are passed without a stride.
func rowsCard(name string, k int) func(*deviceCall) error {
	return func(c *deviceCall) error {
		a := c.args()
		for _, m := range append([]*mirror{c.out}, c.in...) {
			if a.Ptr(m.at()); len(m.shape) > 1 {
				a.Int(m.stride)
			}
		}
		return c.rows(name, c.in[k].n, a.Int(c.in[k].size))
	}
}

func routedCard(c *deviceCall) error {
	z, w, contribution := c.in[0], c.in[1], c.in[3]
	a := c.args(c.out, z).Ptr(w.at()).Ptr(c.in[2].at()).Ptr(contribution.at()).Ptr(c.in[4].at())
	g := cuda.Grid{X: c.out.size, Y: z.n, Z: 1, Threads: 128}
	return c.launch("routed_f32", g, c.classes(a, c.in[5], contribution.n).Int(z.size))
}

func routedDXCard(c *deviceCall) error {
	dy, w, contribution := c.in[0], c.in[1], c.in[2]
	a := c.args(c.out, dy).Ptr(w.at()).Ptr(contribution.at()).Ptr(c.in[3].at())
	g := threads(c.out.size)
	g.Y = dy.n
	return c.launch("routed_grad_f32", g, c.classes(a, c.in[4], contribution.n).Int(c.out.size).Int(dy.size))
}

// matrix is the product c[m, p] = Σ_k a[m, k]·b[k, p] + bias[m]. The fields named by a matrix and an axis are strides:
// am is the stride of a along m.
type matrix struct {
	c, a, b, bias          cuda.Ptr
	cm, cp, am, ak, bk, bp int
	rows, columns, inner   int
}

// multiply queues a product. precision is the end of the kernel's name, as deviceCall.products returns it.
func (c *deviceCall) multiply(x matrix, precision string) error {
	name, rows, columns := matrixTile(x.rows, x.columns)
	a := c.args().Ptr(x.c).Int(x.cm).Int(x.cp).Ptr(x.a).Int(x.am).Int(x.ak).Ptr(x.b).Int(x.bk).Int(x.bp).Ptr(x.bias)
	return c.launch("matrix"+name+precision, tiles(x.rows, x.columns, rows, columns, 1),
		a.Int(x.rows).Int(x.columns).Int(x.inner))
}

// matrixTile chooses the tile of a product and returns it with the part of the kernel's name that stands for it.
func matrixTile(rows, columns int) (name string, tileRows, tileColumns int) {
	switch {
	case rows > 64 && columns > 64:
		return "128_", 128, 128
	case rows > 16:
		return "64_", 64, 64
	}
	return "16_", 16, 256
}

// tiles returns the grid that covers a product with tiles.
func tiles(rows, columns, tileRows, tileColumns, z int) cuda.Grid {
	return cuda.Grid{X: (columns + tileColumns - 1) / tileColumns, Y: (rows + tileRows - 1) / tileRows, Z: z,
		Threads: blockThreads}
}

func (f *linearFn[T]) deviceForm() *deviceForm {
	return &deviceForm{flat: true, run: func(c *deviceCall) error {
		rows := c.out.n * c.out.size / f.out
		if f.back { // dx[r, i] = Σ_o dy[r, o]·w[o, i]
			rows = c.out.n * c.out.size / f.in
			return c.multiply(matrix{
				c: c.out.at(), cm: 1, cp: f.in, a: c.in[1].at(), am: 1, ak: f.in, b: c.in[0].at(), bk: 1, bp: f.out,
				rows: f.in, columns: rows, inner: f.out,
			}, "f32")
		}
		x := matrix{
			c: c.out.at(), cm: 1, cp: f.out, a: c.in[1].at(), am: f.in, ak: 1, b: c.in[0].at(), bk: 1, bp: f.in,
			rows: f.out, columns: rows, inner: f.in,
		}
		if len(c.in) > 2 {
			x.bias = c.in[2].at()
		}
		return c.multiply(x, c.products())
	}}
}

// linearDWCard is dw[o, i] = Σ_r dy[r, o]·x[r, i].
func linearDWCard(in, out int) func(*deviceCall) error {
	return func(c *deviceCall) error {
		return c.multiply(matrix{
			c: c.out.at(), cm: in, cp: 1, a: c.in[0].at(), am: 1, ak: out, b: c.in[1].at(), bk: in, bp: 1,
			rows: out, columns: in, inner: c.in[0].n * c.in[0].size / out,
		}, "f32")
	}
}
