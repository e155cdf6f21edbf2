//go:build !amd64 || noasm

package kernel

func convBackwardWeightScratch(ConvGeom) int { return 0 }

func convBackwardWeight32(g ConvGeom, dw, dbias, x, dy, scratch []float32) bool { return false }
