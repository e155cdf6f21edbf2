package graph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"runtime/debug"
	"slices"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// function is the part of an operation that differs from one kind of operation to another.
type function interface {
	// forward writes the operation's value for the given inputs into out, which the operation owns.
	forward(out G.Value, in []G.Value) error
	// backward returns, for each input i with need[i], the node of d loss/d input i, given the node of d loss/d output.
	backward(in G.Nodes, out, grad *G.Node, need []bool) (G.Nodes, error)
	// differentiable tells for which inputs backward knows a gradient.
	differentiable(inputs int) []bool
}

// errNoGradient is the error of operations that are not differentiable, such as argmax or the gradient of another
// operation.
var errNoGradient = errors.New("operation has no gradient")

// leaf is embedded by functions without any gradient and gives them the methods that say so.
type leaf struct{}

func (leaf) differentiable(n int) []bool { return make([]bool, n) }

func (leaf) backward(G.Nodes, *G.Node, *G.Node, []bool) (G.Nodes, error) { return nil, errNoGradient }

// op makes a function into a Gorgonia operation. It belongs to one node of one graph.
type op struct {
	name  string
	id    uint32 // makes its node's hash unique in its graph: Gorgonia merges nodes that hash alike
	shape tensor.Shape
	dtype tensor.Dtype
	in    G.Nodes
	fn    function
	node  *G.Node
	out   G.Value
	fail  error // error of the last run: Gorgonia passes errors on as text

	slab    *slab   // the buffer that out lies in, nil where out has its own memory
	turns   *turns  // the stretch of operations that the operation is part of, nil for none
	memory  any     // the backing slice of out, if the operation allocated it
	strides []int   // of memory
	copied  G.Value // a copy of out, for stock operations that cannot read it in place
	nodes   int     // number of nodes in the graph when stock was determined
	stock   bool    // a stock operation reads the value
	clock   *clock  // of the program's profile, nil without one

	kind       string // the operator's name in [Program.Steps], "" for name
	attributes any

	device  *deviceForm // how the operation runs on a card, nil where it cannot
	scratch int         // bytes of working memory on the card
	place   *placement  // where the operation runs on the card, nil on the processor
	// The form in which the operation runs in this program: nil where it runs on the processor, even in a program for a
	// card.
	form    *deviceForm
	value   *mirror   // out on the card
	sources []*mirror // the inputs on the card
	hosts   []G.Value // the inputs' values in the host's memory
	table   *region   // the table of the form, on the card
	number  int       // the operation's number in place, by which kernels report errors
}

var (
	_ G.Op   = (*op)(nil)
	_ G.SDOp = (*op)(nil)
)

func (o *op) Arity() int           { return len(o.in) }
func (o *op) ReturnsPtr() bool     { return false }
func (o *op) CallsExtern() bool    { return false }
func (o *op) OverwritesInput() int { return -1 }
func (o *op) Hashcode() uint32     { return o.id }
func (o *op) String() string       { return o.name }

func (o *op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "goline %s #%d", o.name, o.id) }

// Type returns a new type at each call, because Gorgonia modifies the types that it is given.
func (o *op) Type() hm.Type {
	types := make([]hm.Type, 0, len(o.in)+1)
	for _, n := range o.in {
		types = append(types, n.Type())
	}
	return hm.NewFnType(append(types, typeOf(o.dtype, o.shape))...)
}

func (o *op) InferShape(...G.DimSizer) (tensor.Shape, error) { return o.shape.Clone(), nil }

// Do runs the operation. A panic becomes an error, because Gorgonia runs operations on a goroutine of its own,
// where it would end the process.
func (o *op) Do(in ...G.Value) (v G.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: panic: %v\n%s", o.name, r, debug.Stack())
		}
		o.fail = err
	}()
	defer o.clock.start()()
	if o.place != nil {
		return o.doOnCard(in)
	}
	if o.turns != nil {
		return o.turns.do(o, in)
	}
	o.restore()
	if err := o.fn.forward(o.out, in); err != nil {
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	return o.readable()
}

// restore allocates the output's memory, or restores the output's shape where a stock operation changed it in the last
// run.
func (o *op) restore() {
	if o.out == nil {
		if o.slab != nil {
			o.out, o.memory = o.slab.dense(o.shape)
		} else {
			o.out, o.memory = newValue(o.dtype, o.shape)
		}
		o.strides = o.shape.CalcStrides()
		return
	}
	d, ok := o.out.(*tensor.Dense)
	if ok && (!slices.Equal(d.Shape(), o.shape) || !slices.Equal(d.Strides(), o.strides)) {
		o.out = tensor.New(tensor.WithShape(o.shape...), tensor.WithBacking(o.memory))
	}
}

