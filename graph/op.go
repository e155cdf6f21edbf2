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

// function is what distinguishes one operation from another.
type function interface {
	// forward writes the operation's value for the given inputs into out, which the operation owns.
	forward(out G.Value, in []G.Value) error
	// backward returns, for each input i with need[i], the node of d loss/d input i, given the node of d loss/d output.
	backward(in G.Nodes, out, grad *G.Node, need []bool) (G.Nodes, error)
	// differentiable tells for which inputs backward knows a gradient.
	differentiable(inputs int) []bool
}

// errNoGradient is what operations answer that are not differentiable, such as argmax or a gradient itself.
var errNoGradient = errors.New("operation has no gradient")

// leaf gives a function the gradient rules of an operation without any gradient.
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

	slab    *slab   // where out lies, nil for memory of its own
	memory  any     // what out was made of, if the operation made it
	strides []int   // of memory
	copied  G.Value // a copy of out, for stock operations that cannot read it in place
	nodes   int     // number of nodes in the graph when stock was determined
	stock   bool    // a stock operation reads the value
	clock   *clock  // of the program's profile, nil without one

	kind       string // what Steps calls it, "" for its name
	attributes any

	device  *deviceForm // how it runs on a card, nil where it does not
	scratch int         // bytes that it needs on the card while it runs
	place   *placement  // nil on the processor
	// the form in which it runs on the card, nil for an operation that runs on the processor even in a program for a
	// card
	form    *deviceForm
	value   *mirror   // of out
	sources []*mirror // of the inputs
	hosts   []G.Value // the inputs' values in the host's memory
	table   *region   // of the form's table on the card
	number  int       // its number among the operations of place
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

// Type returns a new type at each call, because Gorgonia takes apart what it is given.
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
	o.restore()
	if err := o.fn.forward(o.out, in); err != nil {
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	return o.readable()
}

// restore makes the output's memory, or its shape where an operation of somebody else's changed the last run's value.
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

// readable returns the output in a form that everything that reads the node understands.
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

// inGraph adds a constant to the graph: constants of Gorgonia are in no graph before an operation uses them.
func inGraph(g *G.ExprGraph, n *G.Node) *G.Node {
	if g != nil && n.Graph() == nil && n.Op() != nil && len(children(n)) == 0 {
		return g.AddNode(n)
	}
	return n
}

// takeID gives the operation an id by which its node hashes unlike any other of the graph. When it compiles, Gorgonia
// takes nodes of equal 32-bit hash for the same without a further look.
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

// elements returns the number of elements of a shape, or an error where an axis is empty or the number is out of
// bounds.
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

// newValue returns a zero value and its memory, for a scalar in the form that stock operations expect.
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
