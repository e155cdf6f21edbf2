//go:build amd64 && !noasm

package kernel

import "unsafe"

// fourRowsArgs are the arguments of the kernel that transforms rows of the padded input.
type fourRowsArgs struct {
	src        unsafe.Pointer
	srcRow     int // bytes
	srcChannel int // bytes
	dst        unsafe.Pointer
	dstColumn  int // bytes from column to column of a tile
	dstRow     int // bytes
	dstChannel int // bytes
	rows       int
	vectors    int // number of vectors in a row
	channels   int
	table      unsafe.Pointer
}

// fourFlatArgs are the arguments of the kernels that transform the columns of eight tiles.
type fourFlatArgs struct {
	src        unsafe.Pointer
	srcColumn  int // bytes from column to column of a tile
	srcPhase   int // bytes; for inputs only
	srcRow     int // bytes from row to row of tiles; for products from row to row of places
	srcChannel int // bytes
	dst        unsafe.Pointer
	dstColumn  int // bytes
	dstRow     int // bytes from row to row of places; for products from phase to phase
	dstChannel int // bytes
	channels   int
	table      unsafe.Pointer
}

// fourOutArgs are the arguments of the kernel that writes rows of the image.
type fourOutArgs struct {
	src        unsafe.Pointer
	srcColumn  int // bytes from column to column of a tile
	srcRow     int // bytes
	srcChannel int // bytes
	dst        unsafe.Pointer
	dstRow     int            // bytes
	dstChannel int            // bytes
	res        unsafe.Pointer // with the strides of dst; may be nil
	cols, rows int
	channels   int
	bias       unsafe.Pointer
	floor      float32
	_          uint32
	table      unsafe.Pointer
	lanes      unsafe.Pointer
	_          [2]int // the kernel's own
}

func (p *winogradFour) ceils() bool { return false }

func (p *winogradFour) scratchLen() int {
	return (fourPlaces+1)*p.slot + max(p.inputs*(p.padded+24*p.phase), p.outputs*24*p.plane) + slackLanes
}

// run computes one image; see planIO.
func (p *winogradFour) run(image planIO) {
	if image.accumulate {
		image.residual = image.dst
	}
	p.several(image, 1)
}

func (p *winogradFour) together() int { return p.most }

// several computes n images, whose tiles lie side by side; see planIO.
func (p *winogradFour) several(image planIO, n int) {
	p.compute(image, n, span{0, p.tileH}, span{0, len(p.rows)})
}

// compute does some rows of tiles, and of their outputs those of some row tiles.
func (p *winogradFour) compute(image planIO, n int, strips, outputs span) {
	channels := span{p.channelsOf(outputs.lo), p.channelsOf(outputs.hi)}
	scratch := alignVector(image.scratch)
	slots, stage := scratch[:(fourPlaces+1)*p.slot], scratch[(fourPlaces+1)*p.slot:]
	oh, ow := p.g.OutH(), p.g.OutW()
	for ty := strips.lo; ty < strips.hi; ty += p.strip {
		rows := min(p.strip, strips.hi-ty)
		apart := fourTiles(rows * p.tileW)
		for i := range n {
			io := image.at(i)
			for c := 0; c < p.g.C; c += p.inputs {
				p.transform(&io, slots[p.slot:], stage, c, min(p.inputs, p.g.C-c), ty, rows, i*apart)
			}
		}
		p.multiply(slots, (n-1)*apart+rows*p.tileW, outputs)
		for i := range n {
			io := image.at(i)
			for m := channels.lo; m < channels.hi; m += p.outputs {
				p.write(&io, slots, stage, m, min(p.outputs, channels.hi-m), ty, rows, i*apart)
			}
			if io.act.Kind != ActIdentity {
				io.activateColumns(channels.lo, channels.len(), oh*ow, 4*ty*ow, min(4*(ty+rows), oh)*ow)
			}
		}
	}
}

