package onnx

import (
	"errors"
	"fmt"
	"slices"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"google.golang.org/protobuf/proto"
)

// Operator sets of the domain ai.onnx that can be read.
const (
	minOpset = 7
	maxOpset = 28
)

// Limits of what a file may declare: the rank of a tensor, the number of nodes, and the nesting of graphs and
// functions.
const (
	maxRank  = 64
	maxNodes = 200_000
	maxDepth = 16
)

// file is a decoded ONNX file.
type file struct {
	producer  string
	metadata  map[string]string
	opsets    map[string]int // by domain, "" for ai.onnx
	graph     *graphDef
	functions map[string]*function // by domain and name
	elements  int                  // number of elements of all tensors
}

// graphDef is a graph whose nodes are sorted such that each comes after its inputs.
type graphDef struct {
	nodes   []*node
	inits   map[string]*constant
	inputs  []input // without those to which an initialiser gives a value
	outputs []string
}

// input is an input as the file declares it. dims has -1 for a free dimension; it is nil where nothing is declared.
type input struct {
	name string
	elem elem
	dims []int
}

// function is an operator that the file defines as a graph.
type function struct {
	in, out []string
	nodes   []*node
}

// decoder turns protocol buffer messages into a file.
type decoder struct {
	f        *file
	external external
	nodes    int
}

// decode reads a model. It allocates memory for a tensor only after checking that the file holds that many bytes.
func decode(data []byte, external external) (*file, error) {
	m := &pb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("not a whole ONNX model: %w", err)
	}
	if m.Graph == nil {
		return nil, errors.New("not an ONNX model: it has no graph")
	}
	d := &decoder{external: external, f: &file{
		producer: m.ProducerName, metadata: map[string]string{}, opsets: map[string]int{},
		functions: map[string]*function{},
	}}
	for _, p := range m.MetadataProps {
		d.f.metadata[p.GetKey()] = p.GetValue()
	}
	for _, o := range m.OpsetImport {
		d.f.opsets[domainOf(o.GetDomain())] = int(o.GetVersion())
	}
	v, ok := d.f.opsets[""]
	if !ok {
		return nil, errors.New("the model names no operator set of domain ai.onnx")
	}
	if v < minOpset || v > maxOpset {
		return nil, fmt.Errorf("expected an operator set of domain ai.onnx from %d to %d, got %d", minOpset, maxOpset,
			v)
	}
	for _, fn := range m.Functions {
		if err := d.function(fn); err != nil {
			return nil, fmt.Errorf("function %q: %w", fn.GetName(), err)
		}
	}
	var err error
	d.f.graph, err = d.graph(m.Graph, nil, d.f.opsets, 0)
	return d.f, err
}

// domainOf returns a domain's name, "" for the default domain ai.onnx.
func domainOf(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

func (d *decoder) function(fn *pb.FunctionProto) error {
	opsets := map[string]int{}
	for k, v := range d.f.opsets {
		opsets[k] = v
	}
	for _, o := range fn.OpsetImport {
		opsets[domainOf(o.GetDomain())] = int(o.GetVersion())
	}
	key := domainOf(fn.GetDomain()) + ":" + fn.GetName()
	if d.f.functions[key] != nil {
		return errors.New("it is defined twice")
	}
	known := map[string]bool{}
	for _, in := range fn.Input {
		known[in] = true
	}
	nodes, err := d.ordered(fn.Node, known, opsets, 0)
	if err != nil {
		return err
	}
	for _, out := range fn.Output {
		if !known[out] {
			return fmt.Errorf("nothing computes its output %q", out)
		}
	}
	d.f.functions[key] = &function{in: fn.Input, out: fn.Output, nodes: nodes}
	return nil
}

// graph decodes a graph. Its nodes may also read the names in outer.
func (d *decoder) graph(g *pb.GraphProto, outer map[string]bool, opsets map[string]int, depth int) (*graphDef, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("graphs lie more than %d deep in one another", maxDepth)
	}
	out := &graphDef{inits: make(map[string]*constant, len(g.Initializer))}
	known := map[string]bool{}
	for k := range outer {
		known[k] = true
	}
	for _, t := range g.Initializer {
		if t.GetName() == "" {
			return nil, errors.New("an initialiser has no name")
		}
		if out.inits[t.Name] != nil {
			return nil, fmt.Errorf("two initialisers are named %q", t.Name)
		}
		c, err := d.tensor(t)
		if err != nil {
			return nil, fmt.Errorf("initialiser %q: %w", t.Name, err)
		}
		out.inits[t.Name], known[t.Name] = c, true
	}
	if len(g.SparseInitializer) > 0 {
		return nil, fmt.Errorf("initialiser %q: expected a dense tensor, got a sparse one",
			g.SparseInitializer[0].GetValues().GetName())
	}
	for _, i := range g.Input {
		in, err := inputOf(i)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", i.GetName(), err)
		}
		if t := out.inits[in.name]; t != nil {
			if !agrees(in.dims, t.shape) {
				return nil, fmt.Errorf("input %q: expected an initialiser of shape %v, as declared, got %v", in.name,
					in.dims, t.shape)
			}
			continue
		}
		if slices.ContainsFunc(out.inputs, func(o input) bool { return o.name == in.name }) {
			return nil, fmt.Errorf("two inputs are named %q", in.name)
		}
		known[in.name] = true
		out.inputs = append(out.inputs, in)
	}
	var err error
	if out.nodes, err = d.ordered(g.Node, known, opsets, depth); err != nil {
		return nil, err
	}
	for _, o := range g.Output {
		if !known[o.GetName()] {
			return nil, fmt.Errorf("nothing computes output %q", o.GetName())
		}
		out.outputs = append(out.outputs, o.GetName())
	}
	if len(out.outputs) == 0 {
		return nil, errors.New("the graph has no output")
	}
	return out, nil
}

// agrees tells whether a declared shape, in which -1 stands for any size, allows a shape.
func agrees(dims, shape []int) bool {
	if dims == nil {
		return true
	}
	if len(dims) != len(shape) {
		return false
	}
	for i, d := range dims {
		if d >= 0 && d != shape[i] {
			return false
		}
	}
	return true
}

func inputOf(v *pb.ValueInfoProto) (input, error) {
	in := input{name: v.GetName()}
	if in.name == "" {
		return in, errors.New("it has no name")
	}
	t := v.GetType().GetTensorType()
	if t == nil {
		return in, errors.New("it is not a tensor")
	}
	in.elem = elem(t.GetElemType())
	if t.Shape == nil {
		return in, nil
	}
	if len(t.Shape.Dim) > maxRank {
		return in, fmt.Errorf("expected at most %d axes, got %d", maxRank, len(t.Shape.Dim))
	}
	in.dims = make([]int, len(t.Shape.Dim))
	for i, dim := range t.Shape.Dim {
		in.dims[i] = -1
		if v, ok := dim.GetValue().(*pb.TensorShapeProto_Dimension_DimValue); ok {
			if v.DimValue < 0 || v.DimValue > maxElements {
				return in, fmt.Errorf("dimension %d: expected 0 to %d, got %d", i, maxElements, v.DimValue)
			}
			in.dims[i] = int(v.DimValue)
		}
	}
	return in, nil
}
