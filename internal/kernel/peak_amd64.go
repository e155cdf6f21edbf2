//go:build amd64 && !noasm

package kernel

type peakArgs struct{ n int }

// peakRun runs independent multiply-adds and returns the number of operations.
func peakRun() float64 {
	const rounds, chains = 1 << 13, 12 // chains as in the assembly
	args := peakArgs{rounds}
	switch currentLevel() {
	case avx512:
		peakAVX512(&args)
		return 2 * rounds * chains * 16
	case avx2:
		peakAVX2(&args)
		return 2 * rounds * chains * 8
	}
	return peakGeneric()
}
