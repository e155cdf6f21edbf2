package onnx

import (
	"errors"
	"fmt"
	"slices"
)

// value is the value of a name in the file: a constant, or the result of an instruction.
type value struct {
	name    string
	elem    elem
	shape   []int
	c       *constant // the elements, nil if they are not known before images come
	static  bool      // c follows from the file alone, whatever the batch size
	depends *constant // which elements of c depend on the batch size; nil if not followed
	init    bool      // c is an initialiser of the file, perhaps transposed
	inst    *inst     // instruction that computes the value, nil for constants and inputs
	batch   batching
	unknown bool   // it depends on a node that is not supported
	missing string // why this output alone of its node is not supported, "" if it is
}

// batching says where the samples of a batch lie in a value: along one axis, of size outer·samples·per. The zero value
// means that the value does not depend on the samples.
type batching struct {
	is               bool
	axis, outer, per int
}

// inst is an instruction of an imported network: a layer, or arithmetic.
type inst struct {
	kind string
	node *node
	ops  []string // the file's operators from which the instruction was made
	in   []*value
	out  *value
	a    any // attributes of that kind

	base   string // name of the layer, if it has parameters
	params []*param
}

// param is a parameter of an instruction.
type param struct {
	suffix string // last part of the name, "weight" for example
	from   string // initialiser from which it was made, "" if from several or none
	shape  []int
	values func() []float32
	buffer bool
}

// lowering turns a node into instructions and returns its outputs. in holds its inputs, nil where an optional one is
// left out.
type lowering func(t *tracer, n *node, in []*value) ([]*value, error)

// folding computes the outputs of a node whose inputs are all constants.
type folding func(t *tracer, n *node, in []*constant) ([]*constant, error)

// tracer goes through the nodes of a file for a batch of n samples. It finds out where the samples lie in each value,
// so its result serves every other batch size, too.
type tracer struct {
	f       *file
	n       int  // samples in the batch
	freed   bool // the file fixes a batch of 1 in its shapes, and n is another number
	insts   []*inst
	work    int // how much folding may still compute, in units of four bytes
	refused []Unsupported
	depth   int
	visited int
}

// probe is the batch size for which a file is traced if it does not fix its batch, or fixes it at 1. Axes of this
// length are rare.
const probe = 5

// foldWork limits what folding computes, in units of four bytes: a gigabyte, in addition to four times the size of the
// file's own tensors.
const foldWork = 1 << 28

// units returns the memory of n elements in units of four bytes.
func units(e elem, n int) int {
	if e.isFloat() && e != elemFloat64 {
		return n
	}
	return 2 * n
}

// Unsupported is a node that cannot be expressed: Node is its name, Operator what it computes, such as "LSTM", and
// Reason why not.
type Unsupported struct {
	Node, Operator, Reason string
}

// UnsupportedError lists as Nodes every node of a file that cannot be expressed, at least one, in the file's order.
type UnsupportedError struct{ Nodes []Unsupported }

// Error lists the nodes, one per line.
func (e *UnsupportedError) Error() string {
	text := fmt.Sprintf("%d nodes cannot be expressed:", len(e.Nodes))
	if len(e.Nodes) == 1 {
		text = "1 node cannot be expressed:"
	}
	for _, n := range e.Nodes {
		text += fmt.Sprintf("\n  %s (%s): %s", n.Node, n.Operator, n.Reason)
	}
	return text
}

// unsupported is the error of a node that is valid but not supported. Its text is the reason.
type unsupported string

func (u unsupported) Error() string { return string(u) }

func unsupportedf(format string, args ...any) error { return unsupported(fmt.Sprintf(format, args...)) }

// scope maps names to values. A graph inside a node also sees the names of the outer scope.
type scope struct {
	outer  *scope
	values map[string]*value
}

func (s *scope) get(name string) *value {
	for ; s != nil; s = s.outer {
		if v := s.values[name]; v != nil {
			return v
		}
	}
	return nil
}

