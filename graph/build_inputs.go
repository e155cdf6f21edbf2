package graph

import (
	"fmt"
	"hash/fnv"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/mathx"
)

// newInput adds an input node with a value.
func (b *Builder) newInput(name string, value *tensor.Dense) *G.Node {
	return b.newNode(name, value.Dtype(), value.Shape(), G.WithValue(value))
}

// newNode adds an input node. Gorgonia merges inputs that hash alike, whatever their values, so the node gets another
// name where the name is taken.
func (b *Builder) newNode(name string, dtype tensor.Dtype, shape tensor.Shape, options ...G.NodeConsOpt) *G.Node {
	hash := func() uint32 {
		h := fnv.New32a()
		fmt.Fprintf(h, "%v%v%s\x00", typeOf(dtype, shape), shape, name)
		return h.Sum32()
	}
	for h := hash(); slices.ContainsFunc(b.g.AllNodes(), func(n *G.Node) bool {
		return n.Hashcode() == h
	}); h = hash() {
		name += "'"
	}
	return G.NewTensor(b.g, dtype, shape.Dims(), append([]G.NodeConsOpt{G.WithShape(shape...), G.WithName(name)},
		options...)...)
}

// inputNode adds an input whose first axis is the batch.
func (b *Builder) inputNode(name string, dtype tensor.Dtype, shape ...int) *G.Node {
	full := append(tensor.Shape{b.batch}, shape...)
	if _, err := elements(full); err != nil {
		b.fail(fmt.Errorf("%s: %w", name, err))
		return nil
	}
	return b.newInput(name, newDense(dtype, full))
}

// Input adds an input of the given shape per sample, [batch, shape...], beside the program's main input: the coalition
// masks of a Shapley game, say. Each batch fills it from its [Batch].Inputs of that name.
func (b *Builder) Input(name string, shape ...int) *G.Node {
	if b.err != nil {
		return nil
	}
	if b.bits[name] != nil {
		b.fail(fmt.Errorf("input %q is one of bits, not of numbers", name))
		return nil
	}
	if n, ok := b.extra[name]; ok {
		if b.shareds[n] != nil {
			b.fail(fmt.Errorf("input %q is shared by all samples, not one for each", name))
			return nil
		}
		return b.check(n, wantShape("input", name, n, append([]int{b.batch}, shape...)...))
	}
	n := b.inputNode("input:"+name, b.dtype, shape...)
	if n != nil {
		b.extra[name] = n
	}
	return n
}

// Labels returns the node of the samples' labels, [batch] of int, -1 where unknown.
func (b *Builder) Labels() *G.Node {
	if b.err != nil {
		return nil
	}
	if b.labels == nil {
		b.labels = b.inputNode("labels", tensor.Int)
	}
	return b.labels
}

// fixedKey names a node whose value never changes. Parameters, constants and what is folded from parameters have names
// of their own.
type fixedKey struct{ kind, name string }

// HasParam tells whether the model has a parameter of that name; under [Declare], whether it has been declared so far.
func (b *Builder) HasParam(name string) bool {
	return b.params[name] != nil || b.declared != nil && b.declared.nodes[name] != nil
}

// Param returns the node of the named parameter. [Declare] needs the shape; elsewhere a shape that is given must be the
// parameter's.
func (b *Builder) Param(name string, shape ...int) *G.Node {
	if b.declared != nil {
		return b.declare(ParamSpec{Name: name, Shape: shape})
	}
	p := b.params[name]
	if p == nil {
		b.fail(fmt.Errorf("model has no parameter %q", name))
		return nil
	}
	n := b.fixedNode(fixedKey{"param", name}, func() (*tensor.Dense, error) {
		if b.dtype == tensor.Float32 {
			return p.Value, nil
		}
		return tensor.New(tensor.WithShape(p.Shape()...), tensor.WithBacking(mathx.Float64s(p.Float32s()))), nil
	})
	if n == nil {
		return nil
	}
	b.paramOf[n] = p
	if len(shape) > 0 {
		return b.check(n, wantShape("model", "parameter", n, shape...))
	}
	return n
}

// Constant returns a node whose values, row-major, never change. They are computed once for all replicas. The name
// identifies the constant within the model.
func (b *Builder) Constant(name string, values func() []float64, shape ...int) *G.Node {
	return b.check(b.constant(fixedKey{"constant", name}, values, shape...))
}

// Ones returns a [batch] node of ones: the seed of a gradient that adds up per-sample outputs.
func (b *Builder) Ones() *G.Node {
	return b.check(b.constant(fixedKey{"ones", "ones"}, func() []float64 {
		return slices.Repeat([]float64{1}, b.batch)
	}, b.batch))
}

func (b *Builder) constant(key fixedKey, values func() []float64, shape ...int) (*G.Node, error) {
	n := b.fixedNode(key, func() (*tensor.Dense, error) {
		size, err := elements(shape)
		if err != nil {
			return nil, fmt.Errorf("constant %q: %w", key.name, err)
		}
		v := values()
		if len(v) != size {
			return nil, fmt.Errorf("constant %q of shape %v: expected %d values, got %d", key.name, shape, size, len(v))
		}
		if b.dtype == tensor.Float64 {
			return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slices.Clone(v))), nil
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(narrow(v))), nil
	})
	if n == nil {
		return nil, b.err
	}
	return n, wantShape("constant", key.name, n, shape...)
}

// fixedNode returns the node of that key, with the value that build makes for the first replica that asks.
func (b *Builder) fixedNode(key fixedKey, build func() (*tensor.Dense, error)) *G.Node {
	if b.err != nil {
		return nil
	}
	if n, ok := b.fixed[key]; ok {
		return n
	}
	t, err := b.shared.tensor(key, build)
	if err != nil {
		b.fail(err)
		return nil
	}
	n := b.newInput(key.name, t)
	b.fixed[key] = n
	return n
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}
