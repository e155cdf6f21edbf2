package onnx

import (
	"fmt"
	"slices"
)

// lowerings holds the operators that may read what is computed from images. Each turns a node into instructions.
var lowerings map[string]lowering

func init() {
	lowerings = map[string]lowering{
		"Identity": lowerIdentity, "Dropout": lowerDropout, "Cast": lowerCast, "CastLike": lowerCast,
		"Shape": lowerShape, "Size": lowerShape,
		"Clip": lowerClip, "Where": lowerWhere, "Mean": lowerMean, "PRelu": lowerPRelu, "Greater": lowerGreater, "GreaterOrEqual": lowerGreater,
		"Conv": lowerConv, "BatchNormalization": lowerBatchNorm, "Gemm": lowerGemm, "MatMul": lowerMatMul,
		"MaxPool": lowerPool, "AveragePool": lowerPool, "LpPool": lowerLpPool, "GlobalAveragePool": lowerGlobalPool, "GlobalMaxPool": lowerGlobalPool,
		"LayerNormalization": lowerLayerNorm, "RMSNormalization": lowerLayerNorm, "GroupNormalization": lowerGroupNorm, "InstanceNormalization": lowerGroupNorm, "LRN": lowerLRN,
		"MeanVarianceNormalization": lowerMVN, "LpNormalization": lowerLpNorm,
		"Softmax": lowerSoftmax, "LogSoftmax": lowerSoftmax,
		"Reshape": lowerReshape, "Flatten": lowerReshape, "Squeeze": lowerReshape, "Unsqueeze": lowerReshape,
		"Transpose": lowerTranspose, "Concat": lowerConcat, "Slice": lowerSlice, "Split": lowerSplit, "Pad": lowerPad,
		"Expand": lowerExpand, "Tile": lowerTile, "Gather": lowerGather, "DepthToSpace": lowerBlocks, "SpaceToDepth": lowerBlocks,
		"Einsum": lowerEinsum, "Attention": lowerAttention,
	}
	for name := range activations {
		lowerings[name] = lowerUnary
	}
	for _, name := range []string{"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Equal", "Less", "LessOrEqual", "And", "Or", "Xor"} {
		lowerings[name] = lowerBinary
	}
	for name := range reductions {
		lowerings[name] = lowerReduce
	}
}

// unaryAttrs tells a function of one number: fn as in ONNX, with its parameters.
type unaryAttrs struct {
	fn          string
	alpha, beta float64
}

// activations holds the operators of one number with the names and the defaults of their attributes.
var activations = map[string]struct {
	alpha, beta               string
	defaultAlpha, defaultBeta float64
}{
	"Relu": {}, "Sigmoid": {}, "Tanh": {}, "HardSwish": {}, "Softplus": {}, "Softsign": {}, "Mish": {}, "Gelu": {},
	"Exp": {}, "Log": {}, "Sqrt": {}, "Reciprocal": {}, "Abs": {}, "Neg": {}, "Erf": {}, "Sin": {}, "Cos": {},
	"Floor": {}, "Ceil": {}, "Round": {}, "Sign": {}, "Not": {},
	"LeakyRelu":       {"alpha", "", 0.01, 0},
	"Elu":             {"alpha", "", 1, 0},
	"Celu":            {"alpha", "", 1, 0},
	"Selu":            {"alpha", "gamma", 1.67326319217681884765625, 1.05070102214813232421875},
	"HardSigmoid":     {"alpha", "beta", 0.2, 0.5},
	"Swish":           {"alpha", "", 1, 0},
	"ThresholdedRelu": {"alpha", "", 1, 0},
	"Shrink":          {"lambd", "bias", 0.5, 0},
	"Tan":             {}, "Sinh": {}, "Cosh": {}, "Asinh": {}, "Acosh": {}, "Atanh": {},
}

