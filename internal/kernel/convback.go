//go:build (amd64 || arm64) && !noasm

package kernel

// The gradient with respect to the input is itself a correlation, of the output gradient. Through kernel row kh, input
// row iy gets output row (iy+P-kh*D)/S, if that division has no remainder. Input rows with the same iy mod S share
// their taps, and so do columns. This makes S*S phases, each of which is a plan of its own with stride one. Terms are
// summed over (output channel, kernel row, kernel column).

// phase computes the input rows a, a+S, ... and columns b, b+S, ...; it has no taps where none reaches them.
type phase struct {
	a, b, rows, cols int
	from             []int // for each tap, the index in [KH, KW] of its weight
	engine           engine
}

func (ph *phase) empty() bool { return len(ph.from) == 0 }

func (f *conv32) packBackward() {
	f.packing.Lock()
	defer f.packing.Unlock()
	if f.backwardReady.Load() {
		return
	}
	g := f.c.g
	in, taps, w := g.C/g.Groups, g.KH*g.KW, f.c.weights()
	for i := range f.phases {
		ph := &f.phases[i]
		if ph.empty() {
			continue
		}
		ph.engine.pack(weightSource{
			w: w, byGroup: g.O / g.Groups * in * taps, byOut: taps, byIn: in * taps, tap: ph.from, scale: f.c.preScale,
		})
	}
	f.backwardReady.Store(true)
}

// newPhases returns the phases without weights.
func (f *conv32) newPhases() []phase {
	g := f.c.g
	if ph, ok := f.mirrored(); ok {
		return []phase{ph}
	}
	if e := newSpread(f.level, g); e != nil {
		return []phase{{rows: g.H, cols: g.W, from: f.order, engine: e}}
	}
	var phases []phase
	for a := range min(g.SH, g.H) {
		for b := range min(g.SW, g.W) {
			ph := phase{a: a, b: b, rows: (g.H - a + g.SH - 1) / g.SH, cols: (g.W - b + g.SW - 1) / g.SW}
			pg := planGeom{
				groups: g.Groups, c: g.O / g.Groups, m: g.C / g.Groups,
				h: g.OutH(), w: g.OutW(), oh: ph.rows, ow: ph.cols, sh: 1, sw: 1,
			}
			for kh := range g.KH {
				for kw := range g.KW {
					dy, dx := a+g.PH-kh*g.DH, b+g.PW-kw*g.DW
					if dy%g.SH == 0 && dx%g.SW == 0 {
						pg.taps = append(pg.taps, tap{dy / g.SH, dx / g.SW})
						ph.from = append(ph.from, kh*g.KW+kw)
					}
				}
			}
			if len(pg.taps) > 0 {
				ph.engine = newPlan(f.level, pg)
			}
			phases = append(phases, ph)
		}
	}
	return phases
}

// mirrored returns the only phase of a convolution of stride one, as the convolution with mirrored weights. It returns
// false unless there is a faster way than a plan to run that convolution.
func (f *conv32) mirrored() (phase, bool) {
	g := f.c.g
	if g.SH != 1 || g.SW != 1 || g.DH != 1 || g.DW != 1 || max(g.PH, g.PH+g.EH) >= g.KH ||
		max(g.PW, g.PW+g.EW) >= g.KW {
		return phase{}, false
	}
	b := g
	b.C, b.O, b.H, b.W, b.PH, b.PW, b.EH, b.EW = g.O, g.C, g.OutH(), g.OutW(), g.KH-1-g.PH, g.KW-1-g.PW, -g.EH, -g.EW
	if !hasSpecial(f.level, b) {
		return phase{}, false
	}
	ph := phase{rows: g.H, cols: g.W, engine: newEngine(f.level, b, true)}
	for t := range f.order {
		ph.from = append(ph.from, len(f.order)-1-t)
	}
	return ph, true
}

