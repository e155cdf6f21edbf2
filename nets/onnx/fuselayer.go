package onnx

import (
	"math"
	"slices"
)

// layerNorm finds (x - mean) / √(mean of (x - mean)² + eps) over the last axes.
func (p *program) layerNorm(i *inst) bool {
	if i.kind != "Div" || i.in[0].c != nil || i.in[1].c != nil {
		return false
	}
	root := unaryBy(i.in[1], "Sqrt")
	if root == nil || !p.single(root.out) {
		return false
	}
	variance, eps, add := p.plus(root.in[0])
	if add == nil || eps < 0 {
		return false
	}
	mean := by(variance, "Reduce")
	if mean == nil || mean.a.(*reduceAttrs).fn != "Mean" || !p.single(variance) {
		return false
	}
	sq := unaryBy(mean.in[0], "Square")
	if sq == nil || !p.single(sq.out) {
		return false
	}
	// Some exporters compute the difference twice.
	sub := by(i.in[0], "Sub")
	other := by(sq.in[0], "Sub")
	if sub == nil || other == nil || sub.in[0] != other.in[0] || sub.in[0].c != nil {
		return false
	}
	x := sub.in[0]
	axes := mean.a.(*reduceAttrs).axes
	for _, s := range []*inst{sub, other} {
		m := by(s.in[1], "Reduce")
		if m == nil || m.in[0] != x || m.a.(*reduceAttrs).fn != "Mean" || !slices.Equal(m.a.(*reduceAttrs).axes, axes) {
			return false
		}
	}
	for j, a := range axes {
		if a != len(x.shape)-len(axes)+j {
			return false
		}
	}
	p.become(i, "LayerNorm", &normAttrs{axis: axes[0], eps: eps}, []*value{x}, sub, sq, mean, add, root)
	return true
}

// layerNormParams makes a factor or a summand of the last axes a parameter of the layer norm before it.
func (p *program) layerNormParams(i *inst) bool {
	if i.kind != "Mul" && i.kind != "Add" {
		return false
	}
	for j := range 2 {
		norm, c := by(i.in[1-j], "LayerNorm"), i.in[j]
		if norm == nil || !p.single(norm.out) || !c.isParam() || len(norm.in) > 1 {
			continue
		}
		tail := norm.in[0].shape[norm.a.(*normAttrs).axis:]
		s, err := broadcast(tail, c.shape)
		if err != nil || !slices.Equal(s, tail) || !slices.Equal(i.out.shape, norm.in[0].shape) ||
			c.rank() > len(tail) {
			continue
		}
		suffix := "weight"
		if i.kind == "Add" {
			suffix = "bias"
		}
		if has(norm, "bias") || has(norm, suffix) {
			continue
		}
		q := paramOf(suffix, c)
		q.shape, q.values = slices.Clone(tail), func() []float32 { return c.c.expanded(tail).float32s() }
		i.params = append(slices.Clone(norm.params), q)
		p.become(i, "LayerNorm", norm.a, norm.in, norm)
		return true
	}
	return false
}

// has tells whether an instruction has the parameter of that name.
func has(i *inst, suffix string) bool { return i.param(suffix) != nil }

func (i *inst) param(suffix string) *param {
	for _, p := range i.params {
		if p.suffix == suffix {
			return p
		}
	}
	return nil
}

