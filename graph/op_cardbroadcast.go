package graph

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// binaryKinds holds the numbers by which kernels know the functions of one and two variables, ternaryKinds those of
// three.
var (
	binaryKinds = map[string]int{
		"Add": 0, "Sub": 1, "Mul": 2, "Div": 3, "Maximum": 4, "Minimum": 5, "Less": 6, "LessOrEqual": 7, "Equal": 8,
		"And": 9, "Or": 10, "Xor": 11,
		"Not": 12, "Where'a": 13, "Where'b": 14, "Pow": 15, "PReLU": 16,
	}
	ternaryKinds = map[string]int{"Where": 0, "Maximum'": 1, "Minimum'": 2, "Pow'a": 3, "PReLU'x": 4}
)

const broadcastAxes = 6 // the most axes that the kernels support

// broadcastCard returns a function that gives an operation of one to three broadcast inputs its form for cards, where
// there is a kernel for it.
func broadcastCard(name string, to tensor.Shape, shapes []tensor.Shape) func(*G.Node, error) (*G.Node, error) {
	kinds, kernel := binaryKinds, "broadcast_f32"
	if len(shapes) == 3 {
		kinds, kernel = ternaryKinds, "broadcast3_f32"
	}
	kind, ok := kinds[name]
	if !ok || len(to) > broadcastAxes {
		return func(n *G.Node, err error) (*G.Node, error) { return n, err }
	}
	if len(shapes) == 2 && sameShape(shapes[0], to) && sameShape(shapes[1], to) {
		return onCard(func(c *deviceCall) error {
			return c.each("binary_f32", c.args(c.out, c.in[0], c.in[1]).Int(kind))
		})
	}
	operands := max(len(shapes), 2) // the kernel reads the variable of a function of one variable twice
	fields := make([]int32, 1+(1+operands)*broadcastAxes)
	fields[0] = int32(len(to))
	for i, n := range to {
		fields[1+i] = int32(n)
	}
	for k := range operands {
		for i, stride := range alignedStrides(shapes[min(k, len(shapes)-1)], to) {
			fields[1+broadcastAxes*(k+1)+i] = int32(stride)
		}
	}
	return onCardFlat(func(c *deviceCall) error {
		a := c.args(c.out)
		for k := range operands {
			a.Ptr(c.in[min(k, len(c.in)-1)].at())
		}
		return c.each(kernel, a.Struct(fields).Int(kind))
	})
}
