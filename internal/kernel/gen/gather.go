package main

import (
	. "github.com/mmcloughlin/avo/operand"
)

// Fields of gatherArgs, in order.
const (
	gatherDst = iota
	gatherB
	gatherB1
	gatherOff
	gatherK
)

// gather copies, for each k, the vectors at b+off[k] and at b+b1+off[k] to neighbouring places in the panel.
func gather(u unit) {
	u.text("gatherAVX2", "gatherArgs", "copies what a column tile reads of views to a panel.")
	args := u.args()
	dst, b, b1, off, k := u.load64(args, gatherDst), u.load64(args, gatherB), u.load64(args, gatherB1),
		u.load64(args, gatherOff), u.load64(args, gatherK)
	u.ADDQ(b, b1)
	u.Label("term")
	o, x, y := u.GP64(), u.YMM(), u.YMM()
	u.MOVLQSX(Mem{Base: off}, o)
	u.VMOVUPS(Mem{Base: b, Index: o, Scale: 1}, x)
	u.VMOVUPS(Mem{Base: b1, Index: o, Scale: 1}, y)
	u.VMOVUPS(x, Mem{Base: dst})
	u.VMOVUPS(y, Mem{Base: dst, Disp: 32})
	u.ADDQ(Imm(4), off)
	u.ADDQ(Imm(64), dst)
	u.DECQ(k)
	u.JNZ(LabelRef("term"))
	u.VZEROUPPER()
	u.RET()
}
