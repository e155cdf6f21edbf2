//go:build (!amd64 && !arm64) || noasm

package kernel

// conv32 stands for the vector code of a Conv[float32], which this build does not have.
type conv32 struct{}

func newConv32(*Conv[float32]) *conv32 { return nil }

func (*conv32) scratchLen() int { panic("kernel: no vector code in this build") }

func (*conv32) forward(dst, src, residual, scratch []float32) {
	panic("kernel: no vector code in this build")
}

func (*conv32) forwardBatch(dst, src, residual []float32, n, dstStride, srcStride, residualStride int,
	scratch []float32) {
	panic("kernel: no vector code in this build")
}

func (*conv32) backwardInput(dx, dy, x, y, dresidual, plus, scratch []float32) {
	panic("kernel: no vector code in this build")
}

// convWork stands for a convolution's work by a team.
type convWork struct{}

func (*conv32) forwardTeam(t *Team, dst, src, residual, scratch []float32) {
	panic("kernel: no vector code in this build")
}

func (*conv32) prepare(bool) { panic("kernel: no vector code in this build") }

func (*conv32) changed() { panic("kernel: no vector code in this build") }
