package kernel

import (
	"fmt"
	"math"
)

// PoolGeom is the geometry of a pooling window over [C, H, W], with PyTorch's meaning of every field. A stride of zero
// means the kernel size, a dilation of zero means one. CountIncludePad is for average pooling only. EH and EW are
// further rows and columns of padding at the bottom and on the right, beyond PH and PW; they may be negative, but PH+EH
// and PW+EW may not.
type PoolGeom struct {
	C, H, W, KH, KW, SH, SW, PH, PW, DH, DW, EH, EW int
	CeilMode, CountIncludePad                       bool
}

// OutH returns the output height as PyTorch computes it.
func (g PoolGeom) OutH() int { g = g.norm(); return g.rows().out(g.CeilMode) }

// OutW returns the output width as PyTorch computes it.
func (g PoolGeom) OutW() int { g = g.norm(); return g.columns().out(g.CeilMode) }

// rows and columns return the two axes of a geometry. Strides and dilations must not be zero.
func (g PoolGeom) rows() poolAxis    { return poolAxis{g.H, g.KH, g.SH, g.DH, g.PH, g.PH + g.EH} }
func (g PoolGeom) columns() poolAxis { return poolAxis{g.W, g.KW, g.SW, g.DW, g.PW, g.PW + g.EW} }

// Check returns an error about the first thing that makes the geometry impossible. The padding on each side must be
// less than the span of a window.
func (g PoolGeom) Check() error {
	g = g.norm()
	switch {
	case g.C < 1 || g.H < 1 || g.W < 1 || g.KH < 1 || g.KW < 1 || g.SH < 1 || g.SW < 1 || g.DH < 1 || g.DW < 1:
		return fmt.Errorf("kernel: pooling: expected positive sizes, got [%d %d %d] with kernel [%d %d], stride "+
			"[%d %d], dilation [%d %d]",
			g.C, g.H, g.W, g.KH, g.KW, g.SH, g.SW, g.DH, g.DW)
	case !g.rows().padded() || !g.columns().padded():
		return fmt.Errorf("kernel: pooling: expected padding of at least zero and less than a window of [%d %d] "+
			"with dilation [%d %d], got [%d %d] and [%d %d]",
			g.KH, g.KW, g.DH, g.DW, g.PH, g.PW, g.PH+g.EH, g.PW+g.EW)
	case g.OutH() < 1 || g.OutW() < 1:
		return fmt.Errorf("kernel: pooling kernel [%d %d] does not fit the padded input [%d %d]", g.KH, g.KW,
			g.H+2*g.PH+g.EH, g.W+2*g.PW+g.EW)
	}
	return nil
}

func (g PoolGeom) norm() PoolGeom {
	g.DH, g.DW = one(g.DH), one(g.DW)
	if g.SH == 0 {
		g.SH = g.KH
	}
	if g.SW == 0 {
		g.SW = g.KW
	}
	return g
}

// MaxPool computes dst [C, OutH, OutW], the maximum of every window of src [C, H, W]. Unless index is nil it writes
// there the position of each maximum in its channel: the first of equal values. As in PyTorch, a NaN wins over every
// number, and of several NaNs the last.
func MaxPool[T Float](g PoolGeom, dst []T, index []int32, src []T) {
	g = g.norm()
	oh, ow := g.OutH(), g.OutW()
	if index == nil && is32[T]() && g.W <= maxPoolRow && currentLevel() != generic {
		maxPool32(g, as32(dst), as32(src), oh, ow)
		return
	}
	for c := range g.C {
		plane := src[c*g.H*g.W:][:g.H*g.W]
		for y := range oh {
			y0, y1 := poolWindow(y*g.SH-g.PH, g.KH, g.DH, g.H)
			for x := range ow {
				x0, x1 := poolWindow(x*g.SW-g.PW, g.KW, g.DW, g.W)
				best, at := T(math.Inf(-1)), min(y0, g.H-1)*g.W+min(x0, g.W-1)
				for iy := y0; iy < y1; iy += g.DH {
					for ix := x0; ix < x1; ix += g.DW {
						if v := plane[iy*g.W+ix]; v > best || v != v {
							best, at = v, iy*g.W+ix
						}
					}
				}
				dst[(c*oh+y)*ow+x] = best
				if index != nil {
					index[(c*oh+y)*ow+x] = int32(at)
				}
			}
		}
	}
}

