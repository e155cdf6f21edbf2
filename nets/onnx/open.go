package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/nets"
)

// Options says how to read a file. The zero value suits most files that say how to preprocess images.
type Options struct {
	// Features and Logits name a tensor or a node of the file whose value is taken as the penultimate activations and
	// as the logits; "" means that they are found automatically.
	Features, Logits string
	// Preprocessing says how to turn images into the network's input. The zero value takes what the file says, if it
	// does. It may be left out where batches are already preprocessed.
	Preprocessing nets.Preprocessing
	// Input is the shape of one image, for a file that does not fix it: without the batch, in the file's order of axes.
	Input []int
}

// Open reads a file. External data is read from the file's folder only.
func Open(path string, o Options) (*Network, error) {
	data, err := fsfile.ReadRegular(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	folder, done, err := fsfile.Folder(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", path, err)
	}
	defer done()
	n, err := read(data, folder, filepath.Base(path), o)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", path, err)
	}
	n.source = fromPath(path, data)
	return n, nil
}

// Read makes a network from the bytes of a file. folder holds the file's external data; nil means that there is none.
// name becomes the network's name.
func Read(data []byte, folder fs.FS, name string, o Options) (*Network, error) {
	n, err := read(data, folder, name, o)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", name, err)
	}
	n.source = func() ([]byte, error) { return whole(data, folder) }
	return n, nil
}

func read(data []byte, folder fs.FS, name string, o Options) (*Network, error) {
	f, err := decode(data, external{folder})
	if err != nil {
		return nil, err
	}
	n := &Network{name: name, options: o, roles: map[*value]string{}}
	logits, err := n.output(f.graph, o.Logits)
	if err != nil {
		return nil, fmt.Errorf("logits: %w", err)
	}
	wanted := []string{logits}
	if o.Features != "" {
		features, err := tensorNamed(f.graph, o.Features)
		if err != nil {
			return nil, fmt.Errorf("features: %w", err)
		}
		wanted = append(wanted, features)
	}
	f.graph.outputs = wanted
	f.graph.prune()
	values, t, err := n.trace(f, o)
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		if err := samplesFirst(v, t.n); err != nil {
			return nil, fmt.Errorf("%s %q: %w", []string{"logits", "features"}[i], wanted[i], err)
		}
	}
	n.program = newProgram(t.insts, values)
	if err := n.findHead(t.n); err != nil {
		return nil, err
	}
	n.names = n.program.name()
	if n.preprocessing, err = preprocessingOf(f, o, n.input); err != nil {
		return nil, err
	}
	return n, n.allocate()
}

// output returns the name of the tensor to take as the logits.
func (n *Network) output(g *graphDef, name string) (string, error) {
	if name != "" {
		return tensorNamed(g, name)
	}
	if len(g.outputs) > 1 && slices.Contains(g.outputs, nets.Logits) {
		n.note("of its outputs %q, the one of that name is taken for the logits", g.outputs)
		return nets.Logits, nil
	}
	if len(g.outputs) > 1 {
		n.note("of its outputs %q, the first is taken for the logits", g.outputs)
	}
	return g.outputs[0], nil
}

func (n *Network) note(format string, args ...any) {
	n.notes = append(n.notes, fmt.Sprintf(format, args...))
}

// ErrNoNode is wrapped by the errors for names of features and logits that a file does not have.
var ErrNoNode = errors.New("no node and no tensor is named")

// tensorNamed returns the tensor of the given name, or else the first output of the node of that name.
func tensorNamed(g *graphDef, name string) (string, error) {
	var byNode string
	for _, node := range g.nodes {
		if slices.Contains(node.out, name) {
			return name, nil
		}
		if node.name == name && len(node.out) > 0 && byNode == "" {
			byNode = node.out[0]
		}
	}
	if byNode == "" {
		return "", fmt.Errorf("%w %q", ErrNoNode, name)
	}
	return byNode, nil
}

