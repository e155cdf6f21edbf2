package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Bounds of what a model may declare, so that a mistyped size does not take all memory or time that there is.
const (
	maxParams = 10_000
	maxValues = 1 << 30 // 4 GiB
)

// ParamSpec is a parameter without its memory.
type ParamSpec struct {
	Name   string // see [Param]
	Shape  []int  // axis lengths, outermost first
	Buffer bool   // see [Param]
}

// Len returns the number of values.
func (s ParamSpec) Len() int { return tensor.Shape(s.Shape).TotalSize() }

// NewParam returns the parameter with memory, all zero.
func (s ParamSpec) NewParam() *Param {
	p := NewParam(s.Name, s.Shape...)
	p.Buffer = s.Buffer
	return p
}

// Declare finds the parameters that a model needs by calling build once, for one sample of the given shape, with a
// Builder that records parameters instead of looking them up. It returns them in the order in which build first asks
// for them. Nothing is computed and no memory is taken for parameters, so that a caller can check their size first.
//
// The sizes come from: [ConvConfig].Out and Kernel, the argument out of [Builder.Linear], the shape given to
// [Builder.Param], and for batch norm the channels of what it reads. Layers must not share a name; to share weights,
// ask for them with [Builder.Param] and add the operation itself. More than 10,000 parameters or 2^30 values are an
// error.
func Declare(input []int, build func(b *Builder, x *G.Node) error) ([]ParamSpec, error) {
	building.Lock()
	defer building.Unlock()
	full := append(tensor.Shape{1}, input...)
	if _, err := elements(full); err != nil {
		return nil, fmt.Errorf("graph: input: %w", err)
	}
	b := newBuilder(nil, Options{Batch: 1, Dtype: tensor.Float32}, newStore())
	b.declared = &declaration{nodes: map[string]*G.Node{}}
	b.input = b.newNode("input", b.dtype, full)
	err := build(b, b.input)
	if b.err != nil { // the first error
		err = b.err
	}
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	return b.declared.specs, nil
}

// declaration holds what a Builder records under [Declare].
type declaration struct {
	specs  []ParamSpec
	nodes  map[string]*G.Node
	layers []string
	values int
}

// declare returns the node of a parameter and records the parameter unless it is recorded already. The node never gets
// a value.
func (b *Builder) declare(s ParamSpec) *G.Node {
	if b.err != nil {
		return nil
	}
	d := b.declared
	if n, ok := d.nodes[s.Name]; ok {
		if len(s.Shape) == 0 {
			return n
		}
		return b.check(n, wantShape("Declare", "parameter", n, s.Shape...))
	}
	if len(s.Shape) == 0 {
		b.fail(fmt.Errorf("parameter %q has no shape where it is first asked for", s.Name))
		return nil
	}
	n := 1
	for _, size := range s.Shape {
		if size < 1 || size > maxValues/n {
			b.fail(fmt.Errorf("parameter %s of shape %v is empty or too large", s.Name, s.Shape))
			return nil
		}
		n *= size
	}
	if d.values += n; d.values > maxValues || len(d.specs) == maxParams {
		b.fail(fmt.Errorf("more than %d parameter values or %d parameters", maxValues, maxParams))
		return nil
	}
	s.Shape = slices.Clone(s.Shape)
	d.specs = append(d.specs, s)
	d.nodes[s.Name] = b.newNode(s.Name, b.dtype, s.Shape)
	return d.nodes[s.Name]
}

// declareLayer records the name of a layer. A name that is taken is an error.
func (b *Builder) declareLayer(name string) {
	if b.declared == nil || b.err != nil {
		return
	}
	if slices.Contains(b.declared.layers, name) {
		b.fail(fmt.Errorf("two layers are named %q", name))
	}
	b.declared.layers = append(b.declared.layers, name)
}

// declareConv records the parameters of a convolution unless they are recorded already.
func (b *Builder) declareConv(x *G.Node, name string, cfg ConvConfig) {
	b.declareLayer(name)
	if b.err != nil || cfg.Out == 0 && b.HasParam(name+".weight") {
		return
	}
	if err := wantDims("convolution "+name, 4, x); err != nil {
		b.fail(err)
		return
	}
	if cfg.Out < 1 || cfg.Kernel[0] < 1 || cfg.Kernel[1] < 1 {
		b.fail(fmt.Errorf("convolution %s: expected ConvConfig.Out and Kernel of at least 1, got %d and %v", name,
			cfg.Out, cfg.Kernel))
		return
	}
	groups := max(cfg.Groups, 1)
	b.Param(name+".weight", cfg.Out, x.Shape()[1]/groups, cfg.Kernel[0], cfg.Kernel[1])
	if cfg.Bias {
		b.Param(name+".bias", cfg.Out)
	}
}

// declareBatchNorm records the parameters of a batch norm and returns a node that stands in for its value.
func (b *Builder) declareBatchNorm(x *G.Node, name string) *G.Node {
	if b.err != nil {
		return nil
	}
	if err := wantBatched("batch norm "+name, 2, x); err != nil {
		b.fail(err)
		return nil
	}
	channels := []int{x.Shape()[1]}
	scale, shift := b.Param(name+".weight", channels...), b.Param(name+".bias", channels...)
	b.declare(ParamSpec{Name: name + ".running_mean", Shape: channels, Buffer: true})
	b.declare(ParamSpec{Name: name + ".running_var", Shape: channels, Buffer: true})
	return b.Do(func() (*G.Node, error) { return Affine(x, scale, shift) })
}
