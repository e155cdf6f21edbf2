//go:build (!amd64 && !arm64) || noasm

package kernel

func convBackwardWeightScratch(ConvGeom, int) int { return 0 }

func convBackwardWeight32(g ConvGeom, dw, dbias, x, dy []float32, n, xStride, dyStride int, scratch []float32) bool {
	return false
}
