package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of bfPairsArgs, in order.
const (
	pairsDst = iota
	pairsDstPair
	pairsDstVec
	pairsSrc
	pairsStride
	pairsCount
	pairsCols
	pairsScale
	pairsShift
	pairsFloor
	pairsTable
)

// bfPairs writes dst[pair][column]: two channels rounded to bfloat16 and joined, each computed as max(floor,
// scale*x+shift). With single there is one channel, joined with a zero.
func bfPairs(u unit, single bool) {
	name, doc := "bfPairs", "rounds pairs of channels and joins them."
	if single {
		name, doc = "bfSingle", "rounds a channel and joins it with zeros."
	}
	name += "AVX512"
	u.text(name, "bfPairsArgs", doc)
	var (
		args, dst, src, stride, cols         = reg.RDI, reg.RBX, reg.RSI, reg.RAX, reg.R13
		scale, shift, pairs, d, s, left, vec = reg.R8, reg.R9, reg.R10, reg.RDX, reg.R11, reg.RCX, reg.R12
		ahead                                = reg.R14
	)
	u.Load(u.Param("args"), args)
	load := func(i int, r reg.Register) { u.MOVQ(field(args, i), r) }
	load(pairsDst, dst)
	load(pairsSrc, src)
	load(pairsStride, stride)
	load(pairsCols, cols)
	load(pairsScale, scale)
	load(pairsShift, shift)
	load(pairsCount, pairs)
	load(pairsDstVec, vec)
	load(pairsTable, d)
	u.VMOVDQU32(Mem{Base: d}, reg.Z16)
	u.VBROADCASTSS(field(args, pairsFloor), reg.Z17)
	u.Comment("the lanes of a last vector that is not whole")
	u.MOVQ(cols, left)
	u.ANDQ(Imm(15), left)
	u.MOVL(U32(0xffff), reg.EDX)
	u.BZHIL(reg.ECX, reg.EDX, reg.EDX)
	u.KMOVW(reg.EDX, reg.K1)
	if single {
		u.VPTERNLOGD(Imm(0xff), reg.Z18, reg.Z18, reg.Z18)
		u.VPSRLD(Imm(16), reg.Z18, reg.Z18)
	}

	u.Label("pair")
	u.VBROADCASTSS(Mem{Base: scale}, reg.Z20)
	u.VBROADCASTSS(Mem{Base: shift}, reg.Z21)
	if !single {
		u.VBROADCASTSS(Mem{Base: scale, Disp: 4}, reg.Z22)
		u.VBROADCASTSS(Mem{Base: shift, Disp: 4}, reg.Z23)
	}
	u.MOVQ(dst, d)
	u.MOVQ(src, s)
	u.MOVQ(cols, left)
	if !single {
		u.LEAQ(Mem{Base: s, Index: stride, Scale: 1}, ahead)
	}
	finish := func(low, high int) {
		z := func(i int) reg.VecPhysical { return zmm[i] }
		u.VFMADD213PS(reg.Z21, reg.Z20, z(low))
		u.VMAXPS(z(low), reg.Z17, z(low))
		if !single {
			u.VFMADD213PS(reg.Z23, reg.Z22, z(high))
			u.VMAXPS(z(high), reg.Z17, z(high))
		} else {
			high = low
		}
		u.encoded(roundPairs(low, high, low))
		u.VPERMW(z(low), reg.Z16, z(low))
		if single {
			u.VPANDD(reg.Z18, z(low), z(low))
		}
		u.VMOVDQU32(z(low), Mem{Base: d})
		u.ADDQ(vec, d)
	}
	u.SUBQ(Imm(16), left)
	u.JL(LabelRef("tail"))
	u.Label("whole")
	u.VMOVUPS(Mem{Base: s}, reg.Z0)
	// The next call reads the columns behind these. The next channel's columns are too far away for the CPU to predict.
	u.PREFETCHT1(Mem{Base: s, Index: cols, Scale: 4})
	if !single {
		u.VMOVUPS(Mem{Base: s, Index: stride, Scale: 1}, reg.Z1)
		u.PREFETCHT1(Mem{Base: ahead, Index: cols, Scale: 4})
		u.ADDQ(Imm(64), ahead)
	}
	finish(0, 1)
	u.ADDQ(Imm(64), s)
	u.SUBQ(Imm(16), left)
	u.JGE(LabelRef("whole"))
	u.Label("tail")
	u.CMPQ(left, I32(-16))
	u.JE(LabelRef("next"))
	u.VMOVUPS_Z(Mem{Base: s}, reg.K1, reg.Z2)
	if !single {
		u.VMOVUPS_Z(Mem{Base: s, Index: stride, Scale: 1}, reg.K1, reg.Z3)
	}
	finish(2, 3)
	u.Label("next")
	u.LEAQ(Mem{Base: src, Index: stride, Scale: 2}, src)
	u.ADDQ(field(args, pairsDstPair), dst)
	u.ADDQ(Imm(8), scale)
	u.ADDQ(Imm(8), shift)
	u.DECQ(pairs)
	u.JNZ(LabelRef("pair"))
	u.VZEROUPPER()
	u.RET()
}

var zmm = [...]reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13,
	reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28,
	reg.Z29, reg.Z30, reg.Z31,
}

// Fields of bfViewArgs, in order.
const (
	bfViewDst = iota
	bfViewDstPair
	bfViewSrc
	bfViewSrcPair
	bfViewPairs
	bfViewVecs
	bfViewTable
)