func (t *tracer) unary(n *node, x *value, fn string, args ...float64) (*value, error) {
	a := &unaryAttrs{fn: fn}
	if len(args) > 0 {
		a.alpha = args[0]
	}
	if len(args) > 1 {
		a.beta = args[1]
	}
	return t.add(n, "Unary", x.elem, x.shape, x.batch, a, x)
}

func lowerUnary(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x, a := in[0], activations[n.op]
	alpha, beta := a.defaultAlpha, a.defaultBeta
	if a.alpha != "" {
		alpha = n.float(a.alpha, alpha)
	}
	if a.beta != "" {
		beta = n.float(a.beta, beta)
	}
	c := &chain{t: t, n: n}
	switch n.op {
	case "Gelu":
		if n.str("approximate", "none") == "tanh" {
			return one(t.unary(n, x, "GeluTanh"))
		}
	case "ThresholdedRelu": // x where x > alpha
		return c.result(c.where(c.binary("Less", c.literal(x.elem, alpha), x), x, c.literal(x.elem, 0)))
	case "Shrink": // x + bias below -lambd, x - bias above lambd
		zero := c.literal(x.elem, 0)
		low := c.where(c.binary("Less", x, c.literal(x.elem, -alpha)), c.binary("Add", x, c.literal(x.elem, beta)), zero)
		return c.result(c.where(c.binary("Less", c.literal(x.elem, alpha), x), c.binary("Sub", x, c.literal(x.elem, beta)), low))
	case "Tan":
		return c.result(c.binary("Div", c.unary(x, "Sin"), c.unary(x, "Cos")))
	case "Sinh", "Cosh":
		op := map[string]string{"Sinh": "Sub", "Cosh": "Add"}[n.op]
		return c.result(c.binary("Mul", c.binary(op, c.unary(x, "Exp"), c.unary(c.unary(x, "Neg"), "Exp")), c.literal(x.elem, 0.5)))
	case "Asinh", "Acosh": // log(x + √(x² ± 1))
		root := c.unary(c.binary("Add", c.unary(x, "Square"), c.literal(x.elem, map[string]float64{"Asinh": 1, "Acosh": -1}[n.op])), "Sqrt")
		return c.result(c.unary(c.binary("Add", x, root), "Log"))
	case "Atanh": // ½ log((1 + x) / (1 - x))
		one := c.literal(x.elem, 1)
		return c.result(c.binary("Mul", c.unary(c.binary("Div", c.binary("Add", one, x), c.binary("Sub", one, x)), "Log"), c.literal(x.elem, 0.5)))
	}
	return one(t.unary(n, x, n.op, alpha, beta))
}

// chain adds several instructions for one node and keeps the first error.
type chain struct {
	t   *tracer
	n   *node
	err error
}

func (c *chain) do(f func() (*value, error)) *value {
	if c.err != nil {
		return nil
	}
	v, err := f()
	c.err = err
	return v
}

func (c *chain) result(v *value) ([]*value, error) { return one(v, c.err) }

func (c *chain) literal(e elem, v float64) *value { return literal(e, v) }

func (c *chain) unary(x *value, fn string, args ...float64) *value {
	return c.do(func() (*value, error) { return c.t.unary(c.n, x, fn, args...) })
}

func (c *chain) binary(op string, a, b *value) *value {
	return c.do(func() (*value, error) { return c.t.binary(c.n, op, a, b) })
}

func (c *chain) where(m, a, b *value) *value {
	return c.do(func() (*value, error) { return c.t.where(c.n, m, a, b) })
}

func (c *chain) reshape(x *value, shape ...int) *value {
	return c.do(func() (*value, error) { return c.t.reshape(c.n, x, shape) })
}

func (c *chain) transpose(x *value, perm ...int) *value {
	return c.do(func() (*value, error) { return c.t.transpose(c.n, x, perm) })
}

func (c *chain) reduce(x *value, fn string, axes []int) *value {
	return c.do(func() (*value, error) { return c.t.reduce(c.n, x, fn, axes) })
}

