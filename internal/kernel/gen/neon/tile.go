package neon

import "fmt"

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
	_ // mask: tiles compute all columns
	_
	_
	_
	_
	_
	_
	_
	_
	tileFloats // two floats, of which the second is the ceiling
)

// tileRows is the largest number of rows of a register tile. With two vectors to a row its sums take 24 of the 32
// registers.
const tileRows = 12

// tiles writes the register tiles: every height, one and two vectors wide, for views and for panels. The rows of a
// panel are two vectors long and lie one behind the other.
func tiles(f *file) {
	for m := 1; m <= tileRows; m++ {
		for nv := 1; nv <= 2; nv++ {
			tile(f, m, nv, false)
			tile(f, m, nv, true)
		}
	}
}

func tileName(m, nv int, panel bool) string {
	name := fmt.Sprintf("tileNEON_%dx%d", m, nv)
	if panel {
		name += "p"
	}
	return name
}

// tile writes C[m][nv vectors] = post(sum over k of A[k][m] * B[off[k]][nv vectors]).
//
// Each term takes nv loads for B, at most three for A and m*nv multiply-adds by a lane.
func tile(f *file, m, nv int, panel bool) {
	f.text(tileName(m, nv, panel), "tileArgs", fmt.Sprintf("computes %d rows of %d vectors.", m, nv))
	const a, b, b1, off, k, c, ldc, t, at, flags, left = reg(1), reg(2), reg(3), reg(4), reg(5), reg(6), reg(7), reg(8),
		reg(9), reg(10), reg(11)
	acc := func(i, v int) vec { return vec(8 + i*nv + v) }
	f.load(a, tileA)
	f.load(k, tileK)
	f.load(b, tileB)
	if !panel {
		f.load(off, tileOff)
		f.load(b1, tileB1)
		f.op("ADD %v, %v, %v", b, b1, b1)
	}
	f.load(c, tileC)
	f.load(ldc, tileLdc)
	f.load(flags, tileFlags)

	// rows visits the tile's rows in memory from base on.
	rows := func(base reg, visit func(i int)) {
		f.op("MOVD %v, %v", base, at)
		for i := range m {
			visit(i)
			if i < m-1 {
				f.op("ADD %v, %v, %v", ldc, at, at)
			}
		}
	}
	f.op("TBNZ $0, %v, resume", flags)
	for i := range m {
		for v := range nv {
			f.zero(acc(i, v))
		}
	}
	f.op("B loop")
	f.place("resume")
	rows(c, func(i int) {
		for v := range nv {
			f.loadAt(acc(i, v), at, 16*v)
		}
	})
	f.place("loop")
	step := func(n int) {
		switch {
		case panel && nv == 2:
			f.loadNext(b, 4, 5)
		case panel:
			f.loadAt(4, b, 32*n)
		default:
			f.op("MOVW.P 4(%v), %v", off, t)
			f.op("ADD %v, %v, %v", b, t, at)
			f.loadAt(4, at, 0)
			if nv == 2 {
				f.op("ADD %v, %v, %v", b1, t, t)
				f.loadAt(5, t, 0)
			}
		}
		lane := f.tileWeights(a, t, m, 4*m*n)
		for i := range m {
			w, l := lane(i)
			for v := range nv {
				f.fmlaLane(acc(i, v), vec(4+v), w, l)
			}
		}
	}
	advance := func(terms int) {
		f.op("ADD $%d, %v, %v", 4*m*terms, a, a)
		if panel && nv == 1 {
			f.op("ADD $%d, %v, %v", 32*terms, b, b)
		}
	}
	f.op("SUBS $2, %v, %v", k, k)
	f.op("BLT last")
	f.place("pair")
	step(0)
	step(1)
	advance(2)
	f.op("SUBS $2, %v, %v", k, k)
	f.op("BGE pair")
	f.place("last")
	f.op("TBZ $0, %v, bias", k)
	step(0)

	f.place("bias")
	f.load(left, tileBias)
	f.op("CBZ %v, residual", left)
	for i := range m {
		f.broadcastNext(0, left)
		for v := range nv {
			f.three(opFAdd, acc(i, v), acc(i, v), 0)
		}
	}
	f.place("residual")
	f.load(left, tileRes)
	f.op("CBZ %v, relu", left)
	rows(left, func(i int) {
		for v := range nv {
			f.loadAt(vec(v), at, 16*v)
			f.three(opFAdd, acc(i, v), acc(i, v), vec(v))
		}
	})
	f.place("relu")
	f.op("TBZ $1, %v, store", flags)
	for i := range m {
		for v := range nv {
			f.two(opFCmLtZero, vec(v), acc(i, v)) // false for NaN, which stays
			f.three(opBic, acc(i, v), acc(i, v), vec(v))
		}
	}
	f.op("TBZ $2, %v, store", flags)
	f.op("ADD $%d, %v, %v", 8*tileFloats+4, args, t)
	f.broadcastAt(0, t)
	for i := range m {
		for v := range nv {
			f.least(acc(i, v), 0, vec(1+v))
		}
	}
	f.place("store")
	rows(c, func(i int) {
		for v := range nv {
			f.storeAt(acc(i, v), at, 16*v)
		}
	})
	f.ret()
}

// tileWeights loads the weights of m rows at a + disp, and nothing beyond them, into V0 to V2. It returns in which lane
// of which vector that of row i is.
func (f *file) tileWeights(a, t reg, m, disp int) func(i int) (vec, int) {
	whole, rest := m/4, m%4
	for v := range whole {
		f.loadAt(vec(v), a, disp+16*v)
	}
	last := vec(whole)
	switch {
	case rest == 0:
	case rest == 1:
		f.op("FMOVS %d(%v), %s", disp+16*whole, a, last.scalar())
	case rest == 2:
		f.op("FMOVD %d(%v), %s", disp+16*whole, a, last.scalar())
	case whole > 0: // the last four
		f.loadAt(last, a, disp+4*(m-4))
	default:
		f.op("FMOVD %d(%v), %s", disp, a, last.scalar())
		f.op("ADD $%d, %v, %v", disp+8, a, t)
		f.op("VLD1 (%v), V%d.S[2]", t, int(last))
	}
	return func(i int) (vec, int) {
		if i >= 4*whole && rest == 3 && whole > 0 {
			return last, i - (m - 4)
		}
		return vec(i / 4), i % 4
	}
}
