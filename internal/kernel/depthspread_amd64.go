//go:build amd64 && !noasm

package kernel

import "unsafe"

// depthSpread is the input gradient of a depthwise 3x3 convolution of stride two and padding one.
type depthSpread struct {
	level        level
	g            ConvGeom
	weights      []float32    // [C, 3, 3]
	wide, narrow []depthStrip // strips of output columns; each output column stands for two input columns
	blockC       int
}

func depthSpreadFits(g ConvGeom) bool {
	return depthwiseFits(g) && g.SH == 2 && g.PH == 1 && g.PW == 1 && g.EH == 0 && g.EW == 0
}

// newDepthSpread returns a depthSpread without weights, for a geometry that fits. pack sets the weights.
func newDepthSpread(l level, g ConvGeom) *depthSpread {
	d := &depthSpread{level: l, g: g}
	strip := func(lanes, x int) depthStrip {
		s := depthStrip{src: 4 * x, dst: 8 * x, plain: 1}
		s.mask(0, lanes, x, g.OutW())
		s.mask(1, lanes, x+1, g.OutW())
		s.mask(stripStores, lanes, 2*x, g.W)
		s.mask(stripStores+1, lanes, 2*x+lanes, g.W)
		return s
	}
	cols := g.OutW()
	wide := depthLanes(l, cols)
	for x := 0; x < wide; x += 16 {
		d.wide = append(d.wide, strip(16, x))
	}
	var narrow []depthStrip
	for x := (cols - 1) &^ 7; x >= wide; x -= 8 { // see depthStrips
		narrow = append(narrow, strip(8, x))
	}
	d.narrow = alignedCopy(narrow)
	d.blockC = min(g.C, max(1, depthCache/4/(g.H*g.W)))
	return d
}

func (d *depthSpread) pack(s weightSource) { d.weights = packDepth(d.weights, d.g.C, s, depthOrder) }

func (d *depthSpread) ceils() bool { return false }

func (d *depthSpread) scratchLen() int { return d.g.InLen() }

// run computes the input gradient io.dst from the output gradient io.src.
func (d *depthSpread) run(image planIO) {
	io := &image
	if io.accumulate {
		own := *io
		own.dst, own.accumulate = io.scratch[:d.g.InLen()], false
		d.run(own)
		AddTo(io.dst[:d.g.InLen()], own.dst)
		return
	}
	g := d.g
	in, out := g.H*g.W, g.OutH()*g.OutW()
	a := depthArgs{
		dstRow: 4 * g.W, dstChannel: 4 * in, srcRow: 4 * g.OutW(), srcChannel: 4 * out,
		rows: g.OutH(), height: g.H, zero: unsafe.Pointer(&zeros32), table: unsafe.Pointer(&depthTable),
	}
	for c := 0; c < g.C; c += d.blockC {
		n := min(d.blockC, g.C-c)
		for _, narrow := range []bool{false, true} {
			strips := d.wide
			if narrow {
				strips = d.narrow
			}
			if len(strips) == 0 {
				continue
			}
			a.strips, a.count = unsafe.Pointer(&strips[0]), len(strips)
			careful := 0
			if d.level == avx2 {
				careful = carefulChannels(g.C, c, n, in, 16)
			}
			for from, part := range [...]int{n - careful, careful} {
				if part == 0 {
					continue
				}
				at := c + from*(n-careful)
				a.masked, a.channels = from, part
				a.dst, a.src, a.weights = ptr(io.dst, at*in), ptr(io.src, at*out), ptr(d.weights, 9*at)
				switch {
				case d.level == avx2:
					depthSpreadAVX2_s2(&a)
				case narrow:
					depthSpreadAVX512y_s2(&a)
				default:
					depthSpreadAVX512_s2(&a)
				}
			}
		}
	}
}
