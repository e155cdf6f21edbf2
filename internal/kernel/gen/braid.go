package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of braidArgs, in order.
const (
	braidDst = iota
	braidStride
	braidN
	braidSrc // eight pointers
)

// braid interleaves eight rows, four columns at a time, and writes eight lanes per column.
func braid(u unit) {
	u.text("braidAVX2", "braidArgs", "puts eight rows side by side.")
	args := u.args()
	dst, stride, n := u.load64(args, braidDst), u.load64(args, braidStride), u.load64(args, braidN)
	var src []reg.GPVirtual
	for i := range 8 {
		src = append(src, u.load64(args, braidSrc+i))
	}
	i := u.GP64()
	u.XORQ(i, i)
	u.Label("four")
	// Vector v holds four columns of row v in its lower half, and of row v+4 in its upper half.
	rows := make([]reg.VecVirtual, 4)
	for v := range rows {
		rows[v] = u.YMM()
		u.VMOVUPS(Mem{Base: src[v], Index: i, Scale: 4}, rows[v].AsX())
		u.VINSERTF128(Imm(1), Mem{Base: src[v+4], Index: i, Scale: 4}, rows[v], rows[v])
	}
	pair := func(op func(...Op), a, b reg.VecVirtual) reg.VecVirtual {
		v := u.YMM()
		op(b, a, v)
		return v
	}
	low, high := func(o ...Op) { u.VUNPCKLPS(o[0], o[1], o[2]) }, func(o ...Op) { u.VUNPCKHPS(o[0], o[1], o[2]) }
	lowPair, highPair := func(o ...Op) { u.VUNPCKLPD(o[0], o[1], o[2]) },
		func(o ...Op) { u.VUNPCKHPD(o[0], o[1], o[2]) }
	a, b := pair(low, rows[0], rows[1]), pair(low, rows[2], rows[3])
	c, d := pair(high, rows[0], rows[1]), pair(high, rows[2], rows[3])
	for _, v := range []reg.VecVirtual{pair(lowPair, a, b), pair(highPair, a, b), pair(lowPair, c, d),
		pair(highPair, c, d)} {
		u.VMOVUPS(v, Mem{Base: dst})
		u.ADDQ(stride, dst)
	}
	u.ADDQ(Imm(4), i)
	u.CMPQ(i, n)
	u.JL(LabelRef("four"))
	u.VZEROUPPER()
	u.RET()
}
