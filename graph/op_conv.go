package graph

import (
	"cmp"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// ConvConfig is the geometry of a convolution, [height, width] each. Zero values mean stride 1, no padding, dilation 1
// and one group. Groups g divides input and output channels into g equal parts, and each part of the output reads its
// part of the input only; with g equal to the number of channels it is a depthwise convolution.
//
// ExtraPadding is the number of rows of padding at the bottom and of columns at the right beyond those of Padding,
// negative where there are fewer. {1, 1} without Padding is TensorFlow's SAME for a 3×3 kernel with stride 2 on an even
// size.
//
// Out, Kernel and Bias describe the parameters to a [Builder] that declares them (see [Declare]). Where the weight
// exists already they may be zero; an Out or Kernel that is not zero must agree with it.
type ConvConfig struct {
	// Stride and Dilation are at least 1, 0 means 1; Padding is the zeros on each side, at least 0.
	Stride, Padding, Dilation [2]int
	ExtraPadding              [2]int // zeros at the bottom and at the right beyond Padding
	Groups                    int    // divides the channels of input and output; 0 means 1

	Out    int    // channels of the output
	Kernel [2]int // rows and columns of the weight
	Bias   bool   // whether the layer has a bias
}

// Conv2D returns the convolution (by the definition of neural networks: the cross-correlation) of the zero-padded x
// [batch, channels, height, width] with w [out channels, channels/groups, kernel height, kernel width], plus b [out
// channels] unless b is nil: [batch, out channels, out height, out width]. x, w and b have gradients.
func Conv2D(x, w, b *G.Node, cfg ConvConfig) (*G.Node, error) {
	return conv2D(convParts{x: x, w: w, postShift: b, cfg: cfg})
}

// convParts is a convolution with the layers that are fused into it:
//
//	y = post(postScale · conv(relu?(preScale · x + preShift), w) + postShift + residual)
//
// where nil nodes and unset flags leave their part out. Scales and shifts are per channel.
type convParts struct {
	x, w, preScale, preShift, postScale, postShift, residual *G.Node
	preReLU                                                  bool
	post                                                     Activation
	cfg                                                      ConvConfig
	// The parameters never change and have no gradient, so they are packed once.
	frozen  bool
	bf16    bool     // multiply in bfloat16
	run     *int     // the number of the program's run, in which parameters do not change; nil: they may at any time
	cache   *store   // where the replicas share packed parameters, nil if they are not shared
	scratch *scratch // the replica's working memory, nil where the operation has its own
}

// convArgs are the positions of the parts among the operation's inputs; -1 where a part is missing.
type convArgs struct{ preScale, preShift, postScale, postShift, residual int }

func (p convParts) args() ([]*G.Node, convArgs) {
	in := []*G.Node{p.x, p.w}
	at := func(n *G.Node) int {
		if n == nil {
			return -1
		}
		in = append(in, n)
		return len(in) - 1
	}
	a := convArgs{at(p.preScale), at(p.preShift), at(p.postScale), at(p.postShift), at(p.residual)}
	return in, a
}

func (p convParts) geom() (kernel.ConvGeom, error) {
	if err := wantDims("Conv2D", 4, p.x, p.w); err != nil {
		return kernel.ConvGeom{}, err
	}
	x, w := p.x.Shape(), p.w.Shape()
	or1 := func(v int) int {
		if v == 0 {
			return 1
		}
		return v
	}
	g := kernel.ConvGeom{
		C: x[1], H: x[2], W: x[3], O: w[0], KH: w[2], KW: w[3],
		SH: or1(p.cfg.Stride[0]), SW: or1(p.cfg.Stride[1]), PH: p.cfg.Padding[0], PW: p.cfg.Padding[1],
		DH: or1(p.cfg.Dilation[0]), DW: or1(p.cfg.Dilation[1]), Groups: or1(p.cfg.Groups),
		EH: p.cfg.ExtraPadding[0], EW: p.cfg.ExtraPadding[1],
	}
	if g.Groups < 0 || g.C%g.Groups != 0 || w[1] != g.C/g.Groups {
		return g, fmt.Errorf("Conv2D: weight %s has shape %v, which does not fit %d channels in %d groups", p.w.Name(),
			w, g.C, g.Groups)
	}
	kernelOf := [2]int{g.KH, g.KW}
	if out, k := cmp.Or(p.cfg.Out, g.O), cmp.Or(p.cfg.Kernel, kernelOf); out != g.O || k != kernelOf {
		return g, fmt.Errorf("Conv2D: weight %s: expected %d output channels and a kernel of %d×%d, got shape %v",
			p.w.Name(), out, k[0], k[1], w)
	}
	if err := g.Check(); err != nil {
		return g, fmt.Errorf("Conv2D: input %v, weight %s %v: %w", x, p.w.Name(), w, err)
	}
	for _, s := range []struct {
		what string
		n    *G.Node
		c    int
	}{{"scale of the input", p.preScale, g.C}, {"shift of the input", p.preShift, g.C},
		{"scale of the output", p.postScale, g.O}, {"bias", p.postShift, g.O}} {
		if s.n != nil {
			if err := wantShape("Conv2D", s.what, s.n, s.c); err != nil {
				return g, err
			}
		}
	}
	if p.residual != nil {
		if err := wantShape("Conv2D", "residual", p.residual, x[0], g.O, g.OutH(), g.OutW()); err != nil {
			return g, err
		}
	}
	return g, nil
}

// plain tells whether nothing but a bias is fused and the parameters may change. Only then the weights have a gradient.
func (p convParts) plain() bool {
	return p.preScale == nil && p.preShift == nil && !p.preReLU && p.postScale == nil && p.residual == nil &&
		p.post == ActIdentity() && !p.frozen
}

func (p convParts) name() string {
	name := "Conv2D"
	if p.preScale != nil {
		name = "Affine→" + name
		if p.preReLU {
			name = "Affine→ReLU→Conv2D"
		}
	} else if p.preReLU {
		name = "ReLU→" + name
	}
	if p.postScale != nil {
		name += "→Affine"
	} else if p.postShift != nil {
		name += "+bias"
	}
	if p.residual != nil {
		name += "→Add"
	}
	if p.post != ActIdentity() {
		name += "→" + p.post.String()
	}
	return name
}

func conv2D(p convParts) (*G.Node, error) {
	g, err := p.geom()
	if err != nil {
		return nil, err
	}
	in, at := p.args()
	if err := wantOneType("Conv2D", in...); err != nil {
		return nil, err
	}
	diff := first(len(in))
	if p.plain() {
		for i := range diff {
			diff[i] = true
		}
	}
	if at.residual >= 0 {
		diff[at.residual] = true
	}
	fn, err := dispatch("Conv2D", p.x.Dtype(),
		func() function { return newConvFn[float32](p, g, at, diff) },
		func() function { return newConvFn[float64](p, g, at, diff) })
	if err != nil {
		return nil, err
	}
	return apply(p.name(), fn, p.x.Dtype(), tensor.Shape{p.x.Shape()[0], g.O, g.OutH(), g.OutW()}, in...)
}

// packer keeps the packed form of a convolution's parameters.
type packer[T kernel.Float] struct {
	parts convParts
	geom  kernel.ConvGeom
	at    convArgs
	skip  int  // number of the operation's inputs in front of those of the convolution
	back  bool // the packed form is for the gradient
	run   int  // parts.run when the parameters were packed
	team  *kernel.Team
	conv  *kernel.Conv[T]
}

// pack returns the convolution, packed from the parameters that value returns for the operation's inputs.
func (k *packer[T]) pack(value func(input int) ([]T, error)) (*kernel.Conv[T], error) {
	if k.conv != nil && (k.parts.frozen || k.parts.run != nil && *k.parts.run == k.run) {
		return k.conv, nil
	}
	var err error
	param := func(i int) (v []T) {
		if i >= 0 && err == nil {
			v, err = value(k.skip + i)
		}
		return v
	}
	spec := kernel.ConvSpec[T]{
		Geom: k.geom, Weight: param(1),
		PreScale: param(k.at.preScale), PreShift: param(k.at.preShift), PreReLU: k.parts.preReLU,
		PostScale: param(k.at.postScale), PostShift: param(k.at.postShift), Post: k.parts.post.fn,
		Fixed: k.parts.frozen, BFloat16: k.parts.bf16,
	}
	if err != nil {
		return nil, err
	}
	switch {
	case k.parts.frozen:
		if k.conv, err = sharedConv(k.parts.cache, spec); err != nil {
			break
		}
		if k.parts.cache == nil {
			k.conv.Prepare(k.back)
			break
		}
		k.parts.cache.todo = append(k.parts.cache.todo, func() { k.conv.Prepare(k.back) })
	case k.conv != nil:
		err = k.conv.Update(spec)
	default:
		k.conv, err = kernel.NewConv(spec)
	}
	if err != nil {
		return nil, err
	}
	if k.parts.run != nil {
		k.run = *k.parts.run
	}
	return k.conv, nil
}

// work returns the working memory that the convolution needs during a run.
func (k *packer[T]) work() []T {
	if k.parts.scratch == nil {
		k.parts.scratch = &scratch{}
	}
	return take[T](k.parts.scratch, k.conv.TeamScratchLen(k.team))
}

// packCall packs the convolution from the inputs of one execution.
func (k *packer[T]) packCall(c *call[T]) (*kernel.Conv[T], error) {
	return k.pack(func(i int) ([]T, error) { return c.in[i].data, nil })
}

// freezer is a function that can pack its parameters once, when the program is compiled.
type freezer interface {
	// freeze packs the parameters if all of them are fixed, and returns whether it did. After that a run reads only the
	// other inputs.
	freeze(in G.Nodes, fixed func(*G.Node) bool, cache *store) (bool, error)
}

func (k *packer[T]) freeze(in G.Nodes, fixed func(*G.Node) bool, cache *store) (bool, error) {
	for _, i := range []int{1, k.at.preScale, k.at.preShift, k.at.postScale, k.at.postShift} {
		if i >= 0 && !fixed(in[k.skip+i]) {
			return false, nil
		}
	}
	k.parts.frozen, k.parts.cache = true, cache
	_, err := k.pack(func(i int) ([]T, error) { return sliceOf[T](in[i].Value()) })
	return err == nil, err
}

type convFn[T kernel.Float] struct {
	floatFn[T]
	packer[T]
	watched[T]
}

func newConvFn[T kernel.Float](p convParts, g kernel.ConvGeom, at convArgs, diff []bool) *convFn[T] {
	f := &convFn[T]{packer: packer[T]{parts: p, geom: g, at: at}}
	f.floatFn = floatFn[T]{run: f.run, grad: f.gradient, diff: diff}
	return f
}

func (f *convFn[T]) run(c *call[T]) error {
	conv, err := f.packCall(c)
	if err != nil {
		return err
	}
	var residual array[T]
	if r := f.at.residual; r >= 0 {
		residual = c.in[r]
	}
	return f.inParts(c.out, func(lo, hi int) error {
		add := residual.data
		if add != nil {
			add = add[lo*residual.stride:]
		}
		conv.ForwardTeam(f.team, c.out.data[lo*c.out.stride:], c.in[0].data[lo*c.in[0].stride:], add, hi-lo,
			c.out.stride, c.in[0].stride, residual.stride, f.work())
		return nil
	})
}

func (f *convFn[T]) gradient(in G.Nodes, out, grad *G.Node, need []bool) (gs G.Nodes, err error) {
	gs = make(G.Nodes, len(in))
	dtype := grad.Dtype()
	switch f.parts.post {
	case ActIdentity(), ActReLU():
	default:
		return f.gradientBehind(in, out, grad, need)
	}
	if need[0] {
		d := &convDXFn[T]{packer: packer[T]{parts: f.parts, geom: f.geom, at: f.at, skip: 2, back: true}}
		d.floatFn = floatFn[T]{run: d.run}
		args := append(G.Nodes{grad, out}, in...)
		if gs[0], err = apply("Conv2D'x", d, dtype, in[0].Shape(), args...); err != nil {
			return nil, err
		}
	}
	if need[1] {
		d := &convDWFn[T]{geom: f.geom, scratch: f.parts.scratch, samples: grad.Shape()[0]}
		d.floatFn = floatFn[T]{run: d.run}
		if gs[1], err = apply("Conv2D'w", d, dtype, in[1].Shape(), grad, in[0]); err != nil {
			return nil, err
		}
	}
	if b := f.at.postShift; b >= 0 && need[b] {
		if gs[b], err = onCard(sumPlanesCard)(floatOp("Conv2D'b", in[b].Shape(), []*G.Node{grad}, nil, nil,
			sumPlanes[float32], sumPlanes[float64])); err != nil {
			return nil, err
		}
	}
	if r := f.at.residual; r >= 0 && need[r] {
		gs[r] = grad
		if f.parts.post == ActReLU() {
			gs[r], err = reluGrad(grad, out)
		}
	}
	return gs, err
}

// gradientBehind is the gradient where the kernels do not know the derivative of the fused activation. It first
// computes the gradient by the activation's input. For ReLU6 the output tells where the derivative is 0; for other
// activations the convolution runs again without the activation.
func (f *convFn[T]) gradientBehind(in G.Nodes, out, grad *G.Node, need []bool) (G.Nodes, error) {
	p := f.parts
	p.post = ActIdentity()
	p.x, p.w = in[0], in[1]
	for _, part := range []struct {
		node **G.Node
		at   int
	}{{&p.preScale, f.at.preScale}, {&p.preShift, f.at.preShift}, {&p.postScale, f.at.postScale},
		{&p.postShift, f.at.postShift},
		{&p.residual, f.at.residual}} {
		if part.at >= 0 {
			*part.node = in[part.at]
		}
	}
	before := out
	if f.parts.post != ActReLU6() {
		var err error
		if before, err = conv2D(p); err != nil {
			return nil, err
		}
	}
	a := f.parts.post.fn
	inner, err := onCard(unaryGradCard(a))(floatOp(a.Kind.String()+"'", out.Shape(), []*G.Node{grad, before}, nil, nil,
		unaryGradRun[float32](a), unaryGradRun[float64](a)))
	if err != nil {
		return nil, err
	}
	return newConvFn[T](p, f.geom, f.at, f.diff).gradient(in, out, inner, need)
}

// sumPlanes sums the first input over samples and pixels: one sum for each channel.
func sumPlanes[T kernel.Float](c *call[T]) error {
	sum, _ := c.out.flat()
	clear(sum)
	for i := range c.in[0].n {
		x := c.in[0].sample(i)
		hw := len(x) / len(sum)
		for ch := range sum {
			var s T
			for _, v := range x[ch*hw:][:hw] {
				s += v
			}
			sum[ch] += s
		}
	}
	return nil
}
