//go:build (!amd64 && !arm64) || noasm

package kernel

func doublePanelFast(c []float64, ldc int, a, b []float64, rows, terms int, resume bool) bool {
	return false
}

func shortPanelFast(c []int32, ldc int, a, b []int16, rows, pairs int, resume bool) bool {
	return false
}

func notBelowFast(dst []uint8, src []int32, gain, shift []float32, scale, bound float32) bool {
	return false
}

func rotateFast(rows, turns []float64, n, at, step int) bool { return false }
