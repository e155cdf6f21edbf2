package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of tileArgs, in order.
const (
	tileA = iota
	tileOff
	tileK
	tileB
	tileB1
	tileC
	tileLdc
	tileBias
	tileRes
	tileFlags
	tileMask
	tileH0
	tileH1
	tileAhead
	tilePackSrc
	tilePackStride
	tilePackDst
	tilePackScale
	tilePackShift
	tilePackFloor
	tileAheadStep
	tileMore
	tileNextA
)

// tileAheadWeights is the distance in bytes at which weights are prefetched. The processor's own prefetching ends at
// each page.
const tileAheadWeights = 2048

// tileKind is a variant of a tile: the suffix of its name.
type tileKind string

const (
	tilePlain   tileKind = ""  // columns in a panel or in a view; prefetches what comes next
	tileHalf    tileKind = "h" // the same, with vectors gathered as two halves
	tilePacking tileKind = "k" // columns in a panel; also packs the next panel, one row for each k
	tilePanel   tileKind = "p" // columns in a panel two vectors wide; prefetches a line of other memory for each k
)

// tiles writes the register tiles of an instruction set: every height, one and two vectors wide. The variants tileHalf
// and tilePanel are for AVX-512 only.
func tiles(u unit, s isa) {
	for m := 1; m <= s.rows; m++ {
		for nv := 1; nv <= 2; nv++ {
			tile(u, s, m, nv, tilePlain)
			if s.bytes == 64 {
				tile(u, s, m, nv, tileHalf)
				tile(u, s, m, nv, tilePanel)
			}
		}
		tile(u, s, m, 2, tilePacking)
	}
}

