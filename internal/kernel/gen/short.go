package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// shorts writes the kernels of int16.
func shorts(u unit) {
	panelTiles(u, "shortAVX2_", "adds the products of %d rows and sixteen columns of pairs of int16.", 4,
		func(m Mem, v reg.VecVirtual) { u.VPBROADCASTD(m, v) },
		func(t, w, b, acc reg.VecVirtual) {
			u.VPMADDWD(b, w, t)
			u.VPADDD(t, acc, acc)
		})
	notBelow(u)
}

// Fields of notBelowArgs, in order.
const (
	nbDst = iota
	nbSrc
	nbGain
	nbShift
	nbN
	nbScale // float32, then the bound
)

// notBelow writes a bit for each of n integers, a multiple of eight: whether src*gain*scale + shift is not below the
// bound.
func notBelow(u unit) {
	u.text("notBelowAVX2", "notBelowArgs", "marks the integers that are not below a bound.")
	args := u.args()
	dst, src := u.load64(args, nbDst), u.load64(args, nbSrc)
	gain, shift, n := u.load64(args, nbGain), u.load64(args, nbShift), u.load64(args, nbN)
	scale, bound := avx2.vec(u), avx2.vec(u)
	u.VBROADCASTSS(field(args, nbScale), scale)
	u.VBROADCASTSS(Mem{Base: args, Disp: 8*nbScale + 4}, bound)
	i := u.GP64()
	u.XORQ(i, i)
	u.Label("next")
	v, b := avx2.vec(u), u.GP32()
	u.VCVTDQ2PS(Mem{Base: src, Index: i, Scale: 4}, v)
	u.VMULPS(Mem{Base: gain, Index: i, Scale: 4}, v, v)
	u.VMULPS(scale, v, v)
	u.VADDPS(Mem{Base: shift, Index: i, Scale: 4}, v, v)
	u.VCMPPS(Imm(0x15), bound, v, v) // not less than, or unordered; quiet
	u.VMOVMSKPS(v, b)
	u.MOVB(b.As8(), Mem{Base: dst})
	u.INCQ(dst)
	u.ADDQ(Imm(8), i)
	u.CMPQ(i, n)
	u.JL(LabelRef("next"))
	u.VZEROUPPER()
	u.RET()
}
