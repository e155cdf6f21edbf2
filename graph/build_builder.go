package graph

import (
	"errors"
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
	// Build adds the model's nodes for the input x [batch, InputShape...] and names them with Tap and TapOnDemand.
	Build(b *Builder, x *G.Node) error
	// Outputs names the nodes that a program fetches unless [Options].Fetch names others.
	Outputs() []string
}

// Builder adds the nodes of a model to one graph. Its layer methods keep the first error, return nil after it, and
// accept nil, so that an architecture reads as one expression per layer; Err tells at the end. Do makes a layer of any
// operation of this package, of Gorgonia or of your own:
//
//	gate := b.Do(func() (*G.Node, error) { return graph.Sigmoid(b.Linear(x, "gate", 16)) })
//
// Consecutive layers are fused where that leaves their values the same up to rounding: batch norm, ReLU and residual
// additions become part of the convolution next to them. A fused layer has no node of its own, so Tap a node that is to
// be fetched or hooked before the next layer is added.
type Builder struct {
	g       *G.ExprGraph
	dtype   tensor.Dtype
	batch   int
	params  map[string]*Param
	shared  *store
	scratch *scratch
	bf16    bool // products in bfloat16
	from    string
	spread  bool // the program is fed, at from, one sample that all of a batch share
	hooks   map[string]Hook

	input   *G.Node // what the program's batches are fed to
	extra   map[string]*G.Node
	bits    map[string]*G.Node
	shareds map[*G.Node]*sharedInput
	labels  *G.Node
	fixed   map[fixedKey]*G.Node
	paramOf map[*G.Node]*Param
	taps    map[string]*G.Node
	lazy    map[string]*lazyNode
	names   []string // of taps and lazy, in order of appearance
	affines map[*G.Node]affineParts
	convs   map[*G.Node]convParts

	training *training    // nil for inference
	declared *declaration // nil unless parameters are declared
	err      error
}

// Hook replaces a tapped node by another of the same shape, computed from it. It is called once for each replica. With
// [Options].BroadcastInput the hook at From is given [1, ...] and returns [batch, ...].
type Hook func(b *Builder, n *G.Node) (*G.Node, error)

// lazyNode is a node that is made when it is asked for the first time.
type lazyNode struct {
	make   func() (*G.Node, error)
	node   *G.Node
	making bool
}

type affineParts struct {
	x, scale, shift *G.Node
	relu            bool
}

