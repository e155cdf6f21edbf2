//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// view is a plane of every sh-th input row and every sw-th input column. For a strip that starts at output row y0, its
// row q and column i hold input (y0*sh+dy+q*sh, i*sw+dx), or zero outside of the input.
type view struct{ dy, dx, rows, cols, at int }

// viewFill copies views of some channels. It applies max(floor, scale*x+shift) to the elements of the input.
type viewFill struct {
	level        level
	h, w, sh, sw int
	pitch        int // elements from row to row of a view
	channel      int // elements from channel to channel of dst
	channels     int
	src          []float32
	scale, shift []float32
	floor        float32
	apart        int // elements from channel to channel of src; 0 for h*w
}

// fill writes one view at dst of every channel. It may write one row and one vector beyond the view.
func (f *viewFill) fill(dst []float32, v view, y0 int) {
	if f.apart == 0 {
		f.apart = f.h * f.w
	}
	top := y0*f.sh + v.dy
	r0, r1 := validRange(top, f.sh, f.h, v.rows)
	x0, x1 := validRange(v.dx, f.sw, f.w, v.cols)
	if x0 == x1 || r0 == r1 {
		for c := range f.channels {
			clear(dst[c*f.channel:][:v.rows*f.pitch])
		}
		return
	}
	from := (top+r0*f.sh)*f.w + v.dx + x0*f.sw
	if f.sw > 2 {
		f.slow(dst, v, from, r0, r1, x0, x1)
		return
	}
	// The zeros behind a row are also those in front of the next row.
	a := rowsArgs{
		dst: ptr(dst, 0), dstStride: 4 * f.pitch, src: ptr(f.src, from), srcStride: 4 * f.w * f.sh,
		rows: r1 - r0, valid: x1 - x0, gap: f.pitch - (x1 - x0), lead: r0*f.pitch + x0,
		scale: ptr(f.scale, 0), shift: ptr(f.shift, 0), floor: f.floor, table: unsafe.Pointer(&laneTable),
		channels: f.channels, dstChannel: 4 * f.channel, srcChannel: 4 * f.apart,
	}
	if r1 < v.rows {
		a.trail = (v.rows-r1)*f.pitch - x0
	}
	copyRows(f.level, f.sw, &a)
}

// slow is fill for strides without vector code.
func (f *viewFill) slow(dst []float32, v view, from, r0, r1, x0, x1 int) {
	for c := range f.channels {
		out := dst[c*f.channel:][:v.rows*f.pitch]
		clear(out)
		for r := r0; r < r1; r++ {
			d := out[r*f.pitch+x0:][:x1-x0]
			s := f.src[c*f.apart+from+(r-r0)*f.w*f.sh:]
			for i := range d {
				d[i] = max(float32(f.scale[c]*s[i*f.sw])+f.shift[c], f.floor)
			}
		}
	}
}