var compares = map[string]bool{"Equal": true, "Less": true, "LessOrEqual": true, "And": true, "Or": true, "Xor": true}

// binary adds an elementwise operation of two values, one of which is computed from images.
func (t *tracer) binary(n *node, op string, a, b *value) (*value, error) {
	in, shape, batch, err := t.elementwise(a, b)
	if err != nil {
		return nil, err
	}
	e := a.elem
	if compares[op] {
		e = elemBool
	}
	if a.c != nil && b.c != nil {
		c, err := t.pairwise(binaryMath[op], a.c, b.c)
		if err != nil {
			return nil, err
		}
		return constantValue(c), nil
	}
	v, err := t.add(n, op, e, shape, batch, nil, in...)
	if err == nil && op == "Div" && !e.isFloat() && v.c == nil {
		return t.truncate(n, v)
	}
	return v, err
}

// truncate adds the rounding towards zero.
func (t *tracer) truncate(n *node, x *value) (*value, error) {
	c := &chain{t: t, n: n}
	return c.binary("Mul", c.unary(x, "Sign"), c.unary(c.unary(x, "Abs"), "Floor")), c.err
}

func lowerBinary(t *tracer, n *node, in []*value) ([]*value, error) {
	least, most := 2, 2
	op := n.op
	if binaryMath[op].many {
		least, most = 1, -1
	}
	if op == "Sum" {
		op = "Add"
	}
	if err := wantInputs(in, least, most); err != nil {
		return nil, err
	}
	var err error
	out := in[0]
	for _, v := range in[1:] {
		if v == nil {
			return nil, fmt.Errorf("an input is left out")
		}
		if v.elem != out.elem && op != "Pow" {
			return nil, fmt.Errorf("inputs of %v and %v", out.elem, v.elem)
		}
		if out, err = t.binary(n, op, out, v); err != nil {
			return nil, err
		}
	}
	return []*value{out}, nil
}

func lowerGreater(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	op := map[string]string{"Greater": "Less", "GreaterOrEqual": "LessOrEqual"}[n.op]
	return one(t.binary(n, op, in[1], in[0]))
}

func lowerMean(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, len(in), -1); err != nil || len(in) == 0 {
		return nil, fmt.Errorf("%d inputs, of which some are left out", len(in))
	}
	c := &chain{t: t, n: n}
	sum := in[0]
	for _, v := range in[1:] {
		sum = c.binary("Add", sum, v)
	}
	if len(in) == 1 {
		return lowerIdentity(t, n, in)
	}
	return c.result(c.binary("Mul", sum, literal(in[0].elem, 1/float64(len(in)))))
}

// alias gives a value another element type.
func (t *tracer) alias(n *node, x *value, e elem) (*value, error) {
	return t.add(n, "Reshape", e, x.shape, x.batch, nil, x)
}

func lowerIdentity(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	return one(t.alias(n, in[0], in[0].elem))
}

func lowerDropout(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 3); err != nil {
		return nil, err
	}
	if v := arg(in, 2); v != nil {
		if on, ok := v.scalar(); !ok || on != 0 {
			return nil, unsupportedf("it is in training mode")
		}
	}
	v, err := t.alias(n, in[0], in[0].elem)
	if err != nil {
		return nil, err
	}
	out := []*value{v}
	if len(n.out) > 1 && n.out[1] != "" {
		mask := newConstant(elemBool, in[0].shape...)
		for i := range mask.i64 {
			mask.i64[i] = 1
		}
		out = append(out, constantValue(mask))
	}
	return out, nil
}

