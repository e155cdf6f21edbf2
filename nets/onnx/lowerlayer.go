package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// windowAttrs is the geometry of a sliding window over the spatial axes.
type windowAttrs struct {
	kernel, stride, dilation, begin, end []int
	groups                               int
	ceil, includePad, columnMajor        bool
}

// windowOf reads the geometry of a convolution or a pooling of x [batch, channels, spatial...].
func windowOf(n *node, x *value, kernel []int) (*windowAttrs, error) {
	spatial := x.rank() - 2
	if spatial < 1 {
		return nil, fmt.Errorf("input of shape %v, expected [batch, channels, spatial axes]", x.shape)
	}
	w := &windowAttrs{
		kernel: kernel, stride: n.ints("strides"), dilation: n.ints("dilations"), groups: n.int("group", 1),
		ceil: n.int("ceil_mode", 0) != 0, includePad: n.int("count_include_pad", 0) != 0,
	}
	ones := slices.Repeat([]int{1}, spatial)
	if w.stride == nil {
		w.stride = ones
	}
	if w.dilation == nil {
		w.dilation = ones
	}
	if len(w.kernel) != spatial || len(w.stride) != spatial || len(w.dilation) != spatial {
		return nil, fmt.Errorf("kernel %v, strides %v, dilations %v for input of shape %v", w.kernel, w.stride, w.dilation, x.shape)
	}
	for i := range spatial {
		if w.kernel[i] < 1 || w.stride[i] < 1 || w.dilation[i] < 1 || w.kernel[i] > maxElements/w.dilation[i] || w.stride[i] > maxElements {
			return nil, fmt.Errorf("kernel %v, strides %v, dilations %v, expected positive numbers", w.kernel, w.stride, w.dilation)
		}
	}
	pads := n.ints("pads")
	if pads == nil {
		pads = make([]int, 2*spatial)
	}
	if len(pads) != 2*spatial {
		return nil, fmt.Errorf("%d pads for %d axes", len(pads), spatial)
	}
	w.begin, w.end = slices.Clone(pads[:spatial]), slices.Clone(pads[spatial:])
	for i, auto := 0, n.str("auto_pad", "NOTSET"); i < spatial; i++ {
		size := x.shape[2+i]
		switch auto {
		case "NOTSET", "":
		case "VALID":
			w.begin[i], w.end[i] = 0, 0
		case "SAME_UPPER", "SAME_LOWER":
			out := (size + w.stride[i] - 1) / w.stride[i]
			total := max((out-1)*w.stride[i]+w.extent(i)-size, 0)
			w.begin[i], w.end[i] = total/2, total-total/2
			if auto == "SAME_LOWER" {
				w.begin[i], w.end[i] = w.end[i], w.begin[i]
			}
		default:
			return nil, unsupportedf("auto_pad %q", auto)
		}
		if w.begin[i] < 0 || w.end[i] < -size || w.begin[i] > maxElements || w.end[i] > maxElements {
			return nil, unsupportedf("pads %v and %v", w.begin, w.end)
		}
	}
	return w, nil
}

// extent is the number of pixels that the window spans.
func (w *windowAttrs) extent(i int) int { return (w.kernel[i]-1)*w.dilation[i] + 1 }

// over returns the spatial shape of the result.
func (w *windowAttrs) over(spatial []int) ([]int, error) {
	out := make([]int, len(spatial))
	for i, size := range spatial {
		room := size + w.begin[i] + w.end[i] - w.extent(i)
		if room < 0 {
			return nil, fmt.Errorf("a window of %d pixels over %d with pads %d and %d", w.extent(i), size, w.begin[i], w.end[i])
		}
		out[i] = room/w.stride[i] + 1
		// The last window may hang over the end, but not start beyond the image and its beginning.
		if w.ceil && room%w.stride[i] != 0 && out[i]*w.stride[i] < size+w.begin[i] {
			out[i]++
		}
	}
	return out, nil
}

