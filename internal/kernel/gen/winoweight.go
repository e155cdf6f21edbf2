package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The transform of the output gradients of F(3x3, 2x2): in each direction of a 2x2 tile, a and b become a, a+b, a-b and
// b.

// gradPlaces writes the sixteen places of a vector of tiles. Their elements are given row by row.
func (u unit) gradPlaces(s isa, v []reg.VecVirtual, at, step reg.Register) {
	spread := func(a, b reg.VecVirtual) [4]reg.VecVirtual {
		sum, diff := s.vec(u), s.vec(u)
		u.VADDPS(b, a, sum)
		u.VSUBPS(b, a, diff)
		return [4]reg.VecVirtual{a, sum, diff, b}
	}
	left, right := spread(v[0], v[2]), spread(v[1], v[3])
	for i := range left {
		for _, x := range spread(left[i], right[i]) {
			u.VMOVUPS(x, Mem{Base: at})
			u.ADDQ(step, at)
		}
	}
}

// winoGradFlat transforms a vector of tiles of each channel, whose four elements lie in planes of their own.
func winoGradFlat(u unit, s isa) {
	u.text("winoGradFlat"+s.name, "winoFlatArgs", "transforms a vector of tiles of output gradients, from planes.")
	args := u.args()
	src, plane, dst := u.load64(args, wfSrc), u.load64(args, wfSrcPlace), u.load64(args, wfDst)
	step, channels := u.load64(args, wfDstPlane), u.load64(args, wfChannels)
	u.Label("channel")
	at := u.GP64()
	u.MOVQ(src, at)
	v := s.vecs(u, 4)
	for _, x := range v {
		u.VMOVUPS(Mem{Base: at}, x)
		u.ADDQ(plane, at)
	}
	u.MOVQ(dst, at)
	u.gradPlaces(s, v, at, step)
	u.ADDQ(field(args, wfSrcChannel), src)
	u.ADDQ(field(args, wfDstChannel), dst)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// winoGrad transforms a vector of tiles of each channel, perRow to a row, directly from the image.
func winoGrad(u unit, s isa, perRow int) {
	u.text(fmt.Sprintf("winoGrad%d%s", perRow, s.name), "winoInArgs",
		fmt.Sprintf("transforms a vector of tiles of output gradients, %d to a row.", perRow))
	args := u.args()
	src, pitch, dst := u.load64(args, winoSrc), u.load64(args, winoSrcRow), u.load64(args, winoDst)
	step, channels := u.load64(args, winoDstPlace), u.load64(args, winoChannels)
	var even, odd reg.VecVirtual
	if s.bytes == 64 {
		table := u.load64(args, winoTable)
		even, odd = s.vec(u), s.vec(u)
		u.VMOVUPS(Mem{Base: table, Disp: permEven}, even)
		u.VMOVUPS(Mem{Base: table, Disp: permOdd}, odd)
	}
	u.Label("channel")
	at := u.GP64()
	u.MOVQ(src, at)
	var v []reg.VecVirtual
	for i := range 2 {
		a, b := s.vec(u), s.vec(u)
		second := Mem{Base: at, Disp: s.bytes}
		if 4*perRow < s.bytes {
			second = Mem{Base: at, Index: pitch, Scale: 2}
		}
		u.VMOVUPS(Mem{Base: at}, a)
		u.VMOVUPS(second, b)
		if i == 0 {
			u.ADDQ(pitch, at)
		}
		e, o := s.vec(u), s.vec(u)
		if s.bytes == 64 {
			u.VMOVAPS(even, e)
			u.VPERMI2PS(b, a, e)
			u.VMOVAPS(odd, o)
			u.VPERMI2PS(b, a, o)
		} else {
			u.VSHUFPS(Imm(0x88), b, a, e)
			u.VPERMPD(Imm(0xd8), e, e)
			u.VSHUFPS(Imm(0xdd), b, a, o)
			u.VPERMPD(Imm(0xd8), o, o)
		}
		v = append(v, e, o)
	}
	u.MOVQ(dst, at)
	u.gradPlaces(s, v, at, step)
	u.ADDQ(field(args, winoSrcChannel), src)
	u.ADDQ(field(args, winoDstChannel), dst)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}