func lowerCast(t *tracer, n *node, in []*value) ([]*value, error) {
	most := 1
	if n.op == "CastLike" {
		most = 2
	}
	if err := wantInputs(in, most, most); err != nil {
		return nil, err
	}
	x, e := in[0], elem(n.int("to", 0))
	if n.op == "CastLike" {
		e = in[1].elem
	}
	if x.c != nil {
		out, err := castTo(e, x.c)
		if err != nil {
			return nil, err
		}
		v := constantValue(out[0])
		v.static, v.batch, v.shape = x.static, x.batch, x.shape
		return []*value{v}, nil
	}
	switch {
	case !e.known():
		return nil, unsupportedf("a cast to %v", e)
	case e == elemBool && x.elem != elemBool:
		c := &chain{t: t, n: n}
		v := c.unary(c.binary("Equal", x, literal(x.elem, 0)), "Not")
		if v != nil {
			v.elem = elemBool
		}
		return c.result(v)
	case !e.isFloat() && x.elem.isFloat():
		v, err := t.truncate(n, x)
		if err == nil {
			v.elem = e
		}
		return one(v, err)
	}
	return one(t.alias(n, x, e))
}

func lowerShape(_ *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	c := intConstant(shapeRange(n, x.shape)...)
	if n.op == "Size" {
		c = newConstant(elemInt64)
		c.i64[0] = int64(product(x.shape))
	}
	v := constantValue(c)
	v.static = !x.batch.is
	if n.op == "Shape" && x.batch.is {
		axes := make([]int, x.rank())
		axes[x.batch.axis] = 1
		v.depends = intConstant(shapeRange(n, axes)...)
		v.static = !slices.Contains(v.depends.i64, 1)
	}
	return []*value{v}, nil
}

func lowerClip(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 3); err != nil {
		return nil, err
	}
	var bounds [2]*constant
	for i := range bounds {
		if v := arg(in, i+1); v != nil {
			if v.c == nil {
				return lowerClipValues(t, n, in)
			}
			bounds[i] = v.c
		}
	}
	lo, hi, err := clipBounds(n, bounds[0], bounds[1])
	if err != nil {
		return nil, err
	}
	return one(t.unary(n, in[0], "Clip", lo, hi))
}

// lowerClipValues clips to bounds that are computed: max first, then min.
func lowerClipValues(t *tracer, n *node, in []*value) ([]*value, error) {
	c := &chain{t: t, n: n}
	x := in[0]
	if v := arg(in, 1); v != nil {
		x = c.binary("Max", x, v)
	}
	if v := arg(in, 2); v != nil {
		x = c.binary("Min", x, v)
	}
	return c.result(x)
}

func (t *tracer) where(n *node, m, a, b *value) (*value, error) {
	in, shape, batch, err := t.elementwise(m, a, b)
	if err != nil {
		return nil, err
	}
	return t.add(n, "Where", a.elem, shape, batch, nil, in...)
}

func lowerWhere(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	return one(t.where(n, in[0], in[1], in[2]))
}

func lowerPRelu(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	args, shape, batch, err := t.elementwise(in...)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shape, in[0].shape) {
		return nil, fmt.Errorf("a slope of shape %v for shape %v", in[1].shape, in[0].shape)
	}
	return one(t.add(n, "PRelu", in[0].elem, shape, batch, nil, args...))
}

// reshape adds a reshape of row-major elements to a shape for the tracer's batch.
func (t *tracer) reshape(n *node, x *value, shape []int) (*value, error) {
	b, err := t.reshapeBatching(x.shape, x.batch, shape)
	if err != nil {
		return nil, err
	}
	return t.add(n, "Reshape", x.elem, shape, b, nil, x)
}