// paramOf makes a parameter of a constant.
func paramOf(suffix string, v *value) *param {
	return &param{suffix: suffix, from: v.name, shape: slices.Clone(v.c.shape), values: v.c.float32s}
}

// isParam tells whether a value can become a parameter of a layer.
func (v *value) isParam() bool {
	return v != nil && v.c != nil && v.static && v.elem.isFloat() && v.c.len() > 0
}

// layer adds an instruction with parameters.
func (t *tracer) layer(n *node, kind string, shape []int, b batching, a any, params []*param, in ...*value) (*value, error) {
	v, err := t.add(n, kind, in[0].elem, shape, b, a, in...)
	if err == nil && v.inst != nil {
		v.inst.params = params
	}
	return v, err
}

func lowerConv(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 3); err != nil {
		return nil, err
	}
	x, w, bias := in[0], in[1], arg(in, 2)
	if w.rank() != x.rank() || w.rank() < 3 {
		return nil, fmt.Errorf("input of shape %v, weight of shape %v", x.shape, w.shape)
	}
	if err := x.first(); err != nil {
		return nil, err
	}
	if k := n.ints("kernel_shape"); k != nil && !slices.Equal(k, w.shape[2:]) {
		return nil, fmt.Errorf("kernel_shape %v, weight of shape %v", k, w.shape)
	}
	a, err := windowOf(n, x, w.shape[2:])
	if err != nil {
		return nil, err
	}
	if g := a.groups; g < 1 || x.shape[1]%g != 0 || w.shape[0]%g != 0 || w.shape[1] != x.shape[1]/g {
		return nil, fmt.Errorf("input of shape %v, weight of shape %v, %d groups", x.shape, w.shape, g)
	}
	if bias != nil && (bias.rank() != 1 || bias.shape[0] != w.shape[0]) {
		return nil, fmt.Errorf("weight of shape %v, bias of shape %v", w.shape, bias.shape)
	}
	if w.batch.is || bias != nil && bias.batch.is {
		return nil, unsupportedf("its weights are computed from images")
	}
	a.ceil = false
	spatial, err := a.over(x.shape[2:])
	if err != nil {
		return nil, err
	}
	if len(spatial) > 2 {
		return nil, unsupportedf("a convolution over %d axes, expected 1 or 2", len(spatial))
	}
	shape := append([]int{x.shape[0], w.shape[0]}, spatial...)
	if len(spatial) == 1 {
		return lowerConv1D(t, n, x, w, bias, a, shape)
	}
	return one(t.conv(n, x, w, bias, a, shape))
}

func (t *tracer) conv(n *node, x, w, bias *value, a *windowAttrs, shape []int) (*value, error) {
	if w.isParam() && (bias == nil || bias.isParam()) {
		params := []*param{paramOf("weight", w)}
		if bias != nil {
			params = append(params, paramOf("bias", bias))
		}
		return t.layer(n, "Conv", shape, x.batch, a, params, x)
	}
	args := []*value{x, w}
	if bias != nil {
		args = append(args, bias)
	}
	return t.add(n, "Conv", x.elem, shape, x.batch, a, args...)
}

// lowerConv1D makes a convolution over one axis one over two, of which the first has one pixel.
func lowerConv1D(t *tracer, n *node, x, w, bias *value, a *windowAttrs, shape []int) ([]*value, error) {
	c := &chain{t: t, n: n}
	a = &windowAttrs{
		kernel: []int{1, a.kernel[0]}, stride: []int{1, a.stride[0]}, dilation: []int{1, a.dilation[0]},
		begin: []int{0, a.begin[0]}, end: []int{0, a.end[0]}, groups: a.groups,
	}
	wide := c.reshape(x, x.shape[0], x.shape[1], 1, x.shape[2])
	if w.c != nil {
		v := *w
		v.shape = []int{w.shape[0], w.shape[1], 1, w.shape[2]}
		v.c = w.c.reshaped(v.shape...)
		w = &v
	} else {
		w = c.reshape(w, w.shape[0], w.shape[1], 1, w.shape[2])
	}
	y := c.do(func() (*value, error) {
		return t.conv(n, wide, w, bias, a, []int{shape[0], shape[1], 1, shape[2]})
	})
	return c.result(c.reshape(y, shape...))
}

