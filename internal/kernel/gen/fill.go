package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tailMask is a load mask for the first n columns, fewer than a vector has.
type tailMask struct{ r reg.Register }

// newTailMask makes the mask for n columns; n is not changed. For AVX2, table is the address of sixteen words of ones
// followed by sixteen zeros.
func (u unit) newTailMask(s isa, n, table reg.GPVirtual) tailMask {
	t := u.GP64()
	if s.bytes == 64 {
		k := u.K()
		u.MOVQ(U32(1), t)
		u.SHLXQ(n, t, t)
		u.DECQ(t)
		u.KMOVW(t.As32(), k)
		return tailMask{k}
	}
	// From n words before the table's middle on, there are n ones.
	u.MOVQ(n, t)
	u.NEGQ(t)
	m := u.YMM()
	u.VMOVUPS(Mem{Base: table, Index: t, Scale: 4, Disp: 64}, m)
	return tailMask{m}
}

func (u unit) loadTail(s isa, at Mem, m tailMask, v reg.VecVirtual) { u.maskedLoad(s, at, m.r, v) }

// Fields of panelArgs, in order.
const (
	panelDst = iota
	panelSrc
	panelStride
	panelK
	panelScale
	panelShift
	panelFloor
	panelCols
	panelTable
)

// panel writes dst[k][two vectors] = max(floor, scale[k]*src[k]+shift[k]) for args.cols columns. Further columns are
// read as zeros.
func panel(u unit, s isa) {
	u.text("panel"+s.name, "panelArgs", "packs the columns of one register tile.")
	args := u.args()
	dst, src, stride, k := u.load64(args, panelDst), u.load64(args, panelSrc), u.load64(args, panelStride),
		u.load64(args, panelK)
	scale, shift, cols, table := u.load64(args, panelScale), u.load64(args, panelShift), u.load64(args, panelCols),
		u.load64(args, panelTable)
	floor := s.vec(u)
	u.VBROADCASTSS(field(args, panelFloor), floor)
	vl := uint64(s.bytes / 4)
	body := func(name string, load func(v []reg.VecVirtual)) {
		a, b, x := s.vec(u), s.vec(u), s.vecs(u, 2)
		u.Label(name)
		u.VBROADCASTSS(Mem{Base: scale}, a)
		u.VBROADCASTSS(Mem{Base: shift}, b)
		load(x)
		// The next columns of a channel lie beside these. Those of the next channel are too far away for the CPU to
		// predict.
		for i := 0; i < 2*s.bytes; i += 64 {
			u.PREFETCHT1(Mem{Base: src, Disp: 2*s.bytes + i})
		}
		for i, v := range x {
			u.VFMADD213PS(b, a, v)
			u.VMAXPS(v, floor, v)
			u.VMOVUPS(v, Mem{Base: dst, Disp: i * s.bytes})
		}
		u.ADDQ(Imm(4), scale)
		u.ADDQ(Imm(4), shift)
		u.ADDQ(stride, src)
		u.ADDQ(U32(uint32(2*s.bytes)), dst)
		u.DECQ(k)
		u.JNZ(LabelRef(name))
		u.VZEROUPPER()
		u.RET()
	}
	u.CMPQ(cols, U32(uint32(2*vl)))
	u.JL(LabelRef("partial"))
	body("whole", func(x []reg.VecVirtual) {
		u.VMOVUPS(Mem{Base: src}, x[0])
		u.VMOVUPS(Mem{Base: src, Disp: s.bytes}, x[1])
	})
	u.Label("partial")
	u.CMPQ(cols, U32(uint32(vl)))
	u.JL(LabelRef("short"))
	u.SUBQ(U32(uint32(vl)), cols)
	m := u.newTailMask(s, cols, table)
	body("one", func(x []reg.VecVirtual) {
		u.VMOVUPS(Mem{Base: src}, x[0])
		u.loadTail(s, Mem{Base: src, Disp: s.bytes}, m, x[1])
	})
	u.Label("short")
	m2 := u.newTailMask(s, cols, table)
	body("none", func(x []reg.VecVirtual) {
		u.loadTail(s, Mem{Base: src}, m2, x[0])
		s.zero(u, x[1])
	})
}

// Fields of rowsArgs, in order.
const (
	rowsDst = iota
	rowsDstStride
	rowsSrc
	rowsSrcStride
	rowsRows
	rowsValid
	rowsGap
	rowsScale
	rowsShift
	rowsFloor
	rowsTable
	rowsChannels
	rowsDstChannel
	rowsSrcChannel
	rowsLead
	rowsTrail
)

