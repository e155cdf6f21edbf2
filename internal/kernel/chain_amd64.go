//go:build amd64 && !noasm

package kernel

// chain32 is the vector code of a Chain[float32].
//
// It computes strips of output rows. The input of a strip is copied to x, the expanded map goes to mid and the
// depthwise outputs go to deep; each of them is [channels, images, rows of the strip, columns]. Rows of mid that the
// next strip needs, too, are moved to its front. Maps of few pixels are not divided into strips. Instead several images
// are multiplied at once, so that weights are read once for all of them and few lanes are idle.
type chain32 struct {
	level           level
	expand, project *chainPoint // expand is nil if there is no pointwise convolution in front
	stem            *chainStem  // first convolution of an image in place of expand, or nil
	depth           chainDepth
	g               ConvGeom // of the depthwise convolution
	rows, step      int      // of outputs in a strip, which are a multiple of step or all
	together        int      // images
	in              int      // channels of the input
	ones, zeros     []float32
	// The parts of scratch.
	x, mid, deep, out     chainPart
	add                   chainPart
	depthAt, scratchTotal int
}

// chainPart is a part of scratch: its first element, and the number of elements from channel to channel.
type chainPart struct{ at, channel int }

// chainDepth is the depthwise convolution of a chain.
type chainDepth interface {
	// strip computes output rows of one image from some input rows, see depthwiseStrip.
	strip(s depthwiseStrip)
	scratchLen() int
}

// depthwiseStrip is what a chainDepth works on, for some channels. Nothing beyond the planes of src may be read where
// it is borrowed.
type depthwiseStrip struct {
	channels               span
	dst, src               []float32
	dstChannel, srcChannel int
	rows, height, top      int
	borrowed               bool
	scratch                []float32
}

const (
	chainColumns  = 64 // size in pixels of an output map up to which several images are multiplied at once
	chainTogether = 4  // the most images at once
)

// chainCache returns how many bytes of maps should stay in cache, beside weights and images.
func chainCache() int { return secondCache / 8 * 5 }

// newChain32 returns the vector code of a chain, nil where there is none or where it would not be faster.
func newChain32(convs []*Conv[float32], cache int) *chain32 {
	for _, conv := range convs {
		if conv.fast == nil || conv.bf != nil || conv.hasPre() || conv.fast.level != convs[0].fast.level {
			return nil
		}
	}
	if len(convs) < 2 || len(convs) > 3 {
		return nil
	}
	depth, last := convs[len(convs)-2], convs[len(convs)-1]
	c := &chain32{level: last.fast.level, g: depth.g, ones: depth.fast.ones, zeros: depth.fast.zeros, in: depth.g.C}
	if last.g.InLen() != depth.g.OutLen() || last.g.H != depth.g.OutH() {
		return nil
	}
	if c.project = newChainPoint(last); c.project == nil {
		return nil
	}
	if len(convs) == 3 {
		first := convs[0]
		if first.g.OutLen() != depth.g.InLen() || first.g.OutH() != depth.g.H {
			return nil
		}
		if c.expand = newChainPoint(first); c.expand == nil {
			if c.stem = newChainStem(first); c.stem == nil {
				return nil
			}
		}
		c.in = first.g.C
		if c.ones = first.fast.ones; len(c.ones) < depth.g.C {
			c.ones, c.zeros = depth.fast.ones, depth.fast.zeros
		} else {
			c.zeros = first.fast.zeros
		}
	}
	switch e := depth.fast.engine.(type) {
	case *depthwise:
		c.cut(cache, 1)
		c.depth = newChainThree(depth, e, c.rows)
	case *depthTaps:
		c.cut(cache, tapsRows) // whole groups of rows, so that the sums of each row keep their order
		c.depth = newChainTaps(depth, e, c.rows)
	default:
		return nil
	}
	c.place()
	return c
}

