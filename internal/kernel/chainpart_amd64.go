//go:build amd64 && !noasm

package kernel

import "unsafe"

// A chain is shared in one of two ways, both with the bits of one goroutine. Cut into rows, each part expands the rows
// that its outputs see, those at the seam twice, and reads all weights. Cut into channels, each part expands some
// channels and convolves them, so that no part reads more than its share of the weights; when all are done, the parts
// share the columns or the rows of the last product, whose input then comes from the caches of all cores.

// chainWork is a chain's work on one image by a team.
type chainWork struct {
	c       *chain32
	io      chainIO
	scratch []float32
	each    int // elements of scratch of a part
	image   int
	parts   int
	rows    bool // cut into rows
	last    bool // the last product
}

// teamScratchLen returns how many elements of scratch runTeam needs.
func (c *chain32) teamScratchLen(t *Team) int { return t.Size()*c.partLen() + slackLanes }

// partLen is how many elements of scratch a part has: whole cache lines.
func (c *chain32) partLen() int { return (c.scratchLen() + slackLanes) / 16 * 16 }

// runTeam computes images one by one, a team sharing each.
func (c *chain32) runTeam(t *Team, io chainIO, scratch []float32) {
	w := &t.chain
	*w = chainWork{c: c, io: io, scratch: alignVector(scratch), each: c.partLen(), parts: t.Size()}
	w.rows = c.cutsRows(w.parts)
	for w.image = range io.n {
		w.last = false
		t.run(w, w.parts)
		if w.rows {
			continue
		}
		w.last = true
		t.run(w, w.parts)
	}
	*w = chainWork{}
}

// chainForeign and chainWeight are what it costs a core, in multiply-adds, to read an element that another core has
// written, and a weight: figures that choose the faster way for the blocks of MobileNetV2 on two cores of an Intel
// Xeon.
const (
	chainForeign = 36
	chainWeight  = 6
)

// cutsRows reports whether an image is cut into rows: if it has several strips, and if expanding rows at the seams
// twice and reading all weights costs a part less than reading what other parts have convolved.
func (c *chain32) cutsRows(parts int) bool {
	if c.rows < c.g.OutH() {
		return true
	}
	if c.expand == nil || c.g.OutH() < parts*c.step {
		return false
	}
	others, seam := float64(parts-1)/float64(parts), max(0, c.g.KH-c.g.SH)
	weights := c.g.C * (c.in + c.project.plan.m)
	rows := float64(c.g.C*c.in*c.g.W*seam) + chainWeight*others*float64(weights)
	channels := chainForeign * others * float64(c.g.C*c.g.OutH()*c.g.OutW())
	return rows < channels
}

func (w *chainWork) do(part int) {
	own := w.scratch[part*w.each:][:w.each]
	switch c := w.c; {
	case w.last:
		c.projectPart(&w.io, w.scratch, w.image, part, w.parts)
	case !w.rows:
		c.channels(&w.io, own, w.scratch, w.image, part, w.parts)
	default:
		outputs := portion(c.g.OutH(), c.step, part, w.parts)
		if outputs.len() > 0 {
			strips := (outputs.len() + c.rows - 1) / c.rows
			strip := ((outputs.len()+strips-1)/strips + c.step - 1) / c.step * c.step
			c.image(&w.io, own, w.image, outputs, strip)
		}
	}
}

// channels computes the depthwise outputs of some channels, which go to the scratch that all parts share.
func (c *chain32) channels(io *chainIO, own, shared []float32, image, part, parts int) {
	g := c.g
	src := io.src[image*io.srcStride:]
	seen := min(max(0, (g.OutH()-1)*g.SH-g.PH+g.KH), g.H) // rows; mid has no room for others
	s := depthwiseStrip{
		channels: portion(g.C, 2, part, parts), dst: shared[c.deep.at:], dstChannel: c.deep.channel, rows: g.OutH(),
		height: seen, top: -g.PH, scratch: own[c.depthAt:],
	}
	switch {
	case c.expand != nil:
		tiles := portion(len(c.expand.plan.tiles), 1, part, parts)
		s.channels = span{c.expand.plan.rowsOf(span{0, tiles.lo}), c.expand.plan.rowsOf(span{0, tiles.hi})}
		if s.channels.len() == 0 {
			return
		}
		x, mid := own[c.x.at:], own[c.mid.at:]
		copyRows(c.level, 1, &rowsArgs{
			dst: ptr(x, 0), src: ptr(src, 0), rows: 1, valid: seen * g.W, scale: ptr(c.ones, 0), shift: ptr(c.zeros, 0),
			floor: noFloor,
			table: unsafe.Pointer(&laneTable), channels: c.in, dstChannel: 4 * c.x.channel, srcChannel: 4 * g.H * g.W,
		})
		c.expand.multiply(c.level, mid, c.mid.channel, x, planPart{tiles, span{0, seen * g.W}}, nil)
		s.src, s.srcChannel = mid, c.mid.channel
	case c.stem != nil: // all channels come together
		if part > 0 {
			return
		}
		s.channels = span{0, g.C}
		c.stem.run(own[c.mid.at:], c.mid.channel, src, alignVector(own[c.x.at:]), 0, seen)
		s.src, s.srcChannel = own[c.mid.at:], c.mid.channel
	default:
		s.src, s.srcChannel, s.borrowed = src, g.H*g.W, true
	}
	c.depth.strip(s)
}

// projectPart computes some columns or rows of the last product.
func (c *chain32) projectPart(io *chainIO, shared []float32, image, part, parts int) {
	p := c.project
	cols := c.g.OutH() * c.g.OutW()
	var residual []float32
	if io.residual != nil {
		residual = io.residual[image*io.residualStride:]
	}
	cut := p.plan.cut(part, parts)
	if cut.at.len() > 0 && cut.tiles.len() > 0 {
		p.multiply(c.level, io.dst[image*io.dstStride:], cols, shared[c.deep.at:], cut, residual)
	}
}