// padded makes zero padding a part of the convolution or pooling behind it.
func (p *program) padded(i *inst) bool {
	if i.kind != "Conv" && i.kind != "AvgPool" && i.kind != "MaxPool" {
		return false
	}
	pad := by(i.in[0], "Pad")
	if pad == nil || !p.single(pad.out) || len(pad.in) != 1 {
		return false
	}
	w, q := *i.a.(*windowAttrs), pad.a.(*padding)
	if q.mode != "constant" || q.before[0]+q.after[0]+q.before[1]+q.after[1] != 0 || len(q.before) != 2+len(w.kernel) {
		return false
	}
	w.begin, w.end = slices.Clone(w.begin), slices.Clone(w.end)
	padsBefore := false
	for j := range w.kernel {
		padsBefore = padsBefore || w.begin[j] != 0 || w.end[j] != 0
		w.begin[j] += q.before[2+j]
		w.end[j] += q.after[2+j]
		if i.kind != "Conv" && (w.begin[j] >= w.extent(j) || w.end[j] >= w.extent(j)) {
			return false
		}
	}
	switch i.kind {
	case "Conv":
		if q.value != 0 {
			return false
		}
	case "AvgPool":
		if q.value != 0 || w.ceil || padsBefore && !w.includePad {
			return false
		}
		w.includePad = true
	case "MaxPool":
		if w.ceil || q.value > -math.MaxFloat32/2 && !(q.value == 0 && !padsBefore && notNegative(pad.in[0])) {
			return false
		}
	}
	p.become(i, i.kind, &w, append([]*value{pad.in[0]}, i.in[1:]...), pad)
	return true
}

// notNegative tells whether a value is certain to have no negative elements.
func notNegative(v *value) bool {
	i := v.inst
	if i == nil || i.out != v {
		return false
	}
	switch i.kind {
	case "MaxPool", "AvgPool", "Transpose", "Reshape", "Slice":
		return notNegative(i.in[0])
	case "Concat":
		return !slices.ContainsFunc(i.in, func(v *value) bool { return !notNegative(v) })
	case "Unary":
		a := i.a.(*unaryAttrs)
		return a.fn == "Relu" || a.fn == "Sigmoid" || a.fn == "Square" || a.fn == "Abs" || a.fn == "Softplus" ||
			a.fn == "HardSigmoid" ||
			a.fn == "Clip" && a.alpha >= 0
	}
	return false
}

// perChannel returns the elements of a constant along one axis of a shape, if it does not vary along the others.
func perChannel(c *value, shape []int, axis int) (func() []float64, bool) {
	if !c.isParam() || c.rank() > len(shape) {
		return nil, false
	}
	size := shape[axis]
	for j, d := range c.shape {
		if at := len(shape) - c.rank() + j; d != 1 && (at != axis || d != size) {
			return nil, false
		}
	}
	return func() []float64 {
		v := c.c.floats()
		if len(v) == 1 {
			v = slices.Repeat(v, size)
		}
		return v
	}, true
}

// channelFactor makes arithmetic with one number per channel a part of the convolution or batch norm before it. Without
// such a layer, a product and a sum become a layer of their own.
func (p *program) channelFactor(i *inst) bool {
	if !slices.Contains([]string{"Add", "Sub", "Mul", "Div"}, i.kind) || len(i.out.shape) < 3 {
		return false
	}
	for j := range 2 {
		x, c := i.in[j], i.in[1-j]
		if j == 1 && i.kind == "Div" || x.c != nil || x.inst == nil || x.inst.out != x ||
			!slices.Equal(x.shape, i.out.shape) || !p.single(x) {
			continue
		}
		numbers, ok := perChannel(c, x.shape, 1)
		if !ok || c.batch.is {
			continue
		}
		f := linearStep(i.kind, numbers, j == 1)
		layer := x.inst
		var params []*param
		a := layer.a
		switch layer.kind {
		case "Conv":
			if len(layer.in) > 1 {
				continue
			}
			params = f.afterLayer(layer, x.shape[1])
		case "BatchNorm", "Affine":
			params = f.afterNorm(layer, x.shape[1])
		case "Mul":
			if i.kind != "Add" && i.kind != "Sub" || !x.batch.plain() {
				continue
			}
			for k := range 2 {
				scale, isParam := perChannel(layer.in[k], x.shape, 1)
				if y := layer.in[1-k]; isParam && layer.in[k].c.len() > 1 && y.c == nil &&
					slices.Equal(y.shape, x.shape) {
					g := linearStep("Mul", scale, false)
					i.params = f.after(g).params(x.shape[1], layer.in[k].name, c.name)
					p.become(i, "Affine", nil, []*value{y}, layer)
					return true
				}
			}
			continue
		default:
			continue
		}
		i.params = params
		p.become(i, layer.kind, a, layer.in, layer)
		i.base, i.node = layer.base, layer.node
		return true
	}
	return false
}

