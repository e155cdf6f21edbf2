// Package weights reads and writes the parameters of trained networks and loads them into a network.
//
// [Read] recognises the format by a file's content: PyTorch's formats (.pth, .pt, .th, .pth.tar), safetensors, and
// NumPy's npz. [Load] is strict: names and shapes of the network and the file must agree, and all disagreements are
// reported at once. Nothing in a file is ever executed. [Save] writes safetensors and npz.
//
//	state, err := weights.Read("checkpoint.pth.tar")
//	for t := range state.All() {
//		fmt.Println(t.Name, t.Shape)
//	}
//	err = weights.Load(net.Params(), state) // or weights.LoadInto(net, "checkpoint.pth.tar") at once
//	var misfit *weights.MismatchError
//	if errors.As(err, &misfit) {
//		fmt.Println(misfit.Missing, misfit.Unexpected, misfit.Misshapen)
//	}
//	state, err = weights.FromParams(net.Params())
//	err = weights.Save("checkpoint.safetensors", state)
//
// Each function that takes a path has a form for an fs.FS, an [io.ReaderAt] or an [io.Writer], on which it is built.
//
// Of this module it imports graph (for the parameters); networks are above it.
package weights

import (
	"fmt"
	"iter"
	"math"
	"slices"
)

// Tensor is a named dense tensor in row-major order. Exactly one of F32 and I64 is set.
type Tensor struct {
	// Name is that of the state dict, "block1.layer.0.conv1.weight" for example.
	Name string
	// Shape lists the axis lengths, outermost first. Empty means a scalar.
	Shape []int
	// F32 holds floating-point elements. Half precision and bfloat16 are converted exactly, double is rounded.
	F32 []float32
	// I64 holds integers and booleans, such as batch norm's num_batches_tracked.
	I64 []int64
}

// Len returns the number of elements.
func (t Tensor) Len() int { return len(t.F32) + len(t.I64) }

func (t Tensor) validate() error {
	n, err := elements(t.Shape)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if (t.F32 == nil) == (t.I64 == nil) {
		return fmt.Errorf("tensor %q: expected exactly one of F32 and I64 to be set", t.Name)
	}
	if t.Len() != n {
		return fmt.Errorf("tensor %q: shape %v: expected %d elements, got %d", t.Name, t.Shape, n, t.Len())
	}
	return nil
}

// maxDims is the largest number of axes that PyTorch and NumPy can write.
const maxDims = 64

// elements returns the product of the axis lengths. It refuses negative lengths and products that do not fit an int.
func elements(shape []int) (int, error) {
	if len(shape) > maxDims {
		return 0, fmt.Errorf("expected at most %d axes, got %d", maxDims, len(shape))
	}
	n, zero := 1, false
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v has a negative axis", shape)
		case d == 0:
			zero = true
		case n > math.MaxInt/16/d: // 16, so that the size in bytes fits, too
			return 0, fmt.Errorf("shape %v has too many elements", shape)
		default:
			n *= d
		}
	}
	if zero {
		return 0, nil
	}
	return n, nil
}

// StateDict is an ordered collection of named tensors. The zero value is empty and ready for use.
type StateDict struct {
	// Metadata holds texts that a safetensors file carries. The other formats have no place for them.
	Metadata map[string]string

	tensors []Tensor
	index   map[string]int
}

// Add appends a tensor and keeps its slices. It is an error if the name is taken, or if the data does not fit the
// shape.
func (sd *StateDict) Add(t Tensor) error {
	if err := t.validate(); err != nil {
		return err
	}
	if _, taken := sd.index[t.Name]; taken {
		return fmt.Errorf("tensor %q comes twice", t.Name)
	}
	if sd.index == nil {
		sd.index = map[string]int{}
	}
	sd.index[t.Name] = len(sd.tensors)
	sd.tensors = append(sd.tensors, t)
	return nil
}

// Len returns the number of tensors.
func (sd *StateDict) Len() int { return len(sd.tensors) }

// Names returns the names of the tensors in order.
func (sd *StateDict) Names() []string {
	names := make([]string, len(sd.tensors))
	for i, t := range sd.tensors {
		names[i] = t.Name
	}
	return names
}

// Get returns the tensor of that name. Its slices are shared with the state dict.
func (sd *StateDict) Get(name string) (Tensor, bool) {
	i, ok := sd.index[name]
	if !ok {
		return Tensor{}, false
	}
	return sd.tensors[i], true
}

// All iterates over the tensors in order. Their slices are shared with the state dict.
func (sd *StateDict) All() iter.Seq[Tensor] { return slices.Values(sd.tensors) }
