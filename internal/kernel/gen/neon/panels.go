package neon

import "fmt"

// Fields of panelTileArgs, in order.
const (
	ptA = iota
	ptB
	ptK
	ptC
	ptLdc
	ptFlags
)

// panelRows is the largest number of rows of a tile of float64 or int16. With four vectors to a row its sums take 24 of
// the 32 registers.
const panelRows = 6

// panelTiles writes the tiles, of one to six rows and four vectors, that multiply two packed panels. broadcast loads
// the next word of the left panel into all lanes. add adds to the sum acc the product of that word and of b, a vector
// of the right panel, and may overwrite t.
func panelTiles(f *file, name, doc string, broadcast func(v vec, r reg), add func(acc, w, b vec, t [2]vec)) {
	const a, b, k, c, ldc, flags, at = reg(1), reg(2), reg(3), reg(4), reg(5), reg(6), reg(7)
	const word = vec(4)
	for m := 1; m <= panelRows; m++ {
		f.text(fmt.Sprintf("%s_%d", name, m), "panelTileArgs", fmt.Sprintf(doc, m))
		acc := func(i, v int) vec { return vec(8 + 4*i + v) }
		for i, r := range []reg{a, b, k, c, ldc, flags} {
			f.load(r, ptA+i)
		}
		each := func(visit func(v vec, at reg, disp int)) {
			f.op("MOVD %v, %v", c, at)
			for i := range m {
				for v := range 4 {
					visit(acc(i, v), at, 16*v)
				}
				f.op("ADD %v, %v, %v", ldc, at, at)
			}
		}
		f.op("TBNZ $0, %v, resume", flags)
		for i := range 4 * m {
			f.zero(acc(0, i))
		}
		f.op("B loop")
		f.place("resume")
		each(f.loadAt)
		f.place("loop")
		f.loadNext(b, 0, 1, 2, 3)
		for i := range m {
			broadcast(word, a)
			for v := range 4 {
				add(acc(i, v), word, vec(v), [2]vec{5, 6})
			}
		}
		f.op("SUBS $1, %v, %v", k, k)
		f.op("BNE loop")
		each(f.storeAt)
		f.ret()
	}
}

// doubles writes the kernels of float64. They round the product before they add it, as portable Go does.
func doubles(f *file) {
	panelTiles(f, "doubleNEON", "adds the products of %d rows and eight columns of float64.",
		func(v vec, r reg) { f.op("VLD1R.P 8(%v), [%s]", r, v.d2()) },
		func(acc, w, b vec, t [2]vec) {
			f.three(opFMul|double, t[0], b, w)
			f.three(opFAdd|double, acc, acc, t[0])
		})
	rotate(f)
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
func rotate(f *file) {
	f.text("rotateNEON", "rotateArgs", "turns rows of sixteen columns in one sweep.")
	const rows, turns, n, step, next = reg(1), reg(2), reg(3), reg(4), reg(5)
	const c, s, y, p, q = vec(16), vec(17), vec(18), vec(19), vec(20)
	for i, r := range []reg{rows, turns, n, step} {
		f.load(r, rotRows+i)
	}
	for i := range 8 {
		f.loadAt(vec(i), rows, 16*i)
	}
	f.place("next")
	f.op("VLD1R.P 8(%v), [%s]", turns, c.d2())
	f.op("VLD1R.P 8(%v), [%s]", turns, s.d2())
	f.op("ADD %v, %v, %v", step, rows, next)
	for i := range 8 {
		x := vec(i)
		f.loadAt(y, next, 16*i)
		f.three(opFMul|double, p, x, c)
		f.three(opFMul|double, q, y, s)
		f.three(opFAdd|double, p, p, q)
		f.storeAt(p, rows, 16*i)
		f.three(opFMul|double, y, y, c)
		f.three(opFMul|double, q, x, s)
		f.three(opFSub|double, x, y, q)
	}
	f.op("MOVD %v, %v", next, rows)
	f.op("SUBS $1, %v, %v", n, n)
	f.op("BNE next")
	for i := range 8 {
		f.storeAt(vec(i), rows, 16*i)
	}
	f.ret()
}

// shorts writes the kernels of int16.
func shorts(f *file) {
	panelTiles(f, "shortNEON", "adds the products of %d rows and sixteen columns of pairs of int16.", f.broadcastNext,
		func(acc, w, b vec, t [2]vec) {
			f.three(opSMull, t[0], b, w)
			f.three(opSMull2, t[1], b, w)
			f.three(opAddP, t[0], t[0], t[1])
			f.op("VADD %s, %s, %s", t[0].s4(), acc.s4(), acc.s4())
		})
	notBelow(f)
}

// Fields of notBelowArgs, in order.
const (
	nbDst = iota
	nbSrc
	nbGain
	nbShift
	nbN
	nbScale // float32, then the bound
)

// notBelow writes a bit for each of n integers, a multiple of eight: whether src*gain*scale + shift is not below the
// bound.
func notBelow(f *file) {
	f.text("notBelowNEON", "notBelowArgs", "marks the integers that are not below a bound.")
	const dst, src, gain, shift, n, t = reg(1), reg(2), reg(3), reg(4), reg(5), reg(6)
	const scale, bound, bits = vec(16), vec(17), vec(18)
	for i, r := range []reg{dst, src, gain, shift, n} {
		f.load(r, i)
	}
	f.broadcast(scale, nbScale, t)
	f.op("ADD $4, %v, %v", t, t)
	f.broadcastAt(bound, t)
	for i, pair := range []uint64{2<<32 | 1, 8<<32 | 4, 32<<32 | 16, 128<<32 | 64} { // the bit of each of eight lanes
		f.op("MOVD $%d, %v", pair, t)
		f.op("VMOV %v, V%d.D[%d]", t, int(bits)+i/2, i%2)
	}
	f.place("next")
	f.loadNext(src, 0, 1)
	f.loadNext(gain, 2, 3)
	f.loadNext(shift, 4, 5)
	for v := range vec(2) {
		f.two(opSCvtF, v, v)
		f.three(opFMul, v, v, 2+v)
		f.three(opFMul, v, v, scale)
		f.three(opFAdd, v, v, 4+v)
		f.three(opFCmGt, v, bound, v) // false for NaN
		f.three(opBic, v, bits+v, v)
	}
	f.three(opOrr, 0, 0, 1)
	f.op("VADDV V0.S4, V0")
	f.op("VMOV V0.S[0], %v", t)
	f.op("MOVB.P %v, 1(%v)", t, dst)
	f.op("SUBS $8, %v, %v", n, n)
	f.op("BNE next")
	f.ret()
}

// peak writes a loop of independent multiply-adds in registers.
func peak(f *file) {
	f.text("peakNEON", "peakArgs", "runs args.n rounds of 24 independent multiply-adds.")
	f.load(1, 0)
	for v := range vec(25) {
		f.zero(v)
	}
	f.place("loop")
	for v := vec(1); v < 25; v++ {
		f.three(opFMla, v, 0, 0)
	}
	f.op("SUBS $1, R1, R1")
	f.op("BNE loop")
	f.ret()
}
