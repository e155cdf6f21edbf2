//go:build !noasm

package kernel

import (
	"fmt"
	"testing"
)

// BenchmarkBFloat16Parts times the parts of a bfloat16 convolution of DenseNet's, on one image in cache.
func BenchmarkBFloat16Parts(b *testing.B) {
	for _, g := range []ConvGeom{
		{C: 120, H: 32, W: 32, O: 48, KH: 1, KW: 1}, {C: 200, H: 16, W: 16, O: 48, KH: 1, KW: 1},
		{C: 250, H: 8, W: 8, O: 48, KH: 1, KW: 1},
		{C: 48, H: 32, W: 32, O: 12, KH: 3, KW: 3, PH: 1, PW: 1}, {C: 48, H: 16, W: 16, O: 12, KH: 3, KW: 3, PH: 1,
			PW: 1},
		{C: 64, H: 56, W: 56, O: 64, KH: 3, KW: 3, PH: 1, PW: 1}, {C: 256, H: 14, W: 14, O: 256, KH: 3, KW: 3, PH: 1,
			PW: 1},
		{C: 256, H: 56, W: 56, O: 64, KH: 1, KW: 1}, {C: 512, H: 28, W: 28, O: 256, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2,
			SW: 2},
	} {
		for _, level := range []bfLevel{bfAMX, bfDots} {
			if level > bfBest() {
				continue
			}
			p := newBFPlan(level, g.norm()).(*bfPlan)
			p.pack(make([]float32, g.WeightLen()))
			ones, zeros := make([]float32, g.C), make([]float32, g.C)
			for i := range ones {
				ones[i] = 1
			}
			io := bfIO{dst: make([]float32, g.OutLen()), src: make([]float32, g.InLen()), bias: make([]float32, g.O),
				scale: ones, shift: zeros,
				scratch: make([]float32, p.scratchLen()), lowest: 0, floor: 0}
			for _, part := range []string{"all", "join", "compute"} {
				b.Run(fmt.Sprintf("%dx%dx%d-%d-%d/%v/%s", g.C, g.H, g.W, g.O, g.KH, level, part), func(b *testing.B) {
					scratch, sums := alignVector(io.scratch), alignVector(make([]float32, 1040))
					for b.Loop() {
						switch {
						case part == "all":
							p.run(io)
						case p.pointwise:
							for at := 0; at < g.H*g.W; at += p.columns {
								n := min(p.columns, g.H*g.W-at)
								if part == "join" {
									p.join(&io, ptr(scratch, 0), 64, 64*p.pairs, 0, at, n)
								} else {
									p.compute(&io, sums, 0, bfColumns{b: ptr(scratch, 0), bRow: 64, bCol: 64 * p.pairs,
										at: at, n: n})
								}
							}
						default:
							for y := 0; y < p.g.OutH(); y += p.strip {
								rows := min(p.strip, p.g.OutH()-y)
								if part == "join" {
									p.fill(&io, scratch, 0, y, rows)
								} else {
									p.compute(&io, sums, 0, bfColumns{b: ptr(scratch, 0), bRow: 4 * p.plane, bCol: 64,
										at: y * p.g.OutW(), n: rows * p.g.OutW()})
								}
							}
						}
					}
					b.ReportMetric(float64(g.norm().FLOPs())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