// prune removes the nodes that the outputs do not need, so that unsupported operators in them do not matter.
func (g *graphDef) prune() {
	needed := map[string]bool{}
	for _, o := range g.outputs {
		needed[o] = true
	}
	var kept []*node
	for _, n := range slices.Backward(g.nodes) {
		if !slices.ContainsFunc(n.out, func(o string) bool { return o != "" && needed[o] }) {
			continue
		}
		kept = append(kept, n)
		n.reads(needed)
	}
	slices.Reverse(kept)
	g.nodes = kept
	for name := range g.inits {
		if !needed[name] {
			delete(g.inits, name)
		}
	}
	g.inputs = slices.DeleteFunc(g.inputs, func(i input) bool { return !needed[i.name] })
}

// reads adds the names that a node reads to names, including those that its subgraphs read.
func (n *node) reads(names map[string]bool) {
	for _, in := range n.in {
		names[in] = true
	}
	for _, a := range n.attrs {
		if a.g == nil {
			continue
		}
		for _, o := range a.g.outputs {
			names[o] = true
		}
		for _, inner := range a.g.nodes {
			inner.reads(names)
		}
	}
}

// trace turns the file's nodes into instructions and returns its results.
func (n *Network) trace(f *file, o Options) ([]*value, *tracer, error) {
	if len(f.graph.inputs) != 1 {
		return nil, nil, fmt.Errorf("inputs: expected one, of images, got %d: %q", len(f.graph.inputs),
			inputNames(f.graph))
	}
	in := f.graph.inputs[0]
	dims, err := n.dimensions(in, o.Input)
	if err != nil {
		return nil, nil, fmt.Errorf("input %q: %w", in.name, err)
	}
	t := &tracer{f: f, n: probe, work: foldWork + 4*f.elements}
	switch own := dims[0]; {
	case own == 1:
		t.freed = true
		n.note("the file fixes a batch of 1, which is freed")
	case own > 1:
		t.n = own
		n.note("the file fixes a batch of %d, which is freed", own)
	}
	n.input = dims[1:]
	shape := append([]int{t.n}, n.input...)
	if _, err := sizeOf(shape); err != nil {
		return nil, nil, fmt.Errorf("input %q: %w", in.name, err)
	}
	images := &value{name: in.name, elem: in.elem, shape: shape, batch: onAxis(0)}
	n.roles[images] = "input"
	values, err := t.graph(f.graph, &scope{values: map[string]*value{in.name: images}})
	if err != nil {
		return nil, nil, err
	}
	if len(t.refused) > 0 {
		return nil, nil, &UnsupportedError{t.refused}
	}
	for i, v := range values {
		if v.unknown {
			return nil, nil, fmt.Errorf("%q is not computed", f.graph.outputs[i])
		}
	}
	return values, t, nil
}

func inputNames(g *graphDef) []string {
	names := make([]string, len(g.inputs))
	for i, in := range g.inputs {
		names[i] = in.name
	}
	return names
}

// dimensions returns the input's shape, the batch first, with -1 where the file does not fix a length.
func (n *Network) dimensions(in input, given []int) ([]int, error) {
	if !in.elem.known() {
		return nil, fmt.Errorf("expected floating-point numbers, integers or bool, got elements of %v", in.elem)
	}
	dims := slices.Clone(in.dims)
	if dims == nil && given != nil {
		dims = slices.Repeat([]int{-1}, 1+len(given))
	}
	if len(dims) < 2 || len(given) > 0 && len(given) != len(dims)-1 {
		return nil, fmt.Errorf("expected shape [batch, axes of an image], got %v and a given shape %v of one image",
			in.dims, given)
	}
	for i := 1; i < len(dims); i++ {
		if len(given) > 0 {
			if dims[i] >= 0 && dims[i] != given[i-1] {
				return nil, fmt.Errorf("given shape of one image: expected one that fits the file's %v, got %v",
					in.dims, given)
			}
			dims[i] = given[i-1]
		}
		if dims[i] < 0 {
			return nil,
				fmt.Errorf("expected the shape of an image to be given where the file leaves it free, got %v, -1 for "+
					"what is free", in.dims)
		}
	}
	if slices.Contains(dims, 0) {
		return nil, fmt.Errorf("shape %v is empty", dims)
	}
	return dims, nil
}
