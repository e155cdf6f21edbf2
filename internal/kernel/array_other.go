//go:build (!amd64 && !arm64) || noasm

package kernel

func pair32(pairOp, []float32, []float32, []float32, float32) bool { return false }

func transpose32([]float32, int, []float32, int, int, int) (int, int) { return 0, 0 }

func expSum32([]float32, []float32, float32) (float32, bool) { return 0, false }

func extreme32([]float32, bool) (float32, bool) { return 0, false }
