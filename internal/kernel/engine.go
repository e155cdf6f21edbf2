//go:build (amd64 || arm64) && !noasm

package kernel

// engine is an implementation of a convolution. After pack, several goroutines may call run at once.
type engine interface {
	// pack sets the weights. It may be called again when they have changed.
	pack(s weightSource)
	// run computes one image. planIO is passed by value, because a pointer passed through an interface would be
	// allocated.
	run(image planIO)
	scratchLen() int
	// ceils tells whether the engine's kernels apply planIO.ceil.
	ceils() bool
}

// severalEngine is an engine that can compute several images together, up to a limit, with the bits that each has
// alone.
type severalEngine interface {
	engine
	together() int
	several(image planIO, n int)
}

// newForwardEngine is newEngine for the forward pass. Input gradients use only engines with smaller rounding errors.
func newForwardEngine(l level, g ConvGeom, plain bool) engine {
	if e := newForwardOnly(l, g); e != nil {
		return e
	}
	e := newEngine(l, g, plain)
	if s := newStacked(e, g); s != nil {
		return s
	}
	return e
}

// newEngine returns the fastest engine for a geometry, without weights; pack sets them. plain says that there is no pre
// operation.
func newEngine(l level, g ConvGeom, plain bool) engine {
	switch {
	case plain && wholeFits(g):
		return &whole{level: l, g: g}
	case thinnedFits(g):
		return newThinned(l, g)
	}
	if e := newSpecial(l, g, plain); e != nil {
		return e
	}
	pg := planGeom{groups: g.Groups, c: g.C / g.Groups, m: g.O / g.Groups, h: g.H, w: g.W, oh: g.OutH(), ow: g.OutW(),
		sh: g.SH, sw: g.SW}
	for kh := range g.KH {
		for kw := range g.KW {
			pg.taps = append(pg.taps, tap{kh*g.DH - g.PH, kw*g.DW - g.PW})
		}
	}
	return newPlan(l, pg)
}
