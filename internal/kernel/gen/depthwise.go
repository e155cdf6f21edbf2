package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of depthArgs, in order.
const (
	depthDst = iota
	depthDstRow
	depthDstChannel
	depthSrc
	depthSrcRow
	depthSrcChannel
	depthTap1
	depthTap2
	depthWeights
	depthBias
	depthFloor
	depthRows
	depthCols
	depthChannels
	depthTable
	depthAt // spilled: destination of the current rows
)

// depthwise writes the 3x3 depthwise convolution over padded planes: several output rows at a time, so that a loaded
// vector serves up to three of them. With stride two the source's even and odd columns lie apart and step is 2.
func depthwise(u unit, s isa, step int) {
	block := 4 / step // output rows at a time
	u.text(fmt.Sprintf("depth%s_s%d", s.name, step), "depthArgs", fmt.Sprintf("convolves each channel with its own 3x3 kernel, row stride %d.", step))
	args := u.args()
	w := s.vecs(u, 9)
	bias, floor := s.vec(u), s.vec(u)
	if s.bytes == 64 {
		u.VBROADCASTSS(field(args, depthFloor), floor)
	}
	tail := u.GP64()
	u.MOVQ(field(args, depthCols), tail)
	u.ANDQ(Imm(uint64(s.bytes/4-1)), tail)
	var mask tailMask
	if s.bytes == 64 {
		mask = u.newTailMask(s, tail, nil)
	}
	u.Label("channel")
	p := u.GP64()
	u.MOVQ(field(args, depthWeights), p)
	for i, v := range w {
		u.VBROADCASTSS(Mem{Base: p, Disp: 4 * i}, v)
	}
	u.ADDQ(Imm(36), field(args, depthWeights))
	u.MOVQ(field(args, depthBias), p)
	if s.bytes == 64 {
		u.VBROADCASTSS(Mem{Base: p}, bias)
	}
	src, rows := u.GP64(), u.GP64()
	u.MOVQ(field(args, depthSrc), src)
	u.MOVQ(field(args, depthRows), rows)
	at := u.GP64()
	u.MOVQ(field(args, depthDst), at)
	u.MOVQ(at, field(args, depthAt))
	for _, n := range []int{block, 1} {
		again, done := fmt.Sprintf("rows%d", n), fmt.Sprintf("end%d", n)
		u.Label(again)
		u.CMPQ(rows, Imm(uint64(n)))
		u.JL(LabelRef(done))
		u.depthRows(s, args, w, bias, floor, src, mask, tail, n, step)
		pitch := u.load64(args, depthSrcRow)
		u.IMUL3Q(Imm(uint64(n*step)), pitch, pitch)
		u.ADDQ(pitch, src)
		ds := u.load64(args, depthDstRow)
		u.IMUL3Q(Imm(uint64(n)), ds, ds)
		u.ADDQ(ds, field(args, depthAt))
		u.SUBQ(Imm(uint64(n)), rows)
		u.JMP(LabelRef(again))
		u.Label(done)
	}
	for _, f := range [][2]int{{depthSrc, depthSrcChannel}, {depthDst, depthDstChannel}} {
		t := u.load64(args, f[1])
		u.ADDQ(t, field(args, f[0]))
	}
	u.ADDQ(Imm(4), field(args, depthBias))
	u.DECQ(field(args, depthChannels))
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// depthRows computes n output rows over all columns.
func (u unit) depthRows(s isa, args reg.Register, w []reg.VecVirtual, bias, floor reg.VecVirtual, src reg.Register, mask tailMask, tail reg.GPVirtual, n, step int) {
	inRows := (n-1)*step + 3
	pitch := u.load64(args, depthSrcRow)
	low, high := make([]reg.Register, 3), make([]reg.Register, 3) // of each tap's column: input rows 0 to 2, and 3 on
	for t := range low {
		r := u.GP64()
		u.MOVQ(src, r)
		if t > 0 {
			u.ADDQ(field(args, depthTap1+t-1), r)
		}
		low[t] = r
		if inRows > 3 {
			h := u.GP64()
			u.LEAQ(Mem{Base: r, Index: pitch, Scale: 2}, h)
			u.ADDQ(pitch, h)
			high[t] = h
		}
	}
	dst := u.load64(args, depthAt)
	cols := u.load64(args, depthCols)
	whole, rest, end := fmt.Sprintf("whole%d", n), fmt.Sprintf("rest%d", n), fmt.Sprintf("rowsDone%d", n)
	compute := func(store func(v reg.VecVirtual, at Mem)) {
		acc := s.vecs(u, n)
		for q := range inRows {
			for t := range 3 {
				x := s.vec(u)
				m := Mem{Base: low[t]}
				if q >= 3 {
					m.Base = high[t]
				}
				if k := q % 3; k > 0 {
					m.Index, m.Scale = pitch, uint8(k)
				}
				u.VMOVUPS(m, x)
				for i := range acc {
					kh := q - i*step
					switch {
					case kh < 0 || kh > 2:
					case kh == 0 && t == 0:
						u.VMULPS(x, w[0], acc[i])
					default:
						u.VFMADD231PS(x, w[kh*3+t], acc[i])
					}
				}
			}
		}
		if s.bytes == 32 { // too few registers to keep them
			bias, floor = s.vec(u), s.vec(u)
			p := u.load64(args, depthBias)
			u.VBROADCASTSS(Mem{Base: p}, bias)
			for i := range acc {
				u.VADDPS(bias, acc[i], acc[i])
			}
			u.VBROADCASTSS(field(args, depthFloor), floor)
		} else {
			for i := range acc {
				u.VADDPS(bias, acc[i], acc[i])
			}
		}
		row := u.GP64()
		u.MOVQ(dst, row)
		for i := range acc {
			u.VMAXPS(acc[i], floor, acc[i])
			store(acc[i], Mem{Base: row})
			if i < n-1 {
				u.ADDQ(field(args, depthDstRow), row)
			}
		}
	}
	u.SUBQ(Imm(uint64(s.bytes/4)), cols)
	u.JL(LabelRef(rest))
	u.Label(whole)
	compute(func(v reg.VecVirtual, at Mem) { u.VMOVUPS(v, at) })
	for t := range low {
		u.ADDQ(Imm(uint64(s.bytes)), low[t])
		if high[t] != nil {
			u.ADDQ(Imm(uint64(s.bytes)), high[t])
		}
	}
	u.ADDQ(Imm(uint64(s.bytes)), dst)
	u.SUBQ(Imm(uint64(s.bytes/4)), cols)
	u.JGE(LabelRef(whole))
	u.Label(rest)
	u.TESTQ(tail, tail)
	u.JZ(LabelRef(end))
	compute(func(v reg.VecVirtual, at Mem) {
		if s.bytes == 64 {
			u.VMOVUPS(v, mask.r, at)
			return
		}
		m, p, o := u.YMM(), u.load64(args, depthTable), u.GP64()
		u.MOVQ(tail, o)
		u.NEGQ(o)
		u.VMOVUPS(Mem{Base: p, Index: o, Scale: 4, Disp: 64}, m)
		u.VMASKMOVPS(v, m, at)
	})
	u.Label(end)
}
