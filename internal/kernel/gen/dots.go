package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of dotsArgs, in order.
const (
	dotsA = iota
	dotsLda
	dotsB
	dotsOff
	dotsN
	dotsC
	dotsLdc
	dotsTable
	dotsParts
	dotsAPart
	dotsBPart
	dotsLeft
)

// dots writes the kernels that add dot products of some rows and some columns: c[i][j] += a[i]·b[j]. A product is
// summed in sixteen lanes, which are then added up in halves, so that both instruction sets give the same bits.
func dots(u unit, s isa) {
	for r := 1; r <= s.dotRows; r++ {
		for c := 1; c <= s.dotCols; c++ {
			dot(u, s, r, c)
		}
	}
}

func dot(u unit, s isa, rows, cols int) {
	u.text(fmt.Sprintf("dots%s_%dx%d", s.name, rows, cols), "dotsArgs",
		fmt.Sprintf("adds the products of %d rows with %d.", rows, cols))
	args := u.args()
	parts := 64 / s.bytes // vectors per sixteen lanes
	acc := make([][][]reg.VecVirtual, rows)
	for i := range acc {
		acc[i] = make([][]reg.VecVirtual, cols)
		for j := range acc[i] {
			acc[i][j] = s.vecs(u, parts)
			for _, v := range acc[i][j] {
				s.zero(u, v)
			}
		}
	}
	a := u.rowPointers(args, dotsA, dotsLda, rows)
	base, off := u.load64(args, dotsB), u.load64(args, dotsOff)
	var b []reg.Register
	for j := range cols {
		r := u.GP64()
		u.MOVLQSX(Mem{Base: off, Disp: 4 * j}, r)
		u.ADDQ(base, r)
		b = append(b, r)
	}
	left := u.load64(args, dotsParts)
	u.MOVQ(left, field(args, dotsLeft))
	u.Label("part")
	u.sixteens(s, args, dotsN, dotsTable, func(load func(from reg.Register, part int, v reg.VecVirtual)) {
		for p := range parts {
			x := s.vecs(u, rows)
			for k := range x {
				load(a[k], p, x[k])
			}
			for j := range b {
				y := s.vec(u)
				load(b[j], p, y)
				for k := range x {
					u.VFMADD231PS(x[k], y, acc[k][j][p])
				}
			}
		}
	})
	u.DECQ(field(args, dotsLeft))
	u.JZ(LabelRef("sum"))
	for i, rows := range [][]reg.Register{a, b} {
		step := u.load64(args, dotsAPart+i)
		for _, r := range rows {
			u.ADDQ(step, r)
		}
	}
	u.JMP(LabelRef("part"))
	u.Label("sum")
	c, ldc := u.load64(args, dotsC), u.load64(args, dotsLdc)
	for k := range acc {
		sums := make([]reg.VecVirtual, cols)
		for j, v := range acc[k] {
			sums[j] = u.eightLanes(s, v)
		}
		u.addSums(s, sums, c)
		if k < rows-1 {
			u.ADDQ(ldc, c)
		}
	}
	u.VZEROUPPER()
	u.RET()
}

// eightLanes adds the upper eight of sixteen lanes to the lower eight.
func (u unit) eightLanes(s isa, v []reg.VecVirtual) reg.VecVirtual {
	if s.bytes == 32 {
		u.VADDPS(v[1], v[0], v[0])
		return v[0]
	}
	h := u.YMM()
	u.VEXTRACTF64X4(Imm(1), v[0], h)
	u.VADDPS(h, v[0].AsY(), v[0].AsY())
	return v[0]
}

// addSums adds the sum of each vector of eight lanes to consecutive floats at c.
func (u unit) addSums(s isa, v []reg.VecVirtual, c reg.Register) {
	fold := func(v reg.VecVirtual) reg.VecVirtual {
		h := u.XMM()
		if s.bytes == 64 {
			u.VEXTRACTF32X4(Imm(1), v.AsY(), h) // this form can encode all registers
		} else {
			u.VEXTRACTF128(Imm(1), v.AsY(), h)
		}
		u.VADDPS(h, v.AsX(), v.AsX())
		return v
	}
	// pairs adds neighbours and leaves the sums in a, those of a before those of b.
	pairs := func(b, a reg.Register) {
		t := u.XMM()
		u.VSHUFPS(Imm(0xdd), b, a, t)
		u.VSHUFPS(Imm(0x88), b, a, a)
		u.VADDPS(t, a, a)
	}
	for len(v) > 0 {
		n := len(v)
		for i := range v[:min(n, 4)] {
			fold(v[i])
		}
		x := func(i int) reg.Register { return v[i].AsX() }
		switch {
		case n >= 4:
			pairs(x(1), x(0))
			pairs(x(3), x(2))
			pairs(x(2), x(0))
			u.VADDPS(Mem{Base: c}, x(0), x(0))
			u.VMOVUPS(x(0), Mem{Base: c})
			v = v[4:]
		case n >= 2:
			pairs(x(1), x(0))
			pairs(x(0), x(0))
			t := u.XMM()
			u.VMOVSD(Mem{Base: c}, t)
			u.VADDPS(t, x(0), x(0))
			u.VMOVSD(x(0), Mem{Base: c})
			if n == 3 {
				pairs(x(2), x(2))
				pairs(x(2), x(2))
				u.VADDSS(Mem{Base: c, Disp: 8}, x(2), x(2))
				u.VMOVSS(x(2), Mem{Base: c, Disp: 8})
			}
			v = nil
		default:
			pairs(x(0), x(0))
			pairs(x(0), x(0))
			u.VADDSS(Mem{Base: c}, x(0), x(0))
			u.VMOVSS(x(0), Mem{Base: c})
			v = nil
		}
	}
}
