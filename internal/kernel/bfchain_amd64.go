//go:build amd64 && !noasm

package kernel

import (
	"slices"
	"unsafe"
)

// bfChain runs convolutions in bfloat16 one behind the other on one image. What one hands to the next is rounded and
// joined to pairs as it is written, as the next would round and join it, and is half as large as in float32. The bits
// are those of the convolutions one by one.
type bfChain struct {
	convs  []*bfConv
	stages []bfStage
	total  int // elements of scratch without those of the team's parts
	most   int // elements of scratch of a part
}

// bfStage is a convolution of a bfChain.
type bfStage struct {
	plan *bfPlan
	// in is where the map of pairs that the stage reads lies in scratch: from an image's first pixel on, with plane
	// words from pair to pair. The first stage reads an image instead.
	in, plane int
	// views is where the views lie in scratch if they are made of the whole map at once, in which case the map is their
	// dense part; otherwise it is negative.
	views   int
	offsets []int32  // of the blocks of a map that is multiplied as it is, in bytes
	every   []uint16 // masks of all columns of a map, to copy it
}

// newBFChain returns the chain of two or more convolutions, nil where it cannot be one or would not be faster.
func newBFChain(convs []*Conv[float32], cache int) *bfChain {
	c := &bfChain{}
	for i, conv := range convs {
		if conv.bf == nil {
			return nil
		}
		p, ok := conv.bf.engine.(*bfPlan)
		if !ok || p.level != bfAMX || p.g.Groups != 1 {
			return nil
		}
		inner := i+1 < len(convs)
		if inner && (p.m%2 != 0 || conv.post.Kind != ActReLU && conv.post.Kind != ActIdentity) ||
			i > 0 && (conv.hasPre() || p.g.InLen() != convs[i-1].g.OutLen() || p.g.H != convs[i-1].g.OutH()) {
			return nil
		}
		c.convs = append(c.convs, conv.bf)
		c.stages = append(c.stages, bfStage{plan: p, views: -1})
	}
	if len(convs) < 2 {
		return nil
	}
	c.place()
	if 4*c.total > cache {
		return nil
	}
	return c
}

// place lays out scratch.
func (c *bfChain) place() {
	for i := range c.stages {
		s := &c.stages[i]
		p := s.plan
		hw := p.g.H * p.g.W
		whole := !p.pointwise && p.strip == p.g.OutH() && p.g.PH+p.g.H <= p.rows
		if i == 0 || !p.pointwise && !whole {
			c.most = max(c.most, p.scratchLen())
		}
		if i == 0 {
			continue
		}
		at := c.total
		switch {
		case whole:
			s.views, s.in, s.plane = at, at+p.dense+p.g.PH*p.g.W, p.plane
			c.total += p.words + bfSlack
		default:
			s.in, s.plane = at, (hw+bfSlack)/16*16|16
			c.total += p.pairs*s.plane + bfSlack
			if p.pointwise {
				for _, b := range p.blocks {
					s.offsets = append(s.offsets, int32(4*b.first*s.plane))
				}
			} else {
				s.every = slices.Repeat([]uint16{0xffff}, (p.rows*p.g.W+15)/16)
			}
		}
		c.total = (c.total + 15) / 16 * 16
	}
	c.most = partLen(c.most)
}

func (c *bfChain) scratchLen() int { return c.teamScratchLen(nil) }

// teamScratchLen returns how many elements of scratch runTeam needs.
func (c *bfChain) teamScratchLen(t *Team) int { return c.total + t.Size()*c.most + slackElements }

func (c *bfChain) run(io chainIO, scratch []float32) {
	w := bfChainWork{c: c, scratch: alignVector(scratch)}
	w.images(&io, 1, func(parts int) {
		for part := range parts {
			w.do(part)
		}
	})
}

// runTeam computes images one by one, a team sharing each.
func (c *bfChain) runTeam(t *Team, io chainIO, scratch []float32) {
	w := &t.bfChain
	*w = bfChainWork{c: c, scratch: alignVector(scratch)}
	w.images(&io, t.Size(), func(parts int) { t.run(w, parts) })
	*w = bfChainWork{}
}

// bfChainWork is a stage's work on one image by a team.
type bfChainWork struct {
	c       *bfChain
	io      bfIO
	scratch []float32
	stage   int
	parts   int
	look    bool // make the views of the whole map
}