// graph traces a graph whose inputs are in the scope, and returns its outputs.
func (t *tracer) graph(g *graphDef, s *scope) ([]*value, error) {
	for name, c := range g.inits {
		s.values[name] = &value{name: name, elem: c.elem, shape: c.shape, c: c, static: true, init: true}
	}
	if err := t.nodes(g.nodes, s); err != nil {
		return nil, err
	}
	return s.all(g.outputs)
}

func (s *scope) all(names []string) ([]*value, error) {
	out := make([]*value, len(names))
	for i, name := range names {
		if name == "" {
			continue
		}
		if out[i] = s.get(name); out[i] == nil {
			return nil, fmt.Errorf("%q has no value", name)
		}
	}
	return out, nil
}

func (t *tracer) nodes(nodes []*node, s *scope) error {
	for _, n := range nodes {
		if t.visited++; t.visited > maxNodes {
			return fmt.Errorf("more than %d nodes after functions are put in", maxNodes)
		}
		in, err := s.all(n.in)
		if err == nil {
			err = t.node(n, in, s)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", n.describe(), err)
		}
	}
	return nil
}

// node traces a node and adds its outputs to the scope.
func (t *tracer) node(n *node, in []*value, s *scope) error {
	out, err := t.compute(n, in, s)
	var u unsupported
	if errors.As(err, &u) {
		t.refuse(n, string(u))
		out, err = nil, nil
	}
	if err != nil {
		return err
	}
	for i, name := range n.out {
		if name == "" {
			continue
		}
		v := &value{name: name, unknown: true}
		if len(out) > 0 && (i >= len(out) || out[i] == nil) {
			v.missing = fmt.Sprintf("it reads output %d of %s, which is not computed", i, n.describe())
		}
		if i < len(out) && out[i] != nil {
			v = out[i]
			if v.name == "" {
				v.name = name
			}
		}
		s.values[name] = v
	}
	return nil
}

func (t *tracer) refuse(n *node, reason string) {
	op := n.op
	if n.domain != "" {
		op = n.domain + "." + op
	}
	name := n.name
	if name == "" && len(n.out) > 0 {
		name = "node of output " + n.out[0]
	}
	t.refused = append(t.refused, Unsupported{name, op, reason})
}

func (t *tracer) compute(n *node, in []*value, s *scope) ([]*value, error) {
	if fn := t.f.functions[n.domain+":"+n.op]; fn != nil {
		return t.function(n, fn, in)
	}
	if n.domain != "" {
		return nil, unsupportedf("domain %q is not known", n.domain)
	}
	lower, fold := lowerings[n.op], foldings[n.op]
	if n.op == "If" {
		return t.branch(n, in, s)
	}
	if lower == nil && fold == nil {
		return nil, unsupportedf("the operator is not known")
	}
	known, static := true, true
	for _, v := range in {
		if v == nil {
			continue
		}
		if v.missing != "" {
			return nil, unsupported(v.missing)
		}
		if v.unknown {
			return nil, nil // the node that causes it is listed already
		}
		known = known && v.c != nil
		static = static && v.static
	}
	if fold != nil && known {
		constants := make([]*constant, len(in))
		for i, v := range in {
			if v != nil {
				constants[i] = v.c
			}
		}
		folded, err := fold(t, n, constants)
		if err != nil {
			return nil, err
		}
		out := make([]*value, len(folded))
		for i, c := range folded {
			if c == nil {
				continue
			}
			if err := t.spend(units(c.elem, c.len())); err != nil {
				return nil, err
			}
			out[i] = &value{elem: c.elem, shape: c.shape, c: c, static: static}
		}
		if !static {
			t.depend(n, in, out)
		}
		return out, nil
	}
	if lower == nil {
		return nil, unsupportedf("inputs: expected constants, got some that are computed from images")
	}
	return lower(t, n, in)
}

// spend subtracts from the work that folding may do, in units of four bytes, and fails when it is used up.
func (t *tracer) spend(n int) error {
	if n < 0 || n > t.work {
		return fmt.Errorf("constants of more than %d bytes in all are computed", 4*foldWork)
	}
	t.work -= n
	return nil
}

