//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// planIO holds the slices of one image that an engine reads and writes.
type planIO struct {
	dst      []float32 // [groups*m, oh*ow]
	src      []float32 // [groups*c, h*w]
	bias     []float32 // [groups*m]
	residual []float32 // of the shape of dst, or nil
	// accumulate adds to dst; then there is no residual and no relu.
	accumulate bool
	relu       bool
	ceil       float32    // with relu, if the engine's ceils is true: upper bound of the outputs
	act        Activation // applied at the end; the identity with relu or accumulate
	scale      []float32  // [groups*c]
	shift      []float32  // [groups*c]
	floor      float32
	scratch    []float32
	// If dst is only a part of a map: the number of elements from channel to channel of dst, and the first output row
	// in it. Otherwise 0.
	apart, from int
	// Elements from image to image, for an engine that computes several.
	dstStride, srcStride, residualStride int
}

// at returns the slices of image i, for an engine that computes several.
func (io planIO) at(i int) planIO {
	io.dst, io.src = io.dst[i*io.dstStride:], io.src[i*io.srcStride:]
	if io.residual != nil {
		io.residual = io.residual[i*io.residualStride:]
	}
	return io
}

// activate applies act to n outputs from dst[at] on.
func (io *planIO) activate(at, n int) {
	if io.act.Kind != ActIdentity {
		Activate(io.dst[at:][:n], io.dst[at:][:n], io.act)
	}
}

// finish applies the activation, whichever it is, to n outputs to which no kernel has applied it.
func (io *planIO) finish(n int) {
	switch {
	case io.ceil < noCeiling:
		Activate(io.dst[:n], io.dst[:n], Activation{Kind: ActClamp, B: float64(io.ceil)})
	case io.relu:
		ReLU(io.dst[:n], io.dst[:n])
	default:
		io.activate(0, n)
	}
}

// activateColumns applies act to columns [from, to) of the given number of rows from row on. Rows are pitch outputs
// long.
func (io *planIO) activateColumns(row, rows, pitch, from, to int) {
	for i := row; i < row+rows; i++ {
		io.activate(i*pitch+from, to-from)
	}
}

func ptr(s []float32, i int) unsafe.Pointer { return unsafe.Pointer(&s[i]) }

// planPart is the part of an image that a call computes: some row tiles of each group, and some columns of a panel or
// rows of outputs.
type planPart struct{ tiles, at span }

// all is the whole image.
func (p *plan) all() planPart {
	if p.panel {
		return planPart{span{0, len(p.tiles)}, span{0, p.oh * p.ow}}
	}
	return planPart{span{0, len(p.tiles)}, span{0, p.oh}}
}

// run computes one image.
func (p *plan) run(image planIO) { p.runPart(&image, p.all()) }

// runPart computes a part of one image.
func (p *plan) runPart(io *planIO, part planPart) {
	scratch := alignVector(io.scratch)
	weights := 0
	for group := range p.groups {
		for c0 := 0; c0 < p.c; c0 += p.blockC {
			n := min(p.blockC, p.c-c0)
			block := p.weights[weights:][:p.m*n*len(p.taps)]
			weights += len(block)
			if p.panel {
				p.runPanels(io, scratch, block, group, c0, n, part)
				continue
			}
			for y0 := part.at.lo; y0 < part.at.hi; y0 += p.strip {
				rows := min(p.strip, part.at.hi-y0)
				p.fill(io, scratch, group*p.c+c0, n, y0, rows)
				p.runStrip(io, scratch, block, group, c0, n, y0, rows, part.tiles)
			}
		}
	}
}

// alignVector drops elements so that the slice starts at a cache line.
func alignVector(s []float32) []float32 {
	return s[-uintptr(unsafe.Pointer(unsafe.SliceData(s)))%64/4:]
}

// prepare returns the arguments that all tiles of a block have in common.
func (p *plan) prepare(io *planIO, c0, n int) tileArgs {
	t := tileArgs{k: n * len(p.taps), ldc: 4 * p.apart(io), off: unsafe.Pointer(&p.offsets[0]), ceil: io.ceil}
	if c0 > 0 || io.accumulate {
		t.flags |= tileResume
	}
	if c0+n == p.c && io.relu {
		t.flags |= tileReLU
		if io.ceil < noCeiling {
			t.flags |= tileCeil
		}
	}
	return t
}

