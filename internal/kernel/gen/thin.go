package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of thinArgs, in order.
const (
	thinA = iota
	thinTile
	thinRows
	thinOff
	thinK
	thinB
	thinC
	thinLdc
	thinBias
	thinRes
	thinFlags
	thinCeil
	thinMask
	thinNumbers
)

// thinTiles and thinColumns are the shapes of thin tiles: the numbers of row tiles, and the most columns.
var thinTiles = []int{4, 2, 1}

const thinColumns = 4

// thin writes the columns that are left over behind whole vectors of columns, for several row tiles of as many rows
// each. Vectors hold the rows of a tile, and the lanes of one are rows in C. Each output is the same sum of the same
// terms as in tile.
func thin(u unit, tiles, cols int) {
	name := fmt.Sprintf("thin_%dx%d", tiles, cols)
	u.text(name, "thinArgs", fmt.Sprintf("computes %d columns of %d row tiles.", cols, tiles))
	args := u.args()
	rows := u.K()
	lanes := u.GP32()
	u.MOVL(field(args, thinMask), lanes)
	u.KMOVW(lanes, rows)
	acc := make([][]reg.VecVirtual, tiles)
	for t := range acc {
		acc[t] = avx512.vecs(u, cols)
		for _, v := range acc[t] {
			avx512.zero(u, v)
		}
	}
	at := u.thinLanes(args) // bytes of each lane in C

	// each visits the elements of a matrix that lies as C does.
	each := func(base reg.Register, f func(v reg.VecVirtual, at Mem, mask reg.Register)) {
		step := u.load64(args, thinRows)
		u.IMULQ(field(args, thinLdc), step)
		for t := range acc {
			for c, v := range acc[t] {
				mask := u.K() // gathering and scattering clear it
				u.KMOVW(rows, mask)
				f(v, Mem{Base: base, Index: at, Scale: 1, Disp: 4 * c}, mask)
			}
			if t < tiles-1 {
				u.ADDQ(step, base)
			}
		}
	}

	flags := u.load64(args, thinFlags)
	u.TESTQ(U32(1), flags)
	u.JZ(LabelRef("terms"))
	each(u.load64(args, thinC), func(v reg.VecVirtual, at Mem, mask reg.Register) { u.VGATHERDPS(at, mask, v) })
	u.Label("terms")
	u.thinLoop(args, rows, acc)

	bias := u.load64(args, thinBias)
	u.TESTQ(bias, bias)
	u.JZ(LabelRef("residual"))
	step := u.load64(args, thinRows)
	for t := range acc {
		x := u.ZMM()
		u.VMOVUPS_Z(Mem{Base: bias}, rows, x)
		for _, v := range acc[t] {
			u.VADDPS(x, v, v)
		}
		if t < tiles-1 {
			u.LEAQ(Mem{Base: bias, Index: step, Scale: 4}, bias)
		}
	}
	u.Label("residual")
	res := u.load64(args, thinRes)
	u.TESTQ(res, res)
	u.JZ(LabelRef("relu"))
	x := u.ZMM()
	each(res, func(v reg.VecVirtual, at Mem, mask reg.Register) {
		avx512.zero(u, x)
		u.VGATHERDPS(at, mask, x)
		u.VADDPS(x, v, v)
	})
	u.Label("relu")
	flags = u.load64(args, thinFlags)
	u.TESTQ(U32(2), flags)
	u.JZ(LabelRef("store"))
	bound := u.ZMM()
	avx512.zero(u, bound)
	for t := range acc {
		for _, v := range acc[t] {
			u.VMAXPS(v, bound, v) // in this operand order NaN stays NaN
		}
	}
	u.TESTQ(U32(4), flags)
	u.JZ(LabelRef("store"))
	u.VBROADCASTSS(field(args, thinCeil), bound)
	for t := range acc {
		for _, v := range acc[t] {
			u.VMINPS(v, bound, v)
		}
	}
	u.Label("store")
	each(u.load64(args, thinC), func(v reg.VecVirtual, at Mem, mask reg.Register) { u.VSCATTERDPS(v, mask, at) })
	u.VZEROUPPER()
	u.RET()
}

// thinLanes returns the bytes from the first row of a tile to each of its rows in C.
func (u unit) thinLanes(args reg.Register) reg.VecVirtual {
	at, ldc := u.ZMM(), u.ZMM()
	u.VMOVDQU32(Mem{Base: u.load64(args, thinNumbers)}, at)
	u.VPBROADCASTD(field(args, thinLdc), ldc)
	u.VPMULLD(ldc, at, at)
	return at
}

// thinLoop adds the terms, in order, to each output.
func (u unit) thinLoop(args, rows reg.Register, acc [][]reg.VecVirtual) {
	tiles, cols := len(acc), len(acc[0])
	a, off, k, b := u.load64(args, thinA), u.load64(args, thinOff), u.load64(args, thinK), u.load64(args, thinB)
	step := u.load64(args, thinRows)
	u.SHLQ(Imm(2), step)
	starts := []reg.Register{a}
	if tiles > 1 {
		apart := u.load64(args, thinTile)
		for t := 1; t < tiles; t++ {
			next := u.GP64()
			u.LEAQ(Mem{Base: starts[t-1], Index: apart, Scale: 1}, next)
			starts = append(starts, next)
		}
	}
	u.Label("term")
	o := u.GP64()
	u.MOVLQSX(Mem{Base: off}, o)
	u.ADDQ(b, o)
	w := avx512.vecs(u, tiles)
	for t := range w {
		u.VMOVUPS_Z(Mem{Base: starts[t]}, rows, w[t])
	}
	for c := range cols {
		x := u.ZMM()
		u.VBROADCASTSS(Mem{Base: o, Disp: 4 * c}, x)
		for t := range w {
			u.VFMADD231PS(x, w[t], acc[t][c])
		}
	}
	u.ADDQ(Imm(4), off)
	for _, s := range starts {
		u.ADDQ(step, s)
	}
	u.DECQ(k)
	u.JNZ(LabelRef("term"))
}
