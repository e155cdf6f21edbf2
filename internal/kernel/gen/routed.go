package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of routedArgs, in order.
const (
	routedW = iota
	routedLdw
	routedZ
	routedAbsC
	routedN
	routedC
	routedTable
	routedThreshold
	routedCoef
)

// routed writes c[j] += sum of z[i]*w[j][i] over absC[i]*w[j][i] > threshold, for one to four rows of w.
func routed(u unit, s isa, rows int) {
	u.text(fmt.Sprintf("routed%s_%d", s.name, rows), "routedArgs",
		fmt.Sprintf("adds the products of z with the kept weights of %d rows.", rows))
	args := u.args()
	parts := 64 / s.bytes
	acc := make([][]reg.VecVirtual, rows)
	for j := range acc {
		acc[j] = s.vecs(u, parts)
		for _, v := range acc[j] {
			s.zero(u, v)
		}
	}
	w := u.rowPointers(args, routedW, routedLdw, rows)
	z, absC := u.load64(args, routedZ), u.load64(args, routedAbsC)
	threshold := s.vec(u)
	u.VBROADCASTSS(field(args, routedThreshold), threshold)
	u.sixteens(s, args, routedN, routedTable, func(load func(from reg.Register, part int, v reg.VecVirtual)) {
		for p := range parts {
			a, x := s.vec(u), s.vec(u)
			load(absC, p, a)
			load(z, p, x)
			for j := range w {
				v, t := s.vec(u), s.vec(u)
				load(w[j], p, v)
				u.VMULPS(v, a, t)
				if s.bytes == 64 {
					k := u.K()
					u.VCMPPS(Imm(0x1e), threshold, t, k)
					u.VFMADD231PS(x, v, k, acc[j][p])
				} else {
					u.VCMPPS(Imm(0x1e), threshold, t, t)
					u.VANDPS(t, v, v)
					u.VANDPS(t, x, t) // a weight that is left out must not be multiplied with an infinite activation
					u.VFMADD231PS(t, v, acc[j][p])
				}
			}
		}
	})
	c := u.load64(args, routedC)
	sums := make([]reg.VecVirtual, rows)
	for j, v := range acc {
		sums[j] = u.eightLanes(s, v)
	}
	u.addSums(s, sums, c)
	u.VZEROUPPER()
	u.RET()
}

// rowPointers returns registers with the addresses of consecutive rows.
func (u unit) rowPointers(args reg.Register, first, stride, rows int) []reg.Register {
	p := []reg.Register{u.load64(args, first)}
	ld := u.load64(args, stride)
	for i := 1; i < rows; i++ {
		r := u.GP64()
		u.LEAQ(Mem{Base: p[i-1], Index: ld, Scale: 1}, r)
		p = append(p, r)
	}
	return p
}

// sixteens writes a loop of step over sixteen elements at a time, and step once more for the masked rest.
func (u unit) sixteens(s isa, args reg.Register, count, tablePlace int,
	step func(load func(from reg.Register, part int, v reg.VecVirtual))) {
	i, n := u.GP64(), u.load64(args, count)
	u.XORQ(i, i)
	u.SUBQ(Imm(16), n)
	u.JL(LabelRef("tail"))
	u.Label("whole")
	step(func(from reg.Register, part int, v reg.VecVirtual) {
		u.VMOVUPS(Mem{Base: from, Index: i, Scale: 4, Disp: part * s.bytes}, v)
	})
	u.ADDQ(Imm(16), i)
	u.SUBQ(Imm(16), n)
	u.JGE(LabelRef("whole"))
	u.Label("tail")
	u.ADDQ(Imm(16), n)
	u.JZ(LabelRef("reduce"))
	table := u.load64(args, tablePlace)
	if s.bytes == 64 {
		m := u.newTailMask(s, n, table)
		step(func(from reg.Register, _ int, v reg.VecVirtual) {
			u.loadTail(s, Mem{Base: from, Index: i, Scale: 4}, m, v)
		})
	} else {
		// From n words before the table's middle on, the table is a mask of n elements for both vectors.
		u.NEGQ(n)
		u.LEAQ(Mem{Base: table, Index: n, Scale: 4, Disp: 64}, table)
		step(func(from reg.Register, part int, v reg.VecVirtual) {
			u.VMOVUPS(Mem{Base: table, Disp: part * s.bytes}, v)
			u.VMASKMOVPS(Mem{Base: from, Index: i, Scale: 4, Disp: part * s.bytes}, v, v)
		})
	}
	u.Label("reduce")
}

