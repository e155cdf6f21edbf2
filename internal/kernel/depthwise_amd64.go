//go:build amd64 && !noasm

package kernel

import "unsafe"

// depthArgs are the arguments of the depthwise kernels, which advance some of them.
type depthArgs struct {
	dst        unsafe.Pointer
	dstRow     int // bytes
	dstChannel int // bytes
	src        unsafe.Pointer
	srcRow     int // bytes
	srcChannel int // bytes
	tap1, tap2 int // bytes from what the first column of weights reads to what the second and the third read
	weights    unsafe.Pointer
	bias       unsafe.Pointer
	floor      float32
	_          uint32
	rows, cols int
	channels   int
	table      unsafe.Pointer
	_          unsafe.Pointer // where the kernel keeps its place
}

// depthwise is a 3x3 convolution of each channel with its own weights, of stride one or two.
type depthwise struct {
	level   level
	g       ConvGeom // with the padding of the columns and rows in front alone
	oh, ow  int
	weights []float32 // [C, 3, 3]
	views   []view    // even and odd columns, or all
	pitch   int
	channel int
	blockC  int
}

func depthwiseFits(g ConvGeom) bool {
	return g.Groups == g.C && g.O == g.C && g.KH == 3 && g.KW == 3 && g.DH == 1 && g.DW == 1 && g.SH == g.SW && g.SH <= 2
}

// newDepthwise lays out a geometry that fits; pack gives it weights.
func newDepthwise(l level, g ConvGeom) *depthwise {
	d := &depthwise{level: l, g: g, oh: g.OutH(), ow: g.OutW()}
	lanes := 16
	if l == avx512 && d.ow <= 8 {
		d.level = avx2
	}
	if d.level == avx2 {
		lanes = 8
	}
	d.pitch = d.ow + 2/g.SW
	rows := (d.oh-1)*g.SH + 3
	size := (rows+1)*d.pitch + lanes
	for x := range g.SW {
		d.views = append(d.views, view{dy: -g.PH, dx: x - g.PW, rows: rows, cols: d.pitch, at: x * size})
	}
	d.channel = len(d.views) * size
	d.blockC = min(onesLen, max(1, rearrangeCache/4/d.channel))
	return d
}

func (d *depthwise) pack(s weightSource) {
	if d.weights == nil {
		d.weights = make([]float32, 9*d.g.C)
	}
	for c := range d.g.C {
		for t, at := range s.tap {
			v := s.w[c*s.byGroup+at]
			if s.scale != nil {
				v *= s.scale[c]
			}
			d.weights[9*c+t] = v
		}
	}
}

func (d *depthwise) scratchLen() int {
	return d.g.OutLen() + min(d.blockC, d.g.C)*d.channel + 2*d.pitch + slackLanes
}

// run computes one image; see planIO.
func (d *depthwise) run(io *planIO) {
	n := d.g.OutLen()
	switch {
	case io.accumulate:
		own := *io
		own.dst, own.scratch, own.accumulate = io.scratch[:n], io.scratch[n:], false
		d.convolve(&own)
		AddTo(io.dst[:n], own.dst)
	case io.residual != nil:
		own := *io
		own.relu = false
		d.convolve(&own)
		Add(io.dst[:n], io.dst[:n], io.residual[:n])
		if io.relu {
			ReLU(io.dst[:n], io.dst[:n])
		}
	default:
		d.convolve(io)
	}
}

// convolve is run without residual and accumulation.
func (d *depthwise) convolve(io *planIO) {
	scratch := alignVector(io.scratch)
	g := d.g
	out := d.oh * d.ow
	a := depthArgs{
		dstRow: 4 * d.ow, dstChannel: 4 * out, srcRow: 4 * d.pitch, srcChannel: 4 * d.channel,
		tap1: 4, tap2: 8, floor: noFloor, rows: d.oh, cols: d.ow, table: unsafe.Pointer(&laneTable),
	}
	if g.SW == 2 {
		a.tap1, a.tap2 = 4*d.views[1].at, 4
	}
	if io.relu {
		a.floor = 0
	}
	for c := 0; c < g.C; c += d.blockC {
		n := min(d.blockC, g.C-c)
		f := viewFill{
			level: d.level, h: g.H, w: g.W, sh: 1, sw: g.SW, pitch: d.pitch, channel: d.channel, channels: n,
			src: io.src[c*g.H*g.W:], scale: io.scale[c:], shift: io.shift[c:], floor: io.floor,
		}
		for _, v := range d.views {
			f.fill(scratch[v.at:], v, 0)
		}
		a.dst, a.src, a.weights, a.bias = ptr(io.dst, c*out), ptr(scratch, 0), ptr(d.weights, 9*c), ptr(io.bias, c)
		a.channels = n
		switch {
		case d.level == avx512 && g.SH == 1:
			depthAVX512_s1(&a)
		case d.level == avx512:
			depthAVX512_s2(&a)
		case g.SH == 1:
			depthAVX2_s1(&a)
		default:
			depthAVX2_s2(&a)
		}
	}
}
