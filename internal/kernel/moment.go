//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// momentArgs are the arguments of the kernels that sum in float64.
type momentArgs struct {
	x, y           unsafe.Pointer
	n              int // number of elements, a positive multiple of sixteen
	mean, sum, dot float64
}

// moment32 adds sums over x (and y) in float64 to a, and returns the number of elements that it has summed.
func moment32(kind momentKind, x, y []float32, a *momentArgs) int {
	l := currentLevel()
	n := len(x) &^ 15
	if l == generic || n == 0 {
		return 0
	}
	a.x, a.n = ptr(x, 0), n
	if y != nil {
		a.y = ptr(y[:n], 0)
	}
	runMoment(l, kind, a)
	return n
}
