package graph

import (
	"errors"
	"fmt"
	"hash"
	"runtime/debug"

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
	id    uint32 // unique in its graph: Gorgonia merges nodes whose operations hash alike
	typ   hm.Type
	shape tensor.Shape
	dtype tensor.Dtype
	in    G.Nodes
	fn    function
	out   G.Value
}

var (
	_ G.Op   = (*op)(nil)
	_ G.SDOp = (*op)(nil)
)

func (o *op) Arity() int           { return len(o.in) }
func (o *op) Type() hm.Type        { return o.typ }
func (o *op) ReturnsPtr() bool     { return false }
func (o *op) CallsExtern() bool    { return false }
func (o *op) OverwritesInput() int { return -1 }
func (o *op) Hashcode() uint32     { return o.id }
func (o *op) String() string       { return o.name }

func (o *op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "goline %s #%d", o.name, o.id) }

func (o *op) InferShape(...G.DimSizer) (tensor.Shape, error) { return o.shape.Clone(), nil }

// Do runs the operation. A panic becomes an error, because Gorgonia runs operations on a goroutine of its own,
// where it would end the process.
func (o *op) Do(in ...G.Value) (v G.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: panic: %v\n%s", o.name, r, debug.Stack())
		}
	}()
	if o.out == nil {
		o.out = newDense(o.dtype, o.shape)
	}
	if err := o.fn.forward(o.out, in); err != nil {
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	return o.out, nil
}

func (o *op) DiffWRT(inputs int) []bool { return o.fn.differentiable(inputs) }

// SymDiff serves Gorgonia's own differentiation, which wants a gradient for every input that DiffWRT names.
func (o *op) SymDiff(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	return o.fn.backward(in, out, grad, o.DiffWRT(len(in)))
}

// apply adds an operation to the graph of its inputs.
func apply(name string, fn function, dtype tensor.Dtype, shape tensor.Shape, in ...*G.Node) (*G.Node, error) {
	types := make([]hm.Type, 0, len(in)+1)
	for i, n := range in {
		if n == nil {
			return nil, fmt.Errorf("%s: input %d is nil", name, i)
		}
		types = append(types, n.Type())
	}
	if len(in) == 0 || in[0].Graph() == nil {
		return nil, fmt.Errorf("%s: inputs are in no graph", name)
	}
	types = append(types, typeOf(dtype, shape))
	o := &op{
		name: name, fn: fn, dtype: dtype, shape: shape, in: in,
		id:  uint32(len(in[0].Graph().AllNodes())),
		typ: hm.NewFnType(types...),
	}
	n, err := G.ApplyOp(o, in...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

func typeOf(dtype tensor.Dtype, shape tensor.Shape) hm.Type {
	if len(shape) == 0 {
		return dtype
	}
	return G.TensorType{Dims: len(shape), Of: dtype}
}

func newDense(dtype tensor.Dtype, shape tensor.Shape) *tensor.Dense {
	return tensor.New(tensor.Of(dtype), tensor.WithShape(shape...))
}