// function traces the nodes of a function in place of a call of it.
func (t *tracer) function(n *node, fn *function, in []*value) ([]*value, error) {
	if t.depth++; t.depth > maxDepth {
		return nil, fmt.Errorf("functions call one another more than %d deep", maxDepth)
	}
	defer func() { t.depth-- }()
	if len(in) > len(fn.in) {
		return nil, fmt.Errorf("inputs: expected at most %d, as the function has, got %d", len(fn.in), len(in))
	}
	s := &scope{values: map[string]*value{}}
	for i, v := range in {
		if v != nil {
			s.values[fn.in[i]] = v
		}
	}
	for _, inner := range fn.nodes {
		bound := *inner
		bound.attrs = make(map[string]*attr, len(inner.attrs))
		for name, a := range inner.attrs {
			if ref := a.GetRefAttrName(); ref != "" {
				if n.attrs[ref] == nil {
					continue
				}
				a = n.attrs[ref]
			}
			bound.attrs[name] = a
		}
		if n.name != "" {
			bound.name = n.name + "/" + bound.name
		}
		args := make([]*value, len(bound.in))
		for i, name := range bound.in {
			args[i] = s.get(name) // nil if the call leaves out an optional input
		}
		if err := t.node(&bound, args, s); err != nil {
			return nil, fmt.Errorf("%s: %w", bound.describe(), err)
		}
	}
	out := make([]*value, len(fn.out))
	for i, name := range fn.out {
		if v := s.get(name); v != nil {
			out[i] = v
		}
	}
	return out, nil
}

// branch traces one branch of an If, whose condition must be known.
func (t *tracer) branch(n *node, in []*value, s *scope) ([]*value, error) {
	if len(in) != 1 || in[0] == nil {
		return nil, fmt.Errorf("inputs: expected 1, a condition, got %d", len(in))
	}
	if in[0].unknown {
		return nil, nil
	}
	if in[0].c == nil || in[0].c.len() != 1 {
		return nil, unsupportedf("condition: expected a constant, got one that is computed from images")
	}
	name := "else_branch"
	if in[0].c.intAt(0) != 0 {
		name = "then_branch"
	}
	a := n.attrs[name]
	if a == nil || a.g == nil {
		return nil, fmt.Errorf("it has no %s", name)
	}
	if t.depth++; t.depth > maxDepth {
		return nil, fmt.Errorf("graphs lie more than %d deep in one another", maxDepth)
	}
	defer func() { t.depth-- }()
	return t.graph(a.g, &scope{outer: s, values: map[string]*value{}})
}

// add appends an instruction and returns its value.
func (t *tracer) add(n *node, kind string, e elem, shape []int, b batching, a any, in ...*value) (*value, error) {
	if _, err := sizeOf(shape); err != nil {
		return nil, err
	}
	if product(shape) == 0 {
		return constantValue(newConstant(e, shape...)), nil
	}
	v := &value{elem: e, shape: slices.Clone(shape), batch: b}
	v.inst = &inst{kind: kind, node: n, ops: []string{n.op}, in: in, out: v, a: a}
	t.insts = append(t.insts, v.inst)
	return v, nil
}

func one(v *value, err error) ([]*value, error) {
	if err != nil {
		return nil, err
	}
	return []*value{v}, nil
}

// constantValue returns a value for a constant that may depend on the batch size.
func constantValue(c *constant) *value { return &value{elem: c.elem, shape: c.shape, c: c} }

// literal returns a scalar constant of an element type.
func literal(e elem, v float64) *value {
	c := newConstant(e)
	c.set(0, v)
	return &value{elem: e, shape: c.shape, c: c, static: true}
}

func (v *value) rank() int { return len(v.shape) }

// scalar returns the only number of a constant.
func (v *value) scalar() (float64, bool) {
	if v == nil || v.c == nil || v.c.len() != 1 {
		return 0, false
	}
	return v.c.at(0), true
}
