package line

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// Arrays of a detector whose network comes from an ONNX file: the file, and the names of nodes and the shape with
// which it was read.
const (
	onnxArray     = "onnx"
	featuresArray = "onnx_features"
	logitsArray   = "onnx_logits"
	inputArray    = "onnx_input"
)

// networkArrays returns the arrays that describe the network in a detector's file. For a network made by name these
// are its parameters. For one from an ONNX file they are the ONNX file and those parameters whose values have changed
// since.
func networkArrays(net nets.Classifier) ([]npyz.Named, error) {
	read, ok := net.(*onnx.Network)
	if !ok {
		return paramArrays(net.Params()), nil
	}
	data, err := read.File()
	if err != nil {
		return nil, err
	}
	o := read.Options()
	original, err := onnx.Read(data, nil, read.Name(), o)
	if err != nil {
		return nil, err
	}
	values := map[string][]float32{}
	for _, p := range original.Params() {
		values[p.Name] = p.Float32s()
	}
	changed := slices.DeleteFunc(slices.Clone(net.Params()), func(p *graph.Param) bool {
		return slices.Equal(values[p.Name], p.Float32s())
	})
	shape := make([]int64, len(o.Input))
	for i, n := range o.Input {
		shape[i] = int64(n)
	}
	return append([]npyz.Named{
		{Name: onnxArray, Array: npyz.New(data)},
		{Name: featuresArray, Array: npyz.Scalar(o.Features)},
		{Name: logitsArray, Array: npyz.Scalar(o.Logits)},
		{Name: inputArray, Array: npyz.New(shape)},
	}, paramArrays(changed)...), nil
}

func paramArrays(params []*graph.Param) []npyz.Named {
	var arrays []npyz.Named
	for _, p := range params {
		arrays = append(arrays, npyz.Named{Name: paramPrefix + p.Name, Array: npyz.New(p.Float32s(), p.Shape()...)})
	}
	return arrays
}

// loadNetwork makes the network that a detector's file describes, with its parameters.
func loadNetwork(a *npyz.Archive) (nets.Classifier, error) {
	name, err := a.String("network")
	if err != nil {
		return nil, err
	}
	p, err := decodePreprocessing(a)
	if err != nil {
		return nil, err
	}
	if a.Has(onnxArray) {
		return loadONNX(a, name, p)
	}
	return loadNamed(a, name, p)
}

// loadONNX reads the network from the ONNX file inside a detector's file.
func loadONNX(a *npyz.Archive, name string, p nets.Preprocessing) (nets.Classifier, error) {
	array, err := a.Get(onnxArray)
	if err != nil {
		return nil, err
	}
	data, ok := array.Data.([]uint8)
	if !ok {
		return nil, fmt.Errorf("%s: expected the bytes of an ONNX file, got elements of %s", onnxArray,
			array.TypeName())
	}
	o := onnx.Options{Preprocessing: p}
	if o.Features, err = a.String(featuresArray); err != nil {
		return nil, err
	}
	if o.Logits, err = a.String(logitsArray); err != nil {
		return nil, err
	}
	if o.Input, err = a.Ints(inputArray, -1); err != nil {
		return nil, err
	}
	net, err := onnx.Read(data, nil, name, o)
	if err != nil {
		return nil, err
	}
	for _, p := range net.Params() {
		if !a.Has(paramPrefix + p.Name) {
			continue
		}
		v, err := finite(a, paramPrefix+p.Name, p.Shape()...)
		if err != nil {
			return nil, err
		}
		copy(p.Float32s(), v)
	}
	return net, nil
}

// loadNamed makes a network by its name.
func loadNamed(a *npyz.Archive, name string, p nets.Preprocessing) (nets.Classifier, error) {
	classes, err := classesOf(a)
	if err != nil {
		return nil, err
	}
	held := 0
	for name, array := range a.All() {
		if strings.HasPrefix(name, paramPrefix) {
			held += array.Len()
		}
	}
	// checked before a damaged or hostile file can make the program take much memory
	switch size, err := nets.Size(name, classes); {
	case errors.Is(err, nets.ErrUnknown):
		return nil, fmt.Errorf("%w; LoadFor of package line takes a network that is defined in Go", err)
	case err != nil:
		return nil, err
	case size != held:
		return nil, fmt.Errorf("%s of %d classes: expected %d parameter values, got %d in the file", name, classes,
			size, held)
	}
	net, err := nets.New(name, classes)
	if err != nil {
		return nil, err
	}
	if p != (nets.Preprocessing{}) {
		if net, err = net.WithPreprocessing(p); err != nil {
			return nil, err
		}
	}
	for _, p := range net.Params() {
		v, err := finite(a, paramPrefix+p.Name, p.Shape()...)
		if err != nil {
			return nil, err
		}
		copy(p.Float32s(), v)
	}
	return net, nil
}

// classesOf returns the number of classes of the network in a detector's file. Files of LINe hold a count of training
// images for each class; those of other methods hold the number itself.
func classesOf(a *npyz.Archive) (int, error) {
	if !a.Has(methodArray) {
		counts, err := a.Ints("counts", -1)
		return len(counts), err
	}
	n, err := a.Ints("classes")
	if err != nil {
		return 0, err
	}
	if n[0] < 1 {
		return 0, fmt.Errorf("classes: expected at least 1, got %d", n[0])
	}
	return n[0], nil
}
