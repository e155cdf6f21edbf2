package main

import (
	"fmt"
	"math/bits"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of depthTapsArgs, in order.
const (
	tapsDst = iota
	tapsDstRow
	tapsDstChannel
	tapsSrc
	tapsSrcRow
	tapsSrcChannel
	tapsWeights
	tapsBias
	tapsLimits // floor and ceil
	tapsRows
	tapsVectors
	tapsChannels
	tapsOffsets
	tapsCount
	// The kernel's own, see depthLeft.
	tapsLeft
	tapsDstNow
	tapsSrcNow
	tapsWeightsNow
	tapsBiasNow
)

// depthTapsOf lists, for each kernel, the numbers of weights in the first and in the second kind of columns (see
// depthTaps): 5x5 and 7x7 with stride one, then both with stride two.
var depthTapsOf = [][2]int{{5, 0}, {7, 0}, {3, 2}, {4, 3}}

// depthTaps writes the depthwise convolution of an input that is copied with the zeros of its padding. With stride two
// the copy separates even and odd rows and columns, which makes it a convolution of stride one: every column of weights
// reads rows from some offset on. With stride two there are two kinds of columns: those for even rows, of first weights
// each, and behind them those for odd rows, of second weights each. With stride one there are only the former, and
// second is 0.
func depthTaps(u unit, s isa, first, second int) {
	u.text(fmt.Sprintf("depthTaps%s_%d_%d", s.name, first, second), "depthTapsArgs",
		fmt.Sprintf("convolves each channel with columns of %d weights, then with columns of %d.", first, second))
	args := u.args()
	for _, f := range [][2]int{{tapsDst, tapsDstNow}, {tapsSrc, tapsSrcNow}, {tapsWeights, tapsWeightsNow},
		{tapsBias, tapsBiasNow}} {
		u.MOVQ(u.load64(args, f[0]), field(args, f[1]))
	}
	pitch, pitchOut := u.load64(args, tapsSrcRow), u.load64(args, tapsDstRow)
	u.Label("channel")
	left := u.load64(args, tapsVectors)
	u.Label("vector") // the last vector comes first, because it is written beyond the end of its row
	u.MOVQ(left, field(args, tapsLeft))
	row, at := u.GP64(), u.GP64()
	u.DECQ(left)
	u.SHLQ(Imm(uint64(bits.Len(uint(s.bytes)))-1), left)
	u.MOVQ(left, row)
	u.MOVQ(left, at)
	u.ADDQ(field(args, tapsSrcNow), row)
	u.ADDQ(field(args, tapsDstNow), at)
	rows := u.load64(args, tapsRows)
	weights, off, count, far := u.GP64(), u.GP64(), u.GP64(), u.GP64()
	for _, n := range []int{7, 4, 2, 1} {
		again, done := fmt.Sprintf("rows%d", n), fmt.Sprintf("end%d", n)
		u.Label(again)
		u.CMPQ(rows, Imm(uint64(n)))
		u.JL(LabelRef(done))
		acc := s.vecs(u, n)
		for _, v := range acc {
			s.zero(u, v)
		}
		u.MOVQ(field(args, tapsWeightsNow), weights)
		u.MOVQ(field(args, tapsOffsets), off)
		for part, taps := range []int{first, second} {
			if taps == 0 {
				continue
			}
			// Two rows at a time, one from each half of the block, because these add to different outputs.
			all := n + taps - 1
			half := (all + 1) / 2
			u.IMUL3Q(U32(uint32(half)), pitch, far)
			u.MOVQ(field(args, tapsCount), count)
			column := fmt.Sprintf("column%dof%d", part, n)
			u.Label(column)
			p, q := u.GP64(), u.GP64()
			u.MOVQ(Mem{Base: off}, p)
			u.ADDQ(row, p)
			w := s.vecs(u, taps)
			for i := range w {
				u.VBROADCASTSS(Mem{Base: weights, Disp: 4 * i}, w[i])
			}
			u.LEAQ(Mem{Base: p, Index: far, Scale: 1}, q)
			for i := range half {
				for _, r := range []struct {
					from reg.Register
					y    int
				}{{p, i}, {q, half + i}} {
					if r.y >= all {
						continue
					}
					x := s.vec(u)
					u.VMOVUPS(Mem{Base: r.from}, x)
					for o := range acc {
						if kh := r.y - o; kh >= 0 && kh < taps {
							u.VFMADD231PS(x, w[kh], acc[o])
						}
					}
				}
				if i+1 < half {
					u.ADDQ(pitch, p)
					u.ADDQ(pitch, q)
				}
			}
			u.ADDQ(Imm(uint64(4*taps)), weights)
			u.ADDQ(Imm(8), off)
			u.DECQ(count)
			u.JNZ(LabelRef(column))
		}
		t, b := s.vec(u), u.load64(args, tapsBiasNow)
		u.VBROADCASTSS(Mem{Base: b}, t)
		for _, v := range acc {
			u.VADDPS(t, v, v)
		}
		u.VBROADCASTSS(field(args, tapsLimits), t)
		for _, v := range acc {
			u.VMAXPS(v, t, v) // in this operand order NaN stays NaN
		}
		u.VBROADCASTSS(Mem{Base: args, Disp: 8*tapsLimits + 4}, t)
		for _, v := range acc {
			u.VMINPS(v, t, v)
			u.VMOVUPS(v, Mem{Base: at})
			u.ADDQ(pitchOut, at)
			u.ADDQ(pitch, row)
		}
		u.SUBQ(Imm(uint64(n)), rows)
		u.JNZ(LabelRef(again))
		u.Label(done)
	}
	u.MOVQ(field(args, tapsLeft), left)
	u.DECQ(left)
	u.JNZ(LabelRef("vector"))
	for _, f := range [][2]int{{tapsSrcNow, tapsSrcChannel}, {tapsDstNow, tapsDstChannel}} {
		t := u.load64(args, f[1])
		u.ADDQ(t, field(args, f[0]))
	}
	size := first * first
	if second > 0 {
		size = (first + second) * (first + second)
	}
	u.ADDQ(U32(uint32(4*size)), field(args, tapsWeightsNow))
	u.ADDQ(Imm(4), field(args, tapsBiasNow))
	u.DECQ(field(args, tapsChannels))
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}
