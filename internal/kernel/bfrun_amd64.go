//go:build amd64 && !noasm

package kernel

import "unsafe"

// bfPairsArgs are the arguments of the kernel that rounds channels and joins them to pairs.
type bfPairsArgs struct {
	dst     unsafe.Pointer
	dstPair int // bytes from pair to pair
	dstVec  int // bytes from 16 columns to the next 16
	src     unsafe.Pointer
	stride  int // bytes from channel to channel
	pairs   int // at least 1
	cols    int // at least 1
	scale   unsafe.Pointer
	shift   unsafe.Pointer
	floor   float32
	_       uint32
	table   unsafe.Pointer
}

// bfViewArgs are the arguments of the kernels that copy planes of pairs.
type bfViewArgs struct {
	dst     unsafe.Pointer
	dstPair int // bytes from pair to pair
	src     unsafe.Pointer
	srcPair int
	pairs   int            // at least 1
	vecs    int            // at least 1
	table   unsafe.Pointer // a uint16 mask per vector, or 16 int32 positions per vector
}

// bfSidesArgs are the arguments of the kernel that copies two planes of pairs at once.
type bfSidesArgs struct {
	left, right unsafe.Pointer // from one column to the left, and from one to the right
	src         unsafe.Pointer
	pair        int // bytes from pair to pair, of all three
	pairs       int // at least 1
	vecs        int // at least 1
	leftMasks   unsafe.Pointer
	rightMasks  unsafe.Pointer // a uint16 per vector
}

// amxArgs are the arguments of the AMX kernels, which modify some of them.
type amxArgs struct {
	config      unsafe.Pointer
	a           unsafe.Pointer
	aTile       int // bytes from one tile of rows to the next
	aStep       int // bytes from block to block
	off         unsafe.Pointer
	full, tails int // numbers of full and of partial blocks
	b           unsafe.Pointer
	bRow        int // bytes from pair to pair
	bCol        int // bytes from one tile of columns to the next
	groups      int // number of tiles of columns
	c           unsafe.Pointer
	ldc         int // bytes from row to row of c and res
	bias        unsafe.Pointer
	res         unsafe.Pointer // or nil
	cols        int            // columns to write, over all tiles of columns
	rows        int            // rows to write, over all tiles of rows
	high        int            // rows of a tile
	buf         unsafe.Pointer // working memory of 4 KiB
	floor       float32
	_           uint32
	started     int            // the kernel's own, initially 0
	table       unsafe.Pointer // pairTable to write pairs of rows, nil for float32
}

// amxBlockArgs are the arguments of amxBlock.
type amxBlockArgs struct{ config, c, a, b unsafe.Pointer }

// bfTileArgs are the arguments of the AVX512_BF16 tiles.
type bfTileArgs struct {
	a           unsafe.Pointer // [block][pair][row]
	off         unsafe.Pointer
	full, tails int // numbers of full and of partial blocks
	pairs       int // pairs in a partial block
	b           unsafe.Pointer
	bRow        int // bytes from pair to pair
	bCol        int // bytes from the first vector to the second
	c           unsafe.Pointer
	ldc         int // bytes from row to row of c and res
	bias        unsafe.Pointer
	res         unsafe.Pointer // or nil
	mask        int            // a bit for each column to write
	floor       float32
	_           uint32
}

// pairTable holds the indices with which VPERMW interleaves a vector of even channels and one of odd channels to pairs.
var pairTable = func() (t [32]uint16) {
	for i := range t {
		t[i] = uint16(i/2 + i%2*16)
	}
	return t
}()

// run computes one image.
func (p *bfPlan) run(image bfIO) { p.runPart(&image, p.all()) }

// all are the columns or, where there are planes, rows of outputs of an image.
func (p *bfPlan) all() span {
	if p.pointwise {
		return span{0, p.g.H * p.g.W}
	}
	return span{0, p.g.OutH()}
}

func (p *bfPlan) parts(n int) int {
	units := p.g.OutH()
	if p.pointwise {
		units = (p.g.H*p.g.W + bfPartColumns - 1) / bfPartColumns
	}
	// Products take an eighth of the time that they take in float32.
	return worthParts(p.g.Groups*p.m*p.c*p.g.KH*p.g.KW*p.g.OutH()*p.g.OutW()/8, min(n, units))
}

// bfPartColumns is how many columns the shares of a panel are counted in: two tiles, so that both are full.
const bfPartColumns = 32

func (p *bfPlan) part(io bfIO, i, n int) {
	step := 1
	if p.pointwise {
		step = bfPartColumns
	}
	if s := portion(p.all().hi, step, i, n); s.len() > 0 {
		p.runPart(&io, s)
	}
}

