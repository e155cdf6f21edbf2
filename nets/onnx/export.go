package onnx

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// Constants of exported files. All operators that Export writes belong to this opset of the domain ai.onnx.
const (
	exportOpset = 17
	exportIR    = 8
)

// ExportOptions says what [Export] writes.
type ExportOptions struct {
	// Outputs names the nodes that become the file's outputs, in order; nil means the model's Outputs.
	Outputs []string
	// Metadata is written as the file's metadata properties, for example the preprocessing of images.
	Metadata map[string]string
}

// Export writes a model as an ONNX file of standard operators (opset 17), with everything that the model's graph
// computes from its input to the outputs. ONNX Runtime, OpenVINO and other programs can run it. The file is made from
// the expression graph itself, so layers that are fused in the graph stay fused: batch norm, for example, is part of
// the weights of convolutions.
//
// The file has one input, "input" [batch, InputShape...] of float32, and an output for each name in Outputs, [batch,
// ...] of float32 or int64. The batch size is free: constants that grow with the batch are written for one sample and
// repeated. If there are operations without an ONNX counterpart, the error lists them all. Operations of training, and
// operations that read further inputs, have none.
func Export(w io.Writer, m graph.Model, o ExportOptions) error {
	model, err := export(m, o)
	if err != nil {
		return fmt.Errorf("onnx: export: %w", err)
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(model)
	if err != nil {
		return fmt.Errorf("onnx: export: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("onnx: export: %w", err)
	}
	return nil
}

func export(m graph.Model, o ExportOptions) (*pb.ModelProto, error) {
	if m == nil {
		return nil, errors.New("expected a model, got nil")
	}
	// The model is compiled for two batch sizes. The shapes that differ between them depend on the batch.
	e := newExporter()
	var steps [2][]graph.Step
	for i := range steps {
		p, err := graph.Compile(m, graph.Options{Batch: exportBatches[i], Workers: 1, Fetch: o.Outputs})
		if err != nil {
			return nil, err
		}
		steps[i] = p.Steps()
		o.Outputs = p.Options().Fetch
	}
	if len(steps[0]) != len(steps[1]) {
		return nil,
			fmt.Errorf("the model has %d operations for %d samples and %d for %d: its batch cannot be left free",
				len(steps[0]), exportBatches[0], len(steps[1]), exportBatches[1])
	}
	for _, name := range o.Outputs { // the steps that compute them must use these names
		if name == inputName {
			return nil, fmt.Errorf("output %q bears the name of the file's input", name)
		}
		e.taken[name] = true
	}
	for i, s := range steps[0] {
		if err := e.step(s, steps[1][i]); err != nil {
			e.unsupported = append(e.unsupported, fmt.Sprintf("operation %d, %s: %v", i, s.Label, err))
			e.names[s.Output] = "" // so that its readers are not reported as well
		}
	}
	if len(e.unsupported) > 0 {
		return nil, fmt.Errorf("%w:\n  %s", errors.ErrUnsupported, strings.Join(e.unsupported, "\n  "))
	}
	if e.input == nil {
		return nil, fmt.Errorf("outputs %q do not depend on the input", o.Outputs)
	}
	e.graph.Input = []*pb.ValueInfoProto{e.info(inputName, e.input)}
	for _, name := range o.Outputs {
		v := e.made[name]
		if v == nil {
			return nil, fmt.Errorf("output %q is not the result of an operation", name)
		}
		e.graph.Output = append(e.graph.Output, e.info(name, v))
	}
	e.prune()
	model := &pb.ModelProto{
		IrVersion: exportIR, ProducerName: "goline", Graph: e.graph,
		OpsetImport: []*pb.OperatorSetIdProto{{Version: exportOpset}},
	}
	for _, key := range slices.Sorted(keys(o.Metadata)) {
		model.MetadataProps = append(model.MetadataProps, &pb.StringStringEntryProto{Key: key, Value: o.Metadata[key]})
	}
	return model, nil
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// inputName is the name of the exported file's input.
const inputName = "input"

// exportBatches are two batch sizes that other sizes in a network are unlikely to equal.
var exportBatches = [2]int{2, 3}

// exporter collects the nodes and initialisers of a file.
type exporter struct {
	graph       *pb.GraphProto
	taken       map[string]bool // names in use
	names       map[*graph.Operand]string
	pairs       map[*graph.Operand]*graph.Operand // for each operand, the same operand at the other batch size
	masks       map[*graph.Operand]string         // names of masks in their form as booleans
	transposes  map[*graph.Operand]string         // names of transposed weights
	fills       map[string]string                 // names of initialisers of one repeated number
	made        map[string]*graph.Operand         // outputs by name
	input       *graph.Operand
	size        string // name of the tensor [1] with the number of samples, "" until it is needed
	unsupported []string
}

func newExporter() *exporter {
	return &exporter{
		graph: &pb.GraphProto{Name: "goline"}, taken: map[string]bool{inputName: true},
		names: map[*graph.Operand]string{},
		pairs: map[*graph.Operand]*graph.Operand{}, masks: map[*graph.Operand]string{},
		transposes: map[*graph.Operand]string{},
		fills:      map[string]string{}, made: map[string]*graph.Operand{},
	}
}

// info declares a value whose first axis is the batch.
func (e *exporter) info(name string, v *graph.Operand) *pb.ValueInfoProto {
	shape := &pb.TensorShapeProto{}
	for i, n := range v.Shape {
		d := &pb.TensorShapeProto_Dimension{Value: &pb.TensorShapeProto_Dimension_DimValue{DimValue: int64(n)}}
		if i == 0 {
			d.Value = &pb.TensorShapeProto_Dimension_DimParam{DimParam: "batch"}
		}
		shape.Dim = append(shape.Dim, d)
	}
	kind := pb.TensorProto_FLOAT
	if v.Dtype == tensor.Int {
		kind = pb.TensorProto_INT64
	}
	return &pb.ValueInfoProto{Name: name, Type: &pb.TypeProto{Value: &pb.TypeProto_TensorType{
		TensorType: &pb.TypeProto_Tensor{ElemType: int32(kind), Shape: shape},
	}}}
}

// fresh returns a name that is not in use.
func (e *exporter) fresh(name string) string {
	for base, i := name, 1; e.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	e.taken[name] = true
	return name
}

// node adds an operator and returns the name of its result.
func (e *exporter) node(operator, result string, inputs []string, attributes ...*pb.AttributeProto) string {
	e.graph.Node = append(e.graph.Node, &pb.NodeProto{
		OpType: operator, Name: result, Input: inputs, Output: []string{result}, Attribute: attributes,
	})
	return result
}

// prune removes nodes and initialisers that no output needs, for example the numbers of a mask that is only used as
// booleans.
func (e *exporter) prune() {
	needed := map[string]bool{}
	for _, o := range e.graph.Output {
		needed[o.Name] = true
	}
	var nodes []*pb.NodeProto
	for _, n := range slices.Backward(e.graph.Node) {
		if slices.ContainsFunc(n.Output, func(o string) bool { return needed[o] }) {
			nodes = append(nodes, n)
			for _, in := range n.Input {
				needed[in] = true
			}
		}
	}
	slices.Reverse(nodes)
	e.graph.Node = nodes
	e.graph.Initializer = slices.DeleteFunc(e.graph.Initializer, func(t *pb.TensorProto) bool {
		return !needed[t.Name]
	})
}

// inner adds an operator with a generated name for its result, and returns that name.
func (e *exporter) inner(operator string, inputs []string, attributes ...*pb.AttributeProto) string {
	return e.node(operator, e.fresh(strings.ToLower(operator)), inputs, attributes...)
}
