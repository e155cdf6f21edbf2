package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels of float64 and of int16 are written for AVX2 only and serve AVX-512, too.

// Fields of panelTileArgs, in order.
const (
	ptA = iota
	ptB
	ptK
	ptC
	ptLdc
	ptFlags
)

// panelTiles writes the tiles, of one to six rows and two vectors, that multiply two packed panels. add writes the code
// that adds to the sum acc the product of w, a broadcast word of the left panel, and b, a vector of the right panel.
func panelTiles(u unit, name, doc string, left int, broadcast func(Mem, reg.VecVirtual),
	add func(t, w, b, acc reg.VecVirtual)) {
	for m := 1; m <= panelRows; m++ {
		panelTile(u, fmt.Sprintf("%s%d", name, m), fmt.Sprintf(doc, m), m, left, broadcast, add)
	}
}

// panelRows is the largest number of rows of a tile: twelve sums, two vectors of the right panel, a word and a product
// fill the registers.
const panelRows = 6

func panelTile(u unit, name, doc string, m, left int, broadcast func(Mem, reg.VecVirtual),
	add func(t, w, b, acc reg.VecVirtual)) {
	u.text(name, "panelTileArgs", doc)
	args := u.args()
	a, b, k := u.load64(args, ptA), u.load64(args, ptB), u.load64(args, ptK)
	c, ldc, flags := u.load64(args, ptC), u.load64(args, ptLdc), u.load64(args, ptFlags)
	acc := make([][]reg.VecVirtual, m)
	for i := range acc {
		acc[i] = avx2.vecs(u, 2)
	}
	row := u.GP64()
	each := func(f func(v reg.VecVirtual, at Mem)) {
		u.MOVQ(c, row)
		for i := range acc {
			for j, v := range acc[i] {
				f(v, Mem{Base: row, Disp: 32 * j})
			}
			if i < m-1 {
				u.ADDQ(ldc, row)
			}
		}
	}
	u.TESTQ(U32(1), flags)
	u.JNZ(LabelRef("resume"))
	for i := range acc {
		for _, v := range acc[i] {
			avx2.zero(u, v)
		}
	}
	u.JMP(LabelRef("loop"))
	u.Label("resume")
	each(func(v reg.VecVirtual, at Mem) { u.VMOVUPS(at, v) })
	u.Label("loop")
	step := func(at int) {
		bv := avx2.vecs(u, 2)
		for v := range bv {
			u.VMOVUPS(Mem{Base: b, Disp: 64*at + 32*v}, bv[v])
		}
		for i := range acc {
			w := avx2.vec(u)
			broadcast(Mem{Base: a, Disp: left * (m*at + i)}, w)
			for v := range bv {
				t := avx2.vec(u)
				add(t, w, bv[v], acc[i][v])
			}
		}
	}
	u.SUBQ(Imm(2), k)
	u.JL(LabelRef("last"))
	u.Label("pair")
	step(0)
	step(1)
	u.ADDQ(Imm(uint64(2*m*left)), a)
	u.ADDQ(U32(128), b)
	u.SUBQ(Imm(2), k)
	u.JGE(LabelRef("pair"))
	u.Label("last")
	u.TESTQ(U32(1), k)
	u.JZ(LabelRef("store"))
	step(0)
	u.Label("store")
	each(func(v reg.VecVirtual, at Mem) { u.VMOVUPS(v, at) })
	u.VZEROUPPER()
	u.RET()
}

// doubles writes the kernels of float64. They round the product before they add it, as portable Go does.
func doubles(u unit) {
	panelTiles(u, "doubleAVX2_", "adds the products of %d rows and eight columns of float64.", 8,
		func(m Mem, v reg.VecVirtual) { u.VBROADCASTSD(m, v) },
		func(t, w, b, acc reg.VecVirtual) {
			u.VMULPD(b, w, t)
			u.VADDPD(t, acc, acc)
		})
	rotate(u)
}

// Fields of rotateArgs, in order.
const (
	rotRows = iota
	rotTurns
	rotN
	rotStep
)

// rotate writes a sweep of plane rotations over rows of sixteen columns: the first row is rotated with the row one step
// further, the result with the row after that, and so on.
func rotate(u unit) {
	u.text("rotateAVX2", "rotateArgs", "turns rows of sixteen columns in one sweep.")
	args := u.args()
	rows, turns, n := u.load64(args, rotRows), u.load64(args, rotTurns), u.load64(args, rotN)
	step := u.load64(args, rotStep)
	x := avx2.vecs(u, 4)
	for i, v := range x {
		u.VMOVUPS(Mem{Base: rows, Disp: 32 * i}, v)
	}
	u.Label("next")
	c, s := avx2.vec(u), avx2.vec(u)
	u.VBROADCASTSD(Mem{Base: turns}, c)
	u.VBROADCASTSD(Mem{Base: turns, Disp: 8}, s)
	for i, v := range x {
		y, p, q := avx2.vec(u), avx2.vec(u), avx2.vec(u)
		u.VMOVUPS(Mem{Base: rows, Index: step, Scale: 1, Disp: 32 * i}, y)
		u.VMULPD(v, c, p)
		u.VMULPD(y, s, q)
		u.VADDPD(q, p, p)
		u.VMOVUPS(p, Mem{Base: rows, Disp: 32 * i})
		u.VMULPD(y, c, y)
		u.VMULPD(v, s, q)
		u.VSUBPD(q, y, v)
	}
	u.ADDQ(step, rows)
	u.ADDQ(Imm(16), turns)
	u.DECQ(n)
	u.JNZ(LabelRef("next"))
	for i, v := range x {
		u.VMOVUPS(v, Mem{Base: rows, Disp: 32 * i})
	}
	u.VZEROUPPER()
	u.RET()
}
