package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The vectors in the table of the F(4x4, 3x3) kernels. Each holds one constant in all lanes, except for the
// permutation.
const (
	fourA = iota // the smaller point of the transform
	fourB        // the larger point
	fourAA
	fourBB
	fourAAA
	fourBBB
	fourProduct // product of the squares of both points
	fourSum     // sum of the squares of both points
	fourLeft    // permutation: every lane takes its right neighbour
)

// fourConsts loads constants of the table.
func (u unit) fourConsts(table reg.Register, which ...int) map[int]reg.VecVirtual {
	m := map[int]reg.VecVirtual{}
	for _, i := range which {
		m[i] = u.YMM()
		u.VMOVUPS(Mem{Base: table, Disp: 32 * i}, m[i])
	}
	return m
}

// sixPlaces returns six places in memory, step bytes apart. It uses the register after.
func (u unit) sixPlaces(base, step, after reg.Register) (at [6]Mem) {
	u.LEAQ(Mem{Base: base, Index: step, Scale: 2}, after)
	u.ADDQ(step, after)
	for i := range at {
		b := base
		if i > 2 {
			b = after
		}
		switch i % 3 {
		case 0:
			at[i] = Mem{Base: b}
		default:
			at[i] = Mem{Base: b, Index: step, Scale: uint8(i % 3)}
		}
	}
	return at
}

// fourIn returns Bᵀ times a column, which it overwrites.
func (u unit) fourIn(c map[int]reg.VecVirtual, d [6]reg.VecVirtual) [6]reg.VecVirtual {
	near, odd := u.YMM(), u.YMM()
	u.VFMADD213PS(d[4], c[fourProduct], d[0])
	u.VFNMADD231PS(c[fourSum], d[2], d[0])
	u.VFMADD231PS(c[fourProduct], d[1], d[5])
	u.VFNMADD231PS(c[fourSum], d[3], d[5])
	u.VMOVAPS(d[4], near)
	u.VFNMADD231PS(c[fourBB], d[2], near)
	u.VFNMADD231PS(c[fourAA], d[2], d[4])
	u.VMOVAPS(d[3], odd)
	u.VFNMADD231PS(c[fourBB], d[1], odd)
	u.VFNMADD231PS(c[fourAA], d[1], d[3])
	u.VMOVAPS(near, d[1])
	u.VFMADD231PS(c[fourA], odd, d[1])
	u.VFNMADD231PS(c[fourA], odd, near)
	u.VMOVAPS(d[4], d[2])
	u.VFMADD231PS(c[fourB], d[3], d[2])
	u.VFNMADD231PS(c[fourB], d[3], d[4])
	return [6]reg.VecVirtual{d[0], d[1], near, d[2], d[4], d[5]}
}

// fourOut returns Aᵀ times a column, which it overwrites.
func (u unit) fourOut(c map[int]reg.VecVirtual, m [6]reg.VecVirtual) [4]reg.VecVirtual {
	near, far := u.YMM(), u.YMM()
	u.VADDPS(m[2], m[1], near)
	u.VSUBPS(m[2], m[1], m[1])
	u.VADDPS(m[4], m[3], far)
	u.VSUBPS(m[4], m[3], m[3])
	u.VADDPS(near, m[0], m[0])
	u.VADDPS(far, m[0], m[0])
	u.VMULPS(c[fourB], m[3], m[2])
	u.VFMADD231PS(c[fourA], m[1], m[2])
	u.VMULPS(c[fourBB], far, far)
	u.VFMADD231PS(c[fourAA], near, far)
	u.VFMADD231PS(c[fourAAA], m[1], m[5])
	u.VFMADD231PS(c[fourBBB], m[3], m[5])
	return [4]reg.VecVirtual{m[0], m[2], far, m[5]}
}

// Fields of fourRowsArgs, in order.
const (
	frSrc = iota
	frSrcRow
	frSrcChannel
	frDst
	frDstColumn
	frDstRow
	frDstChannel
	frRows
	frVectors
	frChannels
	frTable
)

