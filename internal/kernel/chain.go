package kernel

// Chain runs convolutions one behind the other as one. The bits are those of the convolutions run one after the other.
// A Chain is safe for concurrent use. There are two kinds:
//
// In float32, the convolutions of an inverted residual: a pointwise convolution (which may be missing, or be the first
// convolution of an image instead), a depthwise one and another pointwise one. Some output rows are computed at a time,
// so that the values in between never leave the cache.
//
// In bfloat16 by AMX, any convolutions without groups: the values in between are written as the next one multiplies
// them.
type Chain[T Float] struct {
	convs []*Conv[T]
	fast  chainEngine // nil where the convolutions run one after the other
}

// chainEngine is an implementation of a chain.
type chainEngine interface {
	scratchLen() int
	run(io chainIO, scratch []float32)
	teamScratchLen(t *Team) int
	runTeam(t *Team, io chainIO, scratch []float32)
}

// NewChain returns the chain of two or three convolutions, each of which reads the output of the one before. faster is
// false where the chain would not be faster than the convolutions by themselves; the chain works all the same.
func NewChain[T Float](convs ...*Conv[T]) (c *Chain[T], faster bool) {
	c = &Chain[T]{convs: convs}
	if is32[T]() {
		if stages, ok := any(convs).([]*Conv[float32]); ok {
			if f := newChain32(stages, chainCache()); f != nil {
				c.fast = f
			} else if f := newBFChain(stages, bfChainCache()); f != nil {
				c.fast = f
			}
		}
	}
	return c, c.fast != nil
}

// ScratchLen returns the number of elements of scratch that ForwardBatch needs.
func (c *Chain[T]) ScratchLen() int {
	if c.fast != nil {
		return c.fast.scratchLen()
	}
	most, between := 0, 0
	for i, conv := range c.convs {
		most = max(most, conv.ScratchLen())
		if i+1 < len(c.convs) {
			between += conv.g.OutLen()
		}
	}
	return most + between
}

// ForwardBatch computes n images. Image i is read at src[i*srcStride:] and written at dst[i*dstStride:]. Unless
// residual is nil, residual[i*residualStride:] is added to it before the last activation. dst must not overlap src,
// residual or scratch. The bits do not depend on n.
func (c *Chain[T]) ForwardBatch(dst, src, residual []T, n, dstStride, srcStride, residualStride int, scratch []T) {
	if n < 1 {
		return
	}
	if c.fast != nil {
		for _, conv := range c.convs {
			conv.Prepare(false)
		}
		c.fast.run(c.io(dst, src, residual, n, dstStride, srcStride, residualStride),
			as32(scratch[:c.fast.scratchLen()]))
		return
	}
	for i := range n {
		from, rest := src[i*srcStride:], scratch
		for j, conv := range c.convs {
			to, add := dst[i*dstStride:], []T(nil)
			if j+1 < len(c.convs) {
				to, rest = rest[:conv.g.OutLen()], rest[conv.g.OutLen():]
			} else if residual != nil {
				add = residual[i*residualStride:]
			}
			conv.Forward(to, from, add, rest)
			from = to
		}
	}
}

// TeamScratchLen returns how many elements of scratch ForwardTeam needs.
func (c *Chain[T]) TeamScratchLen(t *Team) int {
	if c.fast != nil && t.Size() > 1 {
		return c.fast.teamScratchLen(t)
	}
	return c.ScratchLen()
}

// ForwardTeam is ForwardBatch by a team, which shares each image. The bits are those of ForwardBatch.
func (c *Chain[T]) ForwardTeam(t *Team, dst, src, residual []T, n, dstStride, srcStride, residualStride int,
	scratch []T) {
	if c.fast == nil || t.Size() < 2 || n < 1 {
		c.ForwardBatch(dst, src, residual, n, dstStride, srcStride, residualStride, scratch)
		return
	}
	for _, conv := range c.convs {
		conv.Prepare(false)
	}
	c.fast.runTeam(t, c.io(dst, src, residual, n, dstStride, srcStride, residualStride),
		as32(scratch[:c.fast.teamScratchLen(t)]))
}

// io are the slices of n images, cut to what belongs to them.
func (c *Chain[T]) io(dst, src, residual []T, n, dstStride, srcStride, residualStride int) chainIO {
	first, last := c.convs[0].g, c.convs[len(c.convs)-1].g
	dst, src = dst[:(n-1)*dstStride+last.OutLen()], src[:(n-1)*srcStride+first.InLen()]
	if residual != nil {
		residual = residual[:(n-1)*residualStride+last.OutLen()]
	}
	return chainIO{
		dst: as32(dst), src: as32(src), residual: as32(residual), n: n,
		dstStride: dstStride, srcStride: srcStride, residualStride: residualStride,
	}
}

// chainIO are the slices of the images that a chain works on.
type chainIO struct {
	dst, src, residual                      []float32
	n, dstStride, srcStride, residualStride int
}
