package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of winoViewArgs, in order.
const (
	wvSrc = iota
	wvSrcView
	wvSrcRow
	wvSrcChannel
	wvDst
	wvDstPlace
	wvDstChannel
	wvChannels
)

// winoInViews transforms one vector of tiles of each channel, from views. There is a view for each parity of the rows
// and each of a tile's four columns. The second row of a view is the tile's third or fourth row.
func winoInViews(u unit, s isa) {
	u.text("winoInViews"+s.name, "winoViewArgs", "transforms the inputs of a vector of tiles.")
	args := u.args()
	src, view, next := u.load64(args, wvSrc), u.load64(args, wvSrcView), u.load64(args, wvSrcRow)
	dst, step, channels := u.load64(args, wvDst), u.load64(args, wvDstPlace), u.load64(args, wvChannels)
	u.Label("channel")
	var x [4][4]reg.VecVirtual
	place := u.GP64()
	// columns computes the transform of row i over its columns, into x or, where registers are short, into the
	// destination.
	columns := func(i int, d []reg.VecVirtual) {
		for j := range x[i] {
			x[i][j] = s.vec(u)
		}
		u.VSUBPS(d[2], d[0], x[i][0])
		u.VADDPS(d[2], d[1], x[i][1])
		u.VSUBPS(d[1], d[2], x[i][2])
		u.VSUBPS(d[3], d[1], x[i][3])
	}
	at := u.GP64()
	if s.bytes == 64 {
		u.MOVQ(src, at)
		for parity := range 2 {
			d, e := s.vecs(u, 4), s.vecs(u, 4)
			for j := range 4 {
				u.VMOVUPS(Mem{Base: at}, d[j])
				u.VMOVUPS(Mem{Base: at, Index: next, Scale: 1}, e[j])
				u.ADDQ(view, at)
			}
			columns(parity, d)
			columns(parity+2, e)
		}
		u.MOVQ(dst, place)
		for i := range 4 {
			for j := range 4 {
				u.VMOVUPS(u.rowTransform(s, i, x[0][j], x[1][j], x[2][j], x[3][j]), Mem{Base: place})
				u.ADDQ(step, place)
			}
		}
	} else {
		// First row by row into the destination, then column by column in place.
		u.MOVQ(dst, place)
		half := u.GP64()
		u.LEAQ(Mem{Base: src, Index: view, Scale: 4}, half)
		for i := range 4 {
			u.MOVQ(src, at)
			if i%2 == 1 {
				u.MOVQ(half, at)
			}
			if i > 1 {
				u.ADDQ(next, at)
			}
			d := s.vecs(u, 4)
			for j := range d {
				u.VMOVUPS(Mem{Base: at}, d[j])
				u.ADDQ(view, at)
			}
			columns(i, d)
			for _, v := range x[i] {
				u.VMOVUPS(v, Mem{Base: place})
				u.ADDQ(step, place)
			}
		}
		row := u.GP64() // bytes from a row of places to the next
		u.MOVQ(step, row)
		u.SHLQ(Imm(2), row)
		u.winoRows(s, dst, step, row, place, at)
	}
	u.ADDQ(field(args, wvSrcChannel), src)
	u.ADDQ(field(args, wvDstChannel), dst)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// rowTransform returns row i of Bᵀ times a column.
func (u unit) rowTransform(s isa, i int, x0, x1, x2, x3 reg.VecVirtual) reg.VecVirtual {
	v := s.vec(u)
	switch i {
	case 0:
		u.VSUBPS(x2, x0, v)
	case 1:
		u.VADDPS(x2, x1, v)
	case 2:
		u.VSUBPS(x1, x2, v)
	case 3:
		u.VSUBPS(x3, x1, v)
	}
	return v
}

// Fields of winoFlatArgs, in order.
const (
	wfSrc = iota
	wfSrcPlace
	wfSrcChannel
	wfDst
	wfDstPlane
	wfDstChannel
	wfChannels
)

// winoOutFlat transforms the products of one vector of tiles of each channel to their four outputs, each in its own
// plane.
func winoOutFlat(u unit, s isa) {
	u.text("winoOutFlat"+s.name, "winoFlatArgs",
		"transforms the products of a vector of tiles to four planes of outputs.")
	args := u.args()
	src, step, dst := u.load64(args, wfSrc), u.load64(args, wfSrcPlace), u.load64(args, wfDst)
	plane, channels := u.load64(args, wfDstPlane), u.load64(args, wfChannels)
	row := u.GP64()
	u.MOVQ(step, row)
	u.SHLQ(Imm(2), row)
	u.Label("channel")
	at, place := u.GP64(), u.GP64()
	u.MOVQ(src, at)
	y := u.winoColumns(s, at, place, step, row)
	u.MOVQ(dst, place)
	for i := range y {
		u.outPair(s, y[i][0], y[i][1], y[i][2], y[i][3])
		for _, v := range y[i][:2] {
			u.VMOVUPS(v, Mem{Base: place})
			u.ADDQ(plane, place)
		}
	}
	u.ADDQ(field(args, wfSrcChannel), src)
	u.ADDQ(field(args, wfDstChannel), dst)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// outPair leaves a+(b+c) in a and (b-c)-d in b, the two rows of Aᵀ.
func (u unit) outPair(s isa, a, b, c, d reg.VecVirtual) {
	t := s.vec(u)
	u.VADDPS(c, b, t)
	u.VADDPS(t, a, a)
	u.VSUBPS(c, b, b)
	u.VSUBPS(d, b, b)
}

// Fields of weaveArgs, in order.
const (
	weaveSrc = iota
	weaveSrcPlane
	weaveSrcRow
	weaveSrcChannel
	weaveDst
	weaveDstRow
	weaveDstChannel
	weaveRes
	weaveCols
	weaveRows
	weaveChannels
	weaveBias
	weaveFloor
	weaveTable
	weaveLanes
	weaveBiasNow // the kernel's own: a pointer must not leave the memory that it points to
)

// weave interleaves the columns of two planes, adds bias and residual and applies the floor. There is one pair of
// planes for the even rows and one for the odd rows.
func weave(u unit, s isa) {
	u.text("weave"+s.name, "weaveArgs", "interleaves four planes of outputs to an image.")
	args := u.args()
	vl := s.bytes / 4
	bias, floor := s.vec(u), s.vec(u)
	u.VBROADCASTSS(field(args, weaveFloor), floor)
	var low, high reg.VecVirtual
	if s.bytes == 64 {
		t := u.load64(args, weaveTable)
		low, high = s.vec(u), s.vec(u)
		u.VMOVUPS(Mem{Base: t, Disp: permLow}, low)
		u.VMOVUPS(Mem{Base: t, Disp: permHigh}, high)
	}
	src, dst := u.load64(args, weaveSrc), u.load64(args, weaveDst)
	res := u.load64(args, weaveRes)
	u.SUBQ(dst, res)
	u.MOVQ(u.load64(args, weaveBias), field(args, weaveBiasNow))
	u.Label("channel")
	p := u.GP64()
	u.MOVQ(field(args, weaveBiasNow), p)
	u.VBROADCASTSS(Mem{Base: p}, bias)
	u.ADDQ(Imm(4), field(args, weaveBiasNow))
	from, row := u.GP64(), u.GP64()
	u.MOVQ(src, from)
	u.MOVQ(dst, row)
	rows, odd := u.load64(args, weaveRows), u.GP64()
	u.XORQ(odd, odd)

	u.Label("row")
	a, b := u.GP64(), u.GP64()
	u.MOVQ(from, a)
	u.MOVQ(from, b)
	u.ADDQ(field(args, weaveSrcPlane), b)
	d, n := u.GP64(), u.GP64()
	u.MOVQ(row, d)
	u.MOVQ(field(args, weaveCols), n)
	interleaved := func() (lo, hi reg.VecVirtual) {
		lo, hi = s.vec(u), s.vec(u)
		x, y := s.vec(u), s.vec(u)
		u.VMOVUPS(Mem{Base: a}, x)
		u.VMOVUPS(Mem{Base: b}, y)
		if s.bytes == 64 {
			u.VMOVAPS(low, lo)
			u.VPERMI2PS(y, x, lo)
			u.VMOVAPS(high, hi)
			u.VPERMI2PS(y, x, hi)
		} else {
			u.VUNPCKLPS(y, x, lo)
			u.VUNPCKHPS(y, x, y)
			u.VPERM2F128(Imm(0x31), y, lo, hi)
			u.VPERM2F128(Imm(0x20), y, lo, lo)
		}
		u.VADDPS(bias, lo, lo)
		u.VADDPS(bias, hi, hi)
		return lo, hi
	}
	u.SUBQ(Imm(uint64(2*vl)), n)
	u.JL(LabelRef("tail"))
	u.Label("whole")
	lo, hi := interleaved()
	u.CMPQ(field(args, weaveRes), Imm(0))
	u.JE(LabelRef("plain"))
	u.VADDPS(Mem{Base: d, Index: res, Scale: 1}, lo, lo)
	u.VADDPS(Mem{Base: d, Index: res, Scale: 1, Disp: s.bytes}, hi, hi)
	u.Label("plain")
	u.VMAXPS(lo, floor, lo)
	u.VMAXPS(hi, floor, hi)
	u.VMOVUPS(lo, Mem{Base: d})
	u.VMOVUPS(hi, Mem{Base: d, Disp: s.bytes})
	u.ADDQ(Imm(uint64(s.bytes)), a)
	u.ADDQ(Imm(uint64(s.bytes)), b)
	u.ADDQ(U32(uint32(2*s.bytes)), d)
	u.SUBQ(Imm(uint64(2*vl)), n)
	u.JGE(LabelRef("whole"))
	u.Label("tail")
	u.ADDQ(Imm(uint64(2*vl)), n)
	u.JZ(LabelRef("next"))
	table := u.load64(args, weaveLanes)
	first, second := u.GP64(), u.GP64()
	u.MOVQ(U32(uint32(vl)), first)
	u.CMPQ(n, first)
	u.CMOVQLT(n, first)
	u.MOVQ(n, second)
	u.SUBQ(first, second)
	lo, hi = interleaved()
	for i, v := range []reg.VecVirtual{lo, hi} {
		m := u.newTailMask(s, []reg.GPVirtual{first, second}[i], table)
		skip := []string{"plainFirst", "plainSecond"}[i]
		u.CMPQ(field(args, weaveRes), Imm(0))
		u.JE(LabelRef(skip))
		t := s.vec(u)
		u.loadTail(s, Mem{Base: d, Index: res, Scale: 1, Disp: i * s.bytes}, m, t)
		u.VADDPS(t, v, v)
		u.Label(skip)
		u.VMAXPS(v, floor, v)
		if s.bytes == 64 {
			u.VMOVUPS(v, m.r, Mem{Base: d, Disp: i * s.bytes})
		} else {
			u.VMASKMOVPS(v, m.r, Mem{Base: d, Disp: i * s.bytes})
		}
	}
	u.Label("next")
	u.ADDQ(field(args, weaveDstRow), row)
	// An even row is followed by the odd row of the same tiles, that by the even row of the next tiles.
	u.MOVQ(field(args, weaveSrcPlane), a)
	u.SHLQ(Imm(1), a)
	u.TESTQ(odd, odd)
	u.JNZ(LabelRef("toEven"))
	u.ADDQ(a, from)
	u.JMP(LabelRef("turn"))
	u.Label("toEven")
	u.SUBQ(a, from)
	u.ADDQ(field(args, weaveSrcRow), from)
	u.Label("turn")
	u.XORQ(Imm(1), odd)
	u.DECQ(rows)
	u.JNZ(LabelRef("row"))
	u.ADDQ(field(args, weaveSrcChannel), src)
	u.ADDQ(field(args, weaveDstChannel), dst)
	u.DECQ(field(args, weaveChannels))
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}