// rows copies args.rows rows of args.valid columns of each channel, taking every step-th column of the source, as
// max(floor, scale*x+shift). It writes args.gap zeros behind each row, args.lead zeros in front of the first row and
// args.trail zeros behind the last row. Rows are written in ascending order, because a write may reach up to one vector
// too far.
func rows(u unit, s isa, step int) {
	name := "rows" + s.name
	if step == 2 {
		name = "rowsStep2" + s.name
	}
	u.text(name, "rowsArgs", "copies rows into a padded plane.")
	args := u.args()
	table := u.load64(args, rowsTable)
	a, b, floor, zero := s.vec(u), s.vec(u), s.vec(u), s.vec(u)
	u.VBROADCASTSS(field(args, rowsFloor), floor)
	s.zero(u, zero)
	vl := s.bytes / 4

	// These are masks of the tail. With step 2, a vector of tail columns comes from two vectors of 2*tail-1 source
	// elements.
	tail := u.GP64()
	u.MOVQ(field(args, rowsValid), tail)
	u.ANDQ(Imm(uint64(vl-1)), tail)
	var masks []tailMask
	if step == 1 {
		masks = append(masks, u.newTailMask(s, tail, table))
	} else {
		lo, hi, t := u.GP64(), u.GP64(), u.GP64()
		u.LEAQ(Mem{Base: tail, Index: tail, Scale: 1, Disp: -1}, t)
		u.MOVQ(U32(uint32(vl)), lo)
		u.CMPQ(t, lo)
		u.CMOVQLT(t, lo) // min(t, vl)
		u.MOVQ(t, hi)
		u.SUBQ(lo, hi)
		u.XORQ(t, t)
		u.CMPQ(lo, t)
		u.CMOVQLT(t, lo) // if there is no tail, t was -1
		u.CMPQ(hi, t)
		u.CMOVQLT(t, hi)
		masks = append(masks, u.newTailMask(s, lo, table), u.newTailMask(s, hi, table))
	}
	var idx reg.VecVirtual
	if step == 2 && s.bytes == 64 {
		idx = s.vec(u)
		u.VMOVUPS(Mem{Base: table, Disp: 128}, idx)
	}
	emit := func(d reg.Register, x reg.VecVirtual) {
		u.VFMADD213PS(b, a, x)
		u.VMAXPS(x, floor, x)
		u.VMOVUPS(x, Mem{Base: d})
	}
	// evens leaves the even elements of the vectors lo and hi in lo.
	evens := func(lo, hi reg.VecVirtual) {
		if s.bytes == 64 {
			t := s.vec(u)
			u.VMOVAPS(idx, t)
			u.VPERMI2PS(hi, lo, t)
			u.VMOVAPS(t, lo)
			return
		}
		u.VSHUFPS(Imm(0x88), hi, lo, lo)
		u.VPERMPD(Imm(0xd8), lo, lo)
	}
	dst, src, channels := u.load64(args, rowsDst), u.load64(args, rowsSrc), u.load64(args, rowsChannels)
	scale, shift := u.load64(args, rowsScale), u.load64(args, rowsShift)
	d, v := u.GP64(), u.GP64()
	zeros := func(label string) {
		u.Label(label)
		u.VMOVUPS(zero, Mem{Base: d})
		u.ADDQ(U32(uint32(s.bytes)), d)
		u.SUBQ(U32(uint32(vl)), v)
		u.JG(LabelRef(label))
	}
	u.Label("channel")
	u.VBROADCASTSS(Mem{Base: scale}, a)
	u.VBROADCASTSS(Mem{Base: shift}, b)
	u.MOVQ(dst, d)
	u.MOVQ(field(args, rowsLead), v)
	u.TESTQ(v, v)
	u.JZ(LabelRef("rows"))
	zeros("lead")
	u.Label("rows")
	row, from, n := u.GP64(), u.GP64(), u.GP64()
	u.MOVQ(field(args, rowsLead), row)
	u.LEAQ(Mem{Base: dst, Index: row, Scale: 4}, row)
	u.MOVQ(src, from)
	u.MOVQ(field(args, rowsRows), n)
	u.Label("row")
	sp := u.GP64()
	u.MOVQ(row, d)
	u.MOVQ(from, sp)
	u.MOVQ(field(args, rowsValid), v)
	u.SUBQ(U32(uint32(vl)), v)
	u.JL(LabelRef("tail"))
	u.Label("whole")
	x := s.vec(u)
	u.VMOVUPS(Mem{Base: sp}, x)
	if step == 2 {
		// The last source element that a full vector needs is the one before the last that two full loads would read.
		y := s.vec(u)
		u.VMOVUPS(Mem{Base: sp, Disp: s.bytes - 4}, y)
		u.oddsOf(s, y)
		evens(x, y)
	}
	emit(d, x)
	u.ADDQ(U32(uint32(s.bytes)), d)
	u.ADDQ(U32(uint32(step*s.bytes)), sp)
	u.SUBQ(U32(uint32(vl)), v)
	u.JGE(LabelRef("whole"))
	u.Label("tail")
	u.TESTQ(tail, tail)
	u.JZ(LabelRef("gap"))
	z := s.vec(u)
	u.loadTail(s, Mem{Base: sp}, masks[0], z)
	if step == 2 {
		y := s.vec(u)
		u.loadTail(s, Mem{Base: sp, Disp: s.bytes}, masks[1], y)
		evens(z, y)
	}
	emit(d, z)
	u.LEAQ(Mem{Base: d, Index: tail, Scale: 4}, d)
	u.Label("gap")
	u.MOVQ(field(args, rowsGap), v)
	u.CMPQ(v, Imm(4))
	u.JG(LabelRef("wide"))
	u.VMOVUPS(zero.AsX(), Mem{Base: d})
	u.JMP(LabelRef("next"))
	u.Label("wide")
	zeros("gapZeros")
	u.Label("next")
	u.ADDQ(field(args, rowsDstStride), row)
	u.ADDQ(field(args, rowsSrcStride), from)
	u.DECQ(n)
	u.JNZ(LabelRef("row"))
	u.MOVQ(field(args, rowsTrail), v)
	u.TESTQ(v, v)
	u.JZ(LabelRef("end"))
	u.MOVQ(row, d)
	zeros("trail")
	u.Label("end")
	u.ADDQ(field(args, rowsDstChannel), dst)
	u.ADDQ(field(args, rowsSrcChannel), src)
	u.ADDQ(Imm(4), scale)
	u.ADDQ(Imm(4), shift)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// oddsOf moves the odd elements of a vector to the even places. With it, a load that starts one element early can
// replace a load that would end behind the row.
func (u unit) oddsOf(s isa, v reg.VecVirtual) {
	u.VPSRLQ(Imm(32), v, v)
}
