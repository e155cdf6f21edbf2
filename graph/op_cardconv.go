package graph

import (
	"fmt"
	"math"

	"github.com/line-ood/goline/internal/kernel"
)

// convFields returns a convolution's geometry, for n samples, as the fields of the kernels' structure.
func convFields(g kernel.ConvGeom, n int) []int32 {
	or1 := func(v int) int { return max(v, 1) }
	v := []int{g.C, g.H, g.W, g.O, g.KH, g.KW, or1(g.SH), or1(g.SW), g.PH, g.PW, or1(g.DH), or1(g.DW), or1(g.Groups),
		g.OutH(), g.OutW(), n}
	fields := make([]int32, len(v))
	for i, x := range v {
		fields[i] = int32(x)
	}
	return fields
}

// depthwise tells whether each group has one input channel. Such a convolution is not computed as a matrix product.
func depthwise(g kernel.ConvGeom) bool { return g.Groups > 1 && g.C == g.Groups }

// pointwise tells whether each output pixel reads the input pixel of the same place alone.
func pointwise(g kernel.ConvGeom) bool {
	return g.KH == 1 && g.KW == 1 && max(g.SH, 1) == 1 && max(g.SW, 1) == 1 && g.PH == 0 && g.PW == 0 && g.EH == 0 &&
		g.EW == 0
}

// side returns the window side, 1 or 3, for which there are compiled kernels, and 0 for any other window.
func side(g kernel.ConvGeom) int {
	switch {
	case pointwise(g):
		return 1
	case g.KH == 3 && g.KW == 3:
		return 3
	}
	return 0
}

// tileFor chooses the first tile of sizes, in rows and columns, that holds the given number of rows, or else the last.
func tileFor(rows int, sizes ...[2]int) (tileRows, tileColumns int) {
	for _, s := range sizes {
		tileRows, tileColumns = s[0], s[1]
		if rows <= tileRows {
			break
		}
	}
	return tileRows, tileColumns
}

// words packs 64-bit addresses and numbers into the fields of a kernel's structure, two for each.
func words(v ...uint64) []int32 {
	out := make([]int32, 0, 2*len(v))
	for _, w := range v {
		out = append(out, int32(uint32(w)), int32(uint32(w>>32)))
	}
	return out
}

func pair(lo, hi uint32) uint64 { return uint64(lo) | uint64(hi)<<32 }

// fusable tells whether the kernels support the layers that are fused into the convolution: scale and shift in front
// only together.
func (k *packer[T]) fusable() bool { return (k.at.preScale < 0) == (k.at.preShift < 0) }

// on returns the address of input i of the convolution on the card, 0 where the convolution has no such input.
func (k *packer[T]) on(c *deviceCall, i int) uint64 {
	if i < 0 {
		return 0
	}
	return uint64(c.in[k.skip+i].at())
}

func (f *convFn[T]) deviceForm() *deviceForm {
	if !f.fusable() {
		return nil
	}
	g, a := f.geom, f.parts.post.fn
	return &deviceForm{run: func(c *deviceCall) error {
		stride := 0
		if f.at.residual >= 0 {
			stride = c.in[f.at.residual].stride
		}
		parts := words(f.on(c, f.at.preScale), f.on(c, f.at.preShift), f.on(c, f.at.postScale), f.on(c, f.at.postShift),
			f.on(c, f.at.residual),
			uint64(stride), pair(uint32(flag(f.parts.preReLU)), uint32(a.Kind)), pair(math.Float32bits(float32(a.A)),
				math.Float32bits(float32(a.B))))
		args := c.args(c.out, c.in[0]).Ptr(c.in[1].at()).Struct(convFields(g, c.out.n)).Struct(parts)
		if depthwise(g) {
			total := c.out.n * c.out.size
			return c.launch("depthwise_f32", threads(total), args.Int(total))
		}
		groups := max(g.Groups, 1)
		rows, columns := g.O/groups, c.out.n*g.OutH()*g.OutW()
		tr, tc := tileFor(rows, [2]int{16, 256}, [2]int{32, 128}, [2]int{64, 64}, [2]int{128, 128})
		return c.launch(fmt.Sprintf("conv%d_k%d_%s", tr, side(g), c.products()), tiles(rows, columns, tr, tc, groups),
			args)
	}}
}