// images computes images one by one and each stage in parts, for which it calls run.
func (w *bfChainWork) images(io *chainIO, size int, run func(parts int)) {
	last := len(w.c.convs) - 1
	for image := range io.n {
		src := io.src[image*io.srcStride:]
		for i, conv := range w.c.convs {
			s, residual := &w.c.stages[i], []float32(nil)
			w.stage = i
			if i < last {
				next := &w.c.stages[i+1]
				w.io = conv.io(nil, src, nil, nil)
				w.io.pairs, w.io.plane = ptr(w.scratch, next.in), next.plane
			} else {
				if io.residual != nil {
					residual = io.residual[image*io.residualStride:]
				}
				w.io = conv.io(io.dst[image*io.dstStride:], nil, residual, nil)
			}
			w.parts = s.plan.parts(size)
			if s.views >= 0 {
				w.look = true
				run(min(w.parts, s.plan.pairs))
				w.look = false
			}
			run(w.parts)
		}
		w.c.convs[last].activate(w.io.dst[:w.c.convs[last].c.g.OutLen()])
	}
}

func (w *bfChainWork) do(part int) {
	c := w.c
	s := &c.stages[w.stage]
	p := s.plan
	if w.look {
		s.look(w.scratch[s.views:][:p.words+bfSlack], portion(p.pairs, 1, part, min(w.parts, p.pairs)))
		return
	}
	step := 1
	if p.pointwise {
		step = bfPartColumns
	}
	outputs := portion(p.all().hi, step, part, w.parts)
	if outputs.len() == 0 {
		return
	}
	io := w.io
	io.scratch = w.scratch[c.total+part*c.most:][:c.most]
	if w.stage == 0 {
		p.runPart(&io, outputs)
		return
	}
	s.runPart(&io, w.scratch, outputs)
}

// look completes the views of some pairs from their dense part, which the stage before has written.
func (s *bfStage) look(views []float32, pairs span) {
	p := s.plan
	top := p.g.PH * p.g.W
	p.clearAround(views, top, top+p.g.H*p.g.W, p.rows*p.g.W, pairs)
	p.view(views, p.strip, pairs)
}

// runPart computes some columns or rows of outputs from a map of pairs.
func (s *bfStage) runPart(io *bfIO, shared []float32, part span) {
	var buf [1024 + 16]float32
	p, sums := s.plan, alignVector(buf[:])
	ow := p.g.OutW()
	switch {
	case p.pointwise:
		p.compute(io, sums, 0, bfColumns{b: ptr(shared, s.in+part.lo), bRow: 4 * s.plane, bCol: 64, at: part.lo,
			n: part.len(), offsets: s.offsets})
	case s.views >= 0:
		// A view has the rows of outputs one behind the other, so those of a part begin some words later.
		p.compute(io, sums, 0, bfColumns{b: ptr(shared, s.views+part.lo*ow), bRow: 4 * p.plane, bCol: 64,
			at: part.lo * ow, n: part.len() * ow})
	default:
		scratch := alignVector(io.scratch)
		for y := part.lo; y < part.hi; y += p.strip {
			rows := min(p.strip, part.hi-y)
			s.fill(scratch, shared, y, rows)
			p.compute(io, sums, 0, bfColumns{b: ptr(scratch, 0), bRow: 4 * p.plane, bCol: 64, at: y * ow, n: rows * ow})
		}
	}
}

// fill is bfPlan.fill from a map of pairs.
func (s *bfStage) fill(scratch, shared []float32, y, rows int) {
	p := s.plan
	see, r0, r1, top := p.seen(y, rows)
	if r1 > r0 {
		bfShiftAVX512(&bfViewArgs{dst: ptr(scratch, p.dense+r0*p.g.W), dstPair: 4 * p.plane,
			src: ptr(shared, s.in+(top+r0)*p.g.W), srcPair: 4 * s.plane, pairs: p.pairs,
			vecs: ((r1-r0)*p.g.W + 15) / 16, table: unsafe.Pointer(&s.every[0])})
	}
	all := span{0, p.pairs}
	p.clearAround(scratch, r0*p.g.W, r1*p.g.W, see*p.g.W, all)
	p.view(scratch, rows, all)
}

// bfChainCache returns how many bytes the maps of a chain may take, beside weights and images: what does not fit the
// second-level cache is half as large as in float32 still.
func bfChainCache() int { return 2 * secondCache }
