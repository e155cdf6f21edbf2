package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of depthArgs, in order.
const (
	depthDst = iota
	depthDstRow
	depthDstChannel
	depthSrc
	depthSrcRow
	depthSrcChannel
	depthWeights
	depthBias
	depthFloor
	depthRows
	depthHeight
	depthTop
	depthChannels
	depthStrips
	depthCount
	depthMore
	depthZero
	depthTable
	depthMasked
	depthSaved
	// The kernel's own: the number of strips left, and its position. The position must not be kept in the pointers
	// above: they would point beyond the ends of their memory, where the garbage collector may find them.
	depthLeft
	depthDstNow
	depthSrcNow
	depthWeightsNow
	depthBiasNow
)

// Offsets into depthStrip.
const (
	stripLanes  = 0
	stripSrc    = 6 * 32
	stripDst    = stripSrc + 8
	stripPlain  = stripDst + 8
	stripBits   = stripPlain + 8
	stripSize   = 320
	stripStores = 4 // the first mask of the stores; masks before it are for loads

	// Offsets into depthTable: permutations that sort the lanes of VSHUFPS, for sixteen and then for eight lanes. Each
	// is followed, 96 bytes further, by one that also shifts by a lane.
	depthTableOrder = 4 * 64
	depthTableBack  = 4 * 112 // the inverse, for sixteen lanes
)

// depthISA is the instruction set of a depthwise kernel: with mask registers and 32 vectors, or without.
type depthISA struct {
	isa
	evex bool
	pair bool // two channels at once, with eight lanes each
}

var (
	depthISAs = []depthISA{{isa: avx512, evex: true}, {isa: isa{name: "AVX512y", bytes: 32}, evex: true}, {isa: avx2}}
	depthPair = depthISA{isa: isa{name: "AVX512pair", bytes: 64}, evex: true, pair: true}
)

// depthKernel is a depthwise kernel that is being written.
type depthKernel struct {
	unit
	s     depthISA
	args  reg.Register
	strip reg.GPVirtual
	k     []reg.Register   // with evex: the masks of the strip
	idx   []reg.VecVirtual // with evex: permutations that interleave two vectors in depthSpread
	// With evex and stride two: permutations that sort the lanes of pair, that undo this, and that sort and shift by a
	// lane.
	order, back, shift reg.VecVirtual
	apart              reg.GPVirtual // forward with stride two: bytes from channel to channel of the input
	// With evex: the masks of all lanes except a channel's first, and of the second channel's lanes of a pair.
	notFirst, second reg.Register
	masked           bool // writing the variant for strips that need masks
	// edges: writing the variant for strips that need few masks. edgeMasks holds those of them that stay in vectors.
	edges     bool
	edgeMasks map[int]reg.VecVirtual
}

func newDepthKernel(u unit, s depthISA) *depthKernel {
	d := &depthKernel{unit: u, s: s, args: u.args()}
	for _, f := range [][2]int{{depthDst, depthDstNow}, {depthSrc, depthSrcNow}, {depthWeights, depthWeightsNow},
		{depthBias, depthBiasNow}} {
		u.MOVQ(u.load64(d.args, f[0]), field(d.args, f[1]))
	}
	return d
}

// load loads a vector with mask i of the strip.
func (d *depthKernel) load(at Mem, i int, v reg.VecVirtual) {
	switch {
	case d.s.evex && d.masked:
		d.VMOVUPS_Z(at, d.k[i], v)
	case d.edges && d.edgeMasks[i] != nil:
		d.VMASKMOVPS(at, d.edgeMasks[i], v)
	case d.masked:
		d.VMOVUPS(Mem{Base: d.strip, Disp: stripLanes + 32*i}, v)
		d.VMASKMOVPS(at, v, v)
	default:
		d.VMOVUPS(at, v)
	}
}

// broadcast fills a vector with the number at from. With pair, the second channel's lanes, in the order of pair, get
// the number apart bytes further.
func (d *depthKernel) broadcast(from Mem, apart int, v reg.VecVirtual) {
	d.VBROADCASTSS(from, v)
	if d.s.pair {
		from.Disp += apart
		d.VBROADCASTSS(from, d.second, v)
	}
}

