package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of channelArgs, in order.
const (
	chX = iota
	chY
	chDst
	chRow
	chN
	chRows
	chMean
	chSum
	chDot
	chScale
	chShift
	chA
	chB
	chC
	chCentre
	chFloor
	chTable
)

// channels writes the kernels of batch norm. A row holds the elements of one channel of one sample, and each row has
// its own coefficients.
func channels(u unit, s isa) {
	channelSums(u, s)
	for _, with := range []bool{false, true} {
		channelGrads(u, s, with)
		channelApply(u, s, with)
		channelBack(u, s, with)
	}
}

// rowLoop emits body for each row. r counts the rows; x, y and dst point to the row's elements.
func (u unit) rowLoop(args reg.Register, pointers []reg.Register, body func(r reg.Register)) {
	r, step := u.GP64(), u.load64(args, chRow)
	u.XORQ(r, r)
	u.Label("row")
	body(r)
	for _, p := range pointers {
		u.ADDQ(step, p)
	}
	u.INCQ(r)
	u.CMPQ(r, field(args, chRows))
	u.JL(LabelRef("row"))
	u.VZEROUPPER()
	u.RET()
}

// coefficient broadcasts the float32 of row r of an array.
func (u unit) coefficient(s isa, args, r reg.Register, f int) reg.VecVirtual {
	v := s.vec(u)
	u.VBROADCASTSS(Mem{Base: u.load64(args, f), Index: r, Scale: 4}, v)
	return v
}

// addLanes adds the sum of sixteen float64 lanes to the element of row r of an array. It adds in halves, so that both
// instruction sets give the same bits.
func (u unit) addLanes(s isa, v []reg.VecVirtual, args, r reg.Register, f int) {
	for len(v) > 1 {
		h := len(v) / 2
		for j := range h {
			u.VADDPD(v[j+h], v[j], v[j])
		}
		v = v[:h]
	}
	if s.bytes == 64 {
		h := u.YMM()
		u.VEXTRACTF64X4(Imm(1), v[0], h)
		u.VADDPD(h, v[0].AsY(), v[0].AsY())
	}
	h := u.XMM()
	u.VEXTRACTF128(Imm(1), v[0].AsY(), h)
	u.VADDPD(h, v[0].AsX(), v[0].AsX())
	u.VHADDPD(v[0].AsX(), v[0].AsX(), v[0].AsX())
	at := Mem{Base: u.load64(args, f), Index: r, Scale: 8}
	u.VADDSD(at, v[0].AsX(), v[0].AsX())
	u.VMOVSD(v[0].AsX(), at)
}

// sixteenLanes are the vectors of sixteen float64 lanes, zero.
func (u unit) sixteenLanes(s isa) []reg.VecVirtual {
	v := s.vecs(u, 128/s.bytes)
	for _, x := range v {
		s.zero(u, x)
	}
	return v
}

// sixteenLoop emits body for each sixteen of the row's elements, of which there are a positive multiple of sixteen.
func (u unit) sixteenLoop(args reg.Register, body func(i reg.Register)) {
	i, n := u.GP64(), u.load64(args, chN)
	u.XORQ(i, i)
	u.Label("whole")
	body(i)
	u.ADDQ(Imm(16), i)
	u.CMPQ(i, n)
	u.JL(LabelRef("whole"))
}

// widened loads part p of sixteen float32 as float64.
func (u unit) widened(s isa, base, i reg.Register, p int) reg.VecVirtual {
	v := s.vec(u)
	u.VCVTPS2PD(Mem{Base: base, Index: i, Scale: 4, Disp: p * s.bytes / 2}, v)
	return v
}

func channelSums(u unit, s isa) {
	u.text("channelSums"+s.name, "channelArgs", "adds to sum the elements of x, and to dot the squares of x - mean.")
	args := u.args()
	x := u.load64(args, chX)
	u.rowLoop(args, []reg.Register{x}, func(r reg.Register) {
		mean := s.vec(u)
		u.VBROADCASTSD(Mem{Base: u.load64(args, chMean), Index: r, Scale: 8}, mean)
		sum, square := u.sixteenLanes(s), u.sixteenLanes(s)
		u.sixteenLoop(args, func(i reg.Register) {
			for p := range sum {
				v := u.widened(s, x, i, p)
				u.VADDPD(v, sum[p], sum[p])
				u.VSUBPD(mean, v, v)
				u.VFMADD231PD(v, v, square[p])
			}
		})
		u.addLanes(s, sum, args, r, chSum)
		u.addLanes(s, square, args, r, chDot)
	})
}

