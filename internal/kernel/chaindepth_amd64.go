//go:build amd64 && !noasm

package kernel

import "unsafe"

const chainDepthCache = 32 << 10 // bytes of inputs processed at a time

// chainThree is a 3x3 depthwise convolution in a chain.
type chainThree struct {
	d      *depthwise
	bias   []float32
	post   chainPost
	blockC int
	rows   int
}

func newChainThree(conv *Conv[float32], d *depthwise, rows int) *chainThree {
	g := d.g
	height := min(g.H, (rows-1)*g.SH+3)
	// The number of channels is even, because some kernels process two channels at a time.
	return &chainThree{d: d, bias: conv.bias, post: newChainPost(conv.post),
		blockC: min(g.C, max(2, chainDepthCache/4/(height*g.W)&^1)), rows: rows}
}

func (d *chainThree) scratchLen() int {
	if d.d.aside() {
		return d.blockC*d.rows*(d.d.g.OutW()+1) + 2*slackLanes
	}
	return 0
}

func (d *chainThree) strip(s depthwiseStrip) {
	g := d.d.g
	a := depthArgs{
		dstRow: 4 * g.OutW(), dstChannel: 4 * s.dstChannel, srcRow: 4 * g.W, srcChannel: 4 * s.srcChannel,
		floor: d.post.floor(), ceil: d.post.ceil,
		rows: s.rows, height: s.height, top: s.top, zero: unsafe.Pointer(&zeros32), table: unsafe.Pointer(&depthTable),
	}
	aside := d.d.aside()
	if aside {
		a.dstRow, a.dstChannel = 4*(g.OutW()+1), 4*s.rows*(g.OutW()+1)
	}
	for c := s.channels.lo; c < s.channels.hi; c += d.blockC {
		n, careful := min(d.blockC, s.channels.hi-c), 0
		if s.borrowed {
			careful = d.d.careful(c, n, g.C)
		}
		for _, narrow := range []bool{false, true} {
			strips := d.d.wide
			if narrow {
				strips = d.d.narrow
			}
			if len(strips) == 0 {
				continue
			}
			a.strips, a.count = unsafe.Pointer(&strips[0]), len(strips)
			for from, part := range [...]int{n - careful, careful} {
				if part == 0 {
					continue
				}
				at := from * (n - careful)
				a.masked, a.channels = from, part
				a.src, a.weights, a.bias = ptr(s.src, (c+at)*s.srcChannel), ptr(d.d.weights, 9*(c+at)),
					ptr(d.bias, c+at)
				if aside {
					a.dst = ptr(s.scratch, slackLanes+at*s.rows*(g.OutW()+1))
				} else {
					a.dst = ptr(s.dst, (c+at)*s.dstChannel)
				}
				convolveDepth(d.d.level, narrow, g.SH, &a)
			}
		}
		if aside {
			copyRows(avx2, 1, &rowsArgs{
				dst: ptr(s.dst, c*s.dstChannel), dstStride: 4 * g.OutW(), src: ptr(s.scratch, slackLanes),
				srcStride: a.dstRow, rows: s.rows, valid: g.OutW(),
				scale: ptr(ones32[:], 0), shift: ptr(zeros32[:], 0), floor: noFloor, table: unsafe.Pointer(&laneTable),
				channels: n, dstChannel: 4 * s.dstChannel, srcChannel: a.dstChannel,
			})
		}
	}
	s.activate(d.post, g)
}

// activate applies what the kernels leave of an activation.
func (s *depthwiseStrip) activate(post chainPost, g ConvGeom) {
	post.activate(s.dst[s.channels.lo*s.dstChannel:], s.channels.len(), s.dstChannel, s.rows*g.OutW())
}

// chainTaps is a 5x5 or 7x7 depthwise convolution in a chain.
type chainTaps struct {
	from        *depthTaps // holds the weights
	d           *depthTaps // the same convolution for a strip
	bias        []float32
	post        chainPost
	ones, zeros []float32
}

func newChainTaps(conv *Conv[float32], from *depthTaps, rows int) *chainTaps {
	g := from.g
	g.H, g.PH, g.EH = (rows-1)*g.SH+g.KH, 0, 0
	return &chainTaps{from: from, d: newDepthTaps(from.level, g), bias: conv.bias, post: newChainPost(conv.post),
		ones: conv.fast.ones, zeros: conv.fast.zeros}
}

func (d *chainTaps) scratchLen() int { return d.d.blockC*d.d.channel + 2*d.d.pitch + 2*slackLanes }

func (d *chainTaps) strip(s depthwiseStrip) {
	g := d.d.g
	scratch := alignVector(s.scratch)
	f := viewFill{
		level: d.d.level, h: s.height, w: g.W, sh: g.SH, sw: g.SW, pitch: d.d.pitch, channel: d.d.channel,
		floor: noFloor, apart: s.srcChannel,
	}
	a := depthTapsArgs{
		dstRow: 4 * g.OutW(), dstChannel: 4 * s.dstChannel, src: ptr(scratch, 0), srcRow: 4 * d.d.pitch,
		srcChannel: 4 * d.d.channel,
		floor:      d.post.floor(), ceil: d.post.ceil, rows: s.rows, vectors: (g.OutW() + d.d.lanes - 1) / d.d.lanes,
		offsets: unsafe.Pointer(&d.d.offsets[0]), count: g.KW,
	}
	for c := s.channels.lo; c < s.channels.hi; c += d.d.blockC {
		n := min(d.d.blockC, s.channels.hi-c)
		f.channels, f.src, f.scale, f.shift = n, s.src[c*s.srcChannel:], d.ones[c:], d.zeros[c:]
		for _, v := range d.d.views {
			v.dy += s.top
			v.rows += s.rows - g.OutH()
			f.fill(scratch[v.at:], v, 0)
		}
		a.channels, a.dst, a.weights, a.bias = n, ptr(s.dst, c*s.dstChannel), ptr(d.from.weights, c*g.KH*g.KW),
			ptr(d.bias, c)
		d.d.kernel(&a)
	}
	s.activate(d.post, g)
}
