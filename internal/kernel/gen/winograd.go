package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of winoInArgs, in order.
const (
	winoSrc = iota
	winoSrcChannel
	winoSrcRow
	winoDst
	winoDstPlace
	winoDstChannel
	winoChannels
	winoTop
	winoBottom
	winoTable
)

// Offsets in bytes of the permutations in the table of both kernels.
const (
	permEven = 64 * iota
	permOdd
	permRight
	permLeft
	permLow
	permHigh
)

// winoIn transforms one vector of 2x2 output tiles of each channel, sixteen in a row or two rows of eight. It reads
// their 4x4 inputs directly from the image, with zeros outside of it, and writes Bᵀ d B.
func winoIn(u unit, perRow int) {
	s := avx512
	u.text(fmt.Sprintf("winoIn%d%s", perRow, s.name), "winoInArgs",
		fmt.Sprintf("transforms the inputs of a vector of tiles, %d to a row.", perRow))
	args := u.args()
	src, pitch, dst, channels := u.load64(args, winoSrc), u.load64(args, winoSrcRow), u.load64(args, winoDst),
		u.load64(args, winoChannels)
	table := u.load64(args, winoTable)
	even, odd, right, left := s.vec(u), s.vec(u), s.vec(u), s.vec(u)
	for i, v := range []reg.VecVirtual{even, odd, right, left} {
		u.VMOVUPS(Mem{Base: table, Disp: 64 * i}, v)
	}
	// The first and the last tile of a row have no neighbour on one side.
	first, last := uint32(0xfffe), uint32(0x7fff)
	if perRow == 8 {
		first, last = 0xfefe, 0x7f7f
	}
	t := u.GP32()
	mask := func(v uint32) reg.Register {
		k := u.K()
		u.MOVL(U32(v), t)
		u.KMOVW(t, k)
		return k
	}
	kFirst, kLast := mask(first), mask(last)
	// Rows above and below the image are masked off. The lower and the upper sixteen bits are for the two loads.
	edge := func(f int) [2]reg.Register {
		var k [2]reg.Register
		r := u.GP64()
		u.MOVQ(field(args, f), r)
		for i := range k {
			k[i] = u.K()
			u.KMOVW(r.As32(), k[i])
			u.SHRQ(Imm(16), r)
		}
		return k
	}
	top, bottom := edge(winoTop), edge(winoBottom)

	u.Label("channel")
	var x [4][4]reg.VecVirtual
	row := u.GP64()
	u.MOVQ(src, row)
	u.SUBQ(pitch, row) // a tile starts one row above its outputs
	for i := range x {
		a, b := s.vec(u), s.vec(u)
		second := Mem{Base: row, Disp: 64}
		if perRow == 8 {
			second = Mem{Base: row, Index: pitch, Scale: 2}
		}
		switch i {
		case 0:
			u.VMOVUPS_Z(Mem{Base: row}, top[0], a)
			u.VMOVUPS_Z(second, top[1], b)
		case 3:
			u.VMOVUPS_Z(Mem{Base: row}, bottom[0], a)
			u.VMOVUPS_Z(second, bottom[1], b)
		default:
			u.VMOVUPS(Mem{Base: row}, a)
			u.VMOVUPS(second, b)
		}
		if i < 3 {
			u.ADDQ(pitch, row)
		}
		d1, d2, d0, d3 := s.vec(u), s.vec(u), s.vec(u), s.vec(u)
		u.VMOVAPS(even, d1)
		u.VPERMI2PS(b, a, d1)
		u.VMOVAPS(odd, d2)
		u.VPERMI2PS(b, a, d2)
		u.VPERMPS_Z(d2, right, kFirst, d0)
		u.VPERMPS_Z(d1, left, kLast, d3)
		for j := range x[i] {
			x[i][j] = s.vec(u)
		}
		u.VSUBPS(d2, d0, x[i][0])
		u.VADDPS(d2, d1, x[i][1])
		u.VSUBPS(d1, d2, x[i][2])
		u.VSUBPS(d3, d1, x[i][3])
	}
	place := u.GP64()
	u.MOVQ(dst, place)
	step := u.load64(args, winoDstPlace)
	for i := range 4 {
		for j := range 4 {
			v := u.rowTransform(s, i, x[0][j], x[1][j], x[2][j], x[3][j])
			u.VMOVUPS(v, Mem{Base: place})
			u.ADDQ(step, place)
		}
	}
	u.ADDQ(field(args, winoSrcChannel), src)
	u.ADDQ(field(args, winoDstChannel), dst)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// Fields of winoOutArgs, in order.
const (
	outSrc = iota
	outSrcPlace
	outSrcChannel
	outDst
	outDstChannel
	outDstRow
	outChannels
	outBias
	outRes
	outFloor
	outTable
)

// winoOut transforms the products of one vector of tiles back, Aᵀ m A, adds bias and residual, applies the floor and
// writes the outputs directly to the image.
func winoOut(u unit, perRow int) {
	s := avx512
	u.text(fmt.Sprintf("winoOut%d%s", perRow, s.name), "winoOutArgs",
		fmt.Sprintf("transforms the products of a vector of tiles, %d to a row, to outputs.", perRow))
	args := u.args()
	src, dst, pitch, channels := u.load64(args, outSrc), u.load64(args, outDst), u.load64(args, outDstRow),
		u.load64(args, outChannels)
	bias, res, place := u.load64(args, outBias), u.load64(args, outRes), u.load64(args, outSrcPlace)
	table := u.load64(args, outTable)
	low, high, floor := s.vec(u), s.vec(u), s.vec(u)
	u.VMOVUPS(Mem{Base: table, Disp: permLow}, low)
	u.VMOVUPS(Mem{Base: table, Disp: permHigh}, high)
	u.VBROADCASTSS(field(args, outFloor), floor)
	u.Label("channel")
	at := u.GP64()
	u.MOVQ(src, at)
	var m [4][4]reg.VecVirtual
	for i := range m {
		for j := range m[i] {
			m[i][j] = s.vec(u)
			u.VMOVUPS(Mem{Base: at}, m[i][j])
			u.ADDQ(place, at)
		}
	}
	for j := range 4 {
		u.outPair(s, m[0][j], m[1][j], m[2][j], m[3][j])
	}
	bv := s.vec(u)
	u.VBROADCASTSS(Mem{Base: bias}, bv)
	row, resRow := u.GP64(), u.GP64()
	u.MOVQ(dst, row)
	u.MOVQ(res, resRow)
	for i := range 2 {
		y := m[i]
		u.outPair(s, y[0], y[1], y[2], y[3])
		lo, hi := s.vec(u), s.vec(u)
		u.VMOVAPS(low, lo)
		u.VPERMI2PS(y[1], y[0], lo)
		u.VMOVAPS(high, hi)
		u.VPERMI2PS(y[1], y[0], hi)
		second := func(r reg.Register) Mem {
			if perRow == 8 {
				return Mem{Base: r, Index: pitch, Scale: 2}
			}
			return Mem{Base: r, Disp: 64}
		}
		u.VADDPS(bv, lo, lo)
		u.VADDPS(bv, hi, hi)
		skip := fmt.Sprintf("plain%d", i)
		u.TESTQ(res, res)
		u.JZ(LabelRef(skip))
		u.VADDPS(Mem{Base: resRow}, lo, lo)
		u.VADDPS(second(resRow), hi, hi)
		u.ADDQ(pitch, resRow)
		u.Label(skip)
		u.VMAXPS(lo, floor, lo)
		u.VMAXPS(hi, floor, hi)
		u.VMOVUPS(lo, Mem{Base: row})
		u.VMOVUPS(hi, second(row))
		if i == 0 {
			u.ADDQ(pitch, row)
		}
	}
	next := u.load64(args, outDstChannel)
	u.ADDQ(next, dst)
	u.TESTQ(res, res)
	u.JZ(LabelRef("next"))
	u.ADDQ(next, res)
	u.Label("next")
	u.ADDQ(field(args, outSrcChannel), src)
	u.ADDQ(Imm(4), bias)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}