// gate is where a gradient passes.
type gateOf struct{ scale, shift, zero reg.VecVirtual }

func (u unit) newGate(s isa, args, r reg.Register) gateOf {
	g := gateOf{u.coefficient(s, args, r, chScale), u.coefficient(s, args, r, chShift), s.vec(u)}
	s.zero(u, g.zero)
	return g
}

// pre leaves scale*x+shift in x.
func (g gateOf) pre(u unit, x reg.VecVirtual) { u.VFMADD213PS(g.shift, g.scale, x) }

// opened zeroes the lanes of v where the gate's function of x, which is overwritten, is not positive.
func (g gateOf) opened(u unit, s isa, x, v reg.VecVirtual) {
	g.pre(u, x)
	if s.bytes == 64 {
		k := u.K()
		u.VCMPPS(Imm(0x1e), g.zero, x, k) // greater than, quiet
		u.VMOVAPS_Z(v, k, v)
		return
	}
	u.VCMPPS(Imm(0x1e), g.zero, x, x)
	u.VANDPS(x, v, v)
}

func channelGrads(u unit, s isa, gated bool) {
	name, doc := "channelGrads", "adds to sum the elements of y and to dot those of y * (x - mean)."
	if gated {
		name, doc = "channelGradsGated", "does so with zero in place of y where scale*x + shift is not positive."
	}
	u.text(name+s.name, "channelArgs", doc)
	args := u.args()
	x, y := u.load64(args, chX), u.load64(args, chY)
	u.rowLoop(args, []reg.Register{x, y}, func(r reg.Register) {
		mean := s.vec(u)
		u.VBROADCASTSD(Mem{Base: u.load64(args, chMean), Index: r, Scale: 8}, mean)
		var gate gateOf
		if gated {
			gate = u.newGate(s, args, r)
		}
		sum, dot := u.sixteenLanes(s), u.sixteenLanes(s)
		add := func(i reg.Register, p int, g reg.VecVirtual) {
			d := u.widened(s, x, i, p)
			u.VSUBPD(mean, d, d)
			u.VADDPD(g, sum[p], sum[p])
			u.VFMADD231PD(g, d, dot[p])
		}
		u.sixteenLoop(args, func(i reg.Register) {
			switch {
			case !gated:
				for p := range sum {
					add(i, p, u.widened(s, y, i, p))
				}
			case s.bytes == 64:
				v, k := s.vec(u), u.K()
				u.VMOVUPS(Mem{Base: x, Index: i, Scale: 4}, v)
				gate.pre(u, v)
				u.VCMPPS(Imm(0x1e), gate.zero, v, k)
				for p := range sum {
					g := s.vec(u)
					u.VCVTPS2PD_Z(Mem{Base: y, Index: i, Scale: 4, Disp: 32 * p}, k, g)
					add(i, p, g)
					if p == 0 {
						u.KSHIFTRW(Imm(8), k, k)
					}
				}
			default:
				for half := range 2 {
					at := func(base reg.Register) Mem { return Mem{Base: base, Index: i, Scale: 4, Disp: 32 * half} }
					v, g := s.vec(u), s.vec(u)
					u.VMOVUPS(at(x), v)
					u.VMOVUPS(at(y), g)
					gate.opened(u, s, v, g)
					low, high := s.vec(u), s.vec(u)
					u.VCVTPS2PD(g.AsX(), low)
					u.VEXTRACTF128(Imm(1), g, g.AsX())
					u.VCVTPS2PD(g.AsX(), high)
					add(i, 2*half, low)
					add(i, 2*half+1, high)
				}
			}
		})
		u.addLanes(s, sum, args, r, chSum)
		u.addLanes(s, dot, args, r, chDot)
	})
}

