package kernel

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// bfConv is the part of a Conv[float32] that computes its forward pass in bfloat16.
type bfConv struct {
	c            *Conv[float32]
	engine       bfEngine
	scale, shift []float32 // affine in front of the convolution: ones and zeros if it has none
	floor        float32
	ready        atomic.Bool
	packing      sync.Mutex
}

// bfEngine is an implementation of a bfConv. After pack, several goroutines may call run at once.
type bfEngine interface {
	// pack takes the weights [O, C/Groups, KH, KW].
	pack(w []float32)
	// run computes one image.
	run(io bfIO)
	scratchLen() int
}

// bfIO holds the arguments of a bfEngine's run.
type bfIO struct {
	dst, src, residual []float32 // one image each; residual may be nil
	bias               []float32 // [O]
	scale, shift       []float32 // [C]
	floor              float32   // lower bound of the convolution's input: zero for a ReLU, -Inf for none
	lowest             float32   // lower bound of the output: zero for a ReLU, -Inf for none
	scratch            []float32
	// Where pairs is not nil the output goes there instead of to dst: rounded to bfloat16, two channels to a word, with
	// plane words from pair to pair.
	pairs unsafe.Pointer
	plane int
}

// bfLeast is the number of input channels of a group from which bfloat16 pays off. Images have fewer channels, so first
// layers stay in float32, and so do depthwise layers.
const bfLeast = 8

// bfFits reports whether a convolution for which bfloat16 is asked runs in bfloat16: not with few channels, and not on
// a single pixel, as behind a global pooling.
func bfFits(g ConvGeom) bool { return g.C/g.Groups >= bfLeast && g.OutH()*g.OutW() > 1 }

func newBFConv(c *Conv[float32]) *bfConv {
	if !bfFits(c.g) {
		return nil
	}
	b := &bfConv{c: c, scale: c.preScale, shift: c.preShift, floor: noFloor}
	if c.preScale == nil {
		b.scale, b.shift = slices.Repeat([]float32{1}, c.g.C), make([]float32, c.g.C)
	}
	if c.preReLU {
		b.floor = 0
	}
	if b.engine = newBFPlan(currentBFloat16(), c.g); b.engine == nil {
		b.engine = &bfGeneric{g: c.g}
	}
	return b
}

func (b *bfConv) prepare() {
	if b.ready.Load() {
		return
	}
	b.packing.Lock()
	defer b.packing.Unlock()
	if !b.ready.Load() {
		b.engine.pack(b.c.weights())
		b.ready.Store(true)
	}
}

func (b *bfConv) forward(dst, src, residual, scratch []float32) {
	b.engine.run(b.io(dst, src, residual, scratch))
	b.activate(dst)
}

// forwardTeam is forward by a team.
func (b *bfConv) forwardTeam(t *Team, dst, src, residual, scratch []float32) {
	e, ok := b.engine.(bfPartEngine)
	if !ok || e.parts(t.Size()) < 2 {
		b.forward(dst, src, residual, scratch)
		return
	}
	w := &t.bf
	*w = bfWork{engine: e, io: b.io(dst, src, residual, scratch), each: partLen(b.c.ScratchLen()),
		parts: e.parts(t.Size())}
	t.run(w, w.parts)
	*w = bfWork{}
	b.activate(dst)
}

// bfPartEngine is a bfEngine that can compute an image in parts at the same time, with the bits of the whole.
type bfPartEngine interface {
	bfEngine
	// parts returns how many parts an image makes for so many goroutines.
	parts(n int) int
	// part computes part i of n. Each part has scratch of its own.
	part(io bfIO, i, n int)
}

// bfWork is a convolution's work on one image by a team.
type bfWork struct {
	engine bfPartEngine
	io     bfIO
	each   int // elements of scratch of a part
	parts  int
}

func (w *bfWork) do(part int) {
	io := w.io
	io.scratch = io.scratch[part*w.each:][:w.each]
	w.engine.part(io, part, w.parts)
}

// io prepares the convolution and returns what an engine works on.
func (b *bfConv) io(dst, src, residual, scratch []float32) bfIO {
	b.prepare()
	io := bfIO{
		dst: dst, src: src, residual: residual, bias: b.c.bias, scale: b.scale, shift: b.shift,
		floor: b.floor, lowest: noFloor, scratch: scratch,
	}
	if b.c.post.Kind == ActReLU {
		io.lowest = 0
	}
	return io
}

// activate applies what activation the engine leaves.
func (b *bfConv) activate(dst []float32) {
	if b.c.post.Kind != ActReLU && b.c.post.Kind != ActIdentity {
		Activate(dst, dst, b.c.post)
	}
}

// bfGeneric is the bfEngine in portable Go. It gives the same bits as AMX.
type bfGeneric struct {
	g       ConvGeom
	weights []float32 // rounded to bfloat16
}

func (e *bfGeneric) pack(w []float32) {
	e.weights = slices.Clone(w)
	for i, v := range e.weights {
		e.weights[i] = fromBFloat16(toBFloat16(v))
	}
}

func (e *bfGeneric) scratchLen() int { return e.g.InLen() + 2*e.g.OutW() }

func (e *bfGeneric) run(io bfIO) {
	g := e.g
	x, sums := io.scratch[:g.InLen()], io.scratch[g.InLen():]
	for c := range g.C {
		for i, v := range io.src[c*g.H*g.W:][:g.H*g.W] {
			v = fma32(io.scale[c], v, io.shift[c])
			if io.floor > v { // false for NaN, which stays
				v = io.floor
			}
			x[c*g.H*g.W+i] = fromBFloat16(toBFloat16(v))
		}
	}
	oh, ow, in := g.OutH(), g.OutW(), g.C/g.Groups
	blocks := bfBlocks((in+1)/2, g.KH*g.KW)
	even, odd := sums[:ow], sums[ow:2*ow]
	for o := range g.O {
		group := o / (g.O / g.Groups)
		w := e.weights[o*in*g.KH*g.KW:]
		for y := range oh {
			out := io.dst[(o*oh+y)*ow:][:ow]
			clear(out)
			for _, b := range blocks {
				clear(sums[:2*ow])
				for c := 2 * b.first; c < min(2*(b.first+b.n), in); c++ {
					to := even
					if c%2 == 1 {
						to = odd
					}
					e.addRow(to, x[(group*in+c)*g.H*g.W:], w[c*g.KH*g.KW+b.tap], b.tap, y)
				}
				for i := range out {
					out[i] = flushed(float64(out[i]) + float64(flushed(float64(even[i])+float64(odd[i]))))
				}
			}
			for i, v := range out {
				v += io.bias[o]
				if io.residual != nil {
					v += io.residual[(o*oh+y)*ow+i]
				}
				if io.lowest > v {
					v = io.lowest
				}
				out[i] = v
			}
		}
	}
}

// addRow adds, to the sums of output row y, the products of the weight w of a tap (a position in the kernel's window)
// with the input elements that the tap reads.
func (e *bfGeneric) addRow(to, plane []float32, w float32, tap, y int) {
	g := e.g
	row, first := y*g.SH+tap/g.KW*g.DH-g.PH, tap%g.KW*g.DW-g.PW
	for i := range to {
		v := float32(0)
		if at := i*g.SW + first; row >= 0 && row < g.H && at >= 0 && at < g.W {
			v = plane[row*g.W+at]
		}
		to[i] = multiplyAdd(to[i], w, v)
	}
}