const (
	maxPoolRow   = 512  // the most columns of a map for maxPool32
	maxPoolStrip = 2048 // elements that maxPoolThree works on at a time
)

// maxPool32 is MaxPool without an index. It takes the maximum over a window's rows for every column first, then over
// columns. Outputs of 3x3 windows inside of the map are maxPoolThree's.
func maxPool32(g PoolGeom, dst, src []float32, oh, ow int) {
	var buffer [maxPoolRow]float32
	row := buffer[:g.W]
	ys, xs := g.insideThree(oh, ow)
	for c := range g.C {
		plane, out := src[c*g.H*g.W:][:g.H*g.W], dst[c*oh*ow:][:oh*ow]
		if ys.len() > 0 {
			maxPoolThree(g, out, plane, ow, ys, xs)
		}
		for y := range oh {
			y0, y1 := poolWindow(y*g.SH-g.PH, g.KH, g.DH, g.H)
			out := out[y*ow:][:ow]
			if y0 >= y1 { // a dilated window may have no point inside a small input
				for x := range out {
					out[x] = float32(math.Inf(-1))
				}
				continue
			}
			done := span{}
			if ys.lo <= y && y < ys.hi {
				done = xs
			}
			if done.len() == 0 {
				top := plane[y0*g.W:][:g.W]
				for iy := y0 + g.DH; iy < y1; iy += g.DH {
					st := stream{op: opLarger, dst: row, a: top, b: plane[iy*g.W:][:g.W]}
					st.run()
					top = row
				}
				for x := range out {
					out[x] = g.maxOf(top, x, 0, 1)
				}
				continue
			}
			for x := range done.lo {
				out[x] = g.maxOf(plane, x, y0, y1)
			}
			for x := done.hi; x < ow; x++ {
				out[x] = g.maxOf(plane, x, y0, y1)
			}
		}
	}
}

// maxOf returns the maximum of the window of output column x in rows y0, y0+DH, ... below y1.
func (g PoolGeom) maxOf(plane []float32, x, y0, y1 int) float32 {
	x0, x1 := poolWindow(x*g.SW-g.PW, g.KW, g.DW, g.W)
	best := float32(math.Inf(-1))
	for y := y0; y < y1; y += g.DH {
		for ix := x0; ix < x1; ix += g.DW {
			best = max(best, plane[y*g.W+ix])
		}
	}
	return best
}

// insideThree returns the rows and columns of outputs whose windows of 3x3 points lie inside of the map; none for other
// windows.
func (g PoolGeom) insideThree(oh, ow int) (ys, xs span) {
	if g.KH != 3 || g.KW != 3 || g.DH != 1 || g.DW != 1 {
		return span{}, span{}
	}
	inside := func(pad, step, size, outs int) span {
		lo := (pad + step - 1) / step
		if size+pad < 3 {
			return span{}
		}
		return span{min(lo, outs), max(min(lo, outs), min(outs, (size+pad-3)/step+1))}
	}
	ys, xs = inside(g.PH, g.SH, g.H, oh), inside(g.PW, g.SW, g.W, ow)
	if ys.len() == 0 || xs.len() == 0 {
		return span{}, span{}
	}
	return ys, xs
}

// maxPoolThree computes the outputs of 3x3 windows inside of a plane: the maxima at every point of a strip of rows, of
// three columns and then of three rows, from which it takes those of the windows.
func maxPoolThree(g PoolGeom, out, plane []float32, ow int, ys, xs span) {
	var wide, high [maxPoolStrip]float32
	w := g.W
	most := max(1, (maxPoolStrip/w-3)/g.SH+1) // rows of outputs in a strip
	for y := ys.lo; y < ys.hi; y += most {
		rows, top := min(most, ys.hi-y), y*g.SH-g.PH
		in := plane[top*w:][:((rows-1)*g.SH+3)*w]
		across, down := wide[:len(in)-2], high[:len(in)-2*w-2]
		Maximum(across, in[:len(across)], in[1:len(across)+1])
		Maximum(across, across, in[2:])
		Maximum(down, across[:len(down)], across[w:w+len(down)])
		Maximum(down, down, across[2*w:])
		for r := range rows {
			from := r*g.SH*w - g.PW
			to := out[(y+r)*ow:]
			for x := xs.lo; x < xs.hi; x++ {
				to[x] = down[from+x*g.SW]
			}
		}
	}
}