type normAttrs struct {
	axis, groups int
	eps          float64
}

func lowerBatchNorm(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 5, 5); err != nil {
		return nil, err
	}
	x := in[0]
	if x.rank() < 2 {
		return nil, fmt.Errorf("input of shape %v, expected [batch, channels, ...]", x.shape)
	}
	if n.int("training_mode", 0) != 0 || n.opset < 9 && n.int("spatial", 1) == 0 {
		return nil, unsupportedf("it is in training mode, or not by channel")
	}
	if err := x.apart(1); err != nil {
		return nil, err
	}
	eps := n.float("epsilon", 1e-5)
	params, known := []*param{}, true
	for i, suffix := range []string{"weight", "bias", "running_mean", "running_var"} {
		v := in[1+i]
		if v.rank() != 1 || v.shape[0] != x.shape[1] {
			return nil, fmt.Errorf("input of shape %v, %s of shape %v", x.shape, suffix, v.shape)
		}
		if known = known && v.isParam(); known {
			p := paramOf(suffix, v)
			p.buffer = i >= 2
			params = append(params, p)
		}
	}
	if known && x.batch.plain() {
		return one(t.layer(n, "BatchNorm", x.shape, x.batch, &normAttrs{eps: eps}, params, x))
	}
	c := &chain{t: t, n: n}
	channel := func(v *value) *value { return c.reshaped(v, 1, x.rank()-2) }
	scale := c.binary("Div", in[1], c.unary(c.binary("Add", in[4], literal(x.elem, eps)), "Sqrt"))
	y := c.binary("Mul", c.binary("Sub", x, channel(in[3])), channel(scale))
	return c.result(c.binary("Add", y, channel(in[2])))
}

// reshaped gives a value leading and trailing axes of size 1, constants included.
func (c *chain) reshaped(v *value, lead, trail int) *value {
	if c.err != nil {
		return nil
	}
	shape := slices.Concat(slices.Repeat([]int{1}, lead), v.shape, slices.Repeat([]int{1}, trail))
	if v.c != nil {
		out := *v
		out.shape, out.c = shape, v.c.reshaped(shape...)
		return &out
	}
	return c.reshape(v, shape...)
}

func lowerGemm(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 3); err != nil {
		return nil, err
	}
	a, b, bias := in[0], in[1], arg(in, 2)
	alpha, beta := n.float("alpha", 1), n.float("beta", 1)
	transA, transB := n.int("transA", 0) != 0, n.int("transB", 0) != 0
	if a.rank() != 2 || b.rank() != 2 {
		return nil, fmt.Errorf("inputs of shapes %v and %v, expected matrices", a.shape, b.shape)
	}
	c := &chain{t: t, n: n}
	if transA {
		a = c.turned(a)
	}
	rows := b.shape
	if !transB {
		rows = []int{b.shape[1], b.shape[0]}
	}
	if c.err != nil {
		return nil, c.err
	}
	if a.shape[1] != rows[1] {
		return nil, fmt.Errorf("inputs of shapes %v and %v do not fit one another", in[0].shape, in[1].shape)
	}
	shape := []int{a.shape[0], rows[0]}
	if bias != nil {
		if s, err := broadcast(shape, bias.shape); err != nil || !slices.Equal(s, shape) {
			return nil, fmt.Errorf("inputs of shapes %v, %v and %v do not fit one another", in[0].shape, in[1].shape, bias.shape)
		}
	}
	if err := a.apart(1); err != nil {
		return nil, err
	}
	row := bias == nil || bias.isParam() && (bias.rank() < 2 || bias.shape[0] == 1)
	if b.isParam() && row && a.c == nil {
		params := []*param{linearWeight(b, !transB, alpha)}
		if bias != nil {
			params = append(params, &param{suffix: "bias", from: bias.name, shape: []int{rows[0]}, values: func() []float32 {
				return scaled(bias.c.expanded([]int{1, rows[0]}).float32s(), beta)
			}})
		}
		return one(t.layer(n, "Linear", shape, a.batch, nil, params, a))
	}
	if transB {
		b = c.turned(b)
	}
	y := c.do(func() (*value, error) { return t.matMul(n, a, b) })
	if alpha != 1 {
		y = c.binary("Mul", y, literal(a.elem, alpha))
	}
	if bias != nil {
		if beta != 1 {
			bias = c.binary("Mul", bias, literal(a.elem, beta))
		}
		y = c.binary("Add", y, bias)
	}
	return c.result(y)
}

