package kernel

// padding describes the zero-padded copy of the input that forwardGeneric reads, in which no tap reads outside.
type padding struct {
	rows, cols int   // of a padded plane
	offsets    []int // of each (channel of a group, kernel row, kernel column), from the first element of a window
}

func newPadding(g ConvGeom) padding {
	p := padding{rows: (g.OutH()-1)*g.SH + (g.KH-1)*g.DH + 1, cols: (g.OutW()-1)*g.SW + (g.KW-1)*g.DW + 1}
	for c := range g.C / g.Groups {
		for kh := range g.KH {
			for kw := range g.KW {
				p.offsets = append(p.offsets, (c*p.rows+kh*g.DH)*p.cols+kw*g.DW)
			}
		}
	}
	return p
}

func (p *padding) len(g ConvGeom) int { return g.C * p.rows * p.cols }

// pad writes pre(src) with zeros around it to dst.
func (c *Conv[T]) pad(dst, src []T) {
	g := c.g
	clear(dst)
	for ci := range g.C {
		scale, shift := T(1), T(0)
		if c.preScale != nil {
			scale, shift = c.preScale[ci], c.preShift[ci]
		}
		n := min(g.W, c.padded.cols-g.PW)
		for y := range min(g.H, c.padded.rows-g.PH) {
			if n <= 0 {
				break
			}
			d := dst[(ci*c.padded.rows+y+g.PH)*c.padded.cols+g.PW:][:n]
			s := src[(ci*g.H+y)*g.W:][:n]
			if !c.hasPre() {
				copy(d, s)
				continue
			}
			for i, v := range s {
				v = scale*v + shift
				if c.preReLU && v < 0 {
					v = 0
				}
				d[i] = v
			}
		}
	}
}

// forwardGeneric is the reference implementation of Forward.
func (c *Conv[T]) forwardGeneric(dst, src, residual, scratch []T) {
	g := c.g
	padded := scratch[:c.padded.len(g)]
	c.pad(padded, src)
	clear(dst)
	oh, ow, pitch := g.OutH(), g.OutW(), g.SH*c.padded.cols
	if g.KH == 1 && g.KW == 1 && g.SH == 1 && g.SW == 1 { // a plane without gaps is one long row
		oh, ow = 1, oh*ow
	}
	terms, perGroup := len(c.padded.offsets), g.O/g.Groups
	for group := range g.Groups {
		in := padded[group*(g.C/g.Groups)*c.padded.rows*c.padded.cols:]
		for o := group * perGroup; o < (group+1)*perGroup; o += 2 {
			two := o+1 < (group+1)*perGroup
			for y := range oh {
				d0 := dst[(o*oh+y)*ow:][:ow]
				w0 := c.weight[o*terms:][:terms]
				if !two {
					sumTaps(d0, in[y*pitch:], w0, c.padded.offsets, g.SW)
					continue
				}
				sumTaps2(d0, dst[((o+1)*oh+y)*ow:][:ow], in[y*pitch:], w0, c.weight[(o+1)*terms:][:terms],
					c.padded.offsets, g.SW)
			}
		}
	}
	c.finish(dst, residual)
}

// finish adds the bias and the residual and applies the activation.
func (c *Conv[T]) finish(dst, residual []T) {
	hw := c.g.OutH() * c.g.OutW()
	for o, b := range c.bias {
		out := dst[o*hw:][:hw]
		for i := range out {
			v := out[i] + b
			if residual != nil {
				v += residual[o*hw+i]
			}
			out[i] = v
		}
		if c.post.Kind != ActIdentity {
			Activate(out, out, c.post)
		}
	}
}

// sumTaps adds to the row d of outputs the products of each tap's weight with the inputs that the tap reads, which are
// step elements of src apart. Taps are added in order; one pass over the row adds four of them.
func sumTaps[T Float](d, src, w []T, offsets []int, step int) {
	w = w[:len(offsets)]
	t := 0
	for ; step == 1 && t+4 <= len(offsets); t += 4 {
		o := offsets[t:][:4]
		s0, s1, s2, s3 := src[o[0]:][:len(d)], src[o[1]:][:len(d)], src[o[2]:][:len(d)], src[o[3]:][:len(d)]
		w0, w1, w2, w3 := w[t], w[t+1], w[t+2], w[t+3]
		for i, v := range d {
			v += w0 * s0[i]
			v += w1 * s1[i]
			v += w2 * s2[i]
			v += w3 * s3[i]
			d[i] = v
		}
	}
	for ; t < len(offsets); t++ {
		s := src[offsets[t]:]
		for i := range d {
			d[i] += w[t] * s[i*step]
		}
	}
}

// sumTaps2 is sumTaps for two rows of outputs that read the same inputs.
func sumTaps2[T Float](d, e, src, w, x []T, offsets []int, step int) {
	w, x, e = w[:len(offsets)], x[:len(offsets)], e[:len(d)]
	t := 0
	for ; step == 1 && t+4 <= len(offsets); t += 4 {
		o := offsets[t:][:4]
		s0, s1, s2, s3 := src[o[0]:][:len(d)], src[o[1]:][:len(d)], src[o[2]:][:len(d)], src[o[3]:][:len(d)]
		w0, w1, w2, w3 := w[t], w[t+1], w[t+2], w[t+3]
		x0, x1, x2, x3 := x[t], x[t+1], x[t+2], x[t+3]
		for i, v := range d {
			u := e[i]
			a, b := s0[i], s1[i]
			v += w0 * a
			u += x0 * a
			v += w1 * b
			u += x1 * b
			a, b = s2[i], s3[i]
			v += w2 * a
			u += x2 * a
			v += w3 * b
			u += x3 * b
			d[i], e[i] = v, u
		}
	}
	for ; t < len(offsets); t++ {
		s := src[offsets[t]:]
		for i := range d {
			a := s[i*step]
			d[i] += w[t] * a
			e[i] += x[t] * a
		}
	}
}

// backwardInputGeneric is the reference implementation of BackwardInput.
func (c *Conv[T]) backwardInputGeneric(dx, dy, x, y, dresidual, plus, scratch []T) {
	g := c.g
	if c.post.Kind == ActReLU {
		masked := scratch[:g.OutLen()]
		reluBackwardGeneric(masked, dy, y)
		dy = masked
	}
	if dresidual != nil {
		copy(dresidual, dy)
	}
	if plus == nil {
		clear(dx)
	} else {
		copy(dx, plus)
	}
	hw, in, taps, perGroup := g.OutH()*g.OutW(), g.C/g.Groups, g.KH*g.KW, g.O/g.Groups
	// One input plane at a time, so that pre's derivative can be applied to it before it is added to plus.
	for ci := range g.C {
		var plane []T
		if c.hasPre() || plus != nil {
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
		if c.hasPre() || plus != nil {
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

// spreadTap adds w times the output gradient to the elements of the input plane that tap (kh, kw) reads.
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
