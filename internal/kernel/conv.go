package kernel

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// noFloor and noCeiling are bounds that bound nothing.
var noFloor, noCeiling = float32(math.Inf(-1)), float32(math.Inf(1))

// ConvSpec describes y = post(conv(pre(x), Weight)):
// pre(x) = relu?(PreScale*x + PreShift) per input channel, before the zero padding;
// post(v) = Post(PostScale*v + PostShift [+ residual]) per output channel.
// Nil scales are ones and nil shifts zeros, so PostShift alone is a bias.
type ConvSpec[T Float] struct {
	Geom                 ConvGeom
	Weight               []T // [O, C/Groups, KH, KW]
	PreScale, PreShift   []T // [C] or nil
	PreReLU              bool
	PostScale, PostShift []T // [O] or nil
	Post                 Activation
	// Fixed promises that Weight and PostScale do not change until Prepare has been called for each direction that is
	// used. Then no copy of them is kept beside the packed form, and Update cannot be used.
	Fixed bool
	// BFloat16 asks for a forward pass in bfloat16, of a convolution in float32: the result of the pre operation and
	// the weights are rounded; sums and everything after them stay in float32. Convolutions with few channels or of a
	// single pixel run in float32 nevertheless.
	BFloat16 bool
}

// Conv is a convolution whose weights are packed on first use. It is safe for concurrent use and, except for Update,
// immutable.
//
// PostScale is folded into the weights when the Conv is made. Every output is the sum over (input channel, kernel row,
// kernel column), in that order, starting at zero; then the shift, the residual and the activation follow.
type Conv[T Float] struct {
	g                  ConvGeom
	weight             []T // [O, C/Groups, KH, KW], times PostScale unless fixed
	postScale          []T // with fixed: [O] or nil
	fixed              bool
	bias               []T // [O]
	preScale, preShift []T // [C], nil when there is no pre affine
	preReLU            bool
	post               Activation
	padded             padding
	fast               *conv32 // nil where the generic code runs
	bf                 *bfConv // nil unless Forward runs in bfloat16
}

// NewConv checks the spec and makes the convolution. It copies the parameters, except as [ConvSpec].Fixed says.
func NewConv[T Float](spec ConvSpec[T]) (*Conv[T], error) {
	g := spec.Geom.norm()
	if err := g.Check(); err != nil {
		return nil, err
	}
	if err := spec.checkLengths(); err != nil {
		return nil, err
	}
	c := &Conv[T]{g: g, bias: make([]T, g.O), preReLU: spec.PreReLU, post: spec.Post, padded: newPadding(g)}
	if spec.PreScale != nil || spec.PreShift != nil {
		c.preScale, c.preShift = make([]T, g.C), make([]T, g.C)
	}
	if spec.Fixed && is32[T]() && currentLevel() != generic {
		c.fixed, c.weight, c.postScale = true, spec.Weight, spec.PostScale
		c.setAffine(spec)
	} else {
		c.weight = make([]T, g.WeightLen())
		c.set(spec)
	}
	if w, ok := any(c).(*Conv[float32]); ok {
		c.fast = newConv32(w)
		if spec.BFloat16 {
			c.bf = newBFConv(w)
		}
	}
	return c, nil
}

// set copies the parameters of a spec.
func (c *Conv[T]) set(spec ConvSpec[T]) {
	copy(c.weight, spec.Weight)
	scaleRows(c.weight, spec.PostScale)
	c.setAffine(spec)
}

// setAffine copies the parameters of a spec except the weights.
func (c *Conv[T]) setAffine(spec ConvSpec[T]) {
	clear(c.bias)
	copy(c.bias, spec.PostShift)
	for i := range c.preScale {
		c.preScale[i], c.preShift[i] = 1, 0
	}
	copy(c.preScale, spec.PreScale)
	copy(c.preShift, spec.PreShift)
}