// tile writes C[m][nv vectors] = post(sum over k of A[k][m] * B[off[k]][nv vectors]).
func tile(u unit, s isa, m, nv int, kind tileKind) {
	half, prefetch, panel := kind == tileHalf, kind != tilePacking, kind == tilePanel
	name := fmt.Sprintf("tile%s_%dx%d%s", s.name, m, nv, kind)
	u.text(name, "tileArgs", fmt.Sprintf("computes %d rows of %d vectors.", m, nv))
	args := u.args()
	if panel || kind == tilePlain && s.bytes == 64 {
		u.Label("again")
	}
	a, k, b := u.load64(args, tileA), u.load64(args, tileK), u.load64(args, tileB)
	var off reg.Register
	if !panel {
		off = u.load64(args, tileOff)
	}
	c, ldc := u.load64(args, tileC), u.load64(args, tileLdc)
	flags, mask := u.load64(args, tileFlags), u.load64(args, tileMask)
	base := []reg.Register{b}
	if nv == 2 && !panel {
		b1 := u.load64(args, tileB1)
		u.ADDQ(b, b1)
		base = append(base, b1)
	}
	var ahead, aheadStep reg.Register
	if panel {
		ahead, aheadStep = u.load64(args, tileAhead), u.load64(args, tileAheadStep)
	} else if prefetch {
		ahead = u.load64(args, tileAhead)
		u.ADDQ(b, ahead)
	}
	var upper []reg.Register
	if half {
		for v := range nv {
			h := u.load64(args, tileH0+v)
			u.ADDQ(base[v], h)
			upper = append(upper, h)
		}
	}
	acc := make([][]reg.VecVirtual, m)
	for i := range acc {
		acc[i] = s.vecs(u, nv)
	}
	t := s.vec(u)
	kmask := u.tileMasks(s, nv, mask)

	u.Comment("start from zero or from C")
	row := u.GP64()
	u.TESTQ(U32(1), flags)
	u.JNZ(LabelRef("resume"))
	for i := range acc {
		for _, v := range acc[i] {
			s.zero(u, v)
		}
	}
	u.JMP(LabelRef("loop"))
	u.Label("resume")
	u.eachRow(s, c, ldc, row, acc, mask, kmask, "resumeMasked", "loop", func(v reg.VecVirtual, at Mem) {
		u.VMOVUPS(at, v)
	}, func(v reg.VecVirtual, at Mem, km reg.Register) { u.maskedLoad(s, at, km, v) })

	u.Label("loop")
	if s.bytes == 64 {
		u.residualAhead(args, ldc, row, m, nv)
	}
	pack, packed := func(int) {}, func(int) {}
	if kind == tilePacking {
		pack, packed = u.packing(s, args)
	}
	step := func(at int) {
		pack(at)
		var o reg.Register
		bv := s.vecs(u, nv)
		if !panel {
			o = u.GP64()
			u.MOVLQSX(Mem{Base: off, Disp: 4 * at}, o)
		}
		for v := range bv {
			if panel {
				u.VMOVUPS(Mem{Base: b, Disp: (2*at + v) * s.bytes}, bv[v])
				continue
			}
			from := Mem{Base: base[v], Index: o, Scale: 1}
			if half {
				u.VMOVUPS(from, bv[v].AsY())
				u.VINSERTF64X4(Imm(1), Mem{Base: upper[v], Index: o, Scale: 1}, bv[v], bv[v])
			} else {
				u.VMOVUPS(from, bv[v])
			}
		}
		switch {
		case panel:
			u.PREFETCHT1(Mem{Base: ahead})
			u.ADDQ(aheadStep, ahead)
		case prefetch:
			u.PREFETCHT0(Mem{Base: ahead, Index: o, Scale: 1})
		}
		if prefetch && s.bytes == 64 {
			u.PREFETCHT0(Mem{Base: a, Disp: tileAheadWeights + 4*m*at})
		}
		for i := range acc {
			w := s.vec(u)
			u.VBROADCASTSS(Mem{Base: a, Disp: 4 * (m*at + i)}, w)
			for v := range bv {
				u.VFMADD231PS(bv[v], w, acc[i][v])
			}
		}
	}
	u.SUBQ(Imm(2), k)
	u.JL(LabelRef("last"))
	u.Label("pair")
	step(0)
	step(1)
	u.ADDQ(Imm(uint64(8*m)), a)
	if panel {
		u.ADDQ(U32(uint32(4*s.bytes)), b)
	} else {
		u.ADDQ(Imm(8), off)
	}
	packed(2)
	u.SUBQ(Imm(2), k)
	u.JGE(LabelRef("pair"))
	u.Label("last")
	u.TESTQ(U32(1), k)
	u.JZ(LabelRef("bias"))
	step(0)

	u.Label("bias")
	// These are loaded again rather than kept, since the loop needs the registers.
	c, ldc, flags, mask = u.load64(args, tileC), u.load64(args, tileLdc), u.load64(args, tileFlags),
		u.load64(args, tileMask)
	row = u.GP64()
	bias := u.load64(args, tileBias)
	u.TESTQ(bias, bias)
	u.JZ(LabelRef("residual"))
	for i := range acc {
		u.VBROADCASTSS(Mem{Base: bias, Disp: 4 * i}, t)
		for _, v := range acc[i] {
			u.VADDPS(t, v, v)
		}
	}
	u.Label("residual")
	res := u.load64(args, tileRes)
	u.TESTQ(res, res)
	u.JZ(LabelRef("relu"))
	u.eachRow(s, res, ldc, row, acc, mask, kmask, "residualMasked", "relu", func(v reg.VecVirtual, at Mem) {
		u.VADDPS(at, v, v)
	}, func(v reg.VecVirtual, at Mem, km reg.Register) {
		u.maskedLoad(s, at, km, t)
		u.VADDPS(t, v, v)
	})
	u.Label("relu")
	u.TESTQ(U32(2), flags)
	u.JZ(LabelRef("store"))
	s.zero(u, t)
	for i := range acc {
		for _, v := range acc[i] {
			u.VMAXPS(v, t, v) // in this operand order NaN stays NaN
		}
	}
	u.TESTQ(U32(4), flags)
	u.JZ(LabelRef("store"))
	u.VBROADCASTSS(Mem{Base: args, Disp: 8*tilePackFloor + 4}, t) // the ceiling
	for i := range acc {
		for _, v := range acc[i] {
			u.VMINPS(v, t, v)
		}
	}
	u.Label("store")
	u.eachRow(s, c, ldc, row, acc, mask, kmask, "storeMasked", "done", func(v reg.VecVirtual, at Mem) {
		u.VMOVUPS(v, at)
	}, func(v reg.VecVirtual, at Mem, km reg.Register) {
		if s.bytes == 64 {
			u.VMOVUPS(v, km, at)
		} else {
			u.VMASKMOVPS(v, km, at)
		}
	})
	u.Label("done")
	switch {
	case panel:
		u.nextRows(args, m)
	case kind == tilePlain && s.bytes == 64:
		u.nextColumns(args, nv)
	}
	u.VZEROUPPER()
	u.RET()
}

