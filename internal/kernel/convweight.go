package kernel

// ConvBackwardWeight adds the weight gradient of a plain convolution (no pre, no post) for n images to dw [O, C/Groups,
// KH, KW] and, unless dbias is nil, the bias gradient to dbias [O]. Image i is x[i*xStride:], [C, H, W], and its output
// gradient dy[i*dyStride:], [O, OutH, OutW]. Small images are summed together before they are added, so the last bits
// depend on n. It panics on an impossible geometry.
func ConvBackwardWeight[T Float](g ConvGeom, dw, dbias, x, dy []T, n, xStride, dyStride int, scratch []T) {
	g = g.norm()
	if err := g.Check(); err != nil {
		panic(err)
	}
	if n == 0 {
		return
	}
	dw, x, dy = dw[:g.WeightLen()], x[:(n-1)*xStride+g.InLen()], dy[:(n-1)*dyStride+g.OutLen()]
	if dbias != nil {
		dbias = dbias[:g.O]
	}
	if is32[T]() && convBackwardWeight32(g, as32(dw), as32(dbias), as32(x), as32(dy), n, xStride, dyStride,
		as32(scratch)) {
		return
	}
	for i := range n {
		convBackwardWeightGeneric(g, dw, dbias, x[i*xStride:], dy[i*dyStride:])
	}
}

// ConvBackwardWeightScratch returns the number of elements of scratch that ConvBackwardWeight needs for exactly n
// images. Fewer images may need more.
func ConvBackwardWeightScratch(g ConvGeom, n int) int {
	if n == 0 {
		return 0
	}
	return convBackwardWeightScratch(g.norm(), n)
}

func convBackwardWeightGeneric[T Float](g ConvGeom, dw, dbias, x, dy []T) {
	hw, in := g.OutH()*g.OutW(), g.C/g.Groups
	for o := range g.O {
		d := dy[o*hw:][:hw]
		if dbias != nil {
			dbias[o] += sumGeneric(d)
		}
		first := o / (g.O / g.Groups) * in
		for ci := range in {
			plane := x[(first+ci)*g.H*g.W:][:g.H*g.W]
			for kh := range g.KH {
				for kw := range g.KW {
					dw[((o*in+ci)*g.KH+kh)*g.KW+kw] += dotTap(g, d, plane, kh, kw)
				}
			}
		}
	}
}

// dotTap returns the sum over the output plane of out times the input that tap (kh, kw) reads.
func dotTap[T Float](g ConvGeom, out, plane []T, kh, kw int) T {
	oh, ow := g.OutH(), g.OutW()
	dy, dx := kh*g.DH-g.PH, kw*g.DW-g.PW
	y0, y1 := validRange(dy, g.SH, g.H, oh)
	x0, x1 := validRange(dx, g.SW, g.W, ow)
	var sum T
	if x0 >= x1 {
		return sum
	}
	for y := y0; y < y1; y++ {
		d := out[y*ow+x0 : y*ow+x1]
		s := plane[(y*g.SH+dy)*g.W+x0*g.SW+dx:]
		if g.SW == 1 {
			sum += dotGeneric(d, s[:len(d)])
			continue
		}
		var row T
		for i := range d {
			row += d[i] * s[i*g.SW]
		}
		sum += row
	}
	return sum
}