// MaxPoolBackward computes dx [C, H, W] from dy [C, OutH, OutW] and the index that MaxPool wrote.
func MaxPoolBackward[T Float](g PoolGeom, dx, dy []T, index []int32) {
	in, out := g.H*g.W, g.OutH()*g.OutW()
	clear(dx[:g.C*in])
	for c := range g.C {
		plane := dx[c*in:][:in]
		for i, v := range dy[c*out:][:out] {
			plane[index[c*out+i]] += v
		}
	}
}

// AvgPool computes dst [C, OutH, OutW], the mean of every window of src [C, H, W]: the sum divided by PyTorch's
// divisor. That is the number of the window's points in the padded input with CountIncludePad, and in the input
// without.
func AvgPool[T Float](g PoolGeom, dst, src []T) {
	g = g.norm()
	oh, ow := g.OutH(), g.OutW()
	if g.whole2(oh, ow) {
		avgPool2(g, dst, src, oh, ow)
		return
	}
	if is32[T]() && g.W <= maxPoolRow && currentLevel() != generic {
		avgPool32(g, as32(dst), as32(src), oh, ow)
		return
	}
	for c := range g.C {
		plane := src[c*g.H*g.W:][:g.H*g.W]
		for y := range oh {
			for x := range ow {
				y0, y1, x0, x1, div := g.avgWindow(y, x)
				var sum T
				for iy := y0; iy < y1; iy += g.DH {
					for ix := x0; ix < x1; ix += g.DW {
						sum += plane[iy*g.W+ix]
					}
				}
				if div > 0 {
					sum /= T(div)
				}
				dst[(c*oh+y)*ow+x] = sum
			}
		}
	}
}

// avgPool32 is AvgPool. It sums over a window's rows for every column first, then over columns.
func avgPool32(g PoolGeom, dst, src []float32, oh, ow int) {
	var buffer [maxPoolRow]float32
	row := buffer[:g.W]
	rows, columns := g.rows(), g.columns()
	for c := range g.C {
		plane := src[c*g.H*g.W:][:g.H*g.W]
		for y := range oh {
			y0, y1, div, padded := rows.window(y)
			if g.CountIncludePad {
				div = padded
			}
			out := dst[(c*oh+y)*ow:][:ow]
			if y0 >= y1 { // a dilated window may have no point inside a small input
				clear(out)
				continue
			}
			sum := plane[y0*g.W:][:g.W]
			for iy := y0 + g.DH; iy < y1; iy += g.DH {
				st := stream{op: opAdd, dst: row, a: sum, b: plane[iy*g.W:][:g.W]}
				st.run()
				sum = row
			}
			for x := range out {
				x0 := x*g.SW - g.PW
				if g.KW == 3 && g.DW == 1 && x0 >= 0 && x0+3 <= g.W {
					w := sum[x0:][:3]
					out[x] = (w[0] + w[1] + w[2]) / float32(3*div)
					continue
				}
				x0, x1, inside, padded := columns.window(x)
				if inside == 0 {
					out[x] = 0
					continue
				}
				if g.CountIncludePad {
					inside = padded
				}
				var s float32
				for ix := x0; ix < x1; ix += g.DW {
					s += sum[ix]
				}
				out[x] = s / float32(inside*div)
			}
		}
	}
}

// whole2 reports whether all windows are 2x2, side by side and inside the input.
func (g PoolGeom) whole2(oh, ow int) bool {
	return g.KH == 2 && g.KW == 2 && g.SH == 2 && g.SW == 2 && g.DH == 1 && g.DW == 1 && g.PH == 0 && g.PW == 0 &&
		2*oh <= g.H && 2*ow <= g.W
}

