//go:build amd64 && !noasm

package kernel

import (
	"slices"
	"sync"
)

// conv32 is the vectorised half of a Conv[float32].
type conv32 struct {
	c            *Conv[float32]
	level        level
	engine       engine
	scale, shift []float32 // pre affine, ones and zeros where there is none
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
	f := &conv32{c: c, level: l, scale: c.preScale, shift: c.preShift, floor: noFloor, ones: slices.Repeat([]float32{1}, g.C)}
	if f.scale == nil {
		f.scale, f.shift = f.ones, make([]float32, g.C)
	}
	if c.preReLU {
		f.floor = 0
	}
	f.engine = newEngine(l, g, !c.hasPre())
	in, out, taps := g.C/g.Groups, g.O/g.Groups, g.KH*g.KW
	f.engine.pack(func(group, m, ch, t int) float32 {
		return c.weight[((group*out+m)*in+ch)*taps+t]
	})
	f.backward = sync.OnceValue(f.buildBackward)
	f.scratch = max(f.engine.scratchLen(), g.OutLen()+g.InLen()+scratchOf(f.phases()))
	return f
}

func (f *conv32) scratchLen() int { return f.scratch }

func (f *conv32) forward(dst, src, residual, scratch []float32) {
	io := planIO{
		dst: dst, src: src, bias: f.c.bias, residual: residual, relu: f.c.postReLU,
		scale: f.scale, shift: f.shift, floor: f.floor, scratch: scratch,
	}
	f.engine.run(&io)
}