// readable returns the output in a form that every reader of the node understands.
func (o *op) readable() (G.Value, error) {
	p, ok := o.out.(interface {
		copyTo(dense G.Value) (G.Value, error)
	})
	if !ok || !o.hasStockReader() {
		return o.out, nil
	}
	var err error
	o.copied, err = p.copyTo(o.copied)
	return o.copied, err
}

func (o *op) hasStockReader() bool {
	g := o.node.Graph()
	if n := len(g.AllNodes()); n != o.nodes {
		o.nodes, o.stock = n, false
		for it := g.To(o.node.ID()); it != nil && it.Next(); {
			if _, own := it.Node().(*G.Node).Op().(*op); !own {
				o.stock = true
			}
		}
	}
	return o.stock
}

func (o *op) DiffWRT(inputs int) []bool { return o.fn.differentiable(inputs) }

// SymDiff serves Gorgonia's own differentiation, which wants a gradient for every input that DiffWRT names.
func (o *op) SymDiff(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	return o.fn.backward(in, out, grad, o.DiffWRT(len(in)))
}

// apply adds an operation to the graph of its inputs.
func apply(name string, fn function, dtype tensor.Dtype, shape tensor.Shape, inputs ...*G.Node) (*G.Node, error) {
	if len(inputs) == 0 {
		return nil, fmt.Errorf("%s: expected at least one input, got none", name)
	}
	var g *G.ExprGraph
	for i, n := range inputs {
		if n == nil {
			return nil, fmt.Errorf("%s: input %d: expected a node, got nil", name, i)
		}
		if g == nil {
			g = n.Graph()
		}
	}
	in := make(G.Nodes, len(inputs)) // a copy, because inputs may lie in a slice of the caller's
	for i, n := range inputs {
		if in[i] = inGraph(g, n); g == nil || in[i].Graph() != g {
			return nil, fmt.Errorf("%s: input %d (%s) is not in one graph with the others", name, i, n.Name())
		}
	}
	if _, err := elements(shape); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o := &op{name: name, fn: fn, dtype: dtype, shape: slices.Clone(shape), in: in}
	o.takeID(g)
	n, err := G.ApplyOp(o, slices.Clone(in)...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o.node = n
	return n, nil
}

// inGraph adds a constant to the graph: Gorgonia's constants belong to no graph before an operation uses them.
func inGraph(g *G.ExprGraph, n *G.Node) *G.Node {
	if g != nil && n.Graph() == nil && n.Op() != nil && len(children(n)) == 0 {
		return g.AddNode(n)
	}
	return n
}

// takeID gives the operation an id with which its node hashes differently from every other node of the graph. Gorgonia
// treats nodes with the same 32-bit hash as one node when it compiles a graph.
func (o *op) takeID(g *G.ExprGraph) {
	nodes := g.AllNodes()
	o.id = uint32(len(nodes))
	for {
		h := o.nodeHash()
		if !slices.ContainsFunc(nodes, func(n *G.Node) bool { return n.Hashcode() == h }) {
			return
		}
		o.id += 1 << 20
	}
}

// nodeHash predicts what Hashcode of the operation's node will be.
func (o *op) nodeHash() uint32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%v%v", typeOf(o.dtype, o.shape), o.shape)
	o.WriteHash(h)
	h.Write([]byte{byte(len(o.in))})
	for _, n := range o.in {
		h.Write(binary.LittleEndian.AppendUint32(nil, n.Hashcode()))
	}
	return h.Sum32()
}

func typeOf(dtype tensor.Dtype, shape tensor.Shape) hm.Type {
	if len(shape) == 0 {
		return dtype
	}
	return G.TensorType{Dims: len(shape), Of: dtype}
}

// elements returns the number of elements of a shape. A shape with an empty axis, or with too many elements, is an
// error.
func elements(shape []int) (int, error) {
	const most = 1 << (30 + 10*(^uint(0)>>63)) // 2^40, or 2^30 where an int has 32 bits
	n := 1
	for _, s := range shape {
		switch {
		case s < 1:
			return 0, fmt.Errorf("shape %v: expected at least one element along every axis", tensor.Shape(shape))
		case s > most/n:
			return 0, fmt.Errorf("shape %v has too many elements", tensor.Shape(shape))
		}
		n *= s
	}
	return n, nil
}

func newDense(dtype tensor.Dtype, shape tensor.Shape) *tensor.Dense {
	return tensor.New(tensor.Of(dtype), tensor.WithShape(shape...))
}

// newValue returns a zero value and its memory. A scalar has the form that stock operations expect.
func newValue(dtype tensor.Dtype, shape tensor.Shape) (v G.Value, memory any) {
	if len(shape) > 0 {
		d := newDense(dtype, shape)
		return d, d.Data()
	}
	switch dtype {
	case tensor.Float32:
		v = G.NewF32(0)
	case tensor.Float64:
		v = G.NewF64(0)
	default:
		v = G.NewI(0)
	}
	return v, nil
}
