//go:build amd64 && !noasm

package kernel

import "unsafe"

func (c *chain32) run(io chainIO, scratch []float32) {
	scratch = alignVector(scratch)
	for i := 0; i < io.n; {
		n := min(c.together, io.n-i)
		if n > 1 {
			c.several(&io, scratch, i, n)
		} else {
			c.image(&io, scratch, i, span{0, c.g.OutH()}, c.rows)
		}
		i += n
	}
}

// image computes some rows of the outputs of one image, in strips of so many.
func (c *chain32) image(io *chainIO, scratch []float32, image int, outputs span, strip int) {
	g, plane := c.g, c.project.plan.oh*c.project.plan.ow
	src, dst := io.src[image*io.srcStride:], io.dst[image*io.dstStride:]
	deep, mid := scratch[c.deep.at:], scratch[c.mid.at:]
	made, held := 0, 0 // rows [held, made) of the expanded map are in mid
	for y0 := outputs.lo; y0 < outputs.hi; y0 += strip {
		rows := min(strip, outputs.hi-y0)
		from := min(max(0, y0*g.SH-g.PH), g.H)
		to := min(max(from, (y0+rows-1)*g.SH-g.PH+g.KH), g.H)
		s := depthwiseStrip{
			channels: span{0, g.C},
			dst:      deep, dstChannel: c.deep.channel, rows: rows, height: to - from, top: y0*g.SH - g.PH - from,
			scratch: scratch[c.depthAt:],
		}
		if c.expand == nil && c.stem == nil {
			s.src, s.srcChannel, s.borrowed = src[min(from*g.W, g.H*g.W-1):], g.H*g.W, true
		} else {
			c.keep(mid, from, held, made)
			held, made = from, max(made, from)
			if c.stem != nil {
				c.stem.run(mid[(made-held)*g.W:], c.mid.channel, src, alignVector(scratch[c.x.at:]), made, to)
			} else {
				c.expandRows(mid, src, scratch[c.x.at:], made, to, held)
			}
			made = max(made, to)
			s.src, s.srcChannel = mid, c.mid.channel
		}
		c.depth.strip(s)
		var residual []float32
		if io.residual != nil {
			residual = io.residual[image*io.residualStride+y0*g.OutW():]
		}
		c.project.multiply(c.level, dst[y0*g.OutW():], plane, deep, c.project.all(rows*g.OutW()), residual)
	}
}

// keep moves the rows [from, made) of mid, which holds rows [held, made), to its front.
func (c *chain32) keep(mid []float32, from, held, made int) {
	if from <= held || from >= made {
		return
	}
	w := c.g.W
	for ch := range c.g.C {
		row := mid[ch*c.mid.channel:]
		copy(row[:(made-from)*w], row[(from-held)*w:])
	}
}

// expandRows expands the input rows [from, to) into mid, whose front holds row first of the map.
func (c *chain32) expandRows(mid, src, x []float32, from, to, first int) {
	if from >= to {
		return
	}
	g := c.g
	n := (to - from) * g.W
	copyRows(c.level, 1, &rowsArgs{
		dst: ptr(x, 0), src: ptr(src, from*g.W), rows: 1, valid: n, scale: ptr(c.ones, 0), shift: ptr(c.zeros, 0),
		floor: noFloor,
		table: unsafe.Pointer(&laneTable), channels: c.in, dstChannel: 4 * c.x.channel, srcChannel: 4 * g.H * g.W,
	})
	c.expand.multiply(c.level, mid[(from-first)*g.W:], c.mid.channel, x, c.expand.all(n), nil)
}