// linearFactor makes arithmetic with one number per neuron a part of the linear layer before it.
func (p *program) linearFactor(i *inst) bool {
	if !slices.Contains([]string{"Add", "Sub", "Mul", "Div"}, i.kind) {
		return false
	}
	for j := range 2 {
		x, c := i.in[j], i.in[1-j]
		if j == 1 && i.kind == "Div" || x.c != nil || by(x, "Linear") == nil || !slices.Equal(x.shape, i.out.shape) ||
			!p.single(x) {
			continue
		}
		last := len(x.shape) - 1
		numbers, ok := perChannel(c, x.shape, last)
		if !ok {
			continue
		}
		layer := x.inst
		i.params = linearStep(i.kind, numbers, j == 1).afterLayer(layer, x.shape[last])
		if i.kind == "Add" && !has(layer, "bias") && c.c.len() > 1 {
			i.params[1].from = c.name
		}
		p.become(i, "Linear", layer.a, layer.in, layer)
		i.base, i.node = layer.base, layer.node
		return true
	}
	return false
}

// step is the function scale·x + shift, with one number per channel each; nil means no scale or no shift.
type step struct{ scale, shift func() []float64 }

// linearStep returns the step for an operation with numbers, which are its left operand if turned is set.
func linearStep(kind string, numbers func() []float64, turned bool) step {
	mapped := func(f func(float64) float64) func() []float64 {
		return func() []float64 {
			out := slices.Clone(numbers())
			for i, v := range out {
				out[i] = f(v)
			}
			return out
		}
	}
	negative := func(v float64) float64 { return -v }
	switch kind {
	case "Mul":
		return step{scale: numbers}
	case "Div":
		return step{scale: mapped(func(v float64) float64 { return 1 / v })}
	case "Sub":
		if turned { // numbers - x
			return step{scale: mapped(func(float64) float64 { return -1 }), shift: numbers}
		}
		return step{shift: mapped(negative)}
	}
	return step{shift: numbers}
}

// numbersOr returns numbers, or a default for each channel.
func numbersOr(f func() []float64, otherwise float64, channels int) []float64 {
	if f == nil {
		return slices.Repeat([]float64{otherwise}, channels)
	}
	return f()
}

// after returns the step that computes f of g.
func (f step) after(g step) step {
	out := step{scale: g.scale, shift: f.shift}
	if f.scale != nil {
		out.scale = func() []float64 {
			s := slices.Clone(f.scale())
			for i := range s {
				s[i] *= numbersOr(g.scale, 1, len(s))[i]
			}
			return s
		}
	}
	if g.shift != nil {
		out.shift = func() []float64 {
			t := slices.Clone(g.shift())
			scale, shift := numbersOr(f.scale, 1, len(t)), numbersOr(f.shift, 0, len(t))
			for i := range t {
				t[i] = t[i]*scale[i] + shift[i]
			}
			return t
		}
	}
	return out
}

// params returns the step's scale and shift as weight and bias.
func (f step) params(channels int, from ...string) []*param {
	return []*param{
		{suffix: "weight", from: from[0], shape: []int{channels},
			values: func() []float32 { return toFloat32(numbersOr(f.scale, 1, channels)) }},
		{suffix: "bias", from: from[1], shape: []int{channels}, values: func() []float32 {
			return toFloat32(numbersOr(f.shift, 0, channels))
		}},
	}
}

