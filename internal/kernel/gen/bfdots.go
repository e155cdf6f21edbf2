package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of bfTileArgs, in order.
const (
	bfTileA = iota
	bfTileOff
	bfTileFull
	bfTileTails
	bfTilePairs
	bfTileB
	bfTileBRow
	bfTileBCol
	bfTileC
	bfTileLdc
	bfTileBias
	bfTileRes
	bfTileMask
	bfTileFloor
)

// bfTileRows is the largest number of rows of an AVX512_BF16 tile, which is two vectors wide.
const bfTileRows = 12

// bfTile writes C[m][2 vectors] = max(floor, bias + residual + sum over blocks and their pairs of A[pair][m] ·
// B[pair][2 vectors]).
func bfTile(u unit, m int) {
	u.text(fmt.Sprintf("bfTile_%d", m), "bfTileArgs", fmt.Sprintf("computes %d rows of two vectors in bfloat16.", m))
	var (
		args, a, off, left, pairs, b, bRow, bCol, base = reg.RDI, reg.RSI, reg.R8, reg.RCX, reg.RDX, reg.R11, reg.R9,
			reg.R10, reg.RBX
		acc = func(i, j int) int { return 2*i + j }
	)
	load := func(i int, r reg.Register) { u.MOVQ(field(args, i), r) }
	u.Load(u.Param("args"), args)
	load(bfTileA, a)
	load(bfTileOff, off)
	load(bfTileB, base)
	load(bfTileBRow, bRow)
	load(bfTileBCol, bCol)
	for i := range 2 * m {
		u.VPXORD(zmm[i], zmm[i], zmm[i])
	}
	loop := func(name, next string, count, inBlock int) {
		load(count, left)
		u.TESTQ(left, left)
		u.JZ(LabelRef(next))
		u.Label(name)
		u.MOVLQSX(Mem{Base: off}, b)
		u.ADDQ(base, b)
		u.ADDQ(Imm(4), off)
		if inBlock < 0 {
			u.MOVQ(U32(16), pairs)
		} else {
			load(inBlock, pairs)
		}
		u.Label(name + "Pair")
		u.VMOVDQU32(Mem{Base: b}, reg.Z24)
		u.VMOVDQU32(Mem{Base: b, Index: bCol, Scale: 1}, reg.Z25)
		for i := range m {
			w := 26 + i%6
			u.VPBROADCASTD(Mem{Base: a, Disp: 4 * i}, zmm[w])
			u.encoded(dotPairs(acc(i, 0), 24, w))
			u.encoded(dotPairs(acc(i, 1), 25, w))
		}
		u.ADDQ(Imm(uint64(4*m)), a)
		u.ADDQ(bRow, b)
		u.DECQ(pairs)
		u.JNZ(LabelRef(name + "Pair"))
		u.DECQ(left)
		u.JNZ(LabelRef(name))
		u.Label(next)
	}
	loop("whole", "cut", bfTileFull, -1)
	loop("tail", "finish", bfTileTails, bfTilePairs)
	c, ldc, bias, res := reg.R8, reg.RAX, reg.RSI, reg.RDX
	load(bfTileC, c)
	load(bfTileLdc, ldc)
	load(bfTileBias, bias)
	load(bfTileRes, res)
	load(bfTileMask, reg.RCX)
	u.KMOVW(reg.ECX, reg.K1)
	u.SHRL(Imm(16), reg.ECX)
	u.KMOVW(reg.ECX, reg.K2)
	masks := []reg.Register{reg.K1, reg.K2}
	u.VBROADCASTSS(field(args, bfTileFloor), reg.Z31)
	for i := range m {
		u.VBROADCASTSS(Mem{Base: bias, Disp: 4 * i}, reg.Z30)
		for j := range 2 {
			u.VADDPS(zmm[acc(i, j)], reg.Z30, zmm[acc(i, j)])
		}
	}
	u.TESTQ(res, res)
	u.JZ(LabelRef("write"))
	for i := range m {
		for j := range 2 {
			u.VMOVUPS_Z(Mem{Base: res, Disp: 64 * j}, masks[j], reg.Z29)
			u.VADDPS(reg.Z29, zmm[acc(i, j)], zmm[acc(i, j)])
		}
		u.ADDQ(ldc, res)
	}
	u.Label("write")
	for i := range m {
		for j := range 2 {
			u.VMAXPS(zmm[acc(i, j)], reg.Z31, zmm[acc(i, j)])
			u.VMOVUPS(zmm[acc(i, j)], masks[j], Mem{Base: c, Disp: 64 * j})
		}
		u.ADDQ(ldc, c)
	}
	u.VZEROUPPER()
	u.RET()
}