// several computes n images at once, from the given one on, whose maps are not divided into strips.
func (c *chain32) several(io *chainIO, scratch []float32, image, n int) {
	g := c.g
	in, out := g.H*g.W, g.OutH()*g.OutW()
	x, mid, deep := scratch[c.x.at:], scratch[c.mid.at:], scratch[c.deep.at:]
	a := rowsArgs{
		dst: ptr(x, 0), dstStride: 4 * in, src: ptr(io.src, image*io.srcStride), srcStride: 4 * io.srcStride, rows: n,
		valid: in,
		scale: ptr(c.ones, 0), shift: ptr(c.zeros, 0), floor: noFloor,
		table: unsafe.Pointer(&laneTable), channels: c.in, dstChannel: 4 * c.x.channel, srcChannel: 4 * in,
	}
	copyRows(c.level, 1, &a)
	c.expand.multiply(c.level, mid, c.mid.channel, x, c.expand.all(n*in), nil)
	for i := range n {
		c.depth.strip(depthwiseStrip{
			channels: span{0, g.C},
			dst:      deep[i*out:], dstChannel: c.deep.channel, src: mid[i*in:], srcChannel: c.mid.channel,
			rows: g.OutH(), height: g.H, top: -g.PH, scratch: scratch[c.depthAt:],
		})
	}
	m := c.project.plan.m
	var add []float32
	if io.residual != nil {
		add = scratch[c.add.at:]
		for i := range n {
			for ch := range m {
				copy(add[ch*c.add.channel+i*out:][:out], io.residual[(image+i)*io.residualStride+ch*out:])
			}
		}
	}
	sum := scratch[c.out.at:]
	c.project.multiply(c.level, sum, c.out.channel, deep, c.project.all(n*out), add)
	for i := range n {
		for ch := range m {
			copy(io.dst[(image+i)*io.dstStride+ch*out:][:out], sum[ch*c.out.channel+i*out:])
		}
	}
}

const chainPanel = 128 << 10 // bytes of inputs that stay in cache while all rows of weights are multiplied with them

// all are so many columns of all rows.
func (p *chainPoint) all(cols int) planPart {
	return planPart{span{0, len(p.plan.tiles)}, span{0, cols}}
}

// multiply computes some columns of some row tiles of dst, whose rows are dstChannel elements apart; residual, nil for
// none, lies as dst does.
func (p *chainPoint) multiply(l level, dst []float32, dstChannel int, src []float32, part planPart,
	residual []float32) {
	q := p.plan
	first, cols := q.rowsOf(span{0, part.tiles.lo}), part.at.hi
	width := 2 * q.lanes
	for c0 := 0; c0 < q.c; c0 += q.blockC {
		n := min(q.blockC, q.c-c0)
		final := c0+n == q.c
		t := tileArgs{k: n, ldc: 4 * dstChannel, off: unsafe.Pointer(&p.offsets[0]), b1: 4 * q.lanes, ceil: p.post.ceil}
		if c0 > 0 {
			t.flags |= tileResume
		}
		if final && p.post.relu {
			t.flags |= tileReLU
			if p.post.ceil < noCeiling {
				t.flags |= tileCeil
			}
		}
		block, from := q.weights[q.m*c0:][:q.m*n], src[c0*p.stride:]
		at := func(row, x int) {
			t.a, t.b, t.c = ptr(block, row*n), ptr(from, x), ptr(dst, row*dstChannel+x)
			if final {
				t.bias = ptr(p.bias, row)
				if residual != nil {
					t.res = ptr(residual, row*dstChannel+x)
				}
			}
		}
		group := width * max(1, chainPanel/(4*width*n))
		for x0 := part.at.lo; x0 < cols; x0 += group {
			end := min(cols, x0+group)
			left := 0
			if end == cols {
				left = thinOf(l, end-x0)
			}
			row := first
			for tiles := q.tiles[part.tiles.lo:part.tiles.hi]; len(tiles) > 0; {
				run := thinRun(tiles)
				for i := range run {
					at(row+i*tiles[0], x0)
					p.columns(l, tiles[0], end-left-x0, &t)
				}
				if left > 0 {
					at(row, end-left)
					thinTile(tiles[0], run, left, &t)
				}
				row += run * tiles[0]
				tiles = tiles[run:]
			}
		}
	}
	if p.post.act.Kind != ActIdentity {
		p.post.activate(dst[first*dstChannel+part.at.lo:], q.rowsOf(part.tiles), dstChannel, part.at.len())
	}
}

// columns runs register tiles of so many rows, side by side, on so many columns.
func (p *chainPoint) columns(l level, rows, cols int, t *tileArgs) {
	lanes := p.plan.lanes
	whole, rest := cols/(2*lanes), cols%(2*lanes)
	t.mask = 0
	if whole > 0 {
		rightTiles(l, rows, whole, t)
	}
	if rest == 0 {
		return
	}
	if whole > 0 { // not behind the last columns, where memory may end
		t.right(4 * 2 * lanes)
	}
	vecs := (rest + lanes - 1) / lanes
	if rest < vecs*lanes {
		t.mask = tileMask(l, rest)
	}
	rightTile(l, rows, vecs, t)
}