// turned transposes a matrix, constants included.
func (c *chain) turned(v *value) *value {
	if c.err != nil {
		return nil
	}
	if v.c != nil {
		out := *v
		out.c = v.c.transposed([]int{1, 0})
		out.shape = out.c.shape
		return &out
	}
	return c.transpose(v, 1, 0)
}

// linearWeight makes the weight [out, in] of a linear layer of a matrix.
func linearWeight(b *value, turn bool, alpha float64) *param {
	p := &param{suffix: "weight", from: b.name, shape: slices.Clone(b.shape)}
	if turn {
		slices.Reverse(p.shape)
	}
	p.values = func() []float32 {
		m := b.c
		if turn {
			m = m.transposed([]int{1, 0})
		}
		return scaled(m.float32s(), alpha)
	}
	return p
}

func scaled(v []float32, factor float64) []float32 {
	if factor == 1 {
		return v
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(float64(x) * factor)
	}
	return out
}

func (t *tracer) matMul(n *node, a, b *value) (*value, error) {
	shape, err := matMulShape(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	if err := a.apart(a.rank() - 1); err != nil {
		return nil, err
	}
	if err := b.apart(max(b.rank()-2, 0)); err != nil {
		return nil, err
	}
	rank := len(shape)
	// Axes of the operands in the result: leading ones are aligned from the right.
	place := func(v *value, own int) batching {
		p := v.batch
		if !p.is {
			return p
		}
		matrix := min(v.rank(), 2)
		lost := 0
		if a.rank() == 1 {
			lost++
		}
		if b.rank() == 1 {
			lost++
		}
		switch {
		case p.axis < v.rank()-matrix:
			p.axis += rank - (2 - lost) - (v.rank() - matrix)
		case own == 0: // rows of the left operand
			p.axis = rank - 2
			if b.rank() == 1 {
				p.axis = rank - 1
			}
		default: // columns of the right operand
			p.axis = rank - 1
		}
		return p
	}
	batch, other := place(a, 0), place(b, 1)
	switch {
	case batch.is && other.is && batch != other:
		return nil, unsupportedf("the samples of a batch lie at different places of its inputs")
	case other.is:
		batch = other
	}
	args := []*value{a, b}
	for i, v := range args {
		if v.c == nil || !batch.is {
			continue
		}
		if axis := batch.axis - (rank - v.rank()); axis >= 0 && axis < v.rank()-2 {
			if args[i], err = t.share(v, axis, batch); err != nil {
				return nil, err
			}
		}
	}
	return t.add(n, "MatMul", a.elem, shape, batch, nil, args...)
}

func lowerMatMul(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	a, b := in[0], in[1]
	if a.c == nil && a.rank() >= 2 && b.rank() == 2 && b.isParam() {
		shape, err := matMulShape(a.shape, b.shape)
		if err == nil {
			err = a.apart(a.rank() - 1)
		}
		if err != nil {
			return nil, err
		}
		return one(t.layer(n, "Linear", shape, a.batch, nil, []*param{linearWeight(b, true, 1)}, a))
	}
	return one(t.matMul(n, a, b))
}

func lowerPool(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	if err := x.first(); err != nil {
		return nil, err
	}
	a, err := windowOf(n, x, n.ints("kernel_shape"))
	if err != nil {
		return nil, err
	}
	spatial, err := a.over(x.shape[2:])
	if err != nil {
		return nil, err
	}
	kind := map[string]string{"MaxPool": "MaxPool", "AveragePool": "AvgPool"}[n.op]
	v, err := t.add(n, kind, x.elem, append(slices.Clone(x.shape[:2]), spatial...), x.batch, a, x)
	if err != nil || len(n.out) < 2 || n.out[1] == "" || v.inst == nil {
		return one(v, err)
	}
	if x.batch.is {
		return nil, unsupportedf("positions of the maxima depend on the place of a sample in its batch")
	}
	i := *a
	i.columnMajor = n.int("storage_order", 0) != 0
	index, err := t.add(n, "MaxPoolIndex", elemInt64, v.shape, v.batch, &i, x)
	return []*value{v, index}, err
}

// lowerLpPool computes (Σ |x|^p)^(1/p) by average pooling.
func lowerLpPool(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x, p := in[0], float64(n.int("p", 2))
	if err := x.first(); err != nil {
		return nil, err
	}
	a, err := windowOf(n, x, n.ints("kernel_shape"))
	if err != nil {
		return nil, err
	}
	if a.ceil {
		return nil, unsupportedf("ceil_mode")
	}
	a.includePad = true
	spatial, err := a.over(x.shape[2:])
	if err != nil {
		return nil, err
	}
	c := &chain{t: t, n: n}
	powers := c.binary("Pow", c.unary(x, "Abs"), literal(x.elem, p))
	means := c.do(func() (*value, error) {
		return t.add(n, "AvgPool", x.elem, append(slices.Clone(x.shape[:2]), spatial...), x.batch, a, powers)
	})
	sums := c.binary("Mul", means, literal(x.elem, float64(product(a.kernel))))
	return c.result(c.binary("Pow", sums, literal(x.elem, 1/p)))
}

func lowerGlobalPool(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	if x.rank() < 3 {
		return nil, fmt.Errorf("input of shape %v, expected [batch, channels, spatial axes]", x.shape)
	}
	var axes []int
	for i := 2; i < x.rank(); i++ {
		axes = append(axes, i)
	}
	fn := "Mean"
	if n.op == "GlobalMaxPool" {
		fn = "Max"
	}
	return one(t.reduce(n, x, fn, axes))
}

func lowerLayerNorm(t *tracer, n *node, in []*value) ([]*value, error) {
	most := 3
	if n.op == "RMSNormalization" {
		most = 2
	}
	if err := wantInputs(in, 2, most); err != nil {
		return nil, err
	}
	x := in[0]
	axis, err := axisIn(n.int("axis", -1), x.rank())
	if err != nil {
		return nil, err
	}
	var axes []int
	for a := axis; a < x.rank(); a++ {
		axes = append(axes, a)
	}
	if err := x.apart(axes...); err != nil {
		return nil, err
	}
	a := &normAttrs{axis: axis, eps: n.float("epsilon", 1e-5)}
	kind := map[string]string{"LayerNormalization": "LayerNorm", "RMSNormalization": "RMSNorm"}[n.op]
	tail := x.shape[axis:]
	params, args := []*param{}, []*value{x}
	known := in[1].isParam() && (arg(in, 2) == nil || in[2].isParam())
	for i, v := range in[1:] {
		if v == nil {
			continue
		}
		suffix := []string{"weight", "bias"}[i]
		if s, err := broadcast(tail, v.shape); err != nil || !slices.Equal(s, tail) {
			return nil, fmt.Errorf("input of shape %v from axis %d on, %s of shape %v", x.shape, axis, suffix, v.shape)
		}
		if known {
			p := paramOf(suffix, v)
			p.shape, p.values = slices.Clone(tail), func() []float32 { return v.c.expanded(tail).float32s() }
			params = append(params, p)
			continue
		}
		if !slices.Equal(v.shape, tail) {
			if v, err = t.add(n, "Expand", v.elem, tail, v.batch, nil, v); err != nil {
				return nil, err
			}
		}
		args = append(args, v)
	}
	y, err := t.layer(n, kind, x.shape, x.batch, a, params, args...)
	if err != nil || len(n.out) < 2 {
		return one(y, err)
	}
	c := &chain{t: t, n: n}
	mean := c.reduce(x, "Mean", axes)
	variance := c.reduce(c.unary(c.binary("Sub", x, mean), "Square"), "Mean", axes)
	inverse := c.unary(c.unary(c.binary("Add", variance, literal(x.elem, a.eps)), "Sqrt"), "Reciprocal")
	return []*value{y, mean, inverse}, c.err
}

func lowerGroupNorm(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	x := in[0]
	if x.rank() < 3 {
		return nil, fmt.Errorf("input of shape %v, expected [batch, channels, spatial axes]", x.shape)
	}
	if err := x.first(); err != nil {
		return nil, err
	}
	channels := x.shape[1]
	groups := n.int("num_groups", channels)
	if groups < 1 || channels%groups != 0 {
		return nil, fmt.Errorf("%d channels in %d groups", channels, groups)
	}
	a := &normAttrs{groups: groups, eps: n.float("epsilon", 1e-5)}
	params, args := []*param{}, []*value{x}
	known := in[1].isParam() && in[2].isParam()
	c := &chain{t: t, n: n}
	for i, v := range in[1:] {
		suffix := []string{"weight", "bias"}[i]
		each := 1
		if n.op == "GroupNormalization" && n.opset < 21 && v.rank() == 1 && v.shape[0] == groups {
			each = channels / groups // one number for each group
		} else if v.rank() != 1 || v.shape[0] != channels {
			return nil, fmt.Errorf("input of shape %v, %s of shape %v", x.shape, suffix, v.shape)
		}
		if known {
			p := paramOf(suffix, v)
			p.shape = []int{channels}
			p.values = func() []float32 {
				return v.c.reshaped(v.c.len(), 1).expanded([]int{v.c.len(), each}).float32s()
			}
			params = append(params, p)
			continue
		}
		if each > 1 {
			wide := c.reshaped(v, 0, 1)
			v = c.do(func() (*value, error) {
				return t.add(n, "Expand", v.elem, []int{groups, each}, batching{}, nil, wide)
			})
			v = c.reshape(v, channels)
		}
		args = append(args, v)
	}
	if c.err != nil {
		return nil, c.err
	}
	return one(t.layer(n, "GroupNorm", x.shape, x.batch, a, params, args...))
}

type lrnAttrs struct {
	size              int
	alpha, beta, bias float64
}

func lowerLRN(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	a := &lrnAttrs{n.int("size", 0), n.float("alpha", 1e-4), n.float("beta", 0.75), n.float("bias", 1)}
	if x.rank() < 2 || a.size < 1 {
		return nil, fmt.Errorf("input of shape %v, size %d", x.shape, a.size)
	}
	if err := x.first(); err != nil {
		return nil, err
	}
	return one(t.add(n, "LRN", x.elem, x.shape, x.batch, a, x))
}

func lowerMVN(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x, axes := in[0], n.ints("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	axes, err := axesIn(axes, x.rank())
	if err != nil {
		return nil, err
	}
	c := &chain{t: t, n: n}
	centred := c.binary("Sub", x, c.reduce(x, "Mean", axes))
	deviation := c.unary(c.reduce(c.unary(centred, "Square"), "Mean", axes), "Sqrt")
	return c.result(c.binary("Div", centred, c.binary("Add", deviation, literal(x.elem, 1e-9))))
}

func lowerLpNorm(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	axis, err := axisIn(n.int("axis", -1), x.rank())
	if err != nil {
		return nil, err
	}
	c := &chain{t: t, n: n}
	if n.int("p", 2) == 1 {
		return c.result(c.binary("Div", x, c.reduce(c.unary(x, "Abs"), "Sum", []int{axis})))
	}
	return c.result(c.binary("Div", x, c.unary(c.reduce(c.unary(x, "Square"), "Sum", []int{axis}), "Sqrt")))
}

// lowerEinsum brings a sum of products of one or two operands, without repeated labels in one, to a matrix product.
func lowerEinsum(t *tracer, n *node, in []*value) ([]*value, error) {
	equation := strings.ReplaceAll(n.str("equation", ""), " ", "")
	left, out, explicit := strings.Cut(equation, "->")
	operands := strings.Split(left, ",")
	if len(operands) != len(in) {
		return nil, fmt.Errorf("equation %q for %d inputs", equation, len(in))
	}
	if len(in) != 2 || !explicit || strings.Contains(equation, ".") {
		return nil, unsupportedf("equation %q, expected two operands and a result without an ellipsis", equation)
	}
	sizes := map[byte]int{}
	for i, labels := range operands {
		if in[i] == nil || len(labels) != in[i].rank() {
			return nil, fmt.Errorf("equation %q for input %d", equation, i)
		}
		for j := range len(labels) {
			l := labels[j]
			if strings.Count(labels, string(l)) > 1 {
				return nil, unsupportedf("equation %q takes a diagonal", equation)
			}
			if d, ok := sizes[l]; ok && d != in[i].shape[j] {
				return nil, fmt.Errorf("equation %q for shapes %v and %v", equation, in[0].shape, in[1].shape)
			}
			sizes[l] = in[i].shape[j]
		}
	}
	a, b := operands[0], operands[1]
	pick := func(labels string, keep func(l string) bool) string {
		return strings.Map(func(r rune) rune {
			if keep(string(r)) {
				return r
			}
			return -1
		}, labels)
	}
	has := strings.Contains
	batch := pick(out, func(l string) bool { return has(a, l) && has(b, l) })
	rows := pick(a, func(l string) bool { return has(out, l) && !has(b, l) })
	cols := pick(b, func(l string) bool { return has(out, l) && !has(a, l) })
	inner := pick(a, func(l string) bool { return has(b, l) && !has(out, l) })
	if len(batch)+len(rows)+len(inner) != len(a) || len(batch)+len(cols)+len(inner) != len(b) || len(out) != len(batch)+len(rows)+len(cols) {
		return nil, unsupportedf("equation %q sums over an axis of one operand", equation)
	}
	c := &chain{t: t, n: n}
	dims := func(labels string) []int {
		d := make([]int, len(labels))
		for i := range d {
			d[i] = sizes[labels[i]]
		}
		return d
	}
	arranged := func(v *value, labels, order string) *value {
		perm := make([]int, len(order))
		for i := range perm {
			perm[i] = strings.IndexByte(labels, order[i])
		}
		if v.c != nil {
			w := *v
			w.c = v.c.transposed(perm)
			w.shape = w.c.shape
			return &w
		}
		return c.transpose(v, perm...)
	}
	flat := func(v *value, shape ...int) *value {
		if c.err == nil && v.c != nil {
			w := *v
			w.c, w.shape = v.c.reshaped(shape...), shape
			return &w
		}
		return c.reshape(v, shape...)
	}
	x := arranged(in[0], a, batch+rows+inner)
	y := arranged(in[1], b, batch+inner+cols)
	if c.err != nil {
		return nil, c.err
	}
	x = flat(x, append(dims(batch), product(dims(rows)), product(dims(inner)))...)
	y = flat(y, append(dims(batch), product(dims(inner)), product(dims(cols)))...)
	z := c.do(func() (*value, error) { return t.matMul(n, x, y) })
	z = c.reshape(z, dims(batch+rows+cols)...)
	perm := make([]int, len(out))
	for i := range perm {
		perm[i] = strings.IndexByte(batch+rows+cols, out[i])
	}
	return c.result(c.transpose(z, perm...))
}