// taps loads, one after the other, the vectors of a row that the three columns of weights read with stride one.
func (d *depthKernel) taps(row reg.Register, use func(t int, x reg.VecVirtual)) {
	for t := range 3 {
		x := d.s.vec(d.unit)
		d.load(Mem{Base: row, Disp: 4 * t}, t, x)
		use(t, x)
	}
}

// eachStrip writes body, which needs some of the masks, as a loop over the strips of a channel. There are two variants,
// with and without masks, and with edges a third one for strips that need few masks. A careful loop uses masks wherever
// args.masked asks for them.
func (d *depthKernel) eachStrip(masks []int, careful, edges bool, body func(suffix string)) {
	u := d.unit
	u.Label("strip")
	d.k = make([]reg.Register, stripStores+2)
	loadMasks := func(ofLoads bool) {
		for _, i := range masks {
			if d.s.evex && (i < stripStores) == ofLoads {
				d.k[i] = u.K()
				u.KMOVW(Mem{Base: d.strip, Disp: stripBits + 8*i}, d.k[i])
			}
		}
	}
	loadMasks(false)
	if careful {
		u.CMPQ(field(d.args, depthMasked), Imm(0))
		u.JNE(LabelRef("masked"))
	}
	u.CMPQ(Mem{Base: d.strip, Disp: stripPlain}, Imm(1))
	if edges {
		u.JHI(LabelRef("edges"))
	}
	u.JNE(LabelRef("masked"))
	body("Plain")
	u.JMP(LabelRef("stripDone"))
	if edges {
		u.Label("edges")
		d.edges = true
		body("Edges")
		d.edges = false
		u.JMP(LabelRef("stripDone"))
	}
	u.Label("masked")
	loadMasks(true)
	d.masked = true
	body("Masked")
	d.masked = false
	u.Label("stripDone")
	u.ADDQ(U32(stripSize), d.strip)
	u.DECQ(field(d.args, depthLeft))
	u.JNZ(LabelRef("strip"))
}

// rowBlocks returns the numbers of output rows that are computed at once, so that a loaded input row serves several.
func (d *depthKernel) rowBlocks(stride int) []int {
	if d.s.evex || stride == 2 {
		return []int{7, 4, 2, 1} // the planes of most networks have a multiple of seven rows
	}
	return []int{4, 3, 2, 1}
}

