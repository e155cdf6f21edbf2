package graph

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"
)

// Param is one named tensor of a network: a trained weight or a buffer such as a running mean.
// Names follow the PyTorch state dict that the network is published with, for example "block1.layer.0.conv1.weight".
type Param struct {
	Name  string        // not empty, and different from those of the network's other tensors
	Value *tensor.Dense // float32, row-major, contiguous; shared by every program compiled from the network
	// Buffer marks tensors that belong to the state dict but are not trained: running statistics.
	Buffer bool
}

// NewParam returns a zeroed float32 parameter of the given shape.
func NewParam(name string, shape ...int) *Param {
	return &Param{Name: name, Value: tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))}
}

// Shape returns the parameter's shape, outermost axis first.
func (p *Param) Shape() []int { return slices.Clone([]int(p.Value.Shape())) }

// Float32s returns the backing slice in row-major order. Writing to it changes the parameter.
func (p *Param) Float32s() []float32 { return p.Value.Float32s() }

// String names the parameter and its shape.
func (p *Param) String() string { return fmt.Sprintf("%s %v", p.Name, []int(p.Value.Shape())) }
