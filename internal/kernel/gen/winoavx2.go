package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// winoInSegment transforms eight tiles of each channel, whose outputs are sixteen pixels of two rows, directly from the
// image. left and right say whether the image continues on these sides.
func winoInSegment(u unit, left, right bool) {
	s := avx2
	name := "Alone"
	switch {
	case left && right:
		name = "Middle"
	case left:
		name = "Last"
	case right:
		name = "First"
	}
	u.text("winoIn"+name+s.name, "winoInArgs", "transforms the inputs of eight tiles.")
	args := u.args()
	src, pitch, dst, channels := u.load64(args, winoSrc), u.load64(args, winoSrcRow), u.load64(args, winoDst),
		u.load64(args, winoChannels)
	table := u.load64(args, winoTable)
	toRight, toLeft, zero := s.vec(u), s.vec(u), s.vec(u)
	u.VMOVUPS(Mem{Base: table, Disp: permRight}, toRight)
	u.VMOVUPS(Mem{Base: table, Disp: permLeft}, toLeft)
	s.zero(u, zero)
	step, row := u.load64(args, winoDstPlace), u.GP64()
	down := u.GP64() // bytes from a row of places to the next
	u.MOVQ(step, down)
	u.SHLQ(Imm(2), down)
	place, at := u.GP64(), u.GP64()

	u.Label("channel")
	u.MOVQ(src, row)
	u.SUBQ(pitch, row) // a tile starts one row above its outputs
	u.MOVQ(dst, place)
	for i := range 4 {
		inside, done := []string{"row0", "row1", "row2", "row3"}[i], []string{"done0", "done1", "done2", "done3"}[i]
		if i == 0 || i == 3 {
			u.CMPQ(field(args, []int{winoTop, 0, 0, winoBottom}[i]), Imm(0))
			u.JNE(LabelRef(inside))
			for range 4 {
				u.VMOVUPS(zero, Mem{Base: place})
				u.ADDQ(step, place)
			}
			u.JMP(LabelRef(done))
			u.Label(inside)
		}
		a, b, even, odd := s.vec(u), s.vec(u), s.vec(u), s.vec(u)
		u.VMOVUPS(Mem{Base: row}, a)
		u.VMOVUPS(Mem{Base: row, Disp: 32}, b)
		u.VSHUFPS(Imm(0x88), b, a, even)
		u.VPERMPD(Imm(0xd8), even, even)
		u.VSHUFPS(Imm(0xdd), b, a, odd)
		u.VPERMPD(Imm(0xd8), odd, odd)
		// beside returns v shifted by one lane. The free lane gets the neighbour or, at the border, zero.
		beside := func(v, move reg.VecVirtual, has bool, disp int, lane uint64) reg.VecVirtual {
			d := s.vec(u)
			u.VPERMPS(v, move, d)
			if !has {
				u.VBLENDPS(Imm(lane), zero, d, d)
				return d
			}
			n := s.vec(u)
			u.VBROADCASTSS(Mem{Base: row, Disp: disp}, n)
			u.VBLENDPS(Imm(lane), n, d, d)
			return d
		}
		d0 := beside(odd, toRight, left, -4, 1)
		d3 := beside(even, toLeft, right, 64, 0x80)
		x := s.vecs(u, 4)
		u.VSUBPS(odd, d0, x[0])
		u.VADDPS(odd, even, x[1])
		u.VSUBPS(even, odd, x[2])
		u.VSUBPS(d3, even, x[3])
		for _, v := range x {
			u.VMOVUPS(v, Mem{Base: place})
			u.ADDQ(step, place)
		}
		u.Label(done)
		if i < 3 {
			u.ADDQ(pitch, row)
		}
	}
	u.winoRows(s, dst, step, down, place, at)
	u.ADDQ(field(args, winoSrcChannel), src)
	u.ADDQ(field(args, winoDstChannel), dst)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// winoRows computes the second half of an input transform in place, column by column of places.
func (u unit) winoRows(s isa, dst, step, down, place, at reg.Register) {
	u.MOVQ(dst, at)
	for range 4 {
		c := s.vecs(u, 4)
		u.MOVQ(at, place)
		for i := range c {
			u.VMOVUPS(Mem{Base: place}, c[i])
			u.ADDQ(down, place)
		}
		u.MOVQ(at, place)
		for i := range c {
			u.VMOVUPS(u.rowTransform(s, i, c[0], c[1], c[2], c[3]), Mem{Base: place})
			u.ADDQ(down, place)
		}
		u.ADDQ(step, at)
	}
}

// winoOutSegment transforms the products of eight tiles of each channel back, and writes sixteen pixels of two rows.
func winoOutSegment(u unit) {
	s := avx2
	u.text("winoOutSegment"+s.name, "winoOutArgs", "transforms the products of eight tiles to outputs.")
	args := u.args()
	src, dst, pitch, channels := u.load64(args, outSrc), u.load64(args, outDst), u.load64(args, outDstRow),
		u.load64(args, outChannels)
	bias, res, step := u.load64(args, outBias), u.load64(args, outRes), u.load64(args, outSrcPlace)
	u.SUBQ(dst, res)
	down := u.GP64()
	u.MOVQ(step, down)
	u.SHLQ(Imm(2), down)
	u.Label("channel")
	at, place := u.GP64(), u.GP64()
	u.MOVQ(src, at)
	y := u.winoColumns(s, at, place, step, down)
	bv := s.vec(u)
	u.VBROADCASTSS(Mem{Base: bias}, bv)
	u.MOVQ(dst, at)
	for i := range y {
		u.outPair(s, y[i][0], y[i][1], y[i][2], y[i][3])
		lo, hi := s.vec(u), s.vec(u)
		u.VUNPCKLPS(y[i][1], y[i][0], lo)
		u.VUNPCKHPS(y[i][1], y[i][0], y[i][0])
		u.VPERM2F128(Imm(0x31), y[i][0], lo, hi)
		u.VPERM2F128(Imm(0x20), y[i][0], lo, lo)
		u.VADDPS(bv, lo, lo)
		u.VADDPS(bv, hi, hi)
		skip := []string{"plain0", "plain1"}[i]
		u.CMPQ(field(args, outRes), Imm(0))
		u.JE(LabelRef(skip))
		u.VADDPS(Mem{Base: at, Index: res, Scale: 1}, lo, lo)
		u.VADDPS(Mem{Base: at, Index: res, Scale: 1, Disp: 32}, hi, hi)
		u.Label(skip)
		floor := s.vec(u)
		u.VBROADCASTSS(field(args, outFloor), floor)
		u.VMAXPS(lo, floor, lo)
		u.VMAXPS(hi, floor, hi)
		u.VMOVUPS(lo, Mem{Base: at})
		u.VMOVUPS(hi, Mem{Base: at, Disp: 32})
		u.ADDQ(pitch, at)
	}
	u.ADDQ(field(args, outDstChannel), dst)
	u.ADDQ(field(args, outSrcChannel), src)
	u.ADDQ(Imm(4), bias)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// winoColumns loads the products of a vector of tiles and returns the two rows of Aᵀ m.
func (u unit) winoColumns(s isa, at, place, step, down reg.Register) (y [2][4]reg.VecVirtual) {
	for j := range 4 {
		m := s.vecs(u, 4)
		u.MOVQ(at, place)
		for i := range m {
			u.VMOVUPS(Mem{Base: place}, m[i])
			u.ADDQ(down, place)
		}
		u.outPair(s, m[0], m[1], m[2], m[3])
		y[0][j], y[1][j] = m[0], m[1]
		u.ADDQ(step, at)
	}
	return y
}
