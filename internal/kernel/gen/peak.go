package main

import (
	. "github.com/mmcloughlin/avo/operand"
)

// peak writes a loop of independent multiply-adds in registers.
func peak(u unit, s isa) {
	u.text("peak"+s.name, "peakArgs", "runs args.n rounds of twelve independent multiply-adds.")
	args := u.args()
	n := u.load64(args, 0)
	acc := s.vecs(u, 12)
	x := s.vec(u)
	s.zero(u, x)
	for _, v := range acc {
		s.zero(u, v)
	}
	u.Label("loop")
	for _, v := range acc {
		u.VFMADD231PS(x, x, v)
	}
	u.DECQ(n)
	u.JNZ(LabelRef("loop"))
	u.VZEROUPPER()
	u.RET()
}
