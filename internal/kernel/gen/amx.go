package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of amxArgs, in order.
const (
	amxConfig = iota
	amxA
	amxATile
	amxAStep
	amxOff
	amxFull
	amxTails
	amxB
	amxBRow
	amxBCol
	amxGroups
	amxC
	amxLdc
	amxBias
	amxRes
	amxCols
	amxRows
	amxHigh
	amxBuf
	amxFloor
	amxStarted
	amxTable
)

// amxShapes lists the numbers of row tiles and column tiles whose products an AMX kernel sums at once. Four tiles hold
// sums; two pairs of tiles hold full and partial blocks of both operands.
var amxShapes = [][2]int{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 1}, {2, 2}, {3, 1}, {4, 1}}

// Numbers of the tiles behind those of sums.
const (
	tmmA, tmmB         = 4, 5
	tmmTailA, tmmTailB = 6, 7
)

// amx writes C[m tiles of rows][n tiles of 16 columns] = max(floor, bias + residual + sum of A[block] · B[block]) for
// one group of columns after another. With a table, which joins channels to pairs, it writes pairs of rows rounded to
// bfloat16 instead, without a residual; the numbers of rows are even then. The kernel loads the configuration of the
// tiles at its start and releases them at its end.
func amx(u unit, m, n int) {
	u.text(fmt.Sprintf("amx_%dx%d", m, n), "amxArgs",
		fmt.Sprintf("computes groups of %d tiles of rows and %d of columns.", m, n))
	var (
		args, a, at, left, off, b              = reg.RDI, reg.RSI, reg.R11, reg.RCX, reg.R8, reg.RDX
		aRow, bRow, bCol, aTile, buf, base, c0 = reg.RAX, reg.R9, reg.R10, reg.R12, reg.R13, reg.RBX, reg.R11
	)
	load := func(i int, r reg.Register) { u.MOVQ(field(args, i), r) }
	u.Load(u.Param("args"), args)
	load(amxConfig, reg.RAX)
	u.encoded(tileConfig(reg.RAX))
	load(amxBuf, buf)

	// The sums of a group are written while the tiles compute those of the next group, on a port of their own.
	u.Label("group")
	u.CMPQ(field(args, amxGroups), U8(0))
	u.JE(LabelRef("store"))
	load(amxA, a)
	load(amxATile, aTile)
	load(amxOff, off)
	load(amxB, base)
	load(amxBRow, bRow)
	load(amxBCol, bCol)
	for i := range m * n {
		u.encoded(tileZero(i))
	}
	block := func(ta, tb int) {
		u.MOVLQSX(Mem{Base: off}, b)
		u.ADDQ(base, b)
		u.ADDQ(Imm(4), off)
		if m == 1 {
			u.encoded(tileLoad(ta, a, aRow, 0))
		}
		for j := range n {
			u.encoded(tileLoad(tb, b, bRow, 0))
			if j < n-1 {
				u.ADDQ(bCol, b)
			}
			for i := range m {
				if m > 1 {
					from := reg.Register(at)
					if i == 0 {
						from = a
					} else if i == 1 {
						u.LEAQ(Mem{Base: a, Index: aTile, Scale: 1}, at)
					} else {
						u.ADDQ(aTile, at)
					}
					u.encoded(tileLoad(ta, from, aRow, 0))
				}
				u.encoded(tileDot(i*n+j, ta, tb))
			}
		}
	}
	loop := func(name, next string, count, ta, tb int) {
		load(count, left)
		u.TESTQ(left, left)
		u.JZ(LabelRef(next))
		u.Label(name)
		block(ta, tb)
		u.ADDQ(field(args, amxAStep), a)
		u.DECQ(left)
		u.JNZ(LabelRef(name))
		u.Label(next)
	}
	u.MOVQ(U32(64), aRow)
	loop("whole", "cut", amxFull, tmmA, tmmB)
	loop("tail", "store", amxTails, tmmTailA, tmmTailB)
	u.CMPQ(field(args, amxStarted), U8(0))
	u.JE(LabelRef("keep"))

	u.Comment("masks of the columns")
	cols := reg.RDX
	load(amxCols, cols)
	sixteen, zero := reg.R8, reg.R9
	u.MOVQ(U32(16), sixteen)
	u.XORQ(zero, zero)
	masks := []reg.Register{reg.K1, reg.K2, reg.K3, reg.K4}[:n]
	for j := range n {
		u.MOVQ(cols, reg.RCX)
		if j > 0 {
			u.SUBQ(Imm(uint64(16*j)), reg.RCX)
		}
		u.CMPQ(reg.RCX, sixteen)
		u.CMOVQGT(sixteen, reg.RCX)
		u.TESTQ(reg.RCX, reg.RCX)
		u.CMOVQLT(zero, reg.RCX)
		u.MOVL(U32(0xffff), reg.EBX)
		u.BZHIL(reg.ECX, reg.EBX, reg.EBX)
		u.KMOVW(reg.EBX, masks[j])
	}
	u.SUBQ(Imm(uint64(16*n)), cols)
	u.MOVQ(cols, field(args, amxCols))

	bias, res, rows, count, from, ldc := reg.RSI, reg.RDX, reg.R10, reg.RCX, reg.R12, reg.RAX
	load(amxC, c0)
	load(amxLdc, ldc)
	load(amxBias, bias)
	load(amxRes, res)
	load(amxRows, rows)
	u.VBROADCASTSS(field(args, amxFloor), reg.Z31)
	table := reg.R8
	load(amxTable, table)
	u.TESTQ(table, table)
	u.JZ(LabelRef("singles"))
	u.VMOVDQU32(Mem{Base: table}, reg.Z16)
	u.Label("singles")
	for i := range m {
		next := fmt.Sprintf("rows%d", i+1)
		u.Label(fmt.Sprintf("rows%d", i))
		load(amxHigh, count)
		u.CMPQ(rows, count)
		u.CMOVQLT(rows, count)
		u.SUBQ(count, rows)
		u.TESTQ(count, count)
		u.JZ(LabelRef(next))
		u.LEAQ(Mem{Base: buf, Disp: 1024 * i * n}, from)
		each := func(label string, residual bool) {
			u.Label(label)
			u.VBROADCASTSS(Mem{Base: bias}, reg.Z30)
			for j := range n {
				v := zmm[j]
				u.VADDPS(Mem{Base: from, Disp: 1024 * j}, reg.Z30, v)
				if residual {
					u.VMOVUPS_Z(Mem{Base: res, Disp: 64 * j}, masks[j], zmm[4+j])
					u.VADDPS(zmm[4+j], v, v)
				}
				u.VMAXPS(v, reg.Z31, v)
				u.VMOVUPS(v, masks[j], Mem{Base: c0, Disp: 64 * j})
			}
			u.ADDQ(Imm(4), bias)
			u.ADDQ(Imm(64), from)
			u.ADDQ(ldc, c0)
			if residual {
				u.ADDQ(ldc, res)
			}
			u.DECQ(count)
			u.JNZ(LabelRef(label))
		}
		u.TESTQ(table, table)
		u.JNZ(LabelRef(fmt.Sprintf("pairs%d", i)))
		u.TESTQ(res, res)
		u.JNZ(LabelRef(fmt.Sprintf("residual%d", i)))
		each(fmt.Sprintf("plain%d", i), false)
		u.JMP(LabelRef(next))
		each(fmt.Sprintf("residual%d", i), true)
		u.JMP(LabelRef(next))
		u.Label(fmt.Sprintf("pairs%d", i))
		u.VBROADCASTSS(Mem{Base: bias}, reg.Z30)
		u.VBROADCASTSS(Mem{Base: bias, Disp: 4}, reg.Z29)
		for j := range n {
			low, high := zmm[j], zmm[4+j]
			u.VADDPS(Mem{Base: from, Disp: 1024 * j}, reg.Z30, low)
			u.VADDPS(Mem{Base: from, Disp: 1024*j + 64}, reg.Z29, high)
			u.VMAXPS(low, reg.Z31, low)
			u.VMAXPS(high, reg.Z31, high)
			u.encoded(roundPairs(j, 4+j, j))
			u.VPERMW(low, reg.Z16, low)
			u.VMOVDQU32(low, masks[j], Mem{Base: c0, Disp: 64 * j})
		}
		u.ADDQ(Imm(8), bias)
		u.ADDQ(U32(128), from)
		u.ADDQ(ldc, c0)
		u.SUBQ(Imm(2), count)
		u.JNZ(LabelRef(fmt.Sprintf("pairs%d", i)))
	}
	u.Label(fmt.Sprintf("rows%d", m))
	u.ADDQ(U32(uint32(64*n)), field(args, amxC))
	u.CMPQ(field(args, amxRes), U8(0))
	u.JE(LabelRef("advance"))
	u.ADDQ(U32(uint32(64*n)), field(args, amxRes))
	u.Label("advance")
	u.CMPQ(field(args, amxGroups), U8(0))
	u.JE(LabelRef("done"))
	u.Label("keep")
	u.MOVQ(U32(64), aRow)
	for i := range m * n {
		u.encoded(tileStore(i, buf, aRow, int32(1024*i)))
	}
	u.MOVQ(U32(1), reg.RCX)
	u.MOVQ(reg.RCX, field(args, amxStarted))
	load(amxBCol, bCol)
	for range n {
		u.ADDQ(bCol, field(args, amxB))
	}
	u.DECQ(field(args, amxGroups))
	u.JMP(LabelRef("group"))
	u.Label("done")
	u.encoded(tileRelease())
	u.VZEROUPPER()
	u.RET()
}

