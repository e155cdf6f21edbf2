package neon

// Fields of momentArgs, in order.
const (
	momentX = iota
	momentY
	momentN
	momentMean
	momentSum
	momentDot
)

// moments writes sums in float64 of sixteen lanes: of x, of (x-mean)², and of y together with y*(x-mean).
func moments(f *file) {
	moment(f, "sum", "adds to sum the elements of x.")
	moment(f, "square", "adds to sum the squares of x - mean.")
	moment(f, "grad", "adds to sum the elements of y and to dot those of y * (x - mean).")
}

func moment(f *file, kind, doc string) {
	f.text(kind+"64NEON", "momentArgs", doc)
	const x, y, n, t = reg(1), reg(2), reg(3), reg(4)
	const mean, diff, grad = vec(4), vec(5), vec(6)
	sum, dot := func(p int) vec { return vec(8 + p) }, func(p int) vec { return vec(16 + p) }
	for p := range 8 {
		f.zero(sum(p))
		f.zero(dot(p))
	}
	f.op("ADD $%d, R0, %v", 8*momentMean, t)
	f.op("VLD1R (%v), [%s]", t, mean.d2())
	f.load(x, momentX)
	f.load(y, momentY)
	f.load(n, momentN)
	widen := []uint32{opFCvtL, opFCvtL2}
	f.place("whole")
	f.loadNext(x, 0, 1, 2, 3)
	if kind == "grad" {
		f.loadNext(y, 24, 25, 26, 27)
	}
	for p := range 8 {
		f.two(widen[p%2], diff, vec(p/2))
		switch kind {
		case "sum":
			f.three(opFAdd|double, sum(p), sum(p), diff)
		case "square":
			f.three(opFSub|double, diff, diff, mean)
			f.three(opFMla|double, sum(p), diff, diff)
		case "grad":
			f.two(widen[p%2], grad, vec(24+p/2))
			f.three(opFSub|double, diff, diff, mean)
			f.three(opFAdd|double, sum(p), sum(p), grad)
			f.three(opFMla|double, dot(p), diff, grad)
		}
	}
	f.op("SUBS $16, %v, %v", n, n)
	f.op("BNE whole")
	reduce := func(v func(p int) vec, field int) {
		for h := 4; h > 0; h /= 2 {
			for p := range h {
				f.three(opFAdd|double, v(p), v(p), v(p+h))
			}
		}
		f.three(opFAddP|double, v(0), v(0), v(0))
		f.op("FMOVD %d(R0), F0", 8*field)
		f.op("FADDD F0, %s, F0", v(0).scalar())
		f.op("FMOVD F0, %d(R0)", 8*field)
	}
	reduce(sum, momentSum)
	if kind == "grad" {
		reduce(dot, momentDot)
	}
	f.ret()
}
