package kernel

import (
	"fmt"
	"os"
	"testing"
)

// TestChainSpeed logs the time of an image in each block of MobileNetV2 and EfficientNet-Lite0, for the chain and for
// its convolutions one by one, and the chain's share of peak speed. Times are minima of short runs with warm caches. It
// runs only if the variable SPEED is set.
func TestChainSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("set SPEED=1")
	}
	relu6 := Activation{Kind: ActReLU6}
	total, apart := 0.0, 0.0
	for _, b := range []struct {
		times int
		c     chainCase
	}{
		{1, chainCase{in: 32, mid: 32, out: 16, h: 112, k: 3, stride: 1}},
		{1, chainCase{in: 16, mid: 96, out: 24, h: 112, k: 3, stride: 2}},
		{1, chainCase{in: 24, mid: 144, out: 24, h: 56, k: 3, stride: 1}},
		{1, chainCase{in: 24, mid: 144, out: 40, h: 56, k: 5, stride: 2}},
		{1, chainCase{in: 40, mid: 240, out: 40, h: 28, k: 5, stride: 1}},
		{1, chainCase{in: 40, mid: 240, out: 80, h: 28, k: 3, stride: 2}},
		{2, chainCase{in: 80, mid: 480, out: 80, h: 14, k: 3, stride: 1}},
		{1, chainCase{in: 80, mid: 480, out: 112, h: 14, k: 5, stride: 1}},
		{2, chainCase{in: 112, mid: 672, out: 112, h: 14, k: 5, stride: 1}},
		{1, chainCase{in: 112, mid: 672, out: 192, h: 14, k: 5, stride: 2}},
		{3, chainCase{in: 192, mid: 1152, out: 192, h: 7, k: 5, stride: 1}},
		{1, chainCase{in: 192, mid: 1152, out: 320, h: 7, k: 3, stride: 1}},
	} {
		c := b.c
		c.w, c.pad, c.inner, c.expand = c.h, c.k/2, relu6, c.in != c.mid
		if c.stride == 2 {
			c.pad, c.extra = c.k/2-1, 1
		}
		convs := c.convs(t)
		chain, _ := NewChain(convs...)
		const images = 3
		first, last := convs[0].g, convs[len(convs)-1].g
		rng := newRand(1)
		x, y, scratch := randSlice[float32](rng, images*first.InLen()), make([]float32, images*last.OutLen()),
			make([]float32, chain.ScratchLen())
		run := func() { chain.ForwardBatch(y, x, nil, images, last.OutLen(), first.InLen(), 0, scratch) }
		flops, each, sum := 0, "", 0.0
		peak, s := 0.0, 1e9
		for range 4 {
			peak = max(peak, PeakFMA(2e6))
			s = min(s, best(run, 10)/images)
		}
		for _, conv := range convs {
			g := conv.g
			flops += g.FLOPs()
			in, out, work := randSlice[float32](rng, g.InLen()), make([]float32, g.OutLen()),
				make([]float32, conv.ScratchLen())
			one := best(func() { conv.Forward(out, in, nil, work) }, 40)
			sum += one
			each += fmt.Sprintf(" %6.1f", one*1e6)
		}
		total += float64(b.times) * s
		apart += float64(b.times) * sum
		fmt.Printf("%-32s ×%d %7.1f us, %4.1f%% of peak, one by one %7.1f us:%s\n", fmt.Sprintf("%d-%d-%d @%d k%d/%d",
			c.in, c.mid, c.out, c.h, c.k, c.stride), b.times,
			s*1e6, 100*float64(flops)/s*1e-9/peak, sum*1e6, each)
	}
	fmt.Printf("all: %.2f ms, one by one %.2f ms\n", total*1e3, apart*1e3)
}
