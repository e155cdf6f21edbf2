package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of gateArgs, in order.
const (
	gateDst = iota
	gateDstStride
	gateGrad
	gateGradStride
	gateX
	gateXStride
	gateRows
	gateCols
	gateMul
	gateScale
	gateShift
	gateStep
	gateTable
	gateAccumulate
)

// gate writes dst[r][i] = mul[r]*grad[r][i] where scale[r]*x[r][i]+shift[r] > 0 and zero elsewhere, or adds that to
// dst.
func gate(u unit, s isa) {
	u.text("gate"+s.name, "gateArgs", "passes a gradient where a ReLU was open.")
	args := u.args()
	dst, grad, x := u.load64(args, gateDst), u.load64(args, gateGrad), u.load64(args, gateX)
	mul, scale, shift, step := u.load64(args, gateMul), u.load64(args, gateScale), u.load64(args, gateShift),
		u.load64(args, gateStep)
	rows, cols, table := u.load64(args, gateRows), u.load64(args, gateCols), u.load64(args, gateTable)
	vl := s.bytes / 4
	tail := u.GP64()
	u.MOVQ(cols, tail)
	u.ANDQ(Imm(uint64(vl-1)), tail)
	mask := u.newTailMask(s, tail, table)
	zero, m, a, b := s.vec(u), s.vec(u), s.vec(u), s.vec(u)
	s.zero(u, zero)
	acc := u.load64(args, gateAccumulate)

	i, n := u.GP64(), u.GP64()
	// pass processes one vector at column i or, with part, the masked tail.
	pass := func(part bool, done string) {
		load := func(base reg.Register, v reg.VecVirtual) {
			at := Mem{Base: base, Index: i, Scale: 4}
			if part {
				u.loadTail(s, at, mask, v)
			} else {
				u.VMOVUPS(at, v)
			}
		}
		xv, g := s.vec(u), s.vec(u)
		load(x, xv)
		load(grad, g)
		u.VMULPS(m, g, g)
		u.VFMADD213PS(b, a, xv)
		if s.bytes == 64 {
			k := u.K()
			u.VCMPPS(Imm(0x1e), zero, xv, k) // greater than, quiet
			u.VMOVAPS_Z(g, k, g)
		} else {
			u.VCMPPS(Imm(0x1e), zero, xv, xv)
			u.VANDPS(xv, g, g)
		}
		name := "store" + done
		u.TESTQ(acc, acc)
		u.JZ(LabelRef(name))
		old := s.vec(u)
		load(dst, old)
		u.VADDPS(old, g, g)
		u.Label(name)
		at := Mem{Base: dst, Index: i, Scale: 4}
		switch {
		case !part:
			u.VMOVUPS(g, at)
		case s.bytes == 64:
			u.VMOVUPS(g, mask.r, at)
		default:
			u.VMASKMOVPS(g, mask.r, at)
		}
	}
	u.Label("row")
	u.VBROADCASTSS(Mem{Base: mul}, m)
	u.VBROADCASTSS(Mem{Base: scale}, a)
	u.VBROADCASTSS(Mem{Base: shift}, b)
	u.XORQ(i, i)
	u.MOVQ(cols, n)
	u.SUBQ(tail, n)
	u.JZ(LabelRef("tail"))
	u.Label("whole")
	pass(false, "Whole")
	u.ADDQ(Imm(uint64(vl)), i)
	u.CMPQ(i, n)
	u.JL(LabelRef("whole"))
	u.Label("tail")
	u.TESTQ(tail, tail)
	u.JZ(LabelRef("next"))
	pass(true, "Tail")
	u.Label("next")
	u.ADDQ(step, mul)
	u.ADDQ(step, scale)
	u.ADDQ(step, shift)
	u.ADDQ(field(args, gateDstStride), dst)
	u.ADDQ(field(args, gateGradStride), grad)
	u.ADDQ(field(args, gateXStride), x)
	u.DECQ(rows)
	u.JNZ(LabelRef("row"))
	u.VZEROUPPER()
	u.RET()
}
