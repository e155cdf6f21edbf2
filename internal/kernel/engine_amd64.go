//go:build amd64 && !noasm

package kernel

// newForwardOnly returns the engine for the forward pass of a geometry that newSpecial has no engine as fast for, or
// nil.
func newForwardOnly(l level, g ConvGeom) engine {
	if winogradFourFits(l, g) {
		return newWinogradFour(l, g)
	}
	return nil
}

// hasSpecial reports whether a geometry has an engine faster than a plan.
func hasSpecial(l level, g ConvGeom) bool {
	return depthTapsFits(g) || depthwiseFits(g) || winogradFits(l, g)
}

// newSpecial returns the engine of a geometry that has one faster than a plan, otherwise nil.
func newSpecial(l level, g ConvGeom, plain bool) engine {
	switch {
	case depthTapsFits(g):
		return newDepthTaps(l, g)
	case depthwiseFits(g):
		return newDepthwise(l, g, plain)
	case winogradFits(l, g):
		return newWinograd(l, g, plain)
	}
	return nil
}

// newSpread returns the engine of an input gradient that has one of its own, otherwise nil.
func newSpread(l level, g ConvGeom) engine {
	if depthSpreadFits(g) {
		return newDepthSpread(l, g)
	}
	return nil
}

// addsResidual reports whether the engine of an input gradient adds planIO.residual.
func addsResidual(e engine) bool {
	_, spread := e.(*depthSpread)
	return !spread
}