func lowerReshape(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	x := in[0]
	var c *constant
	if v := arg(in, 1); v != nil {
		if v.c == nil {
			return nil, unsupportedf("its %s is computed from images", map[bool]string{true: "shape", false: "axes"}[n.op == "Reshape"])
		}
		c = v.c
	}
	var shape []int
	var err error
	switch n.op {
	case "Flatten":
		shape, err = flattenTo(n, x.shape)
	case "Squeeze":
		if axes, e := axesOf(n, c, 13); e == nil && axes == nil && x.batch.is {
			// All axes of size 1, whatever the batch.
			shape = slices.Clone(x.shape)
			for i := len(shape) - 1; i >= 0; i-- {
				if shape[i] == 1 {
					shape = slices.Delete(shape, i, i+1)
				}
			}
			break
		}
		shape, err = squeezeTo(n, x.shape, c)
	case "Unsqueeze":
		shape, err = unsqueezeTo(n, x.shape, c)
	default:
		if err := wantInputs(in, 2, 2); err != nil {
			return nil, err
		}
		target, e := shapeIn(c)
		if e != nil {
			return nil, e
		}
		from := x.shape
		rewrite := t.freed && in[1].static && x.batch.is
		if rewrite {
			from = t.ownShape(x)
		}
		shape, err = reshapeTo(from, target, n.int("allowzero", 0) != 0)
		if err == nil && rewrite {
			shape, err = t.freeTarget(x, shape)
		}
	}
	if err != nil {
		return nil, err
	}
	if n.op == "Squeeze" || n.op == "Unsqueeze" {
		return one(t.moveAxes(n, x, shape))
	}
	return one(t.reshape(n, x, shape))
}

// moveAxes reshapes where only axes of size 1 come or go, so that the samples' axis is the same one.
func (t *tracer) moveAxes(n *node, x *value, shape []int) (*value, error) {
	b := x.batch
	if b.is && x.shape[b.axis] > 1 {
		large := func(s []int, end int) (count int) {
			for _, d := range s[:end] {
				if d > 1 {
					count++
				}
			}
			return count
		}
		nth := large(x.shape, b.axis)
		for i, d := range shape {
			if d > 1 && large(shape, i) == nth {
				b.axis = i
				break
			}
		}
	}
	return t.add(n, "Reshape", x.elem, shape, b, nil, x)
}

type transposeAttrs struct{ perm []int }

func (t *tracer) transpose(n *node, x *value, perm []int) (*value, error) {
	b := x.batch
	if b.is {
		b.axis = slices.Index(perm, b.axis)
	}
	return t.add(n, "Transpose", x.elem, permuted(x.shape, perm), b, &transposeAttrs{perm}, x)
}

func lowerTranspose(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	perm, err := permOf(n, in[0].rank())
	if err != nil {
		return nil, err
	}
	return one(t.transpose(n, in[0], perm))
}

type axisAttrs struct{ axis int }

func lowerConcat(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, len(in), -1); err != nil || len(in) == 0 {
		return nil, fmt.Errorf("%d inputs, of which some are left out", len(in))
	}
	var b batching
	for _, v := range in {
		if v.batch.is && v.c == nil {
			b = v.batch
		}
	}
	var parts []*value
	var shapes [][]int
	for _, v := range in {
		if v.rank() != in[0].rank() {
			return nil, fmt.Errorf("inputs of shapes %v and %v", in[0].shape, v.shape)
		}
		if b.is {
			var err error
			if v, err = t.spread(v, b); err != nil {
				return nil, err
			}
			if v.batch != b {
				return nil, unsupportedf("the samples of a batch lie at different places of its inputs")
			}
		}
		shapes = append(shapes, v.shape)
		if product(v.shape) > 0 {
			parts = append(parts, v)
		}
	}
	axis, shape, err := concatTo(n, shapes)
	if err != nil {
		return nil, err
	}
	if b.is && b.axis == axis {
		return nil, mixes(axis)
	}
	if len(parts) == 1 {
		return one(t.alias(n, parts[0], in[0].elem))
	}
	return one(t.add(n, "Concat", in[0].elem, shape, b, &axisAttrs{axis}, parts...))
}