// runPart computes some columns or rows of outputs of one image.
func (p *bfPlan) runPart(io *bfIO, part span) {
	var buf [1024 + 16]float32
	scratch, sums := alignVector(io.scratch), alignVector(buf[:])
	for group := range p.g.Groups {
		if p.pointwise {
			p.runPanels(io, scratch, sums, group, part)
			continue
		}
		for y := part.lo; y < part.hi; y += p.strip {
			rows := min(p.strip, part.hi-y)
			p.fill(io, scratch, group, y, rows)
			p.compute(io, sums, group, bfColumns{b: ptr(scratch, 0), bRow: 4 * p.plane, bCol: 64, at: y * p.g.OutW(),
				n: rows * p.g.OutW()})
		}
	}
}

// join rounds n pixels, from pixel at on, of each channel of a group, and writes them as pairs.
func (p *bfPlan) join(io *bfIO, dst unsafe.Pointer, dstPair, dstVec, group, at, n int) {
	hw, first := p.g.H*p.g.W, group*p.c
	a := bfPairsArgs{
		dst: dst, dstPair: dstPair, dstVec: dstVec, src: ptr(io.src, first*hw+at), stride: 4 * hw, pairs: p.c / 2,
		cols:  n,
		scale: ptr(io.scale, first), shift: ptr(io.shift, first), floor: io.floor, table: unsafe.Pointer(&pairTable),
	}
	bfPairsAVX512(&a)
	if p.c%2 == 0 {
		return
	}
	last := p.c - 1
	a.dst = unsafe.Add(dst, dstPair*(last/2))
	a.src, a.scale, a.shift, a.pairs = ptr(io.src, (first+last)*hw+at), ptr(io.scale, first+last),
		ptr(io.shift, first+last), 1
	bfSingleAVX512(&a)
}

func (p *bfPlan) runPanels(io *bfIO, scratch, sums []float32, group int,
	part span) {
	for at := part.lo; at < part.hi; at += p.columns {
		n := min(p.columns, part.hi-at)
		p.join(io, ptr(scratch, 0), 64, 64*p.pairs, group, at, n)
		p.compute(io, sums, group, bfColumns{b: ptr(scratch, 0), bRow: 64, bCol: 64 * p.pairs, at: at, n: n})
	}
}

// fill fills the views with the input that output rows [y, y+rows) read.
func (p *bfPlan) fill(io *bfIO, scratch []float32, group, y, rows int) {
	see, r0, r1, top := p.seen(y, rows)
	if r1 > r0 {
		p.join(io, ptr(scratch, p.dense+r0*p.g.W), 4*p.plane, 64, group, (top+r0)*p.g.W, (r1-r0)*p.g.W)
	}
	all := span{0, p.pairs}
	p.clearAround(scratch, r0*p.g.W, r1*p.g.W, see*p.g.W, all)
	p.view(scratch, rows, all)
}

// seen returns how many rows of input, with the padding, output rows [y, y+rows) read, which of them are no padding,
// and the first row's number in the image.
func (p *bfPlan) seen(y, rows int) (see, r0, r1, top int) {
	g := p.g
	see = (rows-1)*g.SH + (g.KH-1)*g.DH + 1
	top = y*g.SH - g.PH
	r0, r1 = min(max(0, -top), see), max(0, min(see, g.H-top))
	return see, r0, max(r0, r1), top
}

// view copies the dense planes of some pairs to the views, of which it fills what the given number of output rows
// reads.
func (p *bfPlan) view(scratch []float32, rows int, pairs span) {
	first := pairs.lo * p.plane
	for i := range p.views {
		v := &p.views[i]
		if v.masks == nil && v.table == nil || i == p.right {
			continue
		}
		vectors := ((v.rows-p.strip+rows)*p.g.OutW() + 15) / 16
		if i == p.left {
			right := &p.views[p.right]
			bfSidesAVX512(&bfSidesArgs{left: ptr(scratch, v.at+first), right: ptr(scratch, right.at+first),
				src: ptr(scratch, p.dense+first), pair: 4 * p.plane, pairs: pairs.len(), vecs: vectors,
				leftMasks: unsafe.Pointer(&v.masks[0]), rightMasks: unsafe.Pointer(&right.masks[0])})
			continue
		}
		a := bfViewArgs{dst: ptr(scratch, v.at+first), dstPair: 4 * p.plane, srcPair: 4 * p.plane, pairs: pairs.len(),
			vecs: vectors}
		if v.masks != nil {
			a.src, a.table = ptr(scratch, p.dense+first+v.shift), unsafe.Pointer(&v.masks[0])
			bfShiftAVX512(&a)
		} else {
			a.src, a.table = ptr(scratch, p.dense+first), unsafe.Pointer(&v.table[0])
			bfGatherAVX512(&a)
		}
	}
}

