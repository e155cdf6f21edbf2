package onnx

import (
	"slices"
)

// program is an imported network: instructions in order, and the values that are its results.
type program struct {
	insts   []*inst
	results []*value
	uses    map[*value][]*inst
	changed bool
}

// newProgram returns the instructions that the results need, rewritten as layers of the graph builder.
func newProgram(insts []*inst, results []*value) *program {
	p := &program{insts: insts, results: results}
	p.fuse()
	return p
}

// fuse applies the rules until none applies any more.
func (p *program) fuse() {
	rules := []func(*inst) bool{
		p.simpleReshape, p.simpleTranspose, p.prefixConcat, p.transposedReduce, p.transposedElementwise,
		p.simpleClip, p.square, p.gated, p.hardSigmoid,
		p.layerNorm, p.layerNormParams, p.padded,
		p.channelFactor, p.linearFactor, p.globalPool, p.shuffle,
	}
	p.count()
	for range 100 { // a round may make further rules apply; few rounds are needed
		p.changed = false
		for _, rule := range rules {
			for _, i := range p.insts {
				if i.out != nil && rule(i) {
					p.changed = true
					p.count()
				}
			}
		}
		if !p.changed {
			break
		}
	}
}

// count finds the readers of each value, and removes instructions whose values nobody reads.
func (p *program) count() {
	needed := map[*value]bool{}
	for _, v := range p.results {
		needed[v] = true
	}
	var kept []*inst
	p.uses = map[*value][]*inst{}
	for _, i := range slices.Backward(p.insts) {
		if i.out == nil || !needed[i.out] {
			i.out = nil
			continue
		}
		kept = append(kept, i)
		for _, v := range i.in {
			needed[v] = true
			p.uses[v] = append(p.uses[v], i)
		}
	}
	slices.Reverse(kept)
	p.insts = kept
}

// single tells whether exactly one instruction reads a value.
func (p *program) single(v *value) bool {
	return len(p.uses[v]) == 1 && !slices.Contains(p.results, v)
}

// replace makes all readers of one value read another.
func (p *program) replace(from, to *value) {
	for _, i := range p.uses[from] {
		for j, v := range i.in {
			if v == from {
				i.in[j] = to
			}
		}
	}
	p.uses[to] = append(p.uses[to], p.uses[from]...)
	delete(p.uses, from)
	for j, v := range p.results {
		if v == from {
			p.results[j] = to
		}
	}
	if to.name == "" {
		to.name = from.name
	}
}

// drop removes an instruction whose value equals the value to.
func (p *program) drop(i *inst, to *value) {
	p.replace(i.out, to)
	i.out = nil
}

// become changes an instruction to another kind with the same value. It removes the instructions in taken, which have
// become part of it and whose values nobody else reads.
func (p *program) become(i *inst, kind string, a any, in []*value, taken ...*inst) {
	for _, t := range taken {
		if t != nil && t != i {
			i.ops = append(slices.Clone(t.ops), i.ops...)
		}
	}
	i.kind, i.a, i.in = kind, a, in
}

// by returns the instruction that computes a value if it is of the given kind, otherwise nil.
func by(v *value, kind string) *inst {
	if v.inst == nil || v.inst.out != v || v.inst.kind != kind {
		return nil
	}
	return v.inst
}

// unaryBy returns the instruction that computes a value if it is the given function of one variable, otherwise nil.
func unaryBy(v *value, fn string) *inst {
	if i := by(v, "Unary"); i != nil && i.a.(*unaryAttrs).fn == fn {
		return i
	}
	return nil
}

func (p *program) simpleReshape(i *inst) bool {
	if i.kind != "Reshape" {
		return false
	}
	if inner := by(i.in[0], "Reshape"); inner != nil {
		i.in[0] = inner.in[0]
		p.uses[i.in[0]] = append(p.uses[i.in[0]], i)
		return true
	}
	if x := i.in[0]; x.c == nil && slices.Equal(x.shape, i.out.shape) && x.batch == i.out.batch {
		p.drop(i, x)
		return true
	}
	return false
}

