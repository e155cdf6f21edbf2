package onnx

import (
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// newParam returns a parameter that uses the given values as its memory.
func newParam(name string, shape []int, values []float32) *graph.Param {
	return &graph.Param{Name: name, Value: tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))}
}