// nextRows goes on with the tile of the rows below while there are more.
func (u unit) nextRows(args reg.Register, m int) {
	down := u.more(args)
	u.MOVQ(field(args, tileNextA), down)
	u.ADDQ(down, field(args, tileA))
	u.MOVQ(field(args, tileK), down)
	u.IMULQ(field(args, tileAheadStep), down)
	u.ADDQ(down, field(args, tileAhead))
	u.IMUL3Q(U32(uint32(m)), field(args, tileLdc), down)
	u.addUnlessNil(args, tileBias, Imm(uint64(4*m)))
	u.again(args, down)
}

// nextColumns goes on with the tile of the columns to the right while there are more.
func (u unit) nextColumns(args reg.Register, nv int) {
	right := u.more(args)
	u.MOVQ(U32(uint32(64*nv)), right)
	u.ADDQ(right, field(args, tileB))
	u.again(args, right)
}

// more ends where there is no other tile.
func (u unit) more(args reg.Register) reg.Register {
	u.Comment("go on with the next tile")
	u.SUBQ(Imm(1), field(args, tileMore))
	u.JL(LabelRef("end"))
	return u.GP64()
}

// again moves the outputs and the residual by so many bytes and starts again.
func (u unit) again(args, step reg.Register) {
	u.ADDQ(step, field(args, tileC))
	u.addUnlessNil(args, tileRes, step)
	u.JMP(LabelRef("again"))
	u.Label("end")
}

// addUnlessNil adds to a pointer that may be nil.
func (u unit) addUnlessNil(args reg.Register, at int, step Op) {
	none := fmt.Sprint("nil", at)
	u.CMPQ(field(args, at), Imm(0))
	u.JE(LabelRef(none))
	u.ADDQ(step, field(args, at))
	u.Label(none)
}

// residualAhead prefetches the rows of the residual before the loop over the terms. Where maps are large they are in no
// cache.
func (u unit) residualAhead(args, ldc, row reg.Register, m, nv int) {
	res := u.load64(args, tileRes)
	u.TESTQ(res, res)
	u.JZ(LabelRef("terms"))
	u.MOVQ(res, row)
	for i := range m {
		for v := range nv + 1 { // a row may start within a cache line
			u.PREFETCHT0(Mem{Base: row, Disp: min(64*v, 64*nv-4)})
		}
		if i < m-1 {
			u.ADDQ(ldc, row)
		}
	}
	u.Label("terms")
}

