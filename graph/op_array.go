package graph

import (
	"fmt"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// array is a stack of n samples in memory: sample i is data[i*stride:][:size].
type array[T any] struct {
	data            []T
	n, stride, size int
}

func (a array[T]) sample(i int) []T { return a.data[i*a.stride:][:a.size] }

// flat returns all samples as one slice. It fails where the samples do not follow one another without gaps.
func (a array[T]) flat() ([]T, bool) {
	if a.stride != a.size {
		return nil, false
	}
	return a.data[:a.n*a.size], true
}

// arrayOf reads a value whose first axis is the batch.
func arrayOf[T kernel.Float](v G.Value) (array[T], error) {
	var zero array[T]
	if p, ok := v.(*planes[T]); ok {
		return p.array(), nil
	}
	data, err := sliceOf[T](v)
	if err != nil {
		return zero, err
	}
	n := 1
	if v.Shape().Dims() > 0 {
		n = v.Shape()[0]
	}
	if n == 0 || len(data) != v.Shape().TotalSize() {
		return zero, fmt.Errorf("value of shape %v holds %d elements", v.Shape(), len(data))
	}
	size := len(data) / n
	return array[T]{data, n, size, size}, nil
}

// sliceOf returns the elements of a value in row-major order.
func sliceOf[T any](v G.Value) ([]T, error) {
	if d, ok := v.(*tensor.Dense); ok && d.RequiresIterator() {
		v = d.Materialize().(*tensor.Dense)
	}
	if s, ok := scalar[T](v); ok {
		return s, nil
	}
	if s := dense[T](v); s != nil {
		return s[:v.Shape().TotalSize()], nil
	}
	switch data := v.Data().(type) {
	case []T:
		return data[:v.Shape().TotalSize()], nil
	case T:
		return []T{data}, nil
	default:
		return nil, fmt.Errorf("value of shape %v: expected []%T, got %T", v.Shape(), *new(T), data)
	}
}

// dense returns the elements of a tensor that holds elements of type T, and nil for every other value. Unlike
// Dense.Data it allocates nothing.
func dense[T any](v G.Value) (s []T) {
	d, ok := v.(*tensor.Dense)
	if !ok {
		return nil
	}
	switch to := any(&s).(type) {
	case *[]float32:
		if d.Dtype() == tensor.Float32 {
			*to = d.Float32s()
		}
	case *[]float64:
		if d.Dtype() == tensor.Float64 {
			*to = d.Float64s()
		}
	case *[]int:
		if d.Dtype() == tensor.Int {
			*to = d.Ints()
		}
	case *[]uint64:
		if d.Dtype() == tensor.Uint64 {
			*to = d.Uint64s()
		}
	}
	return s
}

// scalar returns the memory of a value that Gorgonia holds as a single number.
func scalar[T any](v G.Value) (s []T, ok bool) {
	var memory any
	switch v := v.(type) {
	case *G.F32:
		memory = unsafe.Slice((*float32)(v), 1)
	case *G.F64:
		memory = unsafe.Slice((*float64)(v), 1)
	case *G.I:
		memory = unsafe.Slice((*int)(v), 1)
	default:
		return nil, false
	}
	s, ok = memory.([]T)
	return s, ok
}

// dispatch returns the float32 or the float64 form of an operation, as dtype says.
func dispatch(name string, dtype tensor.Dtype, f32, f64 func() function) (function, error) {
	switch dtype {
	case tensor.Float32:
		return f32(), nil
	case tensor.Float64:
		return f64(), nil
	default:
		return nil, fmt.Errorf("%s: expected element type float32 or float64, got %v", name, dtype)
	}
}

// floatDtype returns Gorgonia's name of T.
func floatDtype[T kernel.Float]() tensor.Dtype {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return tensor.Float32
	}
	return tensor.Float64
}