// slice adds one cut after the other; what takes all of an axis is left out.
func (t *tracer) slice(n *node, x *value, cuts []cut) (*value, error) {
	var err error
	whole := true
	for _, c := range cuts {
		if c.start == 0 && c.step == 1 && c.count == x.shape[c.axis] {
			continue
		}
		if t.freed && x.batch.is && c.axis == x.batch.axis && c.start == 0 && c.step == 1 && c.count == x.batch.outer*x.batch.per {
			continue // all of the file's one sample
		}
		if err := x.apart(c.axis); err != nil {
			return nil, err
		}
		shape := slices.Clone(x.shape)
		shape[c.axis] = c.count
		c := c
		if x.c != nil {
			x = constantValue(x.c.cut(c))
			continue
		}
		if x, err = t.add(n, "Slice", x.elem, shape, x.batch, &c, x); err != nil {
			return nil, err
		}
		whole = false
	}
	if whole && x.c == nil {
		return t.alias(n, x, x.elem)
	}
	return x, nil
}

func lowerSlice(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 5); err != nil {
		return nil, err
	}
	args := make([]*constant, len(in))
	for i, v := range in[1:] {
		if v != nil {
			if v.c == nil {
				return nil, unsupportedf("where it cuts is computed from images")
			}
			args[i+1] = v.c
		}
	}
	cuts, err := cutsOf(n, in[0].shape, args)
	if err != nil {
		return nil, err
	}
	return one(t.slice(n, in[0], cuts))
}

func lowerSplit(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	x := in[0]
	axis, err := axisIn(n.int("axis", 0), x.rank())
	if err != nil {
		return nil, err
	}
	var c *constant
	if v := arg(in, 1); v != nil {
		if v.c == nil {
			return nil, unsupportedf("the sizes of its parts are computed from images")
		}
		c = v.c
	}
	sizes, err := splitsOf(n, x.shape[axis], c)
	if err != nil {
		return nil, err
	}
	out := make([]*value, len(sizes))
	at := 0
	for i, s := range sizes {
		if out[i], err = t.slice(n, x, []cut{{axis, at, 1, s}}); err != nil {
			return nil, err
		}
		at += s
	}
	return out, nil
}

func lowerPad(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 4); err != nil {
		return nil, err
	}
	x := in[0]
	args := make([]*constant, len(in))
	for i, v := range in[1:] {
		if v != nil {
			if v.c == nil {
				return nil, unsupportedf("what it pads with is computed from images")
			}
			args[i+1] = v.c
		}
	}
	p, err := paddingOf(n, x.shape, args)
	if err != nil {
		return nil, err
	}
	shape, err := p.shape(x.shape)
	if err != nil {
		return nil, err
	}
	for axis := range shape {
		if p.before[axis] != 0 || p.after[axis] != 0 {
			if err := x.apart(axis); err != nil {
				return nil, err
			}
		}
	}
	if !slices.ContainsFunc(slices.Concat(p.before, p.after), func(v int) bool { return v != 0 }) {
		return one(t.alias(n, x, x.elem))
	}
	// Negative pads cut off first.
	var cuts []cut
	for a := range shape {
		low, high := max(-p.before[a], 0), max(-p.after[a], 0)
		if low+high > x.shape[a] {
			return nil, fmt.Errorf("pads %v and %v of shape %v", p.before, p.after, x.shape)
		}
		if low+high > 0 {
			cuts = append(cuts, cut{a, low, 1, x.shape[a] - low - high})
		}
		p.before[a], p.after[a] = max(p.before[a], 0), max(p.after[a], 0)
	}
	if len(cuts) > 0 {
		if x, err = t.slice(n, x, cuts); err != nil {
			return nil, err
		}
	}
	switch p.mode {
	case "constant", "reflect", "edge", "wrap":
	default:
		return nil, unsupportedf("mode %q", p.mode)
	}
	return one(t.add(n, "Pad", x.elem, shape, x.batch, &p, x))
}