// apart returns the number of elements from channel to channel of the outputs.
func (p *plan) apart(io *planIO) int {
	if io.apart > 0 {
		return io.apart
	}
	return p.oh * p.ow
}

// column runs the row tiles [first, last) on one column tile; at is its flat output position.
func (p *plan) column(io *planIO, t *tileArgs, block []float32, group, first, last, at, cols int, final bool) {
	left := 0
	if p.panel && t.packDst == nil {
		left = thinOf(p.level, cols)
	}
	whole, vecs := cols-left, 2
	if whole <= p.lanes {
		vecs = 1
	}
	t.mask = 0
	if whole < vecs*p.lanes {
		t.mask = tileMask(p.level, whole)
	}
	row := group*p.m + p.rowsOf(span{0, first})
	weight := (row - group*p.m) * t.k
	hw := p.apart(io)
	from := func(row, weight, x int) {
		t.a = ptr(block, weight)
		t.c = ptr(io.dst, row*hw+at+x)
		if final {
			t.bias = ptr(io.bias, row)
			if io.residual != nil {
				t.res = ptr(io.residual, row*hw+at+x)
			}
		}
	}
	for tiles := p.tiles[first:last]; len(tiles) > 0; {
		rows, run := tiles[0], 1
		switch {
		case left > 0:
			run = thinRun(tiles)
		case p.panel && t.packDst == nil:
			run = equalRun(tiles)
		}
		if whole > 0 {
			from(row, weight, 0)
			if run > 1 {
				panelTiles(p.level, rows, run, vecs, t, false)
			} else {
				p.tile(rows, vecs, t)
			}
		}
		if left > 0 {
			from(row, weight, whole)
			t.b = unsafe.Add(t.b, 4*whole)
			thinTile(rows, run, left, t)
			t.b = unsafe.Add(t.b, -4*whole)
		}
		row, weight, tiles = row+run*rows, weight+run*rows*t.k, tiles[run:]
	}
}

// rowsOf returns how many rows some row tiles have.
func (p *plan) rowsOf(tiles span) int {
	n := 0
	for _, rows := range p.tiles[tiles.lo:tiles.hi] {
		n += rows
	}
	return n
}

func (p *plan) runPanels(io *planIO, scratch, block []float32, group, c0, n int, part planPart) {
	t := p.prepare(io, c0, n)
	t.b1 = 4 * p.lanes
	hw, width := p.oh*p.ow, 2*p.lanes
	final := c0+n == p.c
	first := group*p.c + c0
	pa := panelArgs{stride: 4 * hw, k: n, scale: ptr(io.scale, first), shift: ptr(io.shift, first), floor: io.floor,
		table: unsafe.Pointer(&laneTable)}
	if p.columnsTogether == 1 {
		p.runPanelPairs(io, &t, &pa, scratch, block, group, first, n, final, part)
		return
	}
	for at := part.at.lo; at < part.at.hi; at += width * p.columnsTogether {
		end := min(at+width*p.columnsTogether, part.at.hi)
		for x, b := at, 0; x < end; x, b = x+width, b+width*n {
			pa.dst, pa.src, pa.cols = ptr(scratch, b), ptr(io.src, first*hw+x), end-x
			packPanel(p.level, &pa)
		}
		for tile := part.tiles.lo; tile < part.tiles.hi; tile += p.tilesInRun {
			last := min(tile+p.tilesInRun, part.tiles.hi)
			for x, b := at, 0; x < end; x, b = x+width, b+width*n {
				t.b = ptr(scratch, b)
				p.column(io, &t, block, group, tile, last, x, min(width, hw-x), final)
			}
		}
		if final {
			p.activate(io, group, part.tiles, at, end)
		}
	}
}

// activate applies what activation is left to columns [from, to) of some row tiles.
func (p *plan) activate(io *planIO, group int, tiles span, from, to int) {
	if io.act.Kind != ActIdentity {
		io.activateColumns(group*p.m+p.rowsOf(span{0, tiles.lo}), p.rowsOf(tiles), p.apart(io), from, to)
	}
}

// activateTogether is how many columns are activated at once, while they are in cache.
const activateTogether = 256

