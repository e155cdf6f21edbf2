//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"slices"
	"sync"
	"sync/atomic"
)

// conv32 is the vector code of a Conv[float32].
type conv32 struct {
	c            *Conv[float32]
	level        level
	engine       engine
	scale, shift []float32 // affine in front of the convolution: ones and zeros if it has none
	floor        float32
	ones, zeros  []float32 // one for each channel of the larger side
	order        []int     // the taps in the order of the weights
	phases       []phase
	scratch      int
	// Weights are packed when a direction is first used, so that inference does not hold packed weights of the backward
	// pass.
	forwardReady, backwardReady atomic.Bool
	packing                     sync.Mutex
}

// newConv32 returns the vector code of a convolution, nil where the generic code is to run.
func newConv32(c *Conv[float32]) *conv32 {
	l := currentLevel()
	g := c.g
	if l == generic {
		return nil
	}
	most := max(g.C, g.O)
	f := &conv32{c: c, level: l, floor: noFloor, ones: slices.Repeat([]float32{1}, most), zeros: make([]float32, most)}
	f.scale, f.shift = f.ones, f.zeros
	if c.preScale != nil {
		f.scale, f.shift = c.preScale, c.preShift
	}
	if c.preReLU {
		f.floor = 0
	}
	for t := range g.KH * g.KW {
		f.order = append(f.order, t)
	}
	f.engine = newForwardEngine(l, g, !c.hasPre())
	f.phases = f.newPhases()
	f.scratch = max(f.engine.scratchLen(), g.OutLen()+g.InLen()+scratchOf(f.phases))
	return f
}

func (f *conv32) scratchLen() int { return f.scratch }

// changed makes both directions pack the weights of the Conv again, which have changed.
func (f *conv32) changed() {
	f.forwardReady.Store(false)
	f.backwardReady.Store(false)
}

func (f *conv32) prepare(backward bool) {
	switch {
	case backward && !f.backwardReady.Load():
		f.packBackward()
	case !backward && !f.forwardReady.Load():
		f.packForward()
	}
}

func (f *conv32) packForward() {
	f.packing.Lock()
	defer f.packing.Unlock()
	if f.forwardReady.Load() {
		return
	}
	g := f.c.g
	in, taps := g.C/g.Groups, g.KH*g.KW
	s := weightSource{w: f.c.weights(), byGroup: g.O / g.Groups * in * taps, byOut: in * taps, byIn: taps, tap: f.order}
	f.engine.pack(s)
	f.forwardReady.Store(true)
}

func (f *conv32) forward(dst, src, residual, scratch []float32) {
	f.forwardBatch(dst, src, residual, 1, 0, 0, 0, scratch)
}

// forwardBatch computes n images, several together where the engine can, nearly as many each time: a single image that
// is left would read all weights for itself.
func (f *conv32) forwardBatch(dst, src, residual []float32, n, dstStride, srcStride, residualStride int,
	scratch []float32) {
	io := f.io(scratch)
	io.dstStride, io.srcStride, io.residualStride = dstStride, srcStride, residualStride
	several, most := severalEngine(nil), 1
	if e, ok := f.engine.(severalEngine); ok {
		several, most = e, e.together()
	}
	for i := 0; i < n; {
		io.dst, io.src = dst[i*dstStride:], src[i*srcStride:]
		if residual != nil {
			io.residual = residual[i*residualStride:]
		}
		if m := evenBlock(n-i, most); m > 1 {
			several.several(io, m)
			i += m
			continue
		}
		f.engine.run(io)
		i++
	}
}

// convWork is a convolution's work on one image by a team.
type convWork struct {
	engine partEngine
	io     planIO
	each   int // elements of scratch of a part
	parts  int
}

func (w *convWork) do(part int) {
	io := w.io
	io.scratch = io.scratch[part*w.each:][:w.each]
	w.engine.part(io, part, w.parts)
}

// forwardTeam computes one image.
func (f *conv32) forwardTeam(t *Team, dst, src, residual, scratch []float32) {
	e, ok := f.engine.(partEngine)
	if !ok || e.parts(t.Size()) < 2 {
		f.forward(dst, src, residual, scratch)
		return
	}
	w := &t.conv
	*w = convWork{engine: e, io: f.io(alignVector(scratch)), each: partLen(f.scratch), parts: e.parts(t.Size())}
	w.io.dst, w.io.src, w.io.residual = dst, src, residual
	t.run(w, w.parts)
	*w = convWork{}
}

// io prepares the convolution and returns what an engine needs beside the images.
func (f *conv32) io(scratch []float32) planIO {
	f.prepare(false)
	io := planIO{
		bias: f.c.bias, ceil: noCeiling, scale: f.scale, shift: f.shift, floor: f.floor, scratch: scratch,
	}
	switch a := f.c.post; {
	case a.Kind == ActReLU:
		io.relu = true
	case a.Kind == ActReLU6 && f.engine.ceils():
		io.relu, io.ceil = true, 6
	case a.Kind == ActClamp && a.A == 0 && a.B >= 0 && f.engine.ceils():
		io.relu, io.ceil = true, float32(a.B)
	default:
		io.act = a
	}
	return io
}