// transform writes the transformed inputs of n channels from c on to v: of rows rows of tiles from ty on. Their first
// tile is number first in v.
func (p *winogradFour) transform(io *planIO, v, stage []float32, c, n, ty, rows, first int) {
	g := p.g
	padded, planes := stage[:n*p.padded], stage[n*p.padded:]
	fill := viewFill{
		level: p.level, h: g.H, w: g.W, sh: 1, sw: 1, pitch: p.pitch, channel: p.padded, channels: n,
		src: io.src[c*g.H*g.W:], scale: io.scale[c:], shift: io.shift[c:], floor: io.floor,
	}
	fill.fill(padded, view{dy: -g.PH, dx: -g.PW, rows: 4*rows + 2, cols: p.pitch}, 4*ty)
	a := fourRowsArgs{
		srcRow: 16 * p.pitch, srcChannel: 4 * p.padded, dstColumn: 16 * p.phase, dstRow: 4 * p.tileW,
		dstChannel: 96 * p.phase,
		vectors:    (p.tileW + 7) / 8, channels: n, table: unsafe.Pointer(&fourTable),
	}
	for phase := range 4 {
		a.src, a.dst, a.rows = ptr(padded, phase*p.pitch), ptr(planes, phase*p.phase), rows
		if phase < 2 {
			a.rows++
		}
		fourRowsAVX2(&a)
	}
	b := fourFlatArgs{
		srcColumn: 16 * p.phase, srcPhase: 4 * p.phase, srcRow: 4 * p.tileW, srcChannel: 96 * p.phase,
		dstColumn: 4 * p.slot, dstRow: 24 * p.slot, dstChannel: 4 * p.width, channels: n,
		table: unsafe.Pointer(&fourTable),
	}
	for at := 0; at < rows*p.tileW; at += 8 {
		b.src, b.dst = ptr(planes, at), ptr(v, (first+at)/p.width*p.width*g.C+c*p.width+(first+at)%p.width)
		fourColumnsAVX2(&b)
	}
}

// channelsOf returns how many outputs there are in the first row tiles.
func (p *winogradFour) channelsOf(tiles int) int {
	n := 0
	for _, rows := range p.rows[:tiles] {
		n += rows
	}
	return n
}

// multiply does the matrix products of some outputs for so many tiles. Those of a place go where the inputs of the
// place before it were.
func (p *winogradFour) multiply(slots []float32, tiles int, outputs span) {
	first := p.channelsOf(outputs.lo)
	t := tileArgs{k: p.g.C, off: unsafe.Pointer(&p.offsets[0]), b1: 2 * p.width, ldc: 4 * p.width}
	for place := range fourPlaces {
		row, weights := first, (place*p.g.O+first)*p.g.C
		for run := outputs.lo; run < outputs.hi; run += p.inRun {
			rows := p.rows[run:min(run+p.inRun, outputs.hi)]
			height := 0
			for at := 0; at < tiles; at += p.width {
				vecs := 2
				if tiles-at <= p.width/2 {
					vecs = 1
				}
				t.b, t.c = ptr(slots, (place+1)*p.slot+at*p.g.C), ptr(slots, place*p.slot+at*p.g.O+row*p.width)
				height = 0
				for tiles := rows; len(tiles) > 0; {
					n, run := tiles[0], equalRun(tiles)
					t.a = ptr(p.weights, weights+height*p.g.C)
					t.c = ptr(slots, place*p.slot+at*p.g.O+(row+height)*p.width)
					panelTiles(p.level, n, run, vecs, &t, at == 0)
					height += run * n
					tiles = tiles[run:]
				}
			}
			weights += height * p.g.C
			row += height
		}
	}
}

// write transforms the products of n channels from m on back and writes the outputs of rows rows of tiles from ty on.
// Their first tile is number first of the products.
func (p *winogradFour) write(io *planIO, slots, planes []float32, m, n, ty, rows, first int) {
	oh, ow := p.g.OutH(), p.g.OutW()
	a := fourFlatArgs{
		srcColumn: 4 * p.slot, srcRow: 24 * p.slot, srcChannel: 4 * p.width,
		dstColumn: 4 * p.plane, dstRow: 24 * p.plane, dstChannel: 96 * p.plane, channels: n,
		table: unsafe.Pointer(&fourTable),
	}
	for at := 0; at < rows*p.tileW; at += 8 {
		a.src, a.dst = ptr(slots, (first+at)/p.width*p.width*p.g.O+m*p.width+(first+at)%p.width), ptr(planes, at)
		fourProductsAVX2(&a)
	}
	b := fourOutArgs{
		srcColumn: 4 * p.plane, srcRow: 4 * p.tileW, srcChannel: 96 * p.plane, dstRow: 16 * ow, dstChannel: 4 * oh * ow,
		cols: ow, channels: n, bias: ptr(io.bias, m), floor: noFloor, table: unsafe.Pointer(&fourTable),
		lanes: unsafe.Pointer(&laneTable),
	}
	if io.relu {
		b.floor = 0
	}
	for phase := range 4 {
		y := 4*ty + phase
		if b.rows = min(rows, (oh-y+3)/4); b.rows < 1 {
			break
		}
		b.src, b.dst = ptr(planes, phase*6*p.plane), ptr(io.dst, (m*oh+y)*ow)
		if io.residual != nil {
			b.res = ptr(io.residual, (m*oh+y)*ow)
		}
		fourWriteAVX2(&b)
	}
}