// fourRows transforms rows of the padded input. It makes six planes from the six columns that each tile reads, eight
// tiles at a time.
func fourRows(u unit) {
	u.text("fourRowsAVX2", "fourRowsArgs", "transforms rows of the padded input.")
	args := u.args()
	table := u.load64(args, frTable)
	c := u.fourConsts(table, fourA, fourB, fourAA, fourBB, fourProduct, fourSum)
	src, dst, step := u.load64(args, frSrc), u.load64(args, frDst), u.load64(args, frDstColumn)
	channels := u.load64(args, frChannels)
	row, out, rows := u.GP64(), u.GP64(), u.GP64()
	from, to, n, after := u.GP64(), u.GP64(), u.GP64(), u.GP64()
	u.Label("channel")
	u.MOVQ(src, row)
	u.MOVQ(dst, out)
	u.MOVQ(field(args, frRows), rows)
	u.Label("row")
	u.MOVQ(row, from)
	u.MOVQ(out, to)
	u.MOVQ(field(args, frVectors), n)
	u.Label("vector")
	// First four columns of the tiles i and i+4, then single columns of all tiles.
	var p [4]reg.VecVirtual
	for i := range p {
		p[i] = u.YMM()
		u.VMOVUPS(Mem{Base: from, Disp: 16 * i}, p[i].AsX())
		u.VINSERTF128(Imm(1), Mem{Base: from, Disp: 16 * (i + 4)}, p[i], p[i])
	}
	p = u.lanes4(p)
	d := [6]reg.VecVirtual{p[0], p[1], p[2], p[3]}
	for i := range 2 {
		v, last := u.YMM(), u.YMM()
		u.VMOVUPS(Mem{Base: table, Disp: 32 * fourLeft}, v)
		u.VPERMPS(d[i], v, v)
		u.VBROADCASTSS(Mem{Base: from, Disp: 4 * (32 + i)}, last)
		u.VBLENDPS(Imm(0x80), last, v, v)
		d[4+i] = v
	}
	at := u.sixPlaces(to, step, after)
	for i, v := range u.fourIn(c, d) {
		u.VMOVUPS(v, at[i])
	}
	u.ADDQ(U32(128), from)
	u.ADDQ(Imm(32), to)
	u.DECQ(n)
	u.JNZ(LabelRef("vector"))
	u.ADDQ(field(args, frSrcRow), row)
	u.ADDQ(field(args, frDstRow), out)
	u.DECQ(rows)
	u.JNZ(LabelRef("row"))
	u.ADDQ(field(args, frSrcChannel), src)
	u.ADDQ(field(args, frDstChannel), dst)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// lanes4 transposes, in each half of four vectors, their 4x4 words.
func (u unit) lanes4(p [4]reg.VecVirtual) [4]reg.VecVirtual {
	t := [4]reg.VecVirtual{u.YMM(), u.YMM(), u.YMM(), u.YMM()}
	u.VUNPCKLPS(p[1], p[0], t[0])
	u.VUNPCKHPS(p[1], p[0], t[1])
	u.VUNPCKLPS(p[3], p[2], t[2])
	u.VUNPCKHPS(p[3], p[2], t[3])
	u.VUNPCKLPD(t[2], t[0], p[0])
	u.VUNPCKHPD(t[2], t[0], p[1])
	u.VUNPCKLPD(t[3], t[1], p[2])
	u.VUNPCKHPD(t[3], t[1], p[3])
	return p
}

// Fields of fourFlatArgs, in order.
const (
	ffSrc = iota
	ffSrcColumn
	ffSrcPhase
	ffSrcRow
	ffSrcChannel
	ffDst
	ffDstColumn
	ffDstRow
	ffDstChannel
	ffChannels
	ffTable
)

// fourColumns transforms the columns of eight tiles of each channel.
func fourColumns(u unit) {
	u.text("fourColumnsAVX2", "fourFlatArgs", "transforms the columns of eight tiles.")
	args := u.args()
	c := u.fourConsts(u.load64(args, ffTable), fourA, fourB, fourAA, fourBB, fourProduct, fourSum)
	src, dst, channels := u.load64(args, ffSrc), u.load64(args, ffDst), u.load64(args, ffChannels)
	phase, next, step := u.load64(args, ffSrcPhase), u.load64(args, ffSrcRow), u.load64(args, ffDstRow)
	from, to, after, half := u.GP64(), u.GP64(), u.GP64(), u.GP64()
	u.Label("channel")
	u.MOVQ(src, from)
	u.MOVQ(dst, to)
	for range 6 {
		u.LEAQ(Mem{Base: from, Index: phase, Scale: 2}, half)
		var d [6]reg.VecVirtual
		for i, m := range []Mem{
			{Base: from}, {Base: from, Index: phase, Scale: 1}, {Base: half}, {Base: half, Index: phase, Scale: 1},
			{Base: from, Index: next, Scale: 1},
		} {
			d[i] = u.YMM()
			u.VMOVUPS(m, d[i])
		}
		u.LEAQ(Mem{Base: from, Index: phase, Scale: 1}, half)
		d[5] = u.YMM()
		u.VMOVUPS(Mem{Base: half, Index: next, Scale: 1}, d[5])
		at := u.sixPlaces(to, step, after)
		for i, v := range u.fourIn(c, d) {
			u.VMOVUPS(v, at[i])
		}
		u.ADDQ(field(args, ffSrcColumn), from)
		u.ADDQ(field(args, ffDstColumn), to)
	}
	u.ADDQ(field(args, ffSrcChannel), src)
	u.ADDQ(field(args, ffDstChannel), dst)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// fourProducts transforms the columns of the products of eight tiles of each channel, from six rows to four.
func fourProducts(u unit) {
	u.text("fourProductsAVX2", "fourFlatArgs", "transforms the columns of the products of eight tiles.")
	args := u.args()
	c := u.fourConsts(u.load64(args, ffTable), fourA, fourB, fourAA, fourBB, fourAAA, fourBBB)
	src, dst, channels := u.load64(args, ffSrc), u.load64(args, ffDst), u.load64(args, ffChannels)
	step, phase := u.load64(args, ffSrcRow), u.load64(args, ffDstRow)
	from, to, after, half := u.GP64(), u.GP64(), u.GP64(), u.GP64()
	u.Label("channel")
	u.MOVQ(src, from)
	u.MOVQ(dst, to)
	for range 6 {
		at := u.sixPlaces(from, step, after)
		var m [6]reg.VecVirtual
		for i := range m {
			m[i] = u.YMM()
			u.VMOVUPS(at[i], m[i])
		}
		y := u.fourOut(c, m)
		u.LEAQ(Mem{Base: to, Index: phase, Scale: 2}, half)
		for i, m := range []Mem{{Base: to}, {Base: to, Index: phase, Scale: 1}, {Base: half},
			{Base: half, Index: phase, Scale: 1}} {
			u.VMOVUPS(y[i], m)
		}
		u.ADDQ(field(args, ffSrcColumn), from)
		u.ADDQ(field(args, ffDstColumn), to)
	}
	u.ADDQ(field(args, ffSrcChannel), src)
	u.ADDQ(field(args, ffDstChannel), dst)
	u.DECQ(channels)
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

// Fields of fourOutArgs, in order.
const (
	foSrc = iota
	foSrcColumn
	foSrcRow
	foSrcChannel
	foDst
	foDstRow
	foDstChannel
	foRes
	foCols
	foRows
	foChannels
	foBias
	foFloor
	foTable
	foLanes
	foBiasNow // the kernel's own: a pointer must not leave the memory that it points to
	foChannelsLeft
)

// fourWrite transforms rows of the products to rows of the image, eight tiles at a time, adds bias and residual and
// applies the floor.
func fourWrite(u unit) {
	u.text("fourWriteAVX2", "fourOutArgs", "transforms rows of the products to rows of the image.")
	args := u.args()
	table := u.load64(args, foTable)
	c := u.fourConsts(table, fourA, fourB, fourAA, fourBB, fourAAA, fourBBB)
	src, dst, res := u.load64(args, foSrc), u.load64(args, foDst), u.load64(args, foRes)
	u.SUBQ(dst, res)
	row, out, rows := u.GP64(), u.GP64(), u.GP64()
	from, to, n, tmp := u.GP64(), u.GP64(), u.GP64(), u.GP64()
	u.MOVQ(u.load64(args, foBias), field(args, foBiasNow))
	u.MOVQ(u.load64(args, foChannels), field(args, foChannelsLeft))
	u.Label("channel")
	u.MOVQ(src, row)
	u.MOVQ(dst, out)
	u.MOVQ(field(args, foRows), rows)
	u.Label("row")
	u.MOVQ(row, from)
	u.MOVQ(out, to)
	u.MOVQ(field(args, foCols), n)
	u.Label("vector")
	u.MOVQ(field(args, foSrcColumn), tmp)
	after := u.GP64()
	at := u.sixPlaces(from, tmp, after)
	var m [6]reg.VecVirtual
	for i := range m {
		m[i] = u.YMM()
		u.VMOVUPS(at[i], m[i])
	}
	r := u.lanes4(u.fourOut(c, m))
	y := [4]reg.VecVirtual{r[0], r[2], u.YMM(), u.YMM()}
	u.VPERM2F128(Imm(0x31), r[1], r[0], y[2])
	u.VPERM2F128(Imm(0x31), r[3], r[2], y[3])
	u.VPERM2F128(Imm(0x20), r[1], r[0], y[0])
	u.VPERM2F128(Imm(0x20), r[3], r[2], y[1])
	u.MOVQ(field(args, foBiasNow), tmp)
	bias, floor := u.YMM(), u.YMM()
	u.VBROADCASTSS(Mem{Base: tmp}, bias)
	for _, v := range y {
		u.VADDPS(bias, v, v)
	}
	u.VBROADCASTSS(field(args, foFloor), floor)
	u.SUBQ(Imm(32), n)
	u.JL(LabelRef("tail"))
	u.CMPQ(field(args, foRes), Imm(0))
	u.JE(LabelRef("plain"))
	for i, v := range y {
		u.VADDPS(Mem{Base: to, Index: res, Scale: 1, Disp: 32 * i}, v, v)
	}
	u.Label("plain")
	for i, v := range y {
		u.VMAXPS(v, floor, v)
		u.VMOVUPS(v, Mem{Base: to, Disp: 32 * i})
	}
	u.ADDQ(U32(128), to)
	u.ADDQ(Imm(32), from)
	u.TESTQ(n, n)
	u.JNZ(LabelRef("vector"))
	u.JMP(LabelRef("next"))

	u.Label("tail")
	u.ADDQ(Imm(32), n)
	lanes := u.load64(args, foLanes)
	for i, v := range y {
		whole, partPlain := fmt.Sprint("whole", i), fmt.Sprint("partPlain", i)
		wholePlain := fmt.Sprint("wholePlain", i)
		u.CMPQ(n, Imm(8))
		u.JGE(LabelRef(whole))
		mask := u.newTailMask(avx2, n, lanes)
		u.CMPQ(field(args, foRes), Imm(0))
		u.JE(LabelRef(partPlain))
		t := u.YMM()
		u.loadTail(avx2, Mem{Base: to, Index: res, Scale: 1, Disp: 32 * i}, mask, t)
		u.VADDPS(t, v, v)
		u.Label(partPlain)
		u.VMAXPS(v, floor, v)
		u.VMASKMOVPS(v, mask.r, Mem{Base: to, Disp: 32 * i})
		u.JMP(LabelRef("next"))
		u.Label(whole)
		u.CMPQ(field(args, foRes), Imm(0))
		u.JE(LabelRef(wholePlain))
		u.VADDPS(Mem{Base: to, Index: res, Scale: 1, Disp: 32 * i}, v, v)
		u.Label(wholePlain)
		u.VMAXPS(v, floor, v)
		u.VMOVUPS(v, Mem{Base: to, Disp: 32 * i})
		u.SUBQ(Imm(8), n)
		u.JZ(LabelRef("next"))
	}
	u.Label("next")
	u.ADDQ(field(args, foSrcRow), row)
	u.ADDQ(field(args, foDstRow), out)
	u.DECQ(rows)
	u.JNZ(LabelRef("row"))
	u.ADDQ(field(args, foSrcChannel), src)
	u.ADDQ(field(args, foDstChannel), dst)
	u.ADDQ(Imm(4), field(args, foBiasNow))
	u.DECQ(field(args, foChannelsLeft))
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}