// bfShift copies vectors of 16 columns from src, for each pair, with zeros in the lanes that the masks leave out.
func bfShift(u unit) {
	u.text("bfShiftAVX512", "bfViewArgs",
		"copies planes of pairs, with zeros where a word of masks says so for each vector.")
	args := u.args()
	dst, src, pairs := u.load64(args, bfViewDst), u.load64(args, bfViewSrc), u.load64(args, bfViewPairs)
	u.Label("pair")
	d, s, m, n := u.GP64(), u.GP64(), u.GP64(), u.GP64()
	u.MOVQ(dst, d)
	u.MOVQ(src, s)
	u.MOVQ(field(args, bfViewTable), m)
	u.MOVQ(field(args, bfViewVecs), n)
	u.Label("vector")
	k, v := u.K(), u.ZMM()
	u.KMOVW(Mem{Base: m}, k)
	u.VMOVDQU32_Z(Mem{Base: s}, k, v)
	u.VMOVDQU32(v, Mem{Base: d})
	u.ADDQ(Imm(2), m)
	u.ADDQ(Imm(64), s)
	u.ADDQ(Imm(64), d)
	u.DECQ(n)
	u.JNZ(LabelRef("vector"))
	u.ADDQ(field(args, bfViewDstPair), dst)
	u.ADDQ(field(args, bfViewSrcPair), src)
	u.DECQ(pairs)
	u.JNZ(LabelRef("pair"))
	u.VZEROUPPER()
	u.RET()
}

// Fields of bfSidesArgs, in order.
const (
	bfSidesLeft = iota
	bfSidesRight
	bfSidesSrc
	bfSidesPair
	bfSidesPairs
	bfSidesVecs
	bfSidesLeftMasks
	bfSidesRightMasks
)

// bfSides is bfShift for the two planes that a window of three columns needs beside the middle one: one column to the
// left and one to the right. It reads the vector in front of each plane, and the one behind, with any content.
func bfSides(u unit) {
	u.text("bfSidesAVX512", "bfSidesArgs",
		"copies planes of pairs from one column to the left and from one to the right, with zeros where a word of "+
			"masks says so.")
	args := u.args()
	left, right, src := u.load64(args, bfSidesLeft), u.load64(args, bfSidesRight), u.load64(args, bfSidesSrc)
	step, pairs := u.load64(args, bfSidesPair), u.load64(args, bfSidesPairs)
	leftMasks, rightMasks := u.load64(args, bfSidesLeftMasks), u.load64(args, bfSidesRightMasks)
	u.Label("pair")
	at, m, n := u.GP64(), u.GP64(), u.GP64()
	u.XORQ(at, at)
	u.XORQ(m, m)
	u.MOVQ(field(args, bfSidesVecs), n)
	before, here := u.ZMM(), u.ZMM()
	u.VMOVDQU32(Mem{Base: src, Disp: -64}, before)
	u.VMOVDQU32(Mem{Base: src}, here)
	u.Label("vector")
	kl, kr, behind, l, r := u.K(), u.K(), u.ZMM(), u.ZMM(), u.ZMM()
	u.KMOVW(Mem{Base: leftMasks, Index: m, Scale: 1}, kl)
	u.KMOVW(Mem{Base: rightMasks, Index: m, Scale: 1}, kr)
	u.VMOVDQU32(Mem{Base: src, Index: at, Scale: 1, Disp: 64}, behind)
	u.VALIGND_Z(Imm(15), before, here, kl, l)
	u.VALIGND_Z(Imm(1), here, behind, kr, r)
	u.VMOVDQU32(l, Mem{Base: left, Index: at, Scale: 1})
	u.VMOVDQU32(r, Mem{Base: right, Index: at, Scale: 1})
	u.VMOVDQA32(here, before)
	u.VMOVDQA32(behind, here)
	u.ADDQ(Imm(64), at)
	u.ADDQ(Imm(2), m)
	u.DECQ(n)
	u.JNZ(LabelRef("vector"))
	u.ADDQ(step, left)
	u.ADDQ(step, right)
	u.ADDQ(step, src)
	u.DECQ(pairs)
	u.JNZ(LabelRef("pair"))
	u.VZEROUPPER()
	u.RET()
}

// bfGather is bfShift for columns at any position: a table of int32 holds the position of each, and negative positions
// give zeros.
func bfGather(u unit) {
	u.text("bfGatherAVX512", "bfViewArgs", "gathers planes of pairs by a table of positions, zeros for negative ones.")
	args := u.args()
	dst, src, pairs := u.load64(args, bfViewDst), u.load64(args, bfViewSrc), u.load64(args, bfViewPairs)
	zero := u.ZMM()
	u.VPXORD(zero, zero, zero)
	u.Label("pair")
	d, m, n := u.GP64(), u.GP64(), u.GP64()
	u.MOVQ(dst, d)
	u.MOVQ(field(args, bfViewTable), m)
	u.MOVQ(field(args, bfViewVecs), n)
	u.Label("vector")
	k, v, at := u.K(), u.ZMM(), u.ZMM()
	u.VMOVDQU32(Mem{Base: m}, at)
	u.VPCMPD(Imm(5), zero, at, k) // at >= 0
	u.VPXORD(v, v, v)
	u.VPGATHERDD(Mem{Base: src, Index: at, Scale: 4}, k, v)
	u.VMOVDQU32(v, Mem{Base: d})
	u.ADDQ(Imm(64), m)
	u.ADDQ(Imm(64), d)
	u.DECQ(n)
	u.JNZ(LabelRef("vector"))
	u.ADDQ(field(args, bfViewDstPair), dst)
	u.ADDQ(field(args, bfViewSrcPair), src)
	u.DECQ(pairs)
	u.JNZ(LabelRef("pair"))
	u.VZEROUPPER()
	u.RET()
}