// cut chooses how many rows and images to compute at once. The number of rows is a multiple of step.
func (c *chain32) cut(cache, step int) {
	g := c.g
	bytes := func(rows int) int {
		n := rows * g.OutW()
		if c.expand != nil || c.stem != nil {
			n += c.inputRows(rows) * g.W
		}
		return 4 * n * g.C
	}
	fit := step
	for fit < g.OutH() && bytes(fit+step) <= cache {
		fit += step
	}
	strips := (g.OutH() + fit - 1) / fit
	c.step = step
	c.rows, c.together = min(g.OutH(), ((g.OutH()+strips-1)/strips+step-1)/step*step), 1
	if g.OutH()*g.OutW() <= chainColumns && c.expand != nil && strips == 1 {
		c.together = min(chainTogether, max(1, 2*cache/bytes(c.rows)))
	}
}

// inputRows returns the number of input rows that the given number of output rows reads.
func (c *chain32) inputRows(rows int) int { return min(c.g.H, (rows-1)*c.g.SH+c.g.KH) }

// place lays out the parts of scratch.
func (c *chain32) place() {
	g, at := c.g, slackLanes
	part := func(channels, pixels int) chainPart {
		// The distance of channels is an odd number of cache lines, so that they fall into different sets of the cache.
		// Kernels may write fifteen elements behind the last.
		p := chainPart{at: at, channel: ((pixels+30)/16 | 1) * 16}
		at += channels*p.channel + slackLanes
		return p
	}
	c.deep = part(g.C, c.together*c.rows*g.OutW())
	c.project.setStride(c.deep.channel)
	if c.expand != nil {
		pixels := c.inputRows(c.rows) * g.W
		if c.together > 1 {
			pixels = c.together * g.H * g.W // including rows that no output reads
		}
		c.x = part(c.in, pixels)
		c.expand.setStride(c.x.channel)
		c.mid = part(g.C, pixels)
	}
	if c.stem != nil {
		c.x = chainPart{at: at}
		at += c.stem.plan.scratchLen() + slackLanes
		c.mid = part(g.C, c.inputRows(c.rows)*g.W)
	}
	if c.together > 1 {
		c.out = part(c.project.plan.m, c.together*g.OutH()*g.OutW())
		c.add = part(c.project.plan.m, c.together*g.OutH()*g.OutW())
	}
	c.depthAt = at
	c.scratchTotal = at + c.depth.scratchLen() + slackLanes
}

func (c *chain32) scratchLen() int { return c.scratchTotal }

// chainPoint is a pointwise convolution of a chain. It reads its input in place, with channels stride elements apart.
type chainPoint struct {
	plan    *plan
	bias    []float32
	offsets []int32 // offset of each channel of a block, in bytes
	stride  int
	post    chainPost
}

// newChainPoint returns the chainPoint of a convolution, nil where the convolution is not pointwise.
func newChainPoint(conv *Conv[float32]) *chainPoint {
	e := conv.fast.engine
	if s, ok := e.(*stacked); ok {
		e = s.alone
	}
	p, ok := e.(*plan)
	if !ok || !p.panel || p.groups != 1 {
		return nil
	}
	return &chainPoint{plan: p, bias: conv.bias, post: newChainPost(conv.post)}
}

func (p *chainPoint) setStride(stride int) {
	p.stride, p.offsets = stride, make([]int32, p.plan.blockC)
	for i := range p.offsets {
		p.offsets[i] = int32(4 * i * stride)
	}
}

// chainPost is an activation: the bounds that the kernels apply themselves, and the function that must be applied after
// them, if any.
type chainPost struct {
	relu bool
	ceil float32
	act  Activation
}

func newChainPost(a Activation) chainPost {
	switch {
	case a.Kind == ActReLU:
		return chainPost{relu: true, ceil: noCeiling}
	case a.Kind == ActReLU6:
		return chainPost{relu: true, ceil: 6}
	case a.Kind == ActClamp && a.A == 0 && a.B >= 0:
		return chainPost{relu: true, ceil: float32(a.B)}
	}
	return chainPost{ceil: noCeiling, act: a}
}

// activate applies the function that the kernels do not apply, to n elements of each channel.
func (p chainPost) activate(s []float32, channels, stride, n int) {
	if p.act.Kind == ActIdentity {
		return
	}
	for c := range channels {
		out := s[c*stride:][:n]
		Activate(out, out, p.act)
	}
}

func (p chainPost) floor() float32 {
	if p.relu {
		return 0
	}
	return noFloor
}
