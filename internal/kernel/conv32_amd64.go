//go:build amd64 && !noasm

package kernel

import "sync"

// conv32 is the vectorised half of a Conv[float32].
type conv32 struct {
	c            *Conv[float32]
	level        level
	forwardPlan  *plan
	depth        *depthwise // stands in for forwardPlan where it is not nil
	scale, shift []float32  // pre affine, ones and zeros where there is none
	floor        float32
	ones         []float32 // [C]
	backward     func() *backward
	scratch      int
}

// newConv32 returns nil where the generic code is to run.
func newConv32(c *Conv[float32]) *conv32 {
	l := currentLevel()
	g := c.g
	if l == generic {
		return nil
	}
	f := &conv32{c: c, level: l, scale: c.preScale, shift: c.preShift, floor: noFloor, ones: make([]float32, g.C)}
	for i := range f.ones {
		f.ones[i] = 1
	}
	if f.scale == nil {
		f.scale, f.shift = f.ones, make([]float32, g.C)
	}
	if c.preReLU {
		f.floor = 0
	}
	pg := planGeom{groups: g.Groups, c: g.C / g.Groups, m: g.O / g.Groups, h: g.H, w: g.W, oh: g.OutH(), ow: g.OutW(), sh: g.SH, sw: g.SW}
	for kh := range g.KH {
		for kw := range g.KW {
			pg.taps = append(pg.taps, tap{kh*g.DH - g.PH, kw*g.DW - g.PW})
		}
	}
	f.backward = sync.OnceValue(f.buildBackward)
	f.scratch = g.OutLen() + g.InLen() + f.backwardScratch()
	if f.depth = newDepthwise(l, g, c.weight); f.depth != nil {
		f.scratch = max(f.scratch, f.depth.scratchLen())
		return f
	}
	f.forwardPlan = newPlan(l, pg)
	f.forwardPlan.pack(func(group, m, ch, t int) float32 {
		return c.weight[((group*pg.m+m)*pg.c+ch)*len(pg.taps)+t]
	})
	f.scratch = max(f.scratch, f.forwardPlan.scratchLen())
	return f
}

func (f *conv32) scratchLen() int { return f.scratch }

func (f *conv32) forward(dst, src, residual, scratch []float32) {
	io := planIO{
		dst: dst, src: src, bias: f.c.bias, residual: residual, relu: f.c.postReLU,
		scale: f.scale, shift: f.shift, floor: f.floor, scratch: scratch,
	}
	if f.depth == nil {
		f.forwardPlan.run(&io)
		return
	}
	io.relu = f.c.postReLU && residual == nil
	f.depth.run(&io)
	if residual != nil {
		Add(dst, dst, residual)
		if f.c.postReLU {
			ReLU(dst, dst)
		}
	}
}
