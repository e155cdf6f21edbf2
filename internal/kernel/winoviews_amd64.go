//go:build amd64 && !noasm

package kernel

import "unsafe"

type winoViewArgs struct {
	src        unsafe.Pointer
	srcView    int // bytes from view to view
	srcRow     int // bytes from row to row
	srcChannel int // bytes
	dst        unsafe.Pointer
	dstPlace   int // bytes
	dstChannel int // bytes
	channels   int
}

type winoFlatArgs struct {
	src        unsafe.Pointer
	srcPlace   int // bytes
	srcChannel int // bytes
	dst        unsafe.Pointer
	dstPlane   int // bytes
	dstChannel int // bytes
	channels   int
}

// weaveArgs are the arguments of the kernels that interleave the four planes of outputs.
type weaveArgs struct {
	src        unsafe.Pointer
	srcPlane   int // bytes
	srcRow     int // bytes
	srcChannel int // bytes
	dst        unsafe.Pointer
	dstRow     int            // bytes
	dstChannel int            // bytes
	res        unsafe.Pointer // with the strides of dst; may be nil
	cols, rows int            // of the image
	channels   int
	bias       unsafe.Pointer
	floor      float32
	_          uint32
	table      unsafe.Pointer
	lanes      unsafe.Pointer
	_          int // the kernel's own
}

// runStrips works on strips of tiles, numbered row by row.
func (p *winograd) runStrips(io *planIO, part span) {
	scratch := alignVector(io.scratch)
	cut := func(n int) []float32 {
		s := scratch[:n]
		scratch = scratch[n:]
		return s
	}
	v, m, planes, views := cut(winoPlaces*p.place), cut(winoPlaces*p.product), cut(4*p.g.O*p.plane), scratch
	for ty := part.lo; ty < part.hi; ty += p.strip {
		rows := min(p.strip, part.hi-ty)
		p.fillViews(io, views, ty, rows)
		tiles := rows * p.tileW
		for at := 0; at < tiles; at += 2 * p.lanes {
			vecs := 1 + min(1, (tiles-at-1)/p.lanes)
			for i := range vecs {
				p.transformViews(v[i*p.lanes:], views, at+i*p.lanes)
			}
			p.multiply(v, m, vecs)
			for i := range vecs {
				p.flatten(planes, m[i*p.lanes:], at+i*p.lanes)
			}
		}
		p.weave(io, planes, ty, rows)
		if ow := p.g.OutW(); io.act.Kind != ActIdentity {
			io.activateColumns(0, p.g.O, p.g.OutH()*ow, 2*ty*ow, min(2*(ty+rows), p.g.OutH())*ow)
		}
	}
}

// fillViews copies the input of rows rows of tiles, from ty on, into views.
func (p *winograd) fillViews(io *planIO, views []float32, ty, rows int) {
	fill := viewFill{
		level: p.level, h: p.g.H, w: p.g.W, sh: 2, sw: 2, pitch: p.tileW, channel: p.channel, channels: p.g.C,
		src: io.src, scale: io.scale, shift: io.shift, floor: io.floor,
	}
	for _, w := range p.views {
		w.rows += rows - p.strip
		fill.fill(views[w.at:], w, ty)
	}
}

// transformViews transforms the inputs of the vector of tiles that starts at tile at of the views, to a vector of v.
func (p *winograd) transformViews(v, views []float32, at int) {
	in := winoViewArgs{
		src: ptr(views, at), srcView: 4 * (p.views[1].at - p.views[0].at), srcRow: 4 * p.tileW,
		srcChannel: 4 * p.channel,
		dst:        ptr(v, 0), dstPlace: 4 * p.place, dstChannel: 8 * p.lanes, channels: p.g.C,
	}
	if p.level == avx512 {
		winoInViewsAVX512(&in)
	} else {
		winoInViewsAVX2(&in)
	}
}

// flatten transforms a vector of the products m to the planes of outputs, at tile number at.
func (p *winograd) flatten(planes, m []float32, at int) {
	out := winoFlatArgs{
		src: ptr(m, 0), srcPlace: 4 * p.product, srcChannel: 8 * p.lanes,
		dst: ptr(planes, at), dstPlane: 4 * p.plane, dstChannel: 16 * p.plane, channels: p.g.O,
	}
	if p.level == avx512 {
		winoOutFlatAVX512(&out)
	} else {
		winoOutFlatAVX2(&out)
	}
}

// weave writes the outputs of rows rows of tiles, from ty on.
func (p *winograd) weave(io *planIO, planes []float32, ty, rows int) {
	oh, ow := p.g.OutH(), p.g.OutW()
	at := 2 * ty * ow
	a := weaveArgs{
		src: ptr(planes, 0), srcPlane: 4 * p.plane, srcRow: 4 * p.tileW, srcChannel: 16 * p.plane,
		dst: ptr(io.dst, at), dstRow: 4 * ow, dstChannel: 4 * oh * ow,
		cols: ow, rows: min(2*rows, oh-2*ty), channels: p.g.O, bias: ptr(io.bias, 0), floor: noFloor,
		table: unsafe.Pointer(&winoTable), lanes: unsafe.Pointer(&laneTable),
	}
	if io.relu {
		a.floor = 0
	}
	if io.residual != nil {
		a.res = ptr(io.residual, at)
	}
	if p.level == avx512 {
		weaveAVX512(&a)
	} else {
		weaveAVX2(&a)
	}
}