// clearAround zeroes the words before lo, and from hi to end, in the dense planes of some pairs.
func (p *bfPlan) clearAround(scratch []float32, lo, hi, end int, pairs span) {
	if lo == 0 && hi >= end {
		return
	}
	for pair := pairs.lo; pair < pairs.hi; pair++ {
		plane := scratch[p.dense+pair*p.plane:][:end]
		clear(plane[:lo])
		clear(plane[min(hi, end):])
	}
}

// bfColumns are n columns of outputs from column at on, and the address of their pairs.
type bfColumns struct {
	b          unsafe.Pointer
	bRow, bCol int // bytes from pair to pair, and from 16 columns to the next 16
	at, n      int
	offsets    []int32 // of each block from b on, in bytes; nil for the plan's own
}

func (p *bfPlan) compute(io *bfIO, sums []float32, group int, cols bfColumns) {
	if p.level == bfAMX {
		p.computeAMX(io, sums, group, cols)
	} else {
		p.computeDots(io, group, cols)
	}
}

func (p *bfPlan) computeAMX(io *bfIO, sums []float32, group int, cols bfColumns) {
	hw, high := p.g.OutH()*p.g.OutW(), p.tiles[0]
	words := p.tileWords(high)
	t := amxArgs{
		config: unsafe.Pointer(&p.config), aTile: 4 * words, aStep: 64 * high, off: unsafe.Pointer(&p.offsets[0]),
		full: p.whole, tails: len(p.blocks) - p.whole, bRow: cols.bRow, bCol: cols.bCol,
		ldc: 4 * hw, high: high, buf: ptr(sums, 0), floor: io.lowest,
	}
	if cols.offsets != nil {
		t.off = unsafe.Pointer(&cols.offsets[0])
	}
	if io.pairs != nil {
		t.table, t.ldc = unsafe.Pointer(&pairTable), 4*io.plane
	}
	for tile := 0; tile < len(p.tiles); {
		together := min(2, len(p.tiles)-tile)
		if len(p.tiles)-tile == 3 {
			together = 3
		}
		wide := [...]int{1: 4, 2: 2, 3: 1}[together]
		row := group*p.m + tile*high
		t.a = unsafe.Pointer(&p.weights[(group*len(p.tiles)+tile)*words])
		t.rows = min(together*high, p.m-tile*high)
		t.bias = ptr(io.bias, row)
		tiles := (cols.n + 15) / 16
		run := func(first, wide, groups int) {
			if groups == 0 || wide == 0 {
				return
			}
			at := row*hw + cols.at + 16*first
			t.b, t.res = unsafe.Add(cols.b, first*cols.bCol), nil
			if io.pairs != nil {
				t.c = unsafe.Add(io.pairs, 4*(row/2*io.plane+cols.at+16*first))
			} else {
				t.c = ptr(io.dst, at)
			}
			if io.residual != nil {
				t.res = ptr(io.residual, at)
			}
			t.cols, t.groups, t.started = cols.n-16*first, groups, 0
			amxTiles(together, wide, &t)
		}
		run(0, wide, tiles/wide)
		run(tiles/wide*wide, tiles%wide, 1)
		tile += together
	}
}

func (p *bfPlan) computeDots(io *bfIO, group int, cols bfColumns) {
	hw := p.g.OutH() * p.g.OutW()
	t := bfTileArgs{
		off: unsafe.Pointer(&p.offsets[0]), full: p.whole, tails: len(p.blocks) - p.whole,
		pairs: p.pairs % bfPairsInBlock,
		bRow:  cols.bRow, ldc: 4 * hw, floor: io.lowest,
	}
	for x := 0; x < cols.n; x += 32 {
		n := min(32, cols.n-x)
		t.b, t.bCol, t.mask = unsafe.Add(cols.b, x/16*cols.bCol), cols.bCol, 1<<n-1
		if n <= 16 {
			t.bCol = 0
		}
		row, words := 0, group*p.tileWords(p.m)
		for _, high := range p.tiles {
			at := (group*p.m+row)*hw + cols.at + x
			t.a, t.bias, t.c, t.res = unsafe.Pointer(&p.weights[words]), ptr(io.bias, group*p.m+row), ptr(io.dst, at),
				nil
			if io.residual != nil {
				t.res = ptr(io.residual, at)
			}
			bfTile(high, &t)
			words += p.tileWords(high)
			row += high
		}
	}
}
