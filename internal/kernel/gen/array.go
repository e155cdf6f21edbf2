package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels of this file are written for AVX2 only and serve AVX-512, too: their time is that of memory or of
// division.

// pairOps are elementwise operations of two arrays, or of an array and a number.
var pairOps = []streamOp{
	{"sub", "dst = a - b", []int{streamA, streamB}, nil, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VSUBPS(in[1], in[0], in[0])
	}},
	{"div", "dst = a / b", []int{streamA, streamB}, nil, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VDIVPS(in[1], in[0], in[0])
	}},
	{"divBy", "dst = a / s", []int{streamA}, []int{streamS}, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VDIVPS(k[0], in[0], in[0])
	}},
	{"over", "dst = s / a", []int{streamA}, []int{streamS}, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VDIVPS(in[0], k[0], in[0])
	}},
	{"smaller", "dst = min(a, b), NaN if either is", []int{streamA, streamB}, nil,
		func(u unit, s isa, in, k []reg.VecVirtual) {
			// VMINPS returns b where a or b is NaN, so NaNs of a must be put back.
			m, nan := s.vec(u), s.vec(u)
			u.VMINPS(in[1], in[0], m)
			u.VCMPPS(Imm(3), in[0], in[0], nan)
			u.VBLENDVPS(nan, in[0], m, in[0])
		}},
}

func arrays(u unit) {
	for _, op := range pairOps {
		stream(u, avx2, op)
	}
	transpose8(u)
	expSum(u)
	extreme(u)
}

// Fields of transposeArgs, in order.
const (
	transposeDst = iota
	transposeDstStride
	transposeSrc
	transposeSrcStride
	transposeBlocks
)

// transpose8 writes dst[i][j] = src[j][i] for eight rows i and eight columns j per block.
func transpose8(u unit) {
	u.text("transpose8AVX2", "transposeArgs", "writes eight columns of src as rows of dst.")
	args := u.args()
	dst, dstStride := u.load64(args, transposeDst), u.load64(args, transposeDstStride)
	src, srcStride := u.load64(args, transposeSrc), u.load64(args, transposeSrcStride)
	n := u.load64(args, transposeBlocks)
	triple := func(stride reg.GPVirtual) reg.GPVirtual {
		t := u.GP64()
		u.LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, t)
		return t
	}
	dst3, src3 := triple(dstStride), triple(srcStride)
	half := u.GP64() // four rows further
	// row returns the operand for row i of four, counted from base.
	row := func(base, stride, stride3 reg.Register, i, disp int) Mem {
		switch i {
		case 0:
			return Mem{Base: base, Disp: disp}
		case 3:
			return Mem{Base: base, Index: stride3, Scale: 1, Disp: disp}
		}
		return Mem{Base: base, Index: stride, Scale: uint8(i), Disp: disp}
	}
	u.Label("block")
	for part := range 2 {
		var r, t [4]reg.VecVirtual
		u.LEAQ(Mem{Base: src, Index: srcStride, Scale: 4}, half)
		for i := range r {
			r[i] = u.YMM()
			u.VMOVUPS(row(src, srcStride, src3, i, 16*part), r[i].AsX())
			u.VINSERTF128(Imm(1), row(half, srcStride, src3, i, 16*part), r[i], r[i])
		}
		for i := range 2 {
			t[2*i], t[2*i+1] = u.YMM(), u.YMM()
			u.VUNPCKLPS(r[2*i+1], r[2*i], t[2*i])
			u.VUNPCKHPS(r[2*i+1], r[2*i], t[2*i+1])
		}
		to := dst
		if part == 1 {
			u.LEAQ(Mem{Base: dst, Index: dstStride, Scale: 4}, half)
			to = half
		}
		for i := range 4 {
			v := u.YMM()
			u.VSHUFPS(Imm([]uint64{0x44, 0xee}[i%2]), t[2+i/2], t[i/2], v)
			u.VMOVUPS(v, row(to, dstStride, dst3, i, 0))
		}
	}
	u.LEAQ(Mem{Base: src, Index: srcStride, Scale: 8}, src)
	u.ADDQ(Imm(32), dst)
	u.DECQ(n)
	u.JNZ(LabelRef("block"))
	u.VZEROUPPER()
	u.RET()
}

// Fields of expArgs, in order.
const (
	expDst = iota
	expSrc
	expN
	expMax
	expSumOut
	expTable
	expLanes
)

// Rows of the table of constants. Each constant is there eight times.
const (
	expLeast = iota
	expLog2e
	expLn2High
	expLn2Low
	expTaylor // 1/7!, 1/6!, ..., 1/0!
)

