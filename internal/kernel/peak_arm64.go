//go:build arm64 && !noasm

package kernel

type peakArgs struct{ n int }

// peakRun runs independent multiply-adds and returns the number of operations.
func peakRun() float64 {
	if currentLevel() == generic {
		return peakGeneric()
	}
	const rounds, chains = 1 << 13, 24 // chains as in the assembly
	peakNEON(&peakArgs{rounds})
	return 2 * rounds * chains * 4
}
