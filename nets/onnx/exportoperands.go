package onnx

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// values returns the elements of a constant operand.
func values(v *graph.Operand) ([]float32, error) {
	if v.Value == nil {
		return nil, fmt.Errorf("expected a constant, got %s, which is computed", described(v))
	}
	if f, ok := v.Value.(*G.F32); ok {
		return []float32{float32(*f)}, nil
	}
	d, ok := v.Value.(*tensor.Dense)
	if !ok || d.Dtype() != tensor.Float32 || d.RequiresIterator() {
		return nil, fmt.Errorf("%s: expected float32, got %v", described(v), v.Dtype)
	}
	return d.Float32s(), nil
}

func described(v *graph.Operand) string {
	if v.Name == "" {
		return fmt.Sprintf("a value of shape %v", v.Shape)
	}
	return fmt.Sprintf("%s of shape %v", v.Name, v.Shape)
}

// use returns the name of an operand. A constant becomes an initialiser on first use.
func (e *exporter) use(v *graph.Operand) (string, error) {
	if name, ok := e.names[v]; ok {
		return name, nil
	}
	switch {
	case v.Input && (e.input == nil || e.input == v) && v.Dtype == tensor.Float32:
		e.input = v
		e.names[v] = inputName
		return inputName, nil
	case v.Input:
		return "", fmt.Errorf("it reads %s beside the model's input", described(v))
	}
	name, err := e.constant(v)
	if err != nil {
		return "", err
	}
	e.names[v] = name
	return name, nil
}

// useAll returns the names of several operands.
func (e *exporter) useAll(vs ...*graph.Operand) ([]string, error) {
	names := make([]string, len(vs))
	for i, v := range vs {
		var err error
		if names[i], err = e.use(v); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// constant writes a constant. If it depends on the batch, one sample of it is written and repeated.
func (e *exporter) constant(v *graph.Operand) (string, error) {
	x, err := values(v)
	if err != nil {
		return "", err
	}
	name := v.Name
	if name == "" {
		name = "constant"
	}
	other := e.pairs[v]
	if other == nil || other.Value == v.Value {
		return e.floats(name, x, v.Shape...), nil
	}
	y, err := values(other)
	if err != nil {
		return "", err
	}
	if slices.Equal(v.Shape, other.Shape) {
		if !sameBits(x, y) {
			return "", fmt.Errorf("its constant %s has other values for another batch", described(v))
		}
		return e.floats(name, x, v.Shape...), nil
	}
	axis, per, err := e.batchAxis(v)
	if err != nil {
		return "", err
	}
	for outer := 1; outer <= per; outer++ { // tries every place of the samples among the elements of the axis
		if per%outer != 0 {
			continue
		}
		before, after := product(v.Shape[:axis])*outer, per/outer*product(v.Shape[axis+1:])
		one := oneSample(x, exportBatches[0], before, after)
		if one == nil || !sameBits(one, oneSample(y, exportBatches[1], before, after)) {
			continue
		}
		shape := slices.Concat(v.Shape[:axis], []int{outer, 1, per / outer}, v.Shape[axis+1:])
		if per == 1 {
			shape = slices.Clone(v.Shape)
			shape[axis] = 1
		}
		to := slices.Repeat([]int{1}, len(shape))
		at := axis
		if per > 1 {
			at++
		}
		to[at] = -1
		sizes := e.sizes(name+".sizes", to, slices.Repeat([]int{1}, len(shape)))
		wide := e.inner("Expand", []string{e.floats(name, one, shape...), sizes})
		if per == 1 {
			return wide, nil
		}
		return e.inner("Reshape", []string{wide, e.ints(name+".shape", e.free(v)...)}), nil
	}
	return "", fmt.Errorf("its constant %s is not the same for each sample of a batch", described(v))
}

// oneSample returns the elements of one sample of an array [before, n samples, after], nil if the samples differ.
func oneSample(x []float32, n, before, after int) []float32 {
	var one []float32
	for b := range before {
		first := x[b*n*after:][:after]
		for s := 1; s < n; s++ {
			if !sameBits(first, x[(b*n+s)*after:][:after]) {
				return nil
			}
		}
		one = append(one, first...)
	}
	return one
}

// sameBits tells whether all numbers have the same bits.
func sameBits(x, y []float32) bool {
	return slices.EqualFunc(x, y, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
}

// batchAxis returns the only axis of a value that depends on the batch, and its length per sample.
func (e *exporter) batchAxis(v *graph.Operand) (axis, per int, err error) {
	other, axis := e.pairs[v], -1
	for i, n := range e.free(v) {
		switch {
		case n >= 0:
		case axis >= 0 || len(other.Shape) != len(v.Shape):
			return 0, 0, fmt.Errorf("more than one axis of %s depends on the batch", described(v))
		default:
			axis = i
		}
	}
	if axis < 0 {
		return 0, 0, fmt.Errorf("no axis of %s depends on the batch", described(v))
	}
	per, err = perSample(v.Shape[axis], other.Shape[axis])
	return axis, per, err
}

// perSample returns the length per sample of an axis that has the lengths a and b at the two batch sizes.
func perSample(a, b int) (int, error) {
	per := a / exportBatches[0]
	if per < 1 || per*exportBatches[0] != a || per*exportBatches[1] != b {
		return 0, fmt.Errorf("expected a multiple of the samples along an axis, got %d elements for %d samples and %d "+
			"for %d", a, exportBatches[0], b, exportBatches[1])
	}
	return per, nil
}

// free returns the shape of a value, with -1 for the axis that depends on the batch.
func (e *exporter) free(v *graph.Operand) []int {
	out := slices.Clone(v.Shape)
	other := e.pairs[v]
	for i := range out {
		if other != nil && (i >= len(other.Shape) || other.Shape[i] != out[i]) {
			out[i] = -1
		}
	}
	return out
}

// samples returns the name of a tensor [1] with the number of samples.
func (e *exporter) samples() string {
	if e.size == "" {
		e.size = e.inner("Shape", []string{inputName}, integer("start", 0), integer("end", 1))
	}
	return e.size
}

// sizes returns the name of a tensor with a list of integers, in which each -1 is replaced by the number of samples
// times the number in per at that position.
func (e *exporter) sizes(name string, list, per []int) string {
	var parts []string
	var fixed []int
	flush := func() {
		if len(fixed) > 0 {
			parts, fixed = append(parts, e.ints(name, fixed...)), nil
		}
	}
	for i, n := range list {
		if n >= 0 {
			fixed = append(fixed, n)
			continue
		}
		flush()
		n := e.samples()
		if per[i] != 1 {
			n = e.inner("Mul", []string{n, e.ints(name, per[i])})
		}
		parts = append(parts, n)
	}
	flush()
	if len(parts) == 1 {
		return parts[0]
	}
	return e.inner("Concat", parts, integer("axis", 0))
}

// reshaped adds a reshape, unless the value has the shape already. At most one axis of the shape may be -1.
func (e *exporter) reshaped(x string, from *graph.Operand, shape ...int) string {
	if slices.Equal(from.Shape, shape) {
		return x
	}
	return e.inner("Reshape", []string{x, e.ints("shape", shape...)})
}
