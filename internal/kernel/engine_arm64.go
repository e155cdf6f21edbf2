//go:build arm64 && !noasm

package kernel

// newForwardOnly returns the engine for the forward pass of a geometry that newSpecial has no engine as fast for, or
// nil.
func newForwardOnly(level, ConvGeom) engine { return nil }

// hasSpecial reports whether a geometry has an engine faster than a plan.
func hasSpecial(_ level, g ConvGeom) bool { return depthTapsFits(g) }

// newSpecial returns the engine of a geometry that has one faster than a plan, otherwise nil.
func newSpecial(l level, g ConvGeom, _ bool) engine {
	if depthTapsFits(g) {
		return newDepthTaps(l, g)
	}
	return nil
}

// newSpread returns the engine of an input gradient that has one of its own, otherwise nil.
func newSpread(level, ConvGeom) engine { return nil }

// addsResidual reports whether the engine of an input gradient adds planIO.residual.
func addsResidual(engine) bool { return true }

// Input gradients of stride two have no kernel that writes their phases together.
func (f *conv32) weaves() bool { return false }

func (f *conv32) weave([]float32, []float32, []float32) { panic("kernel: no such kernel") }

// Weight gradients of depthwise convolutions have no kernels of their own.
const depthGradSaved = 0

func depthGradFits(ConvGeom) bool { return false }

func depthGrad(level, ConvGeom, []float32, []float32, []float32, []float32) {
	panic("kernel: no such kernel")
}

// Weight gradients have no Winograd transforms.

func winoWeightScratch(level, ConvGeom, int) (int, bool) { return 0, false }

func winoWeightGrad(level, ConvGeom, []float32, []float32, []float32, int, int, int, []float32) bool {
	return false
}
