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

const maxPoolRow = 512

// maxPool32 is MaxPool without an index. It takes the maximum over a window's rows for every column first, then over
// columns.
func maxPool32(g PoolGeom, dst, src []float32, oh, ow int) {
	var buffer [maxPoolRow]float32
	row := buffer[:g.W]
	for c := range g.C {
		plane := src[c*g.H*g.W:][:g.H*g.W]
		for y := range oh {
			y0, y1 := poolWindow(y*g.SH-g.PH, g.KH, g.DH, g.H)
			out := dst[(c*oh+y)*ow:][:ow]
			if y0 >= y1 { // a dilated window may have no point inside a small input
				for x := range out {
					out[x] = float32(math.Inf(-1))
				}
				continue
			}
			top := plane[y0*g.W:][:g.W]
			for iy := y0 + g.DH; iy < y1; iy += g.DH {
				st := stream{op: opLarger, dst: row, a: top, b: plane[iy*g.W:][:g.W]}
				st.run()
				top = row
			}
			for x := range out {
				x0 := x*g.SW - g.PW
				if g.KW == 3 && g.DW == 1 && x0 >= 0 && x0+3 <= g.W {
					w := top[x0:][:3]
					out[x] = max(w[0], w[1], w[2])
					continue
				}
				x0, x1 := poolWindow(x0, g.KW, g.DW, g.W)
				best := float32(math.Inf(-1))
				for ix := x0; ix < x1; ix += g.DW {
					best = max(best, top[ix])
				}
				out[x] = best
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