// scratchOf returns the number of elements of scratch that the engines of the phases need.
func scratchOf(phases []phase) int {
	n := 0
	for i := range phases {
		if !phases[i].empty() {
			n = max(n, phases[i].engine.scratchLen())
		}
	}
	return n
}

func (f *conv32) backwardInput(dx, dy, x, y, dresidual, plus, scratch []float32) {
	f.prepare(true)
	g := f.c.g
	if f.c.post.Kind == ActReLU {
		masked := scratch[:g.OutLen()]
		ReLUBackward(masked, dy, y)
		dy, scratch = masked, scratch[g.OutLen():]
	}
	if dresidual != nil {
		copy(dresidual, dy)
	}
	io := planIO{src: dy, bias: f.zeros, scale: f.ones, shift: f.zeros, floor: noFloor, ceil: noCeiling}
	if f.weaves() {
		planes := scratch[:g.InLen()]
		for i, at := 0, 0; i < len(f.phases); i++ {
			n := g.C * f.phases[i].rows * f.phases[i].cols
			io.dst, io.scratch = planes[at:][:n], scratch[len(planes):]
			f.phases[i].run(io)
			at += n
		}
		f.weave(dx, planes, plus)
		return
	}
	one := len(f.phases) == 1
	if one && !f.phases[0].empty() && !f.c.preReLU {
		io.dst, io.scratch = dx, scratch
		f.addTo(&io, plus)
		f.phases[0].engine.run(io)
		return
	}
	if plus != nil && &plus[0] != &dx[0] {
		copy(dx, plus)
	}
	for i := range f.phases {
		ph := &f.phases[i]
		n := g.C * ph.rows * ph.cols
		io.dst, io.scratch = scratch[:n], scratch[n:]
		ph.run(io)
		if one && f.c.preReLU {
			f.passPre(dx, io.dst, x, plus != nil)
		} else {
			f.scatter(dx, io.dst, x, ph, plus != nil)
		}
	}
}

// run computes the phase's gradient.
func (ph *phase) run(io planIO) {
	if ph.empty() {
		clear(io.dst)
		return
	}
	ph.engine.run(io)
}

// addTo makes the only phase add plus, unless that is nil, to its gradient.
func (f *conv32) addTo(io *planIO, plus []float32) {
	switch {
	case plus == nil:
	case &plus[0] == &io.dst[0]:
		io.accumulate = true
	case addsResidual(f.phases[0].engine):
		io.residual = plus
	default:
		copy(io.dst, plus)
		io.accumulate = true
	}
}

// passPre writes the gradient, already scaled, to dx where pre's ReLU lets it pass.
func (f *conv32) passPre(dx, grad, x []float32, accumulate bool) {
	g := f.c.g
	row := 4 * g.H * g.W
	a := gateArgs{
		dst: ptr(dx, 0), dstStride: row, grad: ptr(grad, 0), gradStride: row, x: ptr(x, 0), xStride: row, rows: g.C,
		cols: g.H * g.W,
		mul:  ptr(f.ones, 0), scale: ptr(f.scale, 0), shift: ptr(f.shift, 0), step: 4,
	}
	if accumulate {
		a.accumulate = 1
	}
	gate(f.level, &a)
}

// scatter writes a phase's gradient to its rows and columns of dx.
func (f *conv32) scatter(dx, grad, x []float32, ph *phase, accumulate bool) {
	g := f.c.g
	for c := range g.C {
		scale, shift := f.scale[c], f.shift[c]
		for q := range ph.rows {
			s := grad[(c*ph.rows+q)*ph.cols:][:ph.cols]
			at := (c*g.H+q*g.SH+ph.a)*g.W + ph.b
			for i, v := range s {
				j := at + i*g.SW
				if f.c.preReLU && !(scale*x[j]+shift > 0) {
					v = 0
				}
				if accumulate {
					v += dx[j]
				}
				dx[j] = v
			}
		}
	}
}