// Fields of amxBlockArgs, in order.
const (
	amxBlockConfig = iota
	amxBlockC
	amxBlockA
	amxBlockB
)

// amxBlock computes one product of tiles, for tests of the instruction: C[16][16] += A[16][16 pairs] · B[16 pairs][16].
// All rows have 64 bytes.
func amxBlock(u unit) {
	u.text("amxBlock", "amxBlockArgs", "adds one product of tiles.")
	u.Load(u.Param("args"), reg.RDI)
	u.MOVQ(field(reg.RDI, amxBlockConfig), reg.RAX)
	u.encoded(tileConfig(reg.RAX))
	u.MOVQ(U32(64), reg.RAX)
	u.MOVQ(field(reg.RDI, amxBlockC), reg.RBX)
	u.encoded(tileLoad(0, reg.RBX, reg.RAX, 0))
	u.MOVQ(field(reg.RDI, amxBlockA), reg.RCX)
	u.encoded(tileLoad(tmmA, reg.RCX, reg.RAX, 0))
	u.MOVQ(field(reg.RDI, amxBlockB), reg.RDX)
	u.encoded(tileLoad(tmmB, reg.RDX, reg.RAX, 0))
	u.encoded(tileDot(0, tmmA, tmmB))
	u.encoded(tileStore(0, reg.RBX, reg.RAX, 0))
	u.encoded(tileRelease())
	u.RET()
}
