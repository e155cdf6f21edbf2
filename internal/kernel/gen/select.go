package main

import . "github.com/mmcloughlin/avo/operand"

// Fields of selectArgs, in order.
const (
	selectDst = iota
	selectOn
	selectOff
	selectBits
	selectN
	selectTable
)

// selectBitsOf writes n elements, a multiple of sixteen: those of on where a bit is set, those of off elsewhere.
func selectBitsOf(u unit, s isa) {
	u.text("select"+s.name, "selectArgs", "chooses between two vectors by bits.")
	args := u.args()
	dst, on, off := u.load64(args, selectDst), u.load64(args, selectOn), u.load64(args, selectOff)
	bits, n := u.load64(args, selectBits), u.load64(args, selectN)
	table := u.load64(args, selectTable)
	i := u.GP64()
	u.XORQ(i, i)
	u.Label("next")
	for part := range 64 / s.bytes {
		at := 8 * part // elements
		v := s.vec(u)
		u.VMOVUPS(Mem{Base: off, Index: i, Scale: 4, Disp: 4 * at}, v)
		if s.bytes == 64 {
			k := u.K()
			u.KMOVW(Mem{Base: bits}, k)
			u.VMOVUPS(Mem{Base: on, Index: i, Scale: 4}, k, v)
		} else {
			mask, w, b := s.vec(u), s.vec(u), u.GP64()
			u.MOVBQZX(Mem{Base: bits, Disp: part}, b)
			u.SHLQ(Imm(5), b)
			u.VMOVUPS(Mem{Base: table, Index: b, Scale: 1}, mask)
			u.VMOVUPS(Mem{Base: on, Index: i, Scale: 4, Disp: 4 * at}, w)
			u.VBLENDVPS(mask, w, v, v)
		}
		u.VMOVUPS(v, Mem{Base: dst, Index: i, Scale: 4, Disp: 4 * at})
	}
	u.ADDQ(Imm(2), bits)
	u.ADDQ(Imm(16), i)
	u.CMPQ(i, n)
	u.JL(LabelRef("next"))
	u.VZEROUPPER()
	u.RET()
}