func newBuilder(params []*Param, o Options, shared *store) *Builder {
	b := &Builder{
		g: G.NewGraph(), dtype: o.Dtype, batch: o.Batch, shared: shared, scratch: &scratch{},
		bf16: o.Precision == BFloat16, from: o.From, spread: o.BroadcastInput, hooks: o.Hooks,
		params: map[string]*Param{}, extra: map[string]*G.Node{}, bits: map[string]*G.Node{},
		shareds: map[*G.Node]*sharedInput{}, fixed: map[fixedKey]*G.Node{}, paramOf: map[*G.Node]*Param{},
		taps: map[string]*G.Node{}, lazy: map[string]*lazyNode{},
		affines: map[*G.Node]affineParts{}, convs: map[*G.Node]convParts{},
	}
	for i, p := range params {
		switch {
		case p == nil || p.Value == nil:
			b.fail(fmt.Errorf("parameter %d of the model is nil", i))
			continue
		case p.Value.Dtype() != tensor.Float32 || p.Value.RequiresIterator():
			b.fail(fmt.Errorf("parameter %s: expected contiguous float32, got %v", p, p.Value.Dtype()))
		case b.params[p.Name] != nil:
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

// Tap gives the node n [batch, ...] a name and returns the node to continue with. A tapped node can be fetched,
// replaced by a hook, or be the place where a program starts.
func (b *Builder) Tap(name string, n *G.Node) *G.Node {
	if b.err != nil {
		return nil
	}
	if n = b.check(b.own(name, n)); n == nil || !b.claim(name) {
		return nil
	}
	shape := n.Shape()
	if name == b.from {
		if n.Dims() == 0 || n.Shape()[0] != b.batch || n.Dtype() != b.dtype {
			b.fail(fmt.Errorf("%s cannot be started from: expected a batch of %d in %v, got shape %v in %v", name,
				b.batch, b.dtype, n.Shape(), n.Dtype()))
			return nil
		}
		if b.spread {
			n = b.sharedNode(name, append([]int{1}, shape[1:]...)...)
		} else {
			n = b.inputNode(name, n.Dtype(), shape[1:]...)
		}
		if n == nil {
			return nil
		}
		b.input = n
	}
	if hook := b.hooks[name]; hook != nil {
		hooked, err := hook(b, n)
		if err == nil {
			err = wantShape("hook", "result for "+name, hooked, shape...)
		}
		if err == nil && hooked.Dtype() != n.Dtype() {
			err = fmt.Errorf("hook: result for %s: expected %v, got %v", name, n.Dtype(), hooked.Dtype())
		}
		if err == nil {
			hooked, err = b.own(name, hooked)
		}
		if n = b.check(hooked, err); n == nil {
			return nil
		}
	}
	// Later layers must read the tapped node itself and not be fused with it, or its gradient would be lost.
	delete(b.affines, n)
	delete(b.convs, n)
	if b.training != nil {
		delete(b.training.norms, n)
	}
	b.taps[name] = n
	return n
}

// TapOnDemand names a node, for example a gradient, that is added to the graph only when it is fetched.
func (b *Builder) TapOnDemand(name string, make func() (*G.Node, error)) {
	if b.err == nil && b.claim(name) {
		b.lazy[name] = &lazyNode{make: make}
	}
}

// claim takes a name for a node.
func (b *Builder) claim(name string) bool {
	if slices.Contains(b.names, name) {
		b.fail(fmt.Errorf("two nodes are named %q", name))
		return false
	}
	b.names = append(b.names, name)
	return true
}

// ErrNoNode is wrapped by the errors for names that no node has.
var ErrNoNode = errors.New("no node is named")

// errNotTapped is the ErrNoNode of names from which a program may start.
var errNotTapped error = notTapped{}

type notTapped struct{}

func (notTapped) Error() string        { return "no tapped node is named" }
func (notTapped) Is(target error) bool { return target == ErrNoNode }

// Node returns the node of that name. An unknown name is an error that wraps [ErrNoNode] and lists the known ones.
func (b *Builder) Node(name string) (*G.Node, error) {
	if b.err != nil {
		return nil, b.err
	}
	if n, ok := b.taps[name]; ok {
		return n, nil
	}
	l, ok := b.lazy[name]
	if !ok {
		return nil, fmt.Errorf("%w %q; there are %q", ErrNoNode, name, b.names)
	}
	if l.node != nil {
		return l.node, nil
	}
	if l.making {
		return nil, fmt.Errorf("%s: the node is made from itself", name)
	}
	l.making = true
	n, err := l.make()
	l.making = false
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case b.err != nil:
		return nil, fmt.Errorf("%s: %w", name, b.err)
	}
	l.node, err = b.own(name, n)
	return l.node, err
}

// own fails unless the node that is to be named belongs to this graph.
func (b *Builder) own(name string, n *G.Node) (*G.Node, error) {
	if n == nil {
		return nil, fmt.Errorf("the node to name %q is nil", name)
	}
	if n = inGraph(b.g, n); n.Graph() != b.g {
		return nil, fmt.Errorf("the node to name %q, %s, is of another graph", name, n.Name())
	}
	return n, nil
}

// tapped lists the names of tapped nodes in order of appearance.
func (b *Builder) tapped() []string {
	return slices.DeleteFunc(slices.Clone(b.names), func(name string) bool { return b.lazy[name] != nil })
}