func lowerExpand(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	if in[1].c == nil {
		return nil, unsupportedf("its shape is computed from images")
	}
	target, err := shapeIn(in[1].c)
	if err != nil {
		return nil, err
	}
	for _, d := range target {
		if d < 0 {
			return nil, fmt.Errorf("to shape %v", target)
		}
	}
	b := x.batch
	if b.is {
		b.axis += max(len(target)-x.rank(), 0)
		if at := b.axis - (max(len(target), x.rank()) - len(target)); t.freed && in[1].static && at >= 0 && target[at] == b.outer*b.per {
			target[at] = x.shape[x.batch.axis]
		}
	}
	shape, err := broadcast(x.shape, target)
	if err != nil {
		return nil, err
	}
	if slices.Equal(shape, x.shape) {
		return one(t.alias(n, x, x.elem))
	}
	return one(t.add(n, "Expand", x.elem, shape, b, nil, x))
}

type tileAttrs struct{ reps []int }

func lowerTile(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	if in[1].c == nil {
		return nil, unsupportedf("its repeats are computed from images")
	}
	reps, shape, err := tilesOf(x.shape, in[1].c)
	if err != nil {
		return nil, err
	}
	for a, r := range reps {
		if r != 1 {
			if err := x.apart(a); err != nil {
				return nil, err
			}
		}
	}
	return one(t.add(n, "Tile", x.elem, shape, x.batch, &tileAttrs{reps}, x))
}

type gatherAttrs struct {
	axis  int
	index []int
}

func lowerGather(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	axis, err := axisIn(n.int("axis", 0), x.rank())
	if err != nil {
		return nil, err
	}
	if in[1].c == nil {
		return nil, unsupportedf("its indices are computed from images")
	}
	if err := x.apart(axis); err != nil {
		return nil, err
	}
	index, err := indicesIn(in[1].c, x.shape[axis])
	if err != nil {
		return nil, err
	}
	flat := slices.Clone(x.shape)
	flat[axis] = len(index)
	shape := slices.Concat(x.shape[:axis], in[1].shape, x.shape[axis+1:])
	b := x.batch
	if b.is && b.axis > axis {
		b.axis += in[1].rank() - 1
	}
	if product(shape) == 0 {
		return []*value{constantValue(newConstant(x.elem, shape...))}, nil
	}
	// Indices that are a range are a slice.
	step := 1
	if len(index) > 1 {
		step = index[1] - index[0]
	}
	regular := step != 0
	for i := range index {
		regular = regular && index[i] == index[0]+i*step
	}
	var v *value
	if regular && x.c == nil {
		v, err = t.add(n, "Slice", x.elem, flat, x.batch, &cut{axis, index[0], step, len(index)}, x)
	} else {
		v, err = t.add(n, "Gather", x.elem, flat, x.batch, &gatherAttrs{axis, index}, x)
	}
	if err != nil || in[1].rank() == 1 {
		return one(v, err)
	}
	return one(t.add(n, "Reshape", x.elem, shape, b, nil, v))
}

type blockAttrs struct {
	block int
	crd   bool
}

func lowerBlocks(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x, block := in[0], n.int("blocksize", 0)
	if x.rank() != 4 || block < 1 || block > maxElements {
		return nil, fmt.Errorf("input of shape %v with blocks of %d", x.shape, block)
	}
	if err := x.first(); err != nil {
		return nil, err
	}
	s := slices.Clone(x.shape)
	if n.op == "DepthToSpace" {
		if s[1]%(block*block) != 0 {
			return nil, fmt.Errorf("%d channels with blocks of %d", s[1], block)
		}
		s[1], s[2], s[3] = s[1]/block/block, s[2]*block, s[3]*block
	} else {
		if s[2]%block != 0 || s[3]%block != 0 {
			return nil, fmt.Errorf("input of shape %v with blocks of %d", x.shape, block)
		}
		s[1], s[2], s[3] = s[1]*block*block, s[2]/block, s[3]/block
	}
	return one(t.add(n, n.op, x.elem, s, x.batch, &blockAttrs{block, n.str("mode", "DCR") == "CRD"}, x))
}

