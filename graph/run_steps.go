package graph

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Step describes one operation of a program, for those who write the program in another format or draw a table of it.
type Step struct {
	// Kind is the function that adds the operation, "Conv2D" for example.
	Kind string
	// Label is Kind together with the layers that are fused into it, "Affine→ReLU→Conv2D+bias" for example.
	Label string
	// Inputs are the operation's arguments in order; Output is its result.
	Inputs []*Operand
	Output *Operand
	// Attributes holds the operation's parameters beside its inputs: a [ConvStep], an [Activation], [AffineStep],
	// [PoolConfig], [PoolStep], [ChannelsStep], [NormStep] or another type that the function named by Kind documents;
	// nil for an operation without any.
	Attributes any
	// FLOPs are the operation's floating-point operations for one sample, counted as [Program.FLOPs] does.
	FLOPs int
}

// Operand is a value that steps read or compute.
type Operand struct {
	// Name is the name of the input, the parameter, the constant or the tapped node; "" where the value has none.
	Name string
	// Fetched are all names under which the program fetches the value.
	Fetched []string
	// Shape is the value's shape, which includes the program's batch.
	Shape []int
	// Dtype is the type of its elements: float32 or float64; int for labels, classes and places; uint64 for masks of
	// bits.
	Dtype tensor.Dtype
	// Input is true where each batch brings the value.
	Input bool
	// Param is the parameter whose value the operand is, nil for any other operand.
	Param *Param
	// Value is the value of a parameter or a constant, nil for any other operand.
	Value G.Value
}

// ConvStep describes a [Conv2D] with the layers that are fused into it:
//
//	y = activation(postScale · conv(relu?(preScale · x + preShift), weight) + postShift + residual)
//
// Input 0 is x, input 1 the weight.
type ConvStep struct {
	Config ConvConfig // the geometry, with its zeros
	// PreScale, PreShift, PostScale, PostShift and Residual are positions among the inputs, -1 where a part is missing.
	PreScale, PreShift, PostScale, PostShift, Residual int
	PreReLU                                            bool       // whether there is a ReLU before the convolution
	Activation                                         Activation // what follows it; the zero value is none
}

// AffineStep describes an [Affine].
type AffineStep struct {
	ReLU bool // a ReLU follows
}

// PoolStep describes average pooling of relu?(scale·x + shift), its inputs.
type PoolStep struct {
	Config PoolConfig // the window
	ReLU   bool       // whether there is a ReLU before it
}

// ChannelsStep describes [Channels]: those from number From up to and without To.
type ChannelsStep struct{ From, To int }

// Steps lists the operations that compute the fetched nodes, each after those whose results it reads. The list
// describes the first replica; calling Steps does not change the program.
func (p *Program) Steps() []Step {
	r := p.replicas[0]
	operands := map[*G.Node]*Operand{}
	for name, n := range r.b.taps {
		operands[n] = &Operand{Name: name}
	}
	for i, n := range r.nodes { // a fetched name takes precedence over the name of the tap
		name := r.fetches[i].name
		if o := operands[n]; o != nil && len(o.Fetched) > 0 {
			o.Fetched = append(o.Fetched, name)
			continue
		}
		operands[n] = &Operand{Name: name, Fetched: []string{name}}
	}
	operand := func(n *G.Node) *Operand {
		o := operands[n]
		if o == nil {
			o = &Operand{}
			operands[n] = o
		}
		if o.Shape != nil {
			return o
		}
		o.Shape, o.Dtype = append([]int{}, n.Shape()...), n.Dtype()
		if n.Op() != nil {
			return o
		}
		if o.Name == "" {
			o.Name = n.Name()
		}
		if o.Input = r.b.isBatchInput(n); !o.Input {
			o.Param, o.Value = r.b.paramOf[n], n.Value()
		}
		return o
	}
	var steps []Step
	for _, n := range ancestry(r.nodes) {
		if n.Op() == nil {
			continue
		}
		s := Step{Kind: n.Op().String(), Output: operand(n), FLOPs: flops(n) / p.options.Batch}
		s.Label = s.Kind
		for _, c := range children(n) {
			s.Inputs = append(s.Inputs, operand(c))
		}
		if o, ok := n.Op().(*op); ok {
			if e, ok := o.fn.(explainer); ok {
				s.Kind, s.Attributes = e.explain()
			} else if o.kind != "" {
				s.Kind, s.Attributes = o.kind, o.attributes
			}
		}
		steps = append(steps, s)
	}
	return slices.Clip(steps)
}

// explainer is a function that knows its kind and attributes for [Program.Steps].
type explainer interface {
	explain() (kind string, attributes any)
}

// explained gives an operation that has just been added its kind and attributes, for [Program.Steps].
func explained(kind string, attributes any) func(*G.Node, error) (*G.Node, error) {
	return func(n *G.Node, err error) (*G.Node, error) {
		if err == nil {
			o := n.Op().(*op)
			o.kind, o.attributes = kind, attributes
		}
		return n, err
	}
}

func (f *convFn[T]) explain() (string, any) {
	p, at := f.parts, f.at
	return "Conv2D", ConvStep{
		Config: p.cfg, PreScale: at.preScale, PreShift: at.preShift, PostScale: at.postScale, PostShift: at.postShift,
		Residual: at.residual, PreReLU: p.preReLU, Activation: p.post,
	}
}
