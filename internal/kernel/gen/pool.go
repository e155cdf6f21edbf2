package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of pool2Args, in order.
const (
	poolDst = iota
	poolSrc
	poolSrcRow
	poolRows
	poolCols
	poolTable
)

// pool2 writes the means of 2x2 windows, for full vectors of windows. The caller computes the columns beyond these.
func pool2(u unit, s isa) {
	u.text("pool2"+s.name, "pool2Args", "averages windows of two rows and two columns.")
	args := u.args()
	dst, src, pitch, rows := u.load64(args, poolDst), u.load64(args, poolSrc), u.load64(args, poolSrcRow),
		u.load64(args, poolRows)
	cols := u.load64(args, poolCols)
	quarter := s.vec(u)
	t := u.GP32()
	u.MOVL(U32(0x3e800000), t) // 0.25
	x := u.XMM()
	u.MOVD(t, x)
	u.VBROADCASTSS(x, quarter)
	var even, odd reg.VecVirtual
	if s.bytes == 64 {
		table := u.load64(args, poolTable)
		even, odd = s.vec(u), s.vec(u)
		u.VMOVUPS(Mem{Base: table, Disp: permEven}, even)
		u.VMOVUPS(Mem{Base: table, Disp: permOdd}, odd)
	}
	u.Label("row")
	from, to, n := u.GP64(), u.GP64(), u.GP64()
	u.MOVQ(src, from)
	u.MOVQ(dst, to)
	u.MOVQ(cols, n)
	u.SUBQ(U32(uint32(s.bytes/4)), n)
	u.JL(LabelRef("next"))
	u.Label("whole")
	// split returns the even and the odd columns of a row. With AVX2 their order is that which joined restores.
	split := func(at, then Mem) (e, o reg.VecVirtual) {
		a, b := s.vec(u), s.vec(u)
		u.VMOVUPS(at, a)
		u.VMOVUPS(then, b)
		e, o = s.vec(u), s.vec(u)
		if s.bytes == 64 {
			u.VMOVAPS(even, e)
			u.VPERMI2PS(b, a, e)
			u.VMOVAPS(odd, o)
			u.VPERMI2PS(b, a, o)
		} else {
			u.VSHUFPS(Imm(0x88), b, a, e)
			u.VSHUFPS(Imm(0xdd), b, a, o)
		}
		return e, o
	}
	e, o := split(Mem{Base: from}, Mem{Base: from, Disp: s.bytes})
	u.VADDPS(o, e, e)
	f, p := split(Mem{Base: from, Index: pitch, Scale: 1}, Mem{Base: from, Index: pitch, Scale: 1, Disp: s.bytes})
	u.VADDPS(f, e, e)
	u.VADDPS(p, e, e)
	u.VMULPS(quarter, e, e)
	if s.bytes == 32 {
		u.VPERMPD(Imm(0xd8), e, e)
	}
	u.VMOVUPS(e, Mem{Base: to})
	u.ADDQ(U32(uint32(2*s.bytes)), from)
	u.ADDQ(U32(uint32(s.bytes)), to)
	u.SUBQ(U32(uint32(s.bytes/4)), n)
	u.JGE(LabelRef("whole"))
	u.Label("next")
	u.LEAQ(Mem{Base: src, Index: pitch, Scale: 2}, src)
	u.LEAQ(Mem{Base: dst, Index: cols, Scale: 4}, dst)
	u.DECQ(rows)
	u.JNZ(LabelRef("row"))
	u.VZEROUPPER()
	u.RET()
}
