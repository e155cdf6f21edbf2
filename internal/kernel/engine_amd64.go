//go:build amd64 && !noasm

package kernel

// engine is one of the ways to run a convolution, the one that is not nil.
type engine struct {
	plan   *plan
	depth  *depthwise
	spread *depthSpread
	wino   *winograd
}

// newEngine lays out the way for a geometry; pack gives it weights. plain says that there is no pre operation.
func newEngine(l level, g ConvGeom, plain bool) engine {
	if depthwiseFits(g) {
		return engine{depth: newDepthwise(l, g, plain)}
	}
	if winogradFits(l, g) {
		return engine{wino: newWinograd(l, g, plain)}
	}
	pg := planGeom{groups: g.Groups, c: g.C / g.Groups, m: g.O / g.Groups, h: g.H, w: g.W, oh: g.OutH(), ow: g.OutW(), sh: g.SH, sw: g.SW}
	for kh := range g.KH {
		for kw := range g.KW {
			pg.taps = append(pg.taps, tap{kh*g.DH - g.PH, kw*g.DW - g.PW})
		}
	}
	return engine{plan: newPlan(l, pg)}
}

// pack gives the engine its weights, again where they have changed.
func (e *engine) pack(s weightSource) {
	switch {
	case e.depth != nil:
		e.depth.pack(s)
	case e.spread != nil:
		e.spread.weights = packDepth(e.spread.weights, e.spread.g.C, s)
	case e.wino != nil:
		e.wino.pack(s)
	default:
		e.plan.pack(s)
	}
}

// run computes one image; see planIO.
func (e *engine) run(io *planIO) {
	switch {
	case e.depth != nil:
		e.depth.run(io)
	case e.spread != nil:
		e.spread.run(io)
	case e.wino != nil:
		e.wino.run(io)
	default:
		e.plan.run(io)
	}
}

func (e *engine) scratchLen() int {
	switch {
	case e.depth != nil:
		return e.depth.scratchLen()
	case e.spread != nil:
		return e.spread.scratchLen()
	case e.wino != nil:
		return e.wino.scratchLen()
	}
	return e.plan.scratchLen()
}
