package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Model is a network, or a network with something built around it, that can add itself to a graph.
type Model interface {
	// InputShape returns the shape of one sample, [channels, height, width] for images.
	InputShape() []int
	// Params returns the parameters that Build looks up by name.
	Params() []*Param
	// Build adds the model's nodes for the input x [batch, InputShape...] and names them with Tap and Lazy.
	Build(b *Builder, x *G.Node) error
	// Outputs names what a program fetches when it is not told.
	Outputs() []string
}

// Builder adds the nodes of a model to one graph. Its layer methods keep the first error, return nil after it, and accept
// nil, so that an architecture reads as one expression per layer; Err tells at the end.
//
// Consecutive layers are fused where that leaves their values the same up to rounding: batch norm, ReLU and residual
// additions become part of the convolution next to them.
type Builder struct {
	g      *G.ExprGraph
	dtype  tensor.Dtype
	batch  int
	params map[string]*Param
	shared *store
	from   string
	hooks  map[string]Hook

	input   *G.Node // what the program's batches are fed to
	extra   map[string]*G.Node
	labels  *G.Node
	nodes   map[string]*G.Node
	lazy    map[string]func() (*G.Node, error)
	names   []string // of nodes and lazy, in order of appearance
	affines map[*G.Node]affineParts
	convs   map[*G.Node]convParts
	err     error
}

// Hook replaces a tapped node by another of the same shape, computed from it.
type Hook func(b *Builder, n *G.Node) (*G.Node, error)

type affineParts struct {
	x, scale, shift *G.Node
	relu            bool
}

func newBuilder(m Model, o Options, shared *store) *Builder {
	b := &Builder{
		g: G.NewGraph(), dtype: o.Dtype, batch: o.Batch, shared: shared, from: o.From, hooks: o.Hooks,
		params: map[string]*Param{}, extra: map[string]*G.Node{}, nodes: map[string]*G.Node{},
		lazy:    map[string]func() (*G.Node, error){},
		affines: map[*G.Node]affineParts{}, convs: map[*G.Node]convParts{},
	}
	for _, p := range m.Params() {
		if b.params[p.Name] != nil {
			b.fail(fmt.Errorf("model has two parameters named %q", p.Name))
		}
		b.params[p.Name] = p
	}
	return b
}

// Err returns the first error of any method.
func (b *Builder) Err() error { return b.err }

// Batch returns the number of samples that one run of the graph takes.
func (b *Builder) Batch() int { return b.batch }

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// check keeps the error and returns the node.
func (b *Builder) check(n *G.Node, err error) *G.Node {
	if err != nil {
		b.fail(err)
		return nil
	}
	return n
}

// Do adds the node that f makes, unless there was an error before.
func (b *Builder) Do(f func() (*G.Node, error)) *G.Node {
	if b.err != nil {
		return nil
	}
	return b.check(f())
}

// inputNode adds an input whose first axis is the batch.
func (b *Builder) inputNode(name string, dtype tensor.Dtype, shape ...int) *G.Node {
	full := append(tensor.Shape{b.batch}, shape...)
	n := G.NewTensor(b.g, dtype, len(full), G.WithShape(full...), G.WithName(name))
	b.check(n, G.Let(n, newDense(dtype, full)))
	return n
}

// Input adds an input of the given shape per sample that each batch fills from its Inputs of that name, beside the
// program's main input: the coalition masks of a Shapley game, say.
func (b *Builder) Input(name string, shape ...int) *G.Node {
	if b.err != nil {
		return nil
	}
	if n, ok := b.extra[name]; ok {
		return n
	}
	n := b.inputNode("input:"+name, b.dtype, shape...)
	b.extra[name] = n
	return n
}

// Labels returns the node of the samples' labels, [batch] of int, -1 where unknown.
func (b *Builder) Labels() *G.Node {
	if b.labels == nil && b.err == nil {
		b.labels = b.inputNode("labels", tensor.Int)
	}
	return b.labels
}

// Tap names a node, so that it can be fetched, hooked, or be where a program starts, and returns the node to go on with.
func (b *Builder) Tap(name string, n *G.Node) *G.Node {
	if b.err != nil {
		return nil
	}
	if slices.Contains(b.names, name) {
		b.fail(fmt.Errorf("two nodes are named %q", name))
		return nil
	}
	if name == b.from && n != nil {
		b.input = b.inputNode(name, n.Dtype(), n.Shape()[1:]...)
		n = b.input
	}
	if hook := b.hooks[name]; hook != nil {
		hooked, err := hook(b, n)
		if err == nil {
			err = wantShape("hook", "result for "+name, hooked, n.Shape()...)
		}
		if n = b.check(hooked, err); n == nil {
			return nil
		}
	}
	// Whatever follows must go through the tapped node, or its gradient would be lost.
	delete(b.affines, n)
	delete(b.convs, n)
	b.nodes[name] = n
	b.names = append(b.names, name)
	return n
}

// Lazy names a node that is added only when it is fetched: a gradient, say.
func (b *Builder) Lazy(name string, make func() (*G.Node, error)) {
	if slices.Contains(b.names, name) {
		b.fail(fmt.Errorf("two nodes are named %q", name))
		return
	}
	b.lazy[name] = make
	b.names = append(b.names, name)
}

// Node returns the node of that name. An unknown name is an error that lists the known ones.
func (b *Builder) Node(name string) (*G.Node, error) {
	if n, ok := b.nodes[name]; ok {
		return n, nil
	}
	make, ok := b.lazy[name]
	if !ok {
		return nil, fmt.Errorf("no node is named %q; there are %q", name, b.names)
	}
	n, err := make()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b.nodes[name] = n
	return n, nil
}

// HasParam tells whether the model has a parameter of that name.
func (b *Builder) HasParam(name string) bool { return b.params[name] != nil }

// Param returns the node of a parameter.
func (b *Builder) Param(name string) *G.Node {
	p := b.params[name]
	if p == nil {
		b.fail(fmt.Errorf("model has no parameter %q", name))
		return nil
	}
	return b.constant(name, func() *tensor.Dense {
		if b.dtype == tensor.Float32 {
			return p.Value
		}
		return tensor.New(tensor.WithShape(p.Shape()...), tensor.WithBacking(widen(p.Float32s())))
	})
}

// Constant returns a node with values that never change, computed once for all replicas. The name identifies them.
func (b *Builder) Constant(name string, values func() []float64, shape ...int) *G.Node {
	if b.err != nil {
		return nil
	}
	return b.constant(name, func() *tensor.Dense {
		v := values()
		t := newDense(b.dtype, shape)
		switch data := t.Data().(type) {
		case []float32:
			for i, x := range v {
				data[i] = float32(x)
			}
		case []float64:
			copy(data, v)
		}
		return t
	})
}

func (b *Builder) constant(name string, build func() *tensor.Dense) *G.Node {
	if b.err != nil {
		return nil
	}
	const prefix = "const:"
	if n, ok := b.nodes[prefix+name]; ok {
		return n
	}
	t := b.shared.tensor(name, build)
	n := G.NewTensor(b.g, t.Dtype(), t.Dims(), G.WithShape(t.Shape()...), G.WithName(name), G.WithValue(t))
	b.nodes[prefix+name] = n
	return n
}

// Ones returns a [batch] node of ones: the seed of a gradient that adds up per-sample outputs.
func (b *Builder) Ones() *G.Node {
	return b.Constant("ones", func() []float64 {
		v := make([]float64, b.batch)
		for i := range v {
			v[i] = 1
		}
		return v
	}, b.batch)
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