// scaleRows multiplies row i of w by factors[i]; nil factors are ones. w has len(factors) rows.
func scaleRows[T Float](w, factors []T) {
	for o, scale := range factors {
		per := len(w) / len(factors)
		for i := range w[o*per:][:per] {
			w[o*per+i] *= scale
		}
	}
}

// weights returns the weights, times PostScale. It may allocate memory for them, and is called only to pack them.
func (c *Conv[T]) weights() []T {
	if c.postScale == nil {
		return c.weight
	}
	w := slices.Clone(c.weight)
	scaleRows(w, c.postScale)
	return w
}

// Update replaces the parameters by those of a spec that is equal in everything else, as after a step of training. It
// allocates nothing and must not run while the convolution is in use.
func (c *Conv[T]) Update(spec ConvSpec[T]) error {
	g := c.g
	if spec.Geom.norm() != g || spec.PreReLU != c.preReLU || spec.Post != c.post ||
		(spec.PreScale != nil || spec.PreShift != nil) != (c.preScale != nil) {
		return fmt.Errorf("kernel: the update of a convolution may change its parameters alone: have %+v, got %+v", g,
			spec.Geom)
	}
	if err := spec.checkLengths(); err != nil {
		return err
	}
	if c.fixed {
		return errors.New("kernel: the parameters of a convolution were said to be fixed")
	}
	c.set(spec)
	if c.fast != nil {
		c.fast.changed()
	}
	if c.bf != nil {
		c.bf.ready.Store(false)
	}
	return nil
}

func (s *ConvSpec[T]) checkLengths() error {
	g := s.Geom.norm()
	for _, v := range [...]struct {
		name     string
		got      []T
		want     int
		optional bool
	}{
		{"weight", s.Weight, g.WeightLen(), false},
		{"pre scale", s.PreScale, g.C, true},
		{"pre shift", s.PreShift, g.C, true},
		{"post scale", s.PostScale, g.O, true},
		{"post shift", s.PostShift, g.O, true},
	} {
		if len(v.got) != v.want && !(v.optional && v.got == nil) {
			return fmt.Errorf("kernel: convolution %s: expected %d elements, got %d", v.name, v.want, len(v.got))
		}
	}
	return nil
}

// Prepare packs the weights for Forward or, with backward, for BackwardInput at once rather than on first use.
func (c *Conv[T]) Prepare(backward bool) {
	switch {
	case c.bf != nil && !backward:
		c.bf.prepare()
	case c.fast != nil:
		c.fast.prepare(backward)
	}
}

// Geom returns the geometry, with zero strides, dilations and groups replaced by one.
func (c *Conv[T]) Geom() ConvGeom { return c.g }

// ScratchLen returns the number of elements of scratch that Forward, ForwardBatch and BackwardInput need.
func (c *Conv[T]) ScratchLen() int {
	n := 0
	if c.bf != nil {
		n = c.bf.engine.scratchLen()
	}
	if c.fast != nil {
		return max(n, c.fast.scratchLen())
	}
	return max(n, c.padded.len(c.g), c.g.OutLen()+c.g.H*c.g.W)
}

// TeamScratchLen returns how many elements of scratch ForwardTeam needs.
func (c *Conv[T]) TeamScratchLen(t *Team) int {
	return t.Size()*partLen(c.ScratchLen()) + slackElements
}

// slackElements are what aligning scratch may cost.
const slackElements = 64

// partLen is how many elements of scratch a part has that needs n: whole cache lines of float32.
func partLen(n int) int { return (n + slackElements + 15) / 16 * 16 }

func (c *Conv[T]) hasPre() bool { return c.preScale != nil || c.preReLU }

