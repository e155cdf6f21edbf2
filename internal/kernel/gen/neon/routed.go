package neon

import "fmt"

// Fields of routedArgs, in order.
const (
	routedW = iota
	routedLdw
	routedZ
	routedAbsC
	routedN
	routedC
	_
	routedThreshold
	routedCoef
)

// routedRows is the largest number of rows of the kernels below.
const routedRows = 4

func routedKernels(f *file) {
	for rows := 1; rows <= routedRows; rows++ {
		routed(f, rows)
		spread(f, rows, false)
		spread(f, rows, true)
	}
}

// routed writes c[j] += sum of z[i]*w[j][i] over absC[i]*w[j][i] > threshold, for one to four rows of w.
func routed(f *file, rows int) {
	f.text(fmt.Sprintf("routedNEON_%d", rows), "routedArgs",
		fmt.Sprintf("adds the products of z with the kept weights of %d rows.", rows))
	const z, absC, n, t = reg(5), reg(6), reg(7), reg(8)
	const threshold = vec(7)
	w := []reg{1, 2, 3, 4}[:rows]
	acc := func(j, part int) vec { return vec(16 + 4*j + part) }
	for j := range rows {
		for p := range 4 {
			f.zero(acc(j, p))
		}
	}
	f.broadcast(threshold, routedThreshold, t)
	f.rowPointers(w, routedW, routedLdw, t)
	f.load(z, routedZ)
	f.load(absC, routedAbsC)
	f.load(n, routedN)
	f.sixteens(n, t, func(part int, load func(v vec, r reg)) {
		load(0, absC)
		load(1, z)
		for j, r := range w {
			load(2, r)
			f.three(opFMul, 3, 0, 2)
			f.three(opFCmGt, 3, 3, threshold)
			f.three(opAnd, 2, 2, 3)
			f.three(opAnd, 3, 1, 3) // a weight that is left out must not be multiplied with an infinite activation
			f.three(opFMla, acc(j, part), 2, 3)
		}
	})
	f.load(5, routedC)
	for j := range rows {
		f.addSum(acc(j, 0), 5, 4*j)
	}
	f.ret()
}

// spread writes c[i] += coef[0]*w[0][i], then += coef[1]*w[1][i], and so on for one to four rows of w. With gated it
// adds only the terms with absC[i]*w[j][i] > threshold.
func spread(f *file, rows int, gated bool) {
	name, doc := "spread", fmt.Sprintf("adds %d rows, each times its coefficient.", rows)
	if gated {
		name, doc = "spreadRouted", fmt.Sprintf("adds the kept weights of %d rows, each times its coefficient.", rows)
	}
	f.text(fmt.Sprintf("%sNEON_%d", name, rows), "routedArgs", doc)
	const absC, c, to, n, t = reg(5), reg(6), reg(7), reg(8), reg(9)
	const threshold = vec(24)
	w := []reg{1, 2, 3, 4}[:rows]
	coef := func(j int) vec { return vec(16 + j) }
	f.rowPointers(w, routedW, routedLdw, t)
	f.load(t, routedCoef)
	for j := range rows {
		f.broadcastNext(coef(j), t)
	}
	if gated {
		f.load(absC, routedAbsC)
		f.broadcast(threshold, routedThreshold, t)
	}
	f.load(c, routedC)
	f.op("MOVD %v, %v", c, to)
	f.load(n, routedN)
	pass := func(load func(v vec, r reg)) {
		load(0, c)
		if gated {
			load(1, absC)
		}
		for j, r := range w {
			load(2, r)
			if !gated {
				f.three(opFMla, 0, 2, coef(j))
				continue
			}
			f.three(opFMul, 3, 1, 2)
			f.three(opFCmGt, 3, 3, threshold)
			f.three(opAnd, 2, 2, 3)
			f.three(opAnd, 3, 3, coef(j))
			f.three(opFMla, 0, 2, 3)
		}
	}
	f.op("SUBS $4, %v, %v", n, n)
	f.op("BLT tail")
	f.place("whole")
	pass(func(v vec, r reg) { f.loadNext(r, v) })
	f.storeNext(to, 0)
	f.op("SUBS $4, %v, %v", n, n)
	f.op("BGE whole")
	f.place("tail")
	f.op("ANDS $3, %v, %v", n, n)
	f.op("BEQ done")
	pass(func(v vec, r reg) { f.loadPart(v, r, n, t) })
	f.storePart(0, to, n, t)
	f.place("done")
	f.ret()
}