// expSum writes exp(src - max), or zero where the argument is below the table's least, and the sum of all results.
func expSum(u unit) {
	u.text("expSumAVX2", "expArgs", "computes exponentials and their sum.")
	args := u.args()
	dst, src, n := u.load64(args, expDst), u.load64(args, expSrc), u.load64(args, expN)
	table := u.load64(args, expTable)
	constant := func(i int) Mem { return Mem{Base: table, Disp: 32 * i} }
	m, sum := u.YMM(), u.YMM()
	u.VBROADCASTSS(field(args, expMax), m)
	u.VXORPS(sum, sum, sum)
	tail, mask := u.GP64(), u.YMM()
	u.MOVQ(n, tail)
	u.ANDQ(Imm(7), tail)
	u.VMOVAPS(u.newTailMask(avx2, tail, u.load64(args, expLanes)).r.(reg.VecVirtual), mask)
	// exp replaces x by its exponential.
	exp := func(x reg.VecVirtual) {
		kept, k, p, least := u.YMM(), u.YMM(), u.YMM(), u.YMM()
		u.VSUBPS(m, x, x)
		u.VMOVUPS(constant(expLeast), least)
		u.VCMPPS(Imm(5), least, x, kept) // not less than: true for NaN, which stays
		u.VMAXPS(x, least, x)
		u.VMULPS(constant(expLog2e), x, k)
		u.VROUNDPS(Imm(8), k, k)
		u.VFNMADD231PS(constant(expLn2High), k, x)
		u.VFNMADD231PS(constant(expLn2Low), k, x)
		u.VMOVUPS(constant(expTaylor), p)
		for i := 1; i <= 7; i++ {
			u.VFMADD213PS(constant(expTaylor+i), x, p)
		}
		u.VCVTPS2DQ(k, k)
		u.VPSLLD(Imm(23), k, k)
		u.VPADDD(k, p, p)
		u.VANDPS(kept, p, x)
	}
	u.SHRQ(Imm(3), n)
	u.JZ(LabelRef("tail"))
	u.Label("whole")
	x := u.YMM()
	u.VMOVUPS(Mem{Base: src}, x)
	exp(x)
	u.VADDPS(x, sum, sum)
	u.VMOVUPS(x, Mem{Base: dst})
	u.ADDQ(Imm(32), src)
	u.ADDQ(Imm(32), dst)
	u.DECQ(n)
	u.JNZ(LabelRef("whole"))
	u.Label("tail")
	u.TESTQ(tail, tail)
	u.JZ(LabelRef("done"))
	y := u.YMM()
	u.VMASKMOVPS(Mem{Base: src}, mask, y)
	exp(y)
	u.VANDPS(mask, y, y)
	u.VADDPS(y, sum, sum)
	u.VMASKMOVPS(y, mask, Mem{Base: dst})
	u.Label("done")
	h := u.XMM()
	u.VEXTRACTF128(Imm(1), sum, h)
	u.VADDPS(h, sum.AsX(), sum.AsX())
	u.VHADDPS(sum.AsX(), sum.AsX(), sum.AsX())
	u.VHADDPS(sum.AsX(), sum.AsX(), sum.AsX())
	u.VMOVSS(sum.AsX(), field(args, expSumOut))
	u.VZEROUPPER()
	u.RET()
}

// Fields of extremeArgs, in order.
const (
	extremeSrc = iota
	extremeN
	extremeLanes
	extremeSign
	extremeLeast
	extremeOut
)

// extreme finds the largest element after flipping the bits in sign of every element, and flips the result back. The
// result is NaN if an element is.
func extreme(u unit) {
	u.text("extremeAVX2", "extremeArgs", "finds the largest element, or the smallest.")
	args := u.args()
	src, n := u.load64(args, extremeSrc), u.load64(args, extremeN)
	sign, least, a, b, nan := u.YMM(), u.YMM(), u.YMM(), u.YMM(), u.YMM()
	u.VBROADCASTSS(field(args, extremeSign), sign)
	u.VBROADCASTSS(field(args, extremeLeast), least)
	u.VMOVAPS(least, a)
	u.VMOVAPS(least, b)
	u.VXORPS(nan, nan, nan)
	take := func(v, most reg.VecVirtual) {
		bad := u.YMM()
		u.VCMPPS(Imm(3), v, v, bad)
		u.VORPS(bad, nan, nan)
		u.VMAXPS(v, most, most)
	}
	load := func(disp int) reg.VecVirtual {
		v := u.YMM()
		u.VXORPS(Mem{Base: src, Disp: disp}, sign, v)
		return v
	}
	u.SUBQ(Imm(16), n)
	u.JL(LabelRef("short"))
	u.Label("whole")
	take(load(0), a)
	take(load(32), b)
	u.ADDQ(Imm(64), src)
	u.SUBQ(Imm(16), n)
	u.JGE(LabelRef("whole"))
	u.Label("short")
	u.ADDQ(Imm(8), n)
	u.JL(LabelRef("tail"))
	take(load(0), a)
	u.ADDQ(Imm(32), src)
	u.SUBQ(Imm(8), n)
	u.Label("tail")
	u.ADDQ(Imm(8), n)
	u.JZ(LabelRef("done"))
	m := u.newTailMask(avx2, n, u.load64(args, extremeLanes))
	v := u.YMM()
	u.loadTail(avx2, Mem{Base: src}, m, v)
	u.VXORPS(sign, v, v)
	u.VBLENDVPS(m.r, v, least, v)
	take(v, b)
	u.Label("done")
	u.VMAXPS(b, a, a)
	h := u.XMM()
	u.VEXTRACTF128(Imm(1), a, h)
	u.VMAXPS(h, a.AsX(), h)
	t := u.XMM()
	u.VMOVHLPS(h, h, t)
	u.VMAXPS(t, h, h)
	u.VMOVSHDUP(h, t)
	u.VMAXSS(t, h, h)
	u.VXORPS(sign.AsX(), h, h)
	u.VMOVSS(h, field(args, extremeOut))
	any := u.GP32()
	u.VMOVMSKPS(nan, any)
	u.TESTL(any, any)
	u.JZ(LabelRef("number"))
	u.MOVL(U32(0x7fc00000), any)
	u.MOVL(any, field(args, extremeOut))
	u.Label("number")
	u.VZEROUPPER()
	u.RET()
}