// runPanelPairs processes one column tile after the other. The first row tile of each also packs the panel of the next
// column tile where there are tiles for that, which hides the latency of reading it.
func (p *plan) runPanelPairs(io *planIO, t *tileArgs, pa *panelArgs, scratch, block []float32, group, first, n int,
	final bool, part planPart) {
	hw, width, last := p.oh*p.ow, 2*p.lanes, part.at.hi
	t.packStride, t.packScale, t.packShift, t.packFloor = pa.stride, pa.scale, pa.shift, pa.floor
	packed, active := false, part.at.lo
	for x, b := part.at.lo, 0; x < last; x, b = x+width, width*n-b {
		if !packed {
			pa.dst, pa.src, pa.cols = ptr(scratch, b), ptr(io.src, first*hw+x), hw-x
			packPanel(p.level, pa)
		}
		t.b = ptr(scratch, b)
		packed = packsAhead && x+2*width <= last
		if packed {
			t.packSrc, t.packDst = ptr(io.src, first*hw+x+width), ptr(scratch, width*n-b)
		} else {
			t.packDst = nil
		}
		p.column(io, t, block, group, part.tiles.lo, part.tiles.hi, x, min(width, hw-x), final)
		if end := min(x+width, last); final && (end == last || end-active >= activateTogether) {
			p.activate(io, group, part.tiles, active, end)
			active = end
		}
	}
}

// fill rearranges n channels, from channel first on, for the output rows [y0, y0+rows).
func (p *plan) fill(io *planIO, scratch []float32, first, n, y0, rows int) {
	f := viewFill{
		level: p.level, h: p.h, w: p.w, sh: p.sh, sw: p.sw, pitch: p.pitch, channel: p.channel, channels: n,
		src: io.src[first*p.h*p.w:], scale: io.scale[first:], shift: io.shift[first:], floor: io.floor,
	}
	for i := range p.views {
		v := p.views[i]
		v.rows += rows - p.strip
		f.fill(scratch[v.at:], v, y0)
	}
}

func (p *plan) runStrip(io *planIO, scratch, block []float32, group, c0, n, y0, rows int, tiles span) {
	t := p.prepare(io, c0, n)
	final := c0+n == p.c
	cols, width := rows*p.ow, 2*p.lanes
	var panel []float32
	if p.gathered {
		panel = alignVector(scratch[p.blockC*p.channel+2*p.pitch+slackLanes:])
	}
	for tile := tiles.lo; tile < tiles.hi; tile += p.tilesInRun {
		last := min(tile+p.tilesInRun, tiles.hi)
		for x := 0; x < cols; x += width {
			at := p.viewOffset(x)
			t.b, t.b1 = ptr(scratch, at), 4*p.lanes
			if p.byRow {
				t.b1 = 4 * (p.viewOffset(x+p.lanes) - at)
			}
			t.ahead = 4 * (p.viewOffset(x+width) - at)
			if p.half {
				t.h0 = 4 * (p.viewOffset(x+p.lanes/2) - at)
				t.h1 = 4 * (p.viewOffset(x+p.lanes*3/2) - p.viewOffset(x+p.lanes))
			}
			if p.gathered {
				p.gather(t.b, t.b1, panel, t.k)
				t.b, t.b1, t.ahead, t.off = unsafe.Pointer(&panel[0]), 4*p.lanes, 0,
					unsafe.Pointer(&p.gatheredOffsets[0])
			}
			p.column(io, &t, block, group, tile, last, (y0-io.from)*p.ow+x, min(width, cols-x), final)
		}
	}
	if final {
		at := (y0 - io.from) * p.ow
		p.activate(io, group, tiles, at, at+cols)
	}
}

// gather copies the two vectors of each of k terms, b1 bytes apart, to a panel. offsets says where they are.
func (p *plan) gather(b unsafe.Pointer, b1 int, panel []float32, k int) {
	gatherPanel(&gatherArgs{dst: ptr(panel[:16*k], 0), b: b, b1: b1, off: unsafe.Pointer(&p.offsets[0]), k: k})
}

// viewOffset returns the position in a view of flat output position x of the strip.
func (p *plan) viewOffset(x int) int {
	if !p.byRow {
		return x
	}
	return x/p.ow*p.pitch + x%p.ow
}
