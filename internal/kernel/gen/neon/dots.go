package neon

import "fmt"

// Fields of dotsArgs, in order.
const (
	dotsA = iota
	dotsLda
	dotsB
	dotsOff
	dotsN
	dotsC
	dotsLdc
	_
	dotsParts
	dotsAPart
	dotsBPart
)

// dotRows and dotCols are the largest numbers of rows and columns of a tile of dot products. A product takes four
// vectors of sums, so those of a tile take 24 of the 32 registers.
const (
	dotRows = 3
	dotCols = 2
)

// dots writes the kernels that add dot products of some rows and some columns: c[i][j] += a[i]·b[j]. A product is
// summed in sixteen lanes, which are then added up in halves, as on amd64.
func dots(f *file) {
	for r := 1; r <= dotRows; r++ {
		for c := 1; c <= dotCols; c++ {
			dot(f, r, c)
		}
	}
}

func dot(f *file, rows, cols int) {
	f.text(fmt.Sprintf("dotsNEON_%dx%d", rows, cols), "dotsArgs", fmt.Sprintf("adds the products of %d rows with %d.",
		rows, cols))
	const n, t, parts, step = reg(6), reg(7), reg(8), reg(9)
	a, b := []reg{1, 2, 3}[:rows], []reg{4, 5}[:cols]
	acc := func(i, j, part int) vec { return vec(8 + 4*(i*cols+j) + part) }
	for i := range rows {
		for j := range cols {
			for p := range 4 {
				f.zero(acc(i, j, p))
			}
		}
	}
	f.rowPointers(a, dotsA, dotsLda, t)
	f.load(step, dotsB)
	f.load(t, dotsOff)
	for _, r := range b {
		f.op("MOVW.P 4(%v), %v", t, r)
		f.op("ADD %v, %v, %v", step, r, r)
	}
	f.load(parts, dotsParts)
	f.place("part")
	f.load(n, dotsN)
	// The step for one vector of sums: the products of the elements in V0 to V2 with those in V3.
	products := func(part int, load func(v vec, r reg)) {
		for i, r := range a {
			load(vec(i), r)
		}
		for j, r := range b {
			load(3, r)
			for i := range a {
				f.three(opFMla, acc(i, j, part), vec(i), 3)
			}
		}
	}
	f.sixteens(n, t, products)
	f.op("SUBS $1, %v, %v", parts, parts)
	f.op("BEQ sum")
	// The pointers are at the end of a part.
	f.load(n, dotsN)
	for i, rs := range [][]reg{a, b} {
		f.load(step, dotsAPart+i)
		f.op("SUB %v<<2, %v, %v", n, step, step)
		for _, r := range rs {
			f.op("ADD %v, %v, %v", step, r, r)
		}
	}
	f.op("B part")
	f.place("sum")
	f.load(1, dotsC)
	f.load(2, dotsLdc)
	for i := range rows {
		for j := range cols {
			f.addSum(acc(i, j, 0), 1, 4*j)
		}
		f.op("ADD R2, R1, R1")
	}
	f.ret()
}

// rowPointers loads the addresses of consecutive rows from the fields first and stride.
func (f *file) rowPointers(p []reg, first, stride int, t reg) {
	f.load(p[0], first)
	f.load(t, stride)
	for i := 1; i < len(p); i++ {
		f.op("ADD %v, %v, %v", t, p[i-1], p[i])
	}
}

// sixteens writes a loop over n elements, sixteen at a time, which go to four vectors of sums. step takes the number of
// that vector and how to load a vector and step behind it. Elements beyond the last are zeros, or left out where a
// whole vector lies beyond. n and t are overwritten.
func (f *file) sixteens(n, t reg, step func(part int, load func(v vec, r reg))) {
	whole := func(v vec, r reg) { f.loadNext(r, v) }
	f.op("SUBS $16, %v, %v", n, n)
	f.op("BLT rest")
	f.place("whole")
	for p := range 4 {
		step(p, whole)
	}
	f.op("SUBS $16, %v, %v", n, n)
	f.op("BGE whole")
	f.place("rest")
	f.op("ADDS $16, %v, %v", n, n)
	f.op("BEQ reduce")
	for p := range 4 {
		partial, next := f.label(), f.label()
		if p < 3 { // of fifteen elements at most, the last vector gets three at most
			f.op("SUBS $4, %v, %v", n, n)
			f.op("BLT %s", partial)
			step(p, whole)
			f.op("CBZ %v, reduce", n)
			f.op("B %s", next)
		}
		f.place(partial)
		step(p, func(v vec, r reg) {
			f.loadPart(v, r, n, t)
			f.op("AND $3, %v, %v", n, t)
			f.op("ADD %v<<2, %v, %v", t, r, r)
		})
		f.op("B reduce")
		f.place(next)
	}
	f.place("reduce")
}

// addSum adds the sum of the sixteen lanes of v and the three vectors behind it to the float at r + disp. v is
// overwritten, and so is V0.
func (f *file) addSum(v vec, r reg, disp int) {
	f.three(opFAdd, v, v, v+2)
	f.three(opFAdd, v+1, v+1, v+3)
	f.three(opFAdd, v, v, v+1)
	f.three(opFAddP, v, v, v)
	f.three(opFAddP, v, v, v)
	f.op("FMOVS %d(%v), F0", disp, r)
	f.op("FADDS F0, %s, F0", v.scalar())
	f.op("FMOVS F0, %d(%v)", disp, r)
}