type reduceAttrs struct {
	fn   string // Sum, Mean, Max, Min, Prod, LogSumExp
	axes []int
}

// reduce adds a reduction that keeps its axes.
func (t *tracer) reduce(n *node, x *value, fn string, axes []int) (*value, error) {
	if err := x.apart(axes...); err != nil {
		return nil, err
	}
	shape := slices.Clone(x.shape)
	for _, a := range axes {
		shape[a] = 1
	}
	return t.add(n, "Reduce", x.elem, shape, x.batch, &reduceAttrs{fn, axes}, x)
}

func lowerReduce(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	x := in[0]
	var c *constant
	if v := arg(in, 1); v != nil {
		if v.c == nil {
			return nil, unsupportedf("its axes are computed from images")
		}
		c = v.c
	}
	axes, kept, out, err := reduceTo(n, x.shape, c)
	if err != nil {
		return nil, err
	}
	if err := x.apart(axes...); err != nil {
		return nil, err
	}
	ch := &chain{t: t, n: n}
	if len(axes) == 0 && (n.op == "ReduceSum" || n.op == "ReduceMean" || n.op == "ReduceMax" || n.op == "ReduceMin" || n.op == "ReduceProd") {
		return lowerIdentity(t, n, in[:1])
	}
	v := x
	if n.op == "ReduceL1" {
		v = ch.unary(v, "Abs")
	}
	if n.op == "ReduceL2" || n.op == "ReduceSumSquare" {
		v = ch.unary(v, "Square")
	}
	if len(axes) > 0 {
		fn := map[string]string{"ReduceSum": "Sum", "ReduceMean": "Mean", "ReduceMax": "Max", "ReduceMin": "Min", "ReduceProd": "Prod",
			"ReduceLogSumExp": "LogSumExp"}[n.op]
		if fn == "" {
			fn = "Sum"
		}
		v = ch.reduce(v, fn, axes)
	}
	switch n.op {
	case "ReduceL2":
		v = ch.unary(v, "Sqrt")
	case "ReduceLogSum":
		v = ch.unary(v, "Log")
	}
	if ch.err != nil {
		return nil, ch.err
	}
	if v.c != nil || slices.Equal(kept, out) {
		return []*value{v}, nil
	}
	b := x.batch
	for _, a := range axes {
		if b.is && a < x.batch.axis {
			b.axis--
		}
	}
	return one(t.add(n, "Reshape", x.elem, out, b, nil, v))
}

func lowerSoftmax(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	otherwise := -1
	if n.opset < 13 {
		otherwise = 1
	}
	if x.rank() == 0 {
		return nil, fmt.Errorf("input of shape %v, expected at least one axis", x.shape)
	}
	axis, err := axisIn(n.int("axis", otherwise), x.rank())
	if err != nil {
		return nil, err
	}
	if n.opset >= 13 || axis == x.rank()-1 || product(x.shape[axis+1:]) == 1 {
		if err := x.apart(axis); err != nil {
			return nil, err
		}
		return one(t.add(n, n.op, x.elem, x.shape, x.batch, &axisAttrs{axis}, x))
	}
	// Before opset 13 the axes from that one on count as one.
	c := &chain{t: t, n: n}
	for a := axis; a < x.rank(); a++ {
		if err := x.apart(a); err != nil {
			return nil, err
		}
	}
	flat := c.reshape(x, append(slices.Clone(x.shape[:axis]), product(x.shape[axis:]))...)
	soft := c.do(func() (*value, error) {
		return t.add(n, n.op, x.elem, flat.shape, flat.batch, &axisAttrs{axis}, flat)
	})
	return c.result(c.reshape(soft, x.shape...))
}
