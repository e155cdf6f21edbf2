package onnx

import (
	"maps"
	"slices"
)

// DecodeTensor returns the elements of a tensor file.
func DecodeTensor(raw []byte) ([]float32, error) {
	c, err := decodeTensor(raw)
	if err != nil {
		return nil, err
	}
	return c.float32s(), nil
}

// ExportKinds returns the kinds of operations that [Export] can write, except activations.
func ExportKinds() []string { return slices.Sorted(maps.Keys(exporting)) }
