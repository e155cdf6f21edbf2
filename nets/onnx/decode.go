package onnx

import (
	"errors"
	"fmt"
	"slices"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"google.golang.org/protobuf/proto"
)

// Operator sets of the domain ai.onnx that are understood.
const (
	minOpset = 7
	maxOpset = 28
)

// Bounds of what a file may declare: rank of a tensor, nodes, and how deep graphs and functions may lie in each other.
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
	elements  int                  // of all tensors
}

// graphDef is a graph with its nodes in an order in which they can be computed.
type graphDef struct {
	nodes   []*node
	inits   map[string]*constant
	inputs  []input // without those that initialisers give a value to
	outputs []string
}

// input is what a file says of one input: dims is -1 where a dimension is free, nil where nothing is said.
type input struct {
	name string
	elem elem
	dims []int
}

// node is one node of a graph.
type node struct {
	op, domain, name string
	in, out          []string
	attrs            map[string]*attr
	opset            int // of the node's domain
}

// attr is an attribute with its tensor and its graph decoded.
type attr struct {
	*pb.AttributeProto
	t *constant
	g *graphDef
}

// function is an operator that the file defines by a graph.
type function struct {
	in, out []string
	nodes   []*node
}

// describe names a node in errors.
func (n *node) describe() string {
	op := n.op
	if n.domain != "" {
		op = n.domain + "." + op
	}
	if n.name == "" && len(n.out) > 0 {
		return fmt.Sprintf("node of output %q (%s)", n.out[0], op)
	}
	return fmt.Sprintf("node %q (%s)", n.name, op)
}

// decoder turns protobuf messages into what is worked with.
type decoder struct {
	f        *file
	external external
	nodes    int
}

// decode reads a model. No memory is taken for tensors before their size is known to be in the file.
func decode(data []byte, external external) (*file, error) {
	m := &pb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("not a whole ONNX model: %w", err)
	}
	if m.Graph == nil {
		return nil, errors.New("not an ONNX model: it has no graph")
	}
	d := &decoder{external: external, f: &file{
		producer: m.ProducerName, metadata: map[string]string{}, opsets: map[string]int{}, functions: map[string]*function{},
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
		return nil, fmt.Errorf("operator set %d of domain ai.onnx, expected %d to %d", v, minOpset, maxOpset)
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

// domainOf gives the default domain its short name.
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

// graph decodes a graph, whose nodes may read the names in outer as well.
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
		return nil, fmt.Errorf("initialiser %q is sparse, expected dense ones", g.SparseInitializer[0].GetValues().GetName())
	}
	for _, i := range g.Input {
		in, err := inputOf(i)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", i.GetName(), err)
		}
		if t := out.inits[in.name]; t != nil {
			if !agrees(in.dims, t.shape) {
				return nil, fmt.Errorf("input %q is declared as %v, its initialiser has shape %v", in.name, in.dims, t.shape)
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

// agrees tells whether a declared shape, -1 for any size, allows a shape.
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
		return in, fmt.Errorf("%d axes, expected at most %d", len(t.Shape.Dim), maxRank)
	}
	in.dims = make([]int, len(t.Shape.Dim))
	for i, dim := range t.Shape.Dim {
		in.dims[i] = -1
		if v, ok := dim.GetValue().(*pb.TensorShapeProto_Dimension_DimValue); ok {
			if v.DimValue < 0 || v.DimValue > maxElements {
				return in, fmt.Errorf("dimension %d is %d, expected 0 to %d", i, v.DimValue, maxElements)
			}
			in.dims[i] = int(v.DimValue)
		}
	}
	return in, nil
}

// ordered decodes nodes and sorts them so that each comes after what it reads. known holds the names that are there before,
// and all names afterwards.
func (d *decoder) ordered(nodes []*pb.NodeProto, known map[string]bool, opsets map[string]int, depth int) ([]*node, error) {
	if d.nodes += len(nodes); d.nodes > maxNodes {
		return nil, fmt.Errorf("more than %d nodes", maxNodes)
	}
	all := make([]*node, len(nodes))
	producer := map[string]int{}
	for i, p := range nodes {
		n := &node{op: p.GetOpType(), domain: domainOf(p.GetDomain()), name: p.GetName(), in: p.Input, out: p.Output}
		n.opset = opsets[n.domain]
		all[i] = n
		for _, o := range n.out {
			if o == "" {
				continue
			}
			if _, twice := producer[o]; twice || known[o] {
				return nil, fmt.Errorf("%s: its output %q has a value already", n.describe(), o)
			}
			producer[o] = i
		}
	}
	// Names that subgraphs read from outside count as read by their node.
	reads := make([][]string, len(nodes))
	for i, p := range nodes {
		reads[i] = append(reads[i], p.Input...)
		for _, a := range p.Attribute {
			if a.GetG() != nil {
				free := map[string]bool{}
				if err := freeNames(a.G, free, depth+1); err != nil {
					return nil, fmt.Errorf("%s: %w", all[i].describe(), err)
				}
				for name := range free {
					if _, ok := producer[name]; ok {
						reads[i] = append(reads[i], name)
					}
				}
			}
		}
	}
	waits, readers, ready := make([]int, len(nodes)), make([][]int, len(nodes)), []int{}
	for i, names := range reads {
		for _, name := range names {
			p, ok := producer[name]
			if !ok && name != "" && !known[name] {
				return nil, fmt.Errorf("%s: its input %q is no initialiser, no input and no node's output", all[i].describe(), name)
			}
			if ok {
				waits[i]++
				readers[p] = append(readers[p], i)
			}
		}
		if waits[i] == 0 {
			ready = append(ready, i)
		}
	}
	sorted := make([]*node, 0, len(nodes))
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		if err := d.attributes(all[i], nodes[i].Attribute, known, opsets, depth); err != nil {
			return nil, fmt.Errorf("%s: %w", all[i].describe(), err)
		}
		for _, o := range all[i].out {
			known[o] = true
		}
		sorted = append(sorted, all[i])
		for _, r := range readers[i] {
			if waits[r]--; waits[r] == 0 {
				ready = append(ready, r)
			}
		}
	}
	if len(sorted) < len(all) {
		for i, n := range all {
			if waits[i] > 0 {
				return nil, fmt.Errorf("%s: it is part of a cycle, or reads from one", n.describe())
			}
		}
	}
	return sorted, nil
}