// packing returns a function that writes the code to pack a row of the next panel, see panel: the at-th of those that
// the function after goes past.
func (u unit) packing(s isa, args reg.Register) (row, past func(int)) {
	src, dst := u.load64(args, tilePackSrc), u.load64(args, tilePackDst)
	scale, shift := u.load64(args, tilePackScale), u.load64(args, tilePackShift)
	stride := u.load64(args, tilePackStride)
	floor := s.vec(u)
	if s.bytes == 64 {
		u.VBROADCASTSS(field(args, tilePackFloor), floor)
	}
	row = func(at int) {
		a, b := s.vec(u), s.vec(u)
		if s.bytes == 32 { // there are too few registers to keep it
			floor = s.vec(u)
			u.VBROADCASTSS(field(args, tilePackFloor), floor)
		}
		u.VBROADCASTSS(Mem{Base: scale, Disp: 4 * at}, a)
		u.VBROADCASTSS(Mem{Base: shift, Disp: 4 * at}, b)
		from := func(i int) Mem {
			if at == 0 {
				return Mem{Base: src, Disp: i}
			}
			return Mem{Base: src, Index: stride, Scale: uint8(at), Disp: i}
		}
		for i := range 2 {
			v := s.vec(u)
			u.VMOVUPS(from(i*s.bytes), v)
			u.VFMADD213PS(b, a, v)
			u.VMAXPS(v, floor, v)
			u.VMOVUPS(v, Mem{Base: dst, Disp: (2*at + i) * s.bytes})
		}
		for i := 0; i < 2*s.bytes; i += 64 {
			u.PREFETCHT1(from(2*s.bytes + i))
		}
	}
	past = func(rows int) {
		u.ADDQ(Imm(uint64(4*rows)), scale)
		u.ADDQ(Imm(uint64(4*rows)), shift)
		u.LEAQ(Mem{Base: src, Index: stride, Scale: uint8(rows)}, src)
		u.ADDQ(U32(uint32(2*rows*s.bytes)), dst)
	}
	return row, past
}

// tileMasks prepares the tail masks of the columns. For AVX-512, mask holds a bit for each column, for AVX2 the address
// of a word for each column; zero means all columns.
func (u unit) tileMasks(s isa, nv int, mask reg.Register) []reg.Register {
	var km []reg.Register
	if s.bytes != 64 {
		return nil
	}
	for v := range nv {
		k, r := u.K(), u.GP32()
		u.MOVL(mask.(reg.GPVirtual).As32(), r)
		if v == 1 {
			u.SHRL(Imm(16), r)
		}
		u.KMOVW(r, k)
		km = append(km, k)
	}
	return km
}

func (u unit) maskedLoad(s isa, at Mem, km reg.Register, v reg.VecVirtual) {
	if s.bytes == 64 {
		u.VMOVUPS_Z(at, km, v)
	} else {
		u.VMASKMOVPS(at, km, v)
	}
}

// eachRow visits the tile's vectors in memory, with whole where mask is zero and with part otherwise, and jumps to
// next.
func (u unit) eachRow(s isa, base, ldc, row reg.Register, acc [][]reg.VecVirtual, mask reg.Register, km []reg.Register,
	masked, next string, whole func(reg.VecVirtual, Mem), part func(reg.VecVirtual, Mem, reg.Register)) {
	visit := func(f func(v reg.VecVirtual, at Mem, vec int)) {
		u.MOVQ(base, row)
		for i := range acc {
			for j, v := range acc[i] {
				f(v, Mem{Base: row, Disp: j * s.bytes}, j)
			}
			if i < len(acc)-1 {
				u.ADDQ(ldc, row)
			}
		}
		u.JMP(LabelRef(next))
	}
	u.TESTQ(mask, mask)
	u.JNZ(LabelRef(masked))
	visit(func(v reg.VecVirtual, at Mem, _ int) { whole(v, at) })
	u.Label(masked)
	if s.bytes == 64 {
		visit(func(v reg.VecVirtual, at Mem, j int) { part(v, at, km[j]) })
		return
	}
	m := s.vecs(u, len(acc[0]))
	for j := range m {
		u.VMOVUPS(Mem{Base: mask, Disp: j * s.bytes}, m[j])
	}
	visit(func(v reg.VecVirtual, at Mem, j int) { part(v, at, m[j]) })
}
