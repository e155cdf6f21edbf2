//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// depthTapsArgs are the arguments of the kernels of depthTaps. Strides are in bytes.
type depthTapsArgs struct {
	dst           unsafe.Pointer
	dstRow        int
	dstChannel    int
	src           unsafe.Pointer // the rearranged input
	srcRow        int
	srcChannel    int
	weights       unsafe.Pointer // [channels, KH*KW], column by column
	bias          unsafe.Pointer
	floor, ceil   float32
	rows, vectors int // rows and vectors per row of outputs
	channels      int
	offsets       unsafe.Pointer // for each column of weights, the byte in src where it reads first
	count         int            // number of columns of weights, twice as many with stride two
	_             [5]int         // the kernel's own
}

// depthTaps is a depthwise convolution that first copies its input. The copy includes the zeros of the padding and,
// with stride two, has odd and even rows and columns separated, so that the kernels need no code for borders or
// strides.
type depthTaps struct {
	level   level
	lanes   int
	g       ConvGeom
	weights []float32 // [C, KH*KW], in order
	order   []int     // the taps in the order of summation
	offsets []int     // see depthTapsArgs
	views   []view
	pitch   int // elements from row to row of a view
	channel int // elements of a channel of the views
	blockC  int // channels copied at a time
}

// depthTapsFits reports whether these kernels support a geometry: 5x5 or 7x7 with stride one or two, and 3x3 where it
// has no kernels of its own.
func depthTapsFits(g ConvGeom) bool {
	if g.Groups != g.C || g.O != g.C || g.KH != g.KW || g.DH != 1 || g.DW != 1 || g.SH != g.SW || g.SH > 2 {
		return false
	}
	return g.KH == 5 || g.KH == 7 || g.KH == 3 && threeTaps
}

// newDepthTaps returns a depthTaps without weights, for a geometry that fits. pack sets the weights.
func newDepthTaps(l level, g ConvGeom) *depthTaps {
	d := &depthTaps{level: l, lanes: tapsLanes(l, g.OutW()), g: g, pitch: g.OutW() + (g.KW-1)/g.SW}
	for a := range g.SH {
		for b := range g.SW {
			v := view{dy: a - g.PH, dx: b - g.PW, rows: g.OutH() + (g.KH-1-a)/g.SH, cols: d.pitch, at: d.channel}
			d.views = append(d.views, v)
			d.channel += (v.rows+1)*d.pitch + d.lanes // see viewFill
		}
		for kw := range g.KW {
			d.offsets = append(d.offsets, 4*(d.views[a*g.SW+kw%g.SW].at+kw/g.SW))
			for kh := a; kh < g.KH; kh += g.SH {
				d.order = append(d.order, kh*g.KW+kw)
			}
		}
	}
	d.blockC = min(g.C, max(1, depthCache/4/d.channel))
	return d
}

func (d *depthTaps) pack(s weightSource) {
	d.weights = packDepth(d.weights, d.g.C, s, d.order)
}

func (d *depthTaps) ceils() bool { return true }

// scratchLen counts the views, a copy of the last outputs, and what run needs for a copy of all outputs.
func (d *depthTaps) scratchLen() int {
	return d.blockC*d.channel + 2*d.pitch + 2*slackLanes + 2*d.g.OutLen()
}

// run computes one image; see planIO.
func (d *depthTaps) run(image planIO) { runDepth(image, d.g, d, span{0, d.g.C}) }

// convolve is run without residual and accumulation, for some channels.
func (d *depthTaps) convolve(image planIO, channels span) {
	io := &image
	g := d.g
	out, cols := g.OutH()*g.OutW(), g.OutW()
	scratch := alignVector(io.scratch)
	f := viewFill{level: d.level, h: g.H, w: g.W, sh: g.SH, sw: g.SW, pitch: d.pitch, channel: d.channel,
		floor: io.floor}
	a := depthTapsArgs{
		dstRow: 4 * cols, dstChannel: 4 * out, src: ptr(scratch, 0), srcRow: 4 * d.pitch, srcChannel: 4 * d.channel,
		floor: noFloor, ceil: io.ceil, rows: g.OutH(), vectors: (cols + d.lanes - 1) / d.lanes,
		offsets: unsafe.Pointer(&d.offsets[0]), count: g.KW,
	}
	if io.relu {
		a.floor = 0
	}
	for c := channels.lo; c < channels.hi; c += d.blockC {
		n := min(d.blockC, channels.hi-c)
		f.channels, f.src, f.scale, f.shift = n, io.src[c*g.H*g.W:], io.scale[c:], io.shift[c:]
		for _, v := range d.views {
			f.fill(scratch[v.at:], v, 0)
		}
		careful := carefulChannels(channels.hi, c, n, out, d.lanes)
		for from, part := range [...]int{n - careful, careful} {
			if part == 0 {
				continue
			}
			at := from * (n - careful)
			dst := io.dst[(c+at)*out:]
			if from == 1 { // the kernels write beyond the last row, so it goes to scratch first
				dst = scratch[d.blockC*d.channel+2*d.pitch+slackLanes:]
			}
			a.channels, a.dst, a.src, a.weights, a.bias = part, ptr(dst, 0), ptr(scratch, at*d.channel),
				ptr(d.weights, (c+at)*g.KH*g.KW), ptr(io.bias, c+at)
			d.kernel(&a)
			if from == 1 {
				copy(io.dst[(c+at)*out:][:part*out], dst)
			}
		}
		io.activate(c*out, n*out)
	}
}

// tapsRows is the number of output rows that the kernels compute at once as long as that many are left. The order of a
// row's sums depends on its position among these rows.
const tapsRows = 7
