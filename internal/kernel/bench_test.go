package kernel

import (
	"fmt"
	"testing"
	"time"
)

// benchAtLevels benchmarks f at every level. work is the number of operations (or bytes, with unit GB/s) of one call.
func benchAtLevels(b *testing.B, name, unit string, work float64, f func()) {
	for _, lev := range Levels() {
		b.Run(name+"/"+lev, func(b *testing.B) {
			restore, err := ForceLevel(lev)
			if err != nil {
				b.Fatal(err)
			}
			defer restore()
			quick := time.Hour
			b.ReportAllocs()
			for b.Loop() {
				t := time.Now()
				f()
				quick = min(quick, time.Since(t))
			}
			b.ReportMetric(work/float64(max(1, quick.Nanoseconds())), "best-"+unit)
			b.ReportMetric(work*float64(b.N)/float64(b.Elapsed().Nanoseconds()), unit)
		})
	}
}

func BenchmarkConv(b *testing.B) {
	for _, bc := range benchConvs {
		for _, lev := range Levels() {
			restore, err := ForceLevel(lev)
			if err != nil {
				b.Fatal(err)
			}
			c, err := NewConv(benchSpec(bc.g, bc.pre))
			restore()
			if err != nil {
				b.Fatal(err)
			}
			rng := newRand(5)
			x, y, dx := randSlice[float32](rng, bc.g.InLen()), make([]float32, bc.g.OutLen()),
				make([]float32, bc.g.InLen())
			scratch := make([]float32, c.ScratchLen())
			for pass, f := range map[string]func(){
				"forward":  func() { c.Forward(y, x, nil, scratch) },
				"backward": func() { c.BackwardInput(dx, y, x, y, nil, nil, scratch) },
			} {
				b.Run(fmt.Sprintf("%s/%s/%s", bc.name, pass, lev), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						f()
					}
					b.ReportMetric(float64(bc.g.FLOPs()*b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
		}
	}
}

// weightImages is the number of images over which the benchmarks of weight gradients sum, as in training with small
// batches.
const weightImages = 8

func BenchmarkConvBackwardWeight(b *testing.B) {
	for _, bc := range benchConvs {
		rng := newRand(5)
		in, out := bc.g.InLen(), bc.g.OutLen()
		x, dy, dw := randSlice[float32](rng, weightImages*in), randSlice[float32](rng, weightImages*out),
			make([]float32, bc.g.WeightLen())
		scratch := make([]float32, ConvBackwardWeightScratch(bc.g, weightImages))
		benchAtLevels(b, bc.name, "GFLOP/s", float64(weightImages*bc.g.FLOPs()), func() {
			ConvBackwardWeight(bc.g, dw, nil, x, dy, weightImages, in, out, scratch)
		})
	}
}

func BenchmarkLinear(b *testing.B) {
	const in, out = 2048, 1000
	rng := newRand(1)
	w, bias := randSlice[float32](rng, in*out), randSlice[float32](rng, out)
	for _, n := range []int{1, 16} {
		x, y, dw := randSlice[float32](rng, n*in), make([]float32, n*out), make([]float32, in*out)
		work := float64(2 * n * in * out)
		name := fmt.Sprintf("n=%d ", n)
		benchAtLevels(b, name+"forward", "GFLOP/s", work, func() { Linear(y, x, w, bias, n, in, out) })
		benchAtLevels(b, name+"input", "GFLOP/s", work, func() { LinearBackwardInput(x, y, w, n, in, out) })
		benchAtLevels(b, name+"weight", "GFLOP/s", work, func() { LinearBackwardWeight(dw, nil, x, y, n, in, out) })
	}
}

func BenchmarkRoutedLinear(b *testing.B) {
	const in, out, n = 2048, 1000, 16
	rng := newRand(1)
	w, bias, absC, z := randSlice[float32](rng, in*out), randSlice[float32](rng, out), randSlice[float32](rng, n*in),
		randSlice[float32](rng, n*in)
	y, class, thresholds := make([]float32, n*out), make([]int, n), make([]float32, n)
	for i := range class {
		class[i], thresholds[i] = i, 0.1
	}
	benchAtLevels(b, "one", "GFLOP/s", 2*in*out, func() { RoutedLinear(y, z, w, bias, absC, 0.1, in, out) })
	benchAtLevels(b, "batch of 16", "GFLOP/s", 2*in*out*n, func() {
		RoutedLinearBatch(y, z, w, bias, absC, class, thresholds, in, out)
	})
	benchAtLevels(b, "input", "GFLOP/s", 2*in*out, func() {
		RoutedLinearBackwardInput(z[:in], y[:out], w, absC, 0.1, in, out)
	})
}

func BenchmarkElementwise(b *testing.B) {
	const n = 64 * 1024
	rng := newRand(1)
	words := make([]uint64, n/64)
	for i := range words {
		words[i] = rng.Uint64()
	}
	x, y, z, coef := randSlice[float32](rng, n), randSlice[float32](rng, n), make([]float32, n),
		randSlice[float32](rng, 64)
	norm := NewBatchNorm[float32](16, 1024, 1e-5, true)
	normBack := norm.Gradient(true)
	for _, op := range []struct {
		name   string
		arrays float64
		f      func()
	}{
		{"Add", 3, func() { Add(z, x, y) }},
		{"AddTo", 3, func() { AddTo(z, x) }},
		{"Mul", 3, func() { Mul(z, x, y) }},
		{"Scale", 2, func() { Scale(z, x, 2) }},
		{"Axpy", 3, func() { Axpy(z, x, 2) }},
		{"Dot", 2, func() { Dot(x, y) }},
		{"Mix", 4, func() { Mix(z, x, y, x) }},
		{"Select", 3, func() { Select(z, x, y, words) }},
		{"ReLU", 2, func() { ReLU(z, x) }},
		{"ReLUBackward", 3, func() { ReLUBackward(z, x, y) }},
		{"Affine", 2, func() { Affine(z, x, coef, coef, 64, 1024, true) }},
		{"AffineBackward", 3, func() { AffineBackward(z, x, y, coef, 64, 1024, true, false) }},
		{"ClipMax", 2, func() { ClipMax(z, x, coef[:1]) }},
		{"ClipMaxBackward", 3, func() { ClipMaxBackward(z, x, y, coef[:1]) }},
		{"GlobalAvgPool", 1, func() { GlobalAvgPool(z, x, 64, 1024) }},
		{"GlobalAvgPoolBackward", 1, func() { GlobalAvgPoolBackward(z, x, 64, 1024) }},
		{"LogSoftmax", 2, func() { LogSoftmax(z, x, 64, 1024) }},
		{"LogSumExp", 1, func() { LogSumExp(z, x, 64, 1024) }},
		{"Softmax", 2, func() { Softmax(z, x, 64, 1024) }},
		{"BatchNormForward", 3, func() { normForward(norm, z, x, nil, coef, coef, 4) }},
		{"BatchNormBackward", 5, func() { normBackward(normBack, z, y, x, coef, 4) }},
	} {
		benchAtLevels(b, op.name, "GB/s", 4*n*op.arrays, op.f)
	}
}

func BenchmarkPool(b *testing.B) {
	g := PoolGeom{C: 64, H: 112, W: 112, KH: 3, KW: 3, SH: 2, SW: 2, PH: 1, PW: 1}
	rng := newRand(1)
	x, y, index := randSlice[float32](rng, 64*112*112), make([]float32, 64*56*56), make([]int32, 64*56*56)
	bytes := float64(4 * (len(x) + len(y)))
	benchAtLevels(b, "max 3x3s2", "GB/s", bytes, func() { MaxPool(g, y, nil, x) })
	benchAtLevels(b, "max 3x3s2 index", "GB/s", bytes, func() { MaxPool(g, y, index, x) })
	benchAtLevels(b, "max back", "GB/s", bytes, func() { MaxPoolBackward(g, x, y, index) })
	g.KH, g.KW, g.PH, g.PW = 2, 2, 0, 0
	benchAtLevels(b, "avg 2x2s2", "GB/s", bytes, func() { AvgPool(g, y, x) })
	benchAtLevels(b, "avg back", "GB/s", bytes, func() { AvgPoolBackward(g, x, y) })
}

// BenchmarkConvUpdate packs the weights of both directions again, as every step of training does, and runs one image.
func BenchmarkConvUpdate(b *testing.B) {
	for _, g := range []ConvGeom{{C: 200, H: 16, W: 16, O: 48, KH: 1, KW: 1}, {C: 48, H: 16, W: 16, O: 12, KH: 3, KW: 3,
		PH: 1, PW: 1}} {
		s := benchSpec(g, true)
		c, err := NewConv(s)
		if err != nil {
			b.Fatal(err)
		}
		x, y, dx, scratch := make([]float32, g.InLen()), make([]float32, g.OutLen()), make([]float32, g.InLen()),
			make([]float32, c.ScratchLen())
		b.Run(fmt.Sprintf("%dx%d", g.KH, g.KW), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Update(s); err != nil {
					b.Fatal(err)
				}
				c.Forward(y, x, nil, scratch)
				c.BackwardInput(dx, y, x, y, nil, nil, scratch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*g.WeightLen()), "ns/weight")
		})
	}
}