// Forward computes one image: dst [O, OutH, OutW] from src [C, H, W]. residual [O, OutH, OutW], nil for none, is added
// before Post. dst must not overlap src, residual or scratch.
func (c *Conv[T]) Forward(dst, src, residual, scratch []T) {
	dst, src = dst[:c.g.OutLen()], src[:c.g.InLen()]
	if residual != nil {
		residual = residual[:len(dst)]
	}
	if c.bf != nil {
		c.bf.forward(as32(dst), as32(src), as32(residual), as32(scratch[:c.bf.engine.scratchLen()]))
		return
	}
	if c.fast != nil {
		c.fast.forward(as32(dst), as32(src), as32(residual), as32(scratch[:c.fast.scratchLen()]))
		return
	}
	c.forwardGeneric(dst, src, residual, scratch)
}

// ForwardBatch computes n images. Image i is read at src[i*srcStride:], its residual, unless residual is nil, at
// residual[i*residualStride:], and the result is written at dst[i*dstStride:]. dst must not overlap the other slices.
// The bits equal those of n calls of Forward.
func (c *Conv[T]) ForwardBatch(dst, src, residual []T, n, dstStride, srcStride, residualStride int, scratch []T) {
	if n < 1 {
		return
	}
	dst, src = dst[:(n-1)*dstStride+c.g.OutLen()], src[:(n-1)*srcStride+c.g.InLen()]
	if residual != nil {
		residual = residual[:(n-1)*residualStride+c.g.OutLen()]
	}
	if c.fast != nil && c.bf == nil {
		c.fast.forwardBatch(as32(dst), as32(src), as32(residual), n, dstStride, srcStride, residualStride,
			as32(scratch[:c.fast.scratchLen()]))
		return
	}
	for i := range n {
		var add []T
		if residual != nil {
			add = residual[i*residualStride:]
		}
		c.Forward(dst[i*dstStride:], src[i*srcStride:], add, scratch)
	}
}

// ForwardTeam is ForwardBatch by a team, which shares each image. The bits are those of ForwardBatch.
func (c *Conv[T]) ForwardTeam(t *Team, dst, src, residual []T, n, dstStride, srcStride, residualStride int,
	scratch []T) {
	if t.Size() < 2 || c.fast == nil && c.bf == nil {
		c.ForwardBatch(dst, src, residual, n, dstStride, srcStride, residualStride, scratch)
		return
	}
	scratch = scratch[:c.TeamScratchLen(t)]
	for i := range n {
		d, s, r := dst[i*dstStride:][:c.g.OutLen()], src[i*srcStride:][:c.g.InLen()], []T(nil)
		if residual != nil {
			r = residual[i*residualStride:][:len(d)]
		}
		if c.bf != nil {
			c.bf.forwardTeam(t, as32(d), as32(s), as32(r), as32(scratch))
		} else {
			c.fast.forwardTeam(t, as32(d), as32(s), as32(r), as32(scratch))
		}
	}
}

// BackwardInput computes dx [C, H, W], the gradient with respect to the original input x, from dy [O, OutH, OutW], the
// gradient with respect to the output y or, where Post is not a ReLU, to what it is given. x is read only where there
// is a pre ReLU, y only where there is a post ReLU; either may be nil otherwise. The derivative of the ReLU at zero is
// zero. dresidual, nil for none, is set to the gradient with respect to the residual. plus [C, H, W], nil for none, is
// added to the gradient; it may be dx.
func (c *Conv[T]) BackwardInput(dx, dy, x, y, dresidual, plus, scratch []T) {
	dx, dy = dx[:c.g.InLen()], dy[:c.g.OutLen()]
	if c.preReLU {
		x = x[:len(dx)]
	}
	if c.post.Kind == ActReLU {
		y = y[:len(dy)]
	}
	if dresidual != nil {
		dresidual = dresidual[:len(dy)]
	}
	if plus != nil {
		plus = plus[:len(dx)]
	}
	if c.fast != nil {
		c.fast.backwardInput(as32(dx), as32(dy), as32(x), as32(y), as32(dresidual), as32(plus),
			as32(scratch[:c.fast.scratchLen()]))
		return
	}
	c.backwardInputGeneric(dx, dy, x, y, dresidual, plus, scratch)
}