// avgPool2Backward adds a quarter of each output gradient to the elements of its window.
func avgPool2Backward[T Float](g PoolGeom, dx, dy []T, oh, ow int) {
	for c := range g.C {
		for y := range oh {
			top := dx[(c*g.H+2*y)*g.W:][:2*ow]
			bottom := dx[(c*g.H+2*y+1)*g.W:][:2*ow]
			for x, v := range dy[(c*oh+y)*ow:][:ow] {
				v /= 4
				t, b := top[2*x:][:2], bottom[2*x:][:2]
				t[0], t[1], b[0], b[1] = v, v, v, v
			}
		}
	}
}

// avgPool2 is AvgPool for 2x2 windows as in whole2, with the same order of summation.
func avgPool2[T Float](g PoolGeom, dst, src []T, oh, ow int) {
	for c := range g.C {
		done := 0
		if is32[T]() {
			done = avgPool2Rows(as32(dst[c*oh*ow:]), as32(src[c*g.H*g.W:]), oh, ow, g.W)
		}
		for y := range oh {
			top := src[(c*g.H+2*y)*g.W:][:2*ow]
			bottom := src[(c*g.H+2*y+1)*g.W:][:2*ow]
			out := dst[(c*oh+y)*ow:][:ow]
			for x := done; x < ow; x++ {
				t, b := top[2*x:][:2], bottom[2*x:][:2]
				out[x] = (t[0] + t[1] + b[0] + b[1]) / 4
			}
		}
	}
}

// avgWindow returns the part inside the input of the window of output (y, x), and the window's divisor.
func (g PoolGeom) avgWindow(y, x int) (y0, y1, x0, x1, div int) {
	y0, y1, insideY, paddedY := g.rows().window(y)
	x0, x1, insideX, paddedX := g.columns().window(x)
	switch div = insideY * insideX; {
	case div == 0:
		return 0, 0, 0, 0, 0
	case g.CountIncludePad:
		div = paddedY * paddedX
	}
	return y0, y1, x0, x1, div
}

// AvgPoolBackward computes dx [C, H, W] from dy [C, OutH, OutW].
func AvgPoolBackward[T Float](g PoolGeom, dx, dy []T) {
	g = g.norm()
	oh, ow := g.OutH(), g.OutW()
	clear(dx[:g.C*g.H*g.W])
	if g.whole2(oh, ow) {
		avgPool2Backward(g, dx, dy, oh, ow)
		return
	}
	for c := range g.C {
		plane := dx[c*g.H*g.W:][:g.H*g.W]
		for y := range oh {
			for x := range ow {
				y0, y1, x0, x1, div := g.avgWindow(y, x)
				if div == 0 {
					continue
				}
				v := dy[(c*oh+y)*ow+x] / T(div)
				for iy := y0; iy < y1; iy += g.DH {
					for ix := x0; ix < x1; ix += g.DW {
						plane[iy*g.W+ix] += v
					}
				}
			}
		}
	}
}

// GlobalAvgPool computes dst [channels], the mean of every plane of src [channels, hw].
func GlobalAvgPool[T Float](dst, src []T, channels, hw int) {
	sumRows(dst[:channels], src, hw)
	for c := range channels {
		dst[c] /= T(hw)
	}
}

// GlobalAvgPoolBackward computes dx [channels, hw] from dy [channels].
func GlobalAvgPoolBackward[T Float](dx, dy []T, channels, hw int) {
	for c := range channels {
		v := dy[c] / T(hw)
		d := dx[c*hw:][:hw]
		for i := range d {
			d[i] = v
		}
	}
}

// GlobalMaxPool computes dst [channels], the maximum of every plane of src [channels, hw]. Unless index is nil it
// writes there the position of each maximum in its plane, chosen as by MaxPool.
func GlobalMaxPool[T Float](dst []T, index []int32, src []T, channels, hw int) {
	for c := range channels {
		best, at := T(math.Inf(-1)), 0
		for i, v := range src[c*hw:][:hw] {
			if v > best || v != v {
				best, at = v, i
			}
		}
		if dst[c] = best; index != nil {
			index[c] = int32(at)
		}
	}
}

// GlobalMaxPoolBackward computes dx [channels, hw] from dy [channels] and the index that GlobalMaxPool wrote.
func GlobalMaxPoolBackward[T Float](dx, dy []T, index []int32, channels, hw int) {
	clear(dx[:channels*hw])
	for c := range channels {
		dx[c*hw+int(index[c])] = dy[c]
	}
}