// vectorLoop emits body for each vector of the row's elements. Behind the whole vectors it emits it once more with a
// mask.
func (u unit) vectorLoop(s isa, args reg.Register, tail reg.GPVirtual, mask tailMask, body func(i reg.Register,
	load func(base reg.Register, v reg.VecVirtual), store func(v reg.VecVirtual, base reg.Register))) {
	vl := s.bytes / 4
	i, n := u.GP64(), u.load64(args, chN)
	u.XORQ(i, i)
	u.SUBQ(tail, n)
	u.JZ(LabelRef("tail"))
	at := func(base reg.Register) Mem { return Mem{Base: base, Index: i, Scale: 4} }
	u.Label("whole")
	body(i, func(base reg.Register, v reg.VecVirtual) { u.VMOVUPS(at(base), v) },
		func(v reg.VecVirtual, base reg.Register) { u.VMOVUPS(v, at(base)) })
	u.ADDQ(Imm(uint64(vl)), i)
	u.CMPQ(i, n)
	u.JL(LabelRef("whole"))
	u.Label("tail")
	u.TESTQ(tail, tail)
	u.JZ(LabelRef("done"))
	body(i, func(base reg.Register, v reg.VecVirtual) { u.loadTail(s, at(base), mask, v) },
		func(v reg.VecVirtual, base reg.Register) {
			if s.bytes == 64 {
				u.VMOVUPS(v, mask.r, at(base))
			} else {
				u.VMASKMOVPS(v, mask.r, at(base))
			}
		})
	u.Label("done")
}

// rowTail returns the number of elements behind a row's whole vectors, and their mask.
func (u unit) rowTail(s isa, args reg.Register) (reg.GPVirtual, tailMask) {
	tail := u.load64(args, chN)
	u.ANDQ(Imm(uint64(s.bytes/4-1)), tail)
	return tail, u.newTailMask(s, tail, u.load64(args, chTable))
}

func channelApply(u unit, s isa, residual bool) {
	name, doc := "channelApply", "writes max(floor, scale*x + shift)."
	if residual {
		name, doc = "channelApplyAdd", "writes max(floor, (scale*x + shift) + y)."
	}
	u.text(name+s.name, "channelArgs", doc)
	args := u.args()
	x, dst := u.load64(args, chX), u.load64(args, chDst)
	pointers := []reg.Register{x, dst}
	var y reg.Register
	if residual {
		y = u.load64(args, chY)
		pointers = append(pointers, y)
	}
	floor := s.vec(u)
	u.VBROADCASTSS(field(args, chFloor), floor)
	tail, mask := u.rowTail(s, args)
	u.rowLoop(args, pointers, func(r reg.Register) {
		scale, shift := u.coefficient(s, args, r, chScale), u.coefficient(s, args, r, chShift)
		u.vectorLoop(s, args, tail, mask, func(i reg.Register, load func(reg.Register, reg.VecVirtual),
			store func(reg.VecVirtual, reg.Register)) {
			v := s.vec(u)
			load(x, v)
			u.VFMADD213PS(shift, scale, v)
			if residual {
				w := s.vec(u)
				load(y, w)
				u.VADDPS(w, v, v)
			}
			u.VMAXPS(v, floor, v) // a NaN stays one
			store(v, dst)
		})
	})
}

func channelBack(u unit, s isa, gated bool) {
	name, doc := "channelBack", "writes a*y + (b*(x-centre) + c)."
	if gated {
		name, doc = "channelBackGated", "does so with zero in place of y where scale*x + shift is not positive."
	}
	u.text(name+s.name, "channelArgs", doc)
	args := u.args()
	x, y, dst := u.load64(args, chX), u.load64(args, chY), u.load64(args, chDst)
	tail, mask := u.rowTail(s, args)
	u.rowLoop(args, []reg.Register{x, y, dst}, func(r reg.Register) {
		var gate gateOf
		if gated {
			gate = u.newGate(s, args, r)
		}
		a, b, c, centre := u.coefficient(s, args, r, chA), u.coefficient(s, args, r, chB),
			u.coefficient(s, args, r, chC), u.coefficient(s, args, r, chCentre)
		u.vectorLoop(s, args, tail, mask, func(i reg.Register, load func(reg.Register, reg.VecVirtual),
			store func(reg.VecVirtual, reg.Register)) {
			v, g := s.vec(u), s.vec(u)
			load(x, v)
			load(y, g)
			if gated {
				w := s.vec(u)
				u.VMOVAPS(v, w)
				gate.opened(u, s, w, g)
			}
			u.VSUBPS(centre, v, v)
			u.VFMADD213PS(c, b, v)
			u.VFMADD213PS(v, a, g)
			store(g, dst)
		})
	})
}
