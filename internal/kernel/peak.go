package kernel

import "time"

// PeakFMA returns the speed of one core in fused multiply-adds of float32 at the level in use, in GFLOP/s: the best of
// many short runs. It measures for about the time d.
func PeakFMA(d time.Duration) float64 {
	best := 0.0
	for start := time.Now(); time.Since(start) < d || best == 0; {
		t := time.Now()
		flops := peakRun()
		best = max(best, flops/float64(max(1, time.Since(t).Nanoseconds())))
	}
	return best
}

// peakGeneric runs independent multiply-adds and returns the number of operations.
func peakGeneric() (flops float64) {
	const steps, lanes = 1 << 14, 8
	var acc [lanes]float32
	for range steps {
		for i := range acc {
			acc[i] = acc[i]*0.5 + 1
		}
	}
	if acc[0] > 2 { // never true; keeps the compiler from removing the loop
		return 0
	}
	return 2 * steps * lanes
}