func toFloat32(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// afterLayer returns the weight and the bias of a layer that includes the step behind it.
func (f step) afterLayer(layer *inst, channels int) []*param {
	w, b := layer.param("weight"), layer.param("bias")
	weight := *w
	if f.scale != nil {
		weight.values = func() []float32 {
			v, scale := w.values(), f.scale()
			out := make([]float32, len(v))
			each := len(v) / channels
			for i := range v {
				out[i] = float32(float64(v[i]) * scale[i/each])
			}
			return out
		}
	}
	if f.shift == nil && b == nil {
		return []*param{&weight}
	}
	bias := &param{suffix: "bias", shape: []int{channels}, values: func() []float32 {
		shift, scale := numbersOr(f.shift, 0, channels), numbersOr(f.scale, 1, channels)
		out := make([]float32, channels)
		var old []float32
		if b != nil {
			old = b.values()
		}
		for i := range out {
			v := shift[i]
			if b != nil {
				v += float64(old[i]) * scale[i]
			}
			out[i] = float32(v)
		}
		return out
	}}
	if b != nil {
		bias.from = b.from
	}
	return []*param{&weight, bias}
}

// afterNorm returns the parameters of a batch norm, or of a scale and shift, that includes the step behind it.
func (f step) afterNorm(layer *inst, channels int) []*param {
	w, b := layer.param("weight"), layer.param("bias")
	weight, bias := *w, *b
	if f.scale != nil {
		weight.values = func() []float32 {
			out := slices.Clone(w.values())
			for i, s := range f.scale() {
				out[i] = float32(float64(out[i]) * s)
			}
			return out
		}
	}
	bias.values = func() []float32 {
		out := slices.Clone(b.values())
		shift, scale := numbersOr(f.shift, 0, channels), numbersOr(f.scale, 1, channels)
		for i := range out {
			out[i] = float32(float64(out[i])*scale[i] + shift[i])
		}
		return out
	}
	return append([]*param{&weight, &bias}, layer.params[2:]...)
}

// globalPool finds global average pooling.
func (p *program) globalPool(i *inst) bool {
	whole := func(x *value) bool { return len(x.shape) == 4 && x.batch.plain() && x.c == nil }
	switch i.kind {
	case "Reduce":
		a := i.a.(*reduceAttrs)
		if a.fn != "Mean" || !slices.Equal(a.axes, []int{2, 3}) || !whole(i.in[0]) {
			return false
		}
	case "AvgPool":
		w, x := i.a.(*windowAttrs), i.in[0]
		if !whole(x) || !slices.Equal(w.kernel, x.shape[2:]) || slices.Max(w.begin) > 0 || slices.Max(w.end) > 0 ||
			!slices.Equal(w.dilation, []int{1, 1}) {
			return false
		}
	default:
		return false
	}
	pool := &inst{kind: "GlobalAvgPool", node: i.node, ops: i.ops, in: i.in}
	pool.out = &value{name: i.out.name, elem: i.out.elem, shape: i.out.shape[:2], batch: i.out.batch, inst: pool}
	p.insts = slices.Insert(slices.Clone(p.insts), slices.Index(p.insts, i), pool)
	i.kind, i.a, i.in = "Reshape", nil, []*value{pool.out}
	p.count()
	return true
}

// shuffle finds a channel shuffle: a reshape of the channels into groups, a transpose of groups and members, and a
// reshape back.
func (p *program) shuffle(i *inst) bool {
	if i.kind != "Reshape" || len(i.out.shape) != 4 {
		return false
	}
	tr := by(i.in[0], "Transpose")
	if tr == nil || !p.single(tr.out) || !slices.Equal(tr.a.(*transposeAttrs).perm, []int{0, 2, 1, 3, 4}) {
		return false
	}
	split := by(tr.in[0], "Reshape")
	if split == nil || !p.single(split.out) {
		return false
	}
	x, s := split.in[0], split.out.shape
	if !slices.Equal(x.shape, i.out.shape) || s[0] != x.shape[0] || s[1]*s[2] != x.shape[1] || s[3] != x.shape[2] ||
		!x.batch.plain() {
		return false
	}
	p.become(i, "ChannelShuffle", &axisAttrs{s[1]}, []*value{x}, split, tr)
	return true
}