// freeNames collects the names that a graph reads.
func freeNames(g *pb.GraphProto, names map[string]bool, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("graphs lie more than %d deep in one another", maxDepth)
	}
	for _, n := range g.Node {
		for _, in := range n.Input {
			names[in] = true
		}
		for _, a := range n.Attribute {
			if a.GetG() != nil {
				if err := freeNames(a.G, names, depth+1); err != nil {
					return err
				}
			}
		}
	}
	for _, o := range g.Output {
		names[o.GetName()] = true
	}
	return nil
}

func (d *decoder) attributes(n *node, attrs []*pb.AttributeProto, known map[string]bool, opsets map[string]int, depth int) error {
	n.attrs = make(map[string]*attr, len(attrs))
	for _, p := range attrs {
		if n.attrs[p.GetName()] != nil {
			return fmt.Errorf("two attributes are named %q", p.GetName())
		}
		a := &attr{AttributeProto: p}
		var err error
		if p.GetT() != nil {
			if a.t, err = d.tensor(p.T); err != nil {
				return fmt.Errorf("attribute %q: %w", p.GetName(), err)
			}
		}
		if p.GetG() != nil {
			if a.g, err = d.graph(p.G, known, opsets, depth+1); err != nil {
				return fmt.Errorf("attribute %q: %w", p.GetName(), err)
			}
		}
		n.attrs[p.GetName()] = a
	}
	return nil
}

// int returns an integer attribute.
func (n *node) int(name string, otherwise int) int {
	if a := n.attrs[name]; a != nil {
		return int(a.GetI())
	}
	return otherwise
}

// float returns a floating-point attribute.
func (n *node) float(name string, otherwise float64) float64 {
	if a := n.attrs[name]; a != nil {
		return float64(a.GetF())
	}
	return otherwise
}

// str returns a text attribute.
func (n *node) str(name, otherwise string) string {
	if a := n.attrs[name]; a != nil {
		return string(a.GetS())
	}
	return otherwise
}

// ints returns an attribute of several integers, nil where it is missing.
func (n *node) ints(name string) []int {
	a := n.attrs[name]
	if a == nil {
		return nil
	}
	out := make([]int, len(a.GetInts()))
	for i, v := range a.Ints {
		out[i] = int(v)
	}
	return out
}