// depthwise writes the 3x3 depthwise convolution or, with gradient, its weight gradient, whose dst are the output
// gradients. Rows and columns outside of the plane read as zeros: columns by the strip's masks, rows from args.zero.
func depthwise(u unit, s depthISA, stride int, gradient bool) {
	name, doc := "depth", "convolves each channel with its own 3x3 kernel, stride %d."
	if gradient {
		name, doc = "depthGrad", "adds the gradient of each channel's own 3x3 kernel, stride %d."
	}
	u.text(fmt.Sprintf("%s%s_s%d", name, s.name, stride), "depthArgs", fmt.Sprintf(doc, stride))
	d := newDepthKernel(u, s)
	if stride == 2 {
		d.loadOrders(gradient)
	}
	height, zero, pitch := u.load64(d.args, depthHeight), u.load64(d.args, depthZero), u.load64(d.args, depthSrcRow)
	d.strip = u.GP64()
	var two *forwardTwo
	if stride == 2 && !gradient {
		two = d.forwardTwo()
	}
	u.Label("channel")
	w := s.vecs(u, 9)
	if gradient {
		for _, v := range w {
			u.clear(s, v)
		}
	} else {
		p := u.load64(d.args, depthWeightsNow)
		for i, v := range w {
			d.broadcast(Mem{Base: p, Disp: 4 * i}, 36, v)
		}
	}
	if two != nil {
		two.channel(w)
	}
	u.MOVQ(field(d.args, depthStrips), d.strip)
	t := u.load64(d.args, depthCount)
	u.MOVQ(t, field(d.args, depthLeft))
	masks := []int{0, 1, 2, stripStores}
	switch {
	case stride == 2 && gradient:
		masks = []int{0, 1, stripStores, stripStores + 1}
	case s.pair:
		masks = []int{2, stripStores}
	case stride == 2:
		masks = []int{0, 1, stripStores}
	}
	d.eachStrip(masks, !gradient, stride == 1 && !gradient && !s.evex, func(suffix string) {
		d.edgeMasks = map[int]reg.VecVirtual{}
		if d.edges {
			for _, i := range []int{0, 2} {
				d.edgeMasks[i] = u.YMM()
				u.VMOVUPS(Mem{Base: d.strip, Disp: stripLanes + 32*i}, d.edgeMasks[i])
			}
		}
		row, iy, at, rows := u.GP64(), u.load64(d.args, depthTop), u.load64(d.args, depthDstNow),
			u.load64(d.args, depthRows)
		u.MOVQ(iy, row)
		u.IMULQ(pitch, row)
		u.ADDQ(field(d.args, depthSrcNow), row)
		u.ADDQ(Mem{Base: d.strip, Disp: stripSrc}, row)
		u.ADDQ(Mem{Base: d.strip, Disp: stripDst}, at)
		for _, n := range d.rowBlocks(stride) {
			again, done := fmt.Sprintf("rows%d%s", n, suffix), fmt.Sprintf("end%d%s", n, suffix)
			u.Label(again)
			u.CMPQ(rows, Imm(uint64(n)))
			u.JL(LabelRef(done))
			b := depthBlock{n, row, iy, at, height, zero, pitch, suffix}
			switch {
			case stride == 1:
				d.blockOne(b, w, gradient)
			case gradient:
				d.gradTwo(b, w)
			default:
				two.block(b)
			}
			u.SUBQ(Imm(uint64(n)), rows)
			u.JZ(LabelRef("end" + suffix))
			u.JMP(LabelRef(again))
			u.Label(done)
		}
		u.Label("end" + suffix)
	})
	if gradient {
		d.finishGradient(stride, w)
	}
	channels := 1
	if s.pair {
		channels = 2
	}
	for _, f := range [][2]int{{depthSrcNow, depthSrcChannel}, {depthDstNow, depthDstChannel}} {
		t := u.load64(d.args, f[1])
		for range channels {
			u.ADDQ(t, field(d.args, f[0]))
		}
	}
	u.ADDQ(Imm(uint64(36*channels)), field(d.args, depthWeightsNow))
	if !gradient {
		u.ADDQ(Imm(uint64(4*channels)), field(d.args, depthBiasNow))
	}
	u.SUBQ(Imm(uint64(channels)), field(d.args, depthChannels))
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

func (u unit) clear(s depthISA, v reg.VecVirtual) {
	if s.evex {
		u.VPXORD(v, v, v)
	} else {
		u.VXORPS(v, v, v)
	}
}

// depthBlock is a block of n output rows of a strip, written at at. Its input starts with row number iy, at row. The
// functions that write a block advance these.
type depthBlock struct {
	n                                int
	row, iy, at, height, zero, pitch reg.GPVirtual
	suffix                           string
}

// blockOne writes a block with stride one.
func (d *depthKernel) blockOne(b depthBlock, w []reg.VecVirtual, gradient bool) {
	u, s, n, at := d.unit, d.s, b.n, b.at
	acc := s.vecs(u, n) // the outputs or, in the weight gradient, their gradients
	if gradient {
		for _, v := range acc {
			d.load(Mem{Base: at}, stripStores, v)
			u.ADDQ(field(d.args, depthDstRow), at)
		}
	}
	for q := range n + 2 {
		from := u.GP64()
		u.MOVQ(b.row, from)
		u.CMPQ(b.iy, b.height)
		u.CMOVQCC(b.zero, from) // also for negative rows, which are large as unsigned numbers
		u.ADDQ(b.pitch, b.row)
		u.INCQ(b.iy)
		d.taps(from, func(t int, x reg.VecVirtual) {
			for i := range acc {
				kh := q - i
				switch {
				case kh < 0 || kh > 2:
				case gradient:
					u.VFMADD231PS(x, acc[i], w[3*kh+t])
				case kh == 0 && t == 0:
					u.VMULPS(x, w[0], acc[i])
				default:
					u.VFMADD231PS(x, w[3*kh+t], acc[i])
				}
			}
		})
	}
	for range 2 {
		u.SUBQ(b.pitch, b.row)
		u.DECQ(b.iy)
	}
	if gradient {
		return
	}
	bias, floor := s.vec(u), s.vec(u)
	p := u.load64(d.args, depthBiasNow)
	u.VBROADCASTSS(Mem{Base: p}, bias)
	for i := range acc {
		u.VADDPS(bias, acc[i], acc[i])
	}
	u.VBROADCASTSS(field(d.args, depthFloor), floor)
	for i := range acc {
		u.VMAXPS(acc[i], floor, acc[i])
	}
	u.VBROADCASTSS(Mem{Base: d.args, Disp: 8*depthFloor + 4}, floor) // the ceiling
	for i := range acc {
		u.VMINPS(acc[i], floor, acc[i])
	}
	pitchOut := u.load64(d.args, depthDstRow)
	full, done := fmt.Sprintf("full%d%s", n, b.suffix), fmt.Sprintf("stored%d%s", n, b.suffix)
	if d.masked && !s.evex {
		u.CMPQ(field(d.args, depthMasked), Imm(0))
		u.JE(LabelRef(full))
		m := u.YMM()
		u.VMOVUPS(Mem{Base: d.strip, Disp: stripLanes + 32*stripStores}, m)
		for _, v := range acc {
			u.VMASKMOVPS(v, m, Mem{Base: at})
			u.ADDQ(pitchOut, at)
		}
		u.JMP(LabelRef(done))
		u.Label(full)
	}
	for _, v := range acc {
		if s.evex {
			u.VMOVUPS(v, d.k[stripStores], Mem{Base: at})
		} else {
			u.VMOVUPS(v, Mem{Base: at})
		}
		u.ADDQ(pitchOut, at)
	}
	if d.masked && !s.evex {
		u.Label(done)
	}
}

// finishGradient adds the sums over all lanes to the weights' gradients. There are sixteen lanes. With vectors of eight
// lanes they are two halves: the first strips sum the lower half, the args.more strips behind them the upper half.
func (d *depthKernel) finishGradient(stride int, w []reg.VecVirtual) {
	u, s := d.unit, d.s
	if !s.evex {
		saved, t := u.load64(d.args, depthSaved), u.GP64()
		u.MOVQ(field(d.args, depthMore), t)
		u.TESTQ(t, t)
		u.JZ(LabelRef("fold"))
		stripEnd := u.GP64()
		u.MOVQ(t, stripEnd)
		u.ADDQ(field(d.args, depthCount), stripEnd)
		u.IMUL3Q(U32(stripSize), stripEnd, stripEnd)
		u.ADDQ(field(d.args, depthStrips), stripEnd)
		u.CMPQ(d.strip, stripEnd)
		u.JE(LabelRef("halves"))
		for i, v := range w {
			u.VMOVUPS(v, Mem{Base: saved, Disp: 32 * i})
			u.clear(s, v)
		}
		u.MOVQ(t, field(d.args, depthLeft))
		u.JMP(LabelRef("strip"))
		u.Label("halves")
		for i, v := range w {
			u.VADDPS(Mem{Base: saved, Disp: 32 * i}, v, v)
		}
		u.Label("fold")
	}
	c := u.load64(d.args, depthWeightsNow)
	for i, v := range w {
		if stride == 2 {
			d.ordered(v)
		}
		if s.bytes == 64 {
			w[i] = u.eightLanes(s.isa, []reg.VecVirtual{v})
		}
	}
	form := s.isa
	if s.evex {
		form = avx512
	}
	for len(w) > 0 {
		n := min(4, len(w))
		u.addSums(form, w[:n], c)
		u.ADDQ(Imm(16), c)
		w = w[n:]
	}
}