func (f *convDXFn[T]) deviceForm() *deviceForm {
	if !f.fusable() {
		return nil
	}
	g := f.geom
	return &deviceForm{run: func(c *deviceCall) error {
		dy, y, x := c.in[0], c.in[1], c.in[f.skip]
		value := uint64(0)
		if f.parts.post == ActReLU() {
			value = uint64(y.at())
		}
		back := words(uint64(dy.at()), value, uint64(x.at()), f.on(c, f.at.preScale), f.on(c, f.at.preShift),
			f.on(c, f.at.postScale),
			uint64(dy.stride), uint64(y.stride), uint64(x.stride), uint64(flag(f.parts.preReLU)))
		args := c.args(c.out).Ptr(c.in[f.skip+1].at()).Struct(convFields(g, c.out.n)).Struct(back)
		if depthwise(g) {
			total := c.out.n * c.out.size
			return c.launch("depthwise_dx_f32", threads(total), args.Int(total))
		}
		groups := max(g.Groups, 1)
		rows, columns := g.C/groups, c.out.n*g.H*g.W
		tr, tc := tileFor(rows, [2]int{16, 256}, [2]int{64, 64}, [2]int{128, 128})
		return c.launch(fmt.Sprintf("conv_dx%d_k%d_f32", tr, side(g)), tiles(rows, columns, tr, tc, groups), args)
	}}
}

// convDWCard says how the gradient by the weights is split: the pixels are divided into parts, each with a matrix of
// sums of its own, so that a small matrix still makes enough blocks for a card.
type convDWCard struct {
	parts, step int
	sums        *region
}

const dwPixels = 4096 // pixels of a part, about

func (f *convDWFn[T]) split(n int) (parts, step int) {
	all := n * f.geom.OutH() * f.geom.OutW()
	parts = min((all+dwPixels-1)/dwPixels, 64)
	return parts, (all + parts - 1) / parts
}

func (f *convDWFn[T]) reserve(_, scratch func(bytes int) *region) {
	f.card.parts, f.card.step = f.split(f.samples)
	f.card.sums = scratch(4 * f.card.parts * f.geom.WeightLen())
}

func (f *convDWFn[T]) deviceForm() *deviceForm {
	g := f.geom
	return &deviceForm{run: func(c *deviceCall) error {
		dy, x := c.in[0], c.in[1]
		fields := convFields(g, dy.n)
		if depthwise(g) {
			return c.rows("depthwise_dw_f32", g.WeightLen(),
				c.args().Ptr(c.out.at()).Ptr(dy.at()).Int(dy.stride).Ptr(x.at()).Int(x.stride).Struct(fields))
		}
		to := f.card.sums.at
		if f.card.parts == 1 {
			to = c.out.at()
		}
		args := c.args().Ptr(to).Ptr(dy.at()).Int(dy.stride).Ptr(x.at()).Int(x.stride).
			Struct(fields).Int(f.card.parts).Int(f.card.step)
		groups := max(g.Groups, 1)
		rows, columns := g.O/groups, g.C/groups*g.KH*g.KW
		tr, tc := tileFor(rows, [2]int{16, 256}, [2]int{64, 64})
		if err := c.launch(fmt.Sprintf("conv_dw%d_f32", tr), tiles(rows, columns, tr, tc, groups*f.card.parts),
			args); err != nil {
			return err
		}
		if f.card.parts == 1 {
			return nil
		}
		n := g.WeightLen()
		return c.launch("sum_parts_f32", threads(n), c.args().Ptr(c.out.at()).Ptr(to).Int(f.card.parts).Int(n))
	}}
}
