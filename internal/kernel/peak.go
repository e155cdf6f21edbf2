package kernel

import "time"

// Level names the instruction set in use: "generic", "avx2" or "avx512".
func Level() string { return "generic" }

// PeakFMA measures for about d how many float32 GFLOP/s one core does in fused multiply-adds of the level in use.
func PeakFMA(d time.Duration) float64 { return peakGeneric(d) }

var peakSink float32

func peakGeneric(d time.Duration) float64 {
	const steps, lanes = 1 << 14, 8
	var acc [lanes]float32
	best := 0.0
	for start := time.Now(); time.Since(start) < d || best == 0; {
		t := time.Now()
		for range steps {
			for i := range acc {
				acc[i] = acc[i]*0.5 + 1
			}
		}
		best = max(best, 2*steps*lanes/float64(time.Since(t).Nanoseconds()))
	}
	peakSink = acc[0]
	return best
}