func (p *program) simpleTranspose(i *inst) bool {
	if i.kind != "Transpose" {
		return false
	}
	perm := i.a.(*transposeAttrs).perm
	if inner := by(i.in[0], "Transpose"); inner != nil {
		i.a, i.in[0] = &transposeAttrs{permuted(inner.a.(*transposeAttrs).perm, perm)}, inner.in[0]
		p.uses[i.in[0]] = append(p.uses[i.in[0]], i)
		return true
	}
	// A transpose that moves only axes of size 1 is a reshape.
	var large []int
	for _, a := range perm {
		if i.in[0].shape[a] != 1 {
			large = append(large, a)
		}
	}
	if slices.IsSorted(large) {
		i.kind, i.a = "Reshape", nil
		return true
	}
	return false
}

// transposedReduce moves a reduction in front of a transpose, which then has fewer elements to move.
func (p *program) transposedReduce(i *inst) bool {
	if i.kind != "Reduce" {
		return false
	}
	tr := by(i.in[0], "Transpose")
	if tr == nil || !p.single(tr.out) {
		return false
	}
	perm, a := tr.a.(*transposeAttrs).perm, i.a.(*reduceAttrs)
	axes := make([]int, len(a.axes))
	for j, x := range a.axes {
		axes[j] = perm[x]
	}
	slices.Sort(axes)
	p.swap(tr, i, "Reduce", &reduceAttrs{a.fn, axes}, []*value{tr.in[0]})
	return true
}

// swap exchanges a transpose with the instruction behind it, which becomes the transpose.
func (p *program) swap(tr, i *inst, kind string, a any, in []*value) {
	perm := tr.a.(*transposeAttrs).perm
	back := inverse(perm)
	first := &inst{kind: kind, node: i.node, ops: i.ops, in: in, a: a, params: i.params, base: i.base}
	first.out = &value{elem: i.out.elem, shape: permuted(i.out.shape, back), batch: i.out.batch, inst: first}
	if first.out.batch.is {
		first.out.batch.axis = perm[i.out.batch.axis]
	}
	at := slices.Index(p.insts, i)
	p.insts = slices.Insert(slices.Clone(p.insts), at, first)
	i.kind, i.a, i.in, i.params, i.ops = "Transpose", &transposeAttrs{perm}, []*value{first.out}, nil, tr.ops
	p.count()
}

var elementwiseKinds = []string{"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"}

// transposedElementwise moves a transpose behind arithmetic, so that it can meet a transpose that undoes it.
func (p *program) transposedElementwise(i *inst) bool {
	if i.kind != "Unary" && !slices.Contains(elementwiseKinds, i.kind) {
		return false
	}
	var tr *inst
	for _, v := range i.in {
		if v.c != nil {
			continue
		}
		t := by(v, "Transpose")
		if t == nil || len(p.uses[v]) > 1 && !(len(i.in) == 2 && i.in[0] == i.in[1]) || slices.Contains(p.results, v) {
			return false
		}
		if tr != nil && !slices.Equal(t.a.(*transposeAttrs).perm, tr.a.(*transposeAttrs).perm) {
			return false
		}
		tr = t
	}
	if tr == nil || len(i.out.shape) != len(tr.out.shape) {
		return false
	}
	back := inverse(tr.a.(*transposeAttrs).perm)
	in := make([]*value, len(i.in))
	for j, v := range i.in {
		if v.c == nil {
			in[j] = v.inst.in[0]
			continue
		}
		if v.batch.is {
			return false
		}
		in[j] = v
		if v.c.len() == 1 {
			continue
		}
		shape := slices.Concat(slices.Repeat([]int{1}, len(i.out.shape)-v.rank()), v.shape)
		w := *v
		w.c = v.c.reshaped(shape...).transposed(back)
		w.shape = w.c.shape
		in[j] = &w
	}
	p.swap(tr, i, i.kind, i.a, in)
	return true
}

// prefixConcat finds a concatenation that starts with all inputs of another one, and replaces these by the result of
// the other one. Networks whose layers read all layers before them have such concatenations (Huang et al., CVPR 2017).
func (p *program) prefixConcat(i *inst) bool {
	if i.kind != "Concat" {
		return false
	}
	for _, other := range p.uses[i.in[0]] {
		if other == i || other.out == nil || other.kind != "Concat" || len(other.in) >= len(i.in) ||
			other.a.(*axisAttrs).axis != i.a.(*axisAttrs).axis || !slices.Equal(other.in, i.in[:len(other.in)]) {
			continue
		}
		if slices.Index(p.insts, other) > slices.Index(p.insts, i) {
			continue
		}
		i.in = append([]*value{other.out}, i.in[len(other.in):]...)
		return true
	}
	return false
}
