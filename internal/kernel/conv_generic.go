package kernel

// forwardGeneric is the reference of Forward.
func (c *Conv[T]) forwardGeneric(dst, src, residual, scratch []T) {
	g := c.g
	if c.hasPre() {
		pre := scratch[:g.InLen()]
		affineGeneric(pre, src, c.preScale, c.preShift, g.C, g.H*g.W, c.preReLU)
		src = pre
	}
	clear(dst)
	hw := g.OutH() * g.OutW()
	in, taps := g.C/g.Groups, g.KH*g.KW
	for o := range g.O {
		out := dst[o*hw:][:hw]
		first := o / (g.O / g.Groups) * in
		for ci := range in {
			plane := src[(first+ci)*g.H*g.W:][:g.H*g.W]
			w := c.weight[(o*in+ci)*taps:][:taps]
			for kh := range g.KH {
				for kw := range g.KW {
					addTap(g, out, plane, w[kh*g.KW+kw], kh, kw)
				}
			}
		}
		b := c.bias[o]
		for i := range out {
			v := out[i] + b
			if residual != nil {
				v += residual[o*hw+i]
			}
			if c.postReLU && v < 0 {
				v = 0
			}
			out[i] = v
		}
	}
}

// addTap adds w times the input plane seen through tap (kh, kw) to the output plane.
func addTap[T Float](g ConvGeom, out, plane []T, w T, kh, kw int) {
	oh, ow := g.OutH(), g.OutW()
	dy, dx := kh*g.DH-g.PH, kw*g.DW-g.PW
	y0, y1 := validRange(dy, g.SH, g.H, oh)
	x0, x1 := validRange(dx, g.SW, g.W, ow)
	if x0 >= x1 {
		return
	}
	for y := y0; y < y1; y++ {
		d := out[y*ow+x0 : y*ow+x1]
		s := plane[(y*g.SH+dy)*g.W+x0*g.SW+dx:]
		if g.SW == 1 {
			axpyGeneric(d, s[:len(d)], w)
			continue
		}
		for i := range d {
			d[i] += w * s[i*g.SW]
		}
	}
}

// backwardInputGeneric is the reference of BackwardInput.
func (c *Conv[T]) backwardInputGeneric(dx, dy, x, y, dresidual, scratch []T, accumulate bool) {
	g := c.g
	if c.postReLU {
		masked := scratch[:g.OutLen()]
		reluBackwardGeneric(masked, dy, y)
		dy = masked
	}
	if dresidual != nil {
		copy(dresidual, dy)
	}
	if !accumulate {
		clear(dx)
	}
	hw, in, taps, perGroup := g.OutH()*g.OutW(), g.C/g.Groups, g.KH*g.KW, g.O/g.Groups
	// One input plane at a time, so that pre's derivative can be applied to it before it is added.
	for ci := range g.C {
		var plane []T
		if c.hasPre() {
			plane = scratch[g.OutLen():][:g.H*g.W]
			clear(plane)
		} else {
			plane = dx[ci*g.H*g.W:][:g.H*g.W]
		}
		group := ci / in
		for o := group * perGroup; o < (group+1)*perGroup; o++ {
			w := c.weight[(o*in+ci%in)*taps:][:taps]
			for kh := range g.KH {
				for kw := range g.KW {
					spreadTap(g, plane, dy[o*hw:][:hw], w[kh*g.KW+kw], kh, kw)
				}
			}
		}
		if c.hasPre() {
			c.preBackward(dx, x, plane, ci)
		}
	}
}

// preBackward adds pre's derivative times the gradient of channel ci to dx.
func (c *Conv[T]) preBackward(dx, x, plane []T, ci int) {
	scale, shift := T(1), T(0)
	if c.preScale != nil {
		scale, shift = c.preScale[ci], c.preShift[ci]
	}
	d := dx[ci*len(plane):][:len(plane)]
	for i, v := range plane {
		if !c.preReLU || scale*x[ci*len(plane)+i]+shift > 0 {
			d[i] += scale * v
		}
	}
}

// spreadTap is the transpose of addTap: it adds w times the output gradient to the input plane that tap (kh, kw) saw.
func spreadTap[T Float](g ConvGeom, plane, out []T, w T, kh, kw int) {
	oh, ow := g.OutH(), g.OutW()
	dy, dx := kh*g.DH-g.PH, kw*g.DW-g.PW
	y0, y1 := validRange(dy, g.SH, g.H, oh)
	x0, x1 := validRange(dx, g.SW, g.W, ow)
	if x0 >= x1 {
		return
	}
	for y := y0; y < y1; y++ {
		s := out[y*ow+x0 : y*ow+x1]
		d := plane[(y*g.SH+dy)*g.W+x0*g.SW+dx:]
		if g.SW == 1 {
			axpyGeneric(d[:len(s)], s, w)
			continue
		}
		for i := range s {
			d[i*g.SW] += w * s[i]
		}
	}
}