// spread writes c[i] += coef[0]*w[0][i], then += coef[1]*w[1][i], and so on for one to four rows of w. With gated it
// adds only the terms with absC[i]*w[j][i] > threshold.
func spread(u unit, s isa, rows int, gated bool) {
	name, doc := "spread", fmt.Sprintf("adds %d rows, each times its coefficient.", rows)
	if gated {
		name, doc = "spreadRouted", fmt.Sprintf("adds the kept weights of %d rows, each times its coefficient.", rows)
	}
	u.text(fmt.Sprintf("%s%s_%d", name, s.name, rows), "routedArgs", doc)
	args := u.args()
	w := u.rowPointers(args, routedW, routedLdw, rows)
	c := u.load64(args, routedC)
	coefs := u.load64(args, routedCoef)
	coef := s.vecs(u, rows)
	for j, v := range coef {
		u.VBROADCASTSS(Mem{Base: coefs, Disp: 4 * j}, v)
	}
	var absC reg.Register
	threshold := s.vec(u)
	if gated {
		absC = u.load64(args, routedAbsC)
		u.VBROADCASTSS(field(args, routedThreshold), threshold)
	}
	i, n := u.GP64(), u.load64(args, routedN)
	u.XORQ(i, i)
	vl := s.bytes / 4
	pass := func(load func(from reg.Register, v reg.VecVirtual), store func(reg.VecVirtual)) {
		sum, a := s.vec(u), s.vec(u)
		load(c, sum)
		if gated {
			load(absC, a)
		}
		for j := range w {
			v := s.vec(u)
			load(w[j], v)
			if !gated {
				u.VFMADD231PS(v, coef[j], sum)
				continue
			}
			t := s.vec(u)
			u.VMULPS(v, a, t)
			if s.bytes == 64 {
				k := u.K()
				u.VCMPPS(Imm(0x1e), threshold, t, k)
				u.VFMADD231PS(v, coef[j], k, sum)
			} else {
				u.VCMPPS(Imm(0x1e), threshold, t, t)
				u.VANDPS(t, v, v)
				u.VANDPS(t, coef[j], t)
				u.VFMADD231PS(v, t, sum)
			}
		}
		store(sum)
	}
	at := func(r reg.Register) Mem { return Mem{Base: r, Index: i, Scale: 4} }
	u.SUBQ(Imm(uint64(vl)), n)
	u.JL(LabelRef("tail"))
	u.Label("whole")
	pass(func(from reg.Register, v reg.VecVirtual) { u.VMOVUPS(at(from), v) },
		func(v reg.VecVirtual) { u.VMOVUPS(v, at(c)) })
	u.ADDQ(Imm(uint64(vl)), i)
	u.SUBQ(Imm(uint64(vl)), n)
	u.JGE(LabelRef("whole"))
	u.Label("tail")
	u.ADDQ(Imm(uint64(vl)), n)
	u.JZ(LabelRef("done"))
	m := u.newTailMask(s, n, u.load64(args, routedTable))
	pass(func(from reg.Register, v reg.VecVirtual) { u.loadTail(s, at(from), m, v) }, func(v reg.VecVirtual) {
		if s.bytes == 64 {
			u.VMOVUPS(v, m.r, at(c))
		} else {
			u.VMASKMOVPS(v, m.r, at(c))
		}
	})
	u.Label("done")
	u.VZEROUPPER()
	u.RET()
}
