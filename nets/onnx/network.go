package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// ErrNoHead is the error of what needs a last layer that is linear on the features, for a network that has none: its logits are
// pooled from feature maps, say, as SqueezeNet's are.
var ErrNoHead = errors.New("the network has no linear last layer")

// Options says how to read a file. The zero value is a good choice for most.
type Options struct {
	// Features and Logits name a tensor or a node of the file, whose value is taken for the penultimate activations and for the
	// logits; "" means that they are found.
	Features, Logits string
	// Preprocessing is how images are brought to the network's input. It may be left out where batches come prepared.
	Preprocessing nets.Preprocessing
	// Input is the shape of one image, for a file that leaves it free: without the batch, in the file's order of axes.
	Input []int
}

// Network is a classifier from an ONNX file. It is a [nets.Classifier].
//
// Its graph taps the features, the logits and the prediction, and every value that several layers read, named after the file's
// nodes; see [Network.Layers].
type Network struct {
	name          string
	input         []int
	preprocessing nets.Preprocessing
	program       *program
	names         *named
	roles         map[*value]string
	head          *inst
	classes, dim  int
	params        []*graph.Param
	index         map[string]*graph.Param
	notes         []string
}

var _ nets.Classifier = (*Network)(nil)

// Open reads a file. External data is read from its folder, and from nowhere else.
func Open(path string, o Options) (*Network, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", path, err)
	}
	defer root.Close()
	n, err := read(data, root.FS(), filepath.Base(path), o)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", path, err)
	}
	return n, nil
}

// Read makes a network of the bytes of a file. folder is where external data lies, nil for nowhere. The name becomes the network's.
func Read(data []byte, folder fs.FS, name string, o Options) (*Network, error) {
	n, err := read(data, folder, name, o)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", name, err)
	}
	return n, nil
}

func read(data []byte, folder fs.FS, name string, o Options) (*Network, error) {
	f, err := decode(data, external{folder})
	if err != nil {
		return nil, err
	}
	n := &Network{name: name, preprocessing: o.Preprocessing, roles: map[*value]string{}}
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
	return n, n.allocate()
}

// output returns the tensor to take for the logits.
func (n *Network) output(g *graphDef, name string) (string, error) {
	if name != "" {
		return tensorNamed(g, name)
	}
	if len(g.outputs) > 1 {
		n.note("of its outputs %q, the first is taken for the logits", g.outputs)
	}
	return g.outputs[0], nil
}

func (n *Network) note(format string, args ...any) {
	n.notes = append(n.notes, fmt.Sprintf(format, args...))
}

// tensorNamed returns the tensor of that name, or the first output of the node of that name.
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
		return "", fmt.Errorf("no node and no tensor is named %q", name)
	}
	return byNode, nil
}

// prune drops the nodes that the outputs do not need, so that what is not understood there does not matter.
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

// reads adds the names that a node reads, the graphs in it included.
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

// trace walks through the file.
func (n *Network) trace(f *file, o Options) ([]*value, *tracer, error) {
	if len(f.graph.inputs) != 1 {
		return nil, nil, fmt.Errorf("it has %d inputs %q, expected one of images", len(f.graph.inputs), inputNames(f.graph))
	}
	in := f.graph.inputs[0]
	dims, err := n.dimensions(in, o.Input)
	if err != nil {
		return nil, nil, fmt.Errorf("input %q: %w", in.name, err)
	}
	t := &tracer{f: f, n: probe, work: foldWork}
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
	return values, t, nil
}

func inputNames(g *graphDef) []string {
	names := make([]string, len(g.inputs))
	for i, in := range g.inputs {
		names[i] = in.name
	}
	return names
}

// dimensions returns the input's shape, the batch first, -1 where the file leaves that free.
func (n *Network) dimensions(in input, given []int) ([]int, error) {
	if !in.elem.known() {
		return nil, fmt.Errorf("elements of %v", in.elem)
	}
	dims := slices.Clone(in.dims)
	if dims == nil && given != nil {
		dims = slices.Repeat([]int{-1}, 1+len(given))
	}
	if len(dims) < 2 || len(given) > 0 && len(given) != len(dims)-1 {
		return nil, fmt.Errorf("shape %v and a given shape %v of one image, expected [batch, axes of an image]", in.dims, given)
	}
	for i := 1; i < len(dims); i++ {
		if len(given) > 0 {
			if dims[i] >= 0 && dims[i] != given[i-1] {
				return nil, fmt.Errorf("shape %v of the file, a given shape %v of one image", in.dims, given)
			}
			dims[i] = given[i-1]
		}
		if dims[i] < 0 {
			return nil, fmt.Errorf("the file leaves the shape of an image free: %v, -1 for what is free; it must be given", in.dims)
		}
	}
	if slices.Contains(dims, 0) {
		return nil, fmt.Errorf("shape %v is empty", dims)
	}
	return dims, nil
}

// samplesFirst fails unless a value is one of the images, with samples along its first axis.
func samplesFirst(v *value, n int) error {
	switch {
	case v.c != nil || !v.batch.is:
		return errors.New("it does not depend on the images")
	case !v.batch.plain() || v.batch.per != 1 || v.rank() < 2:
		return fmt.Errorf("shape %v for %d samples, expected them along the first axis", v.shape, n)
	}
	return nil
}

// findHead leaves off what follows the logits and finds the linear layer that they come from. n is the batch of the program.
func (n *Network) findHead(samples int) error {
	p := n.program
	logits := p.results[0]
	var head *inst
walk:
	for head == nil {
		i := logits.inst
		if i == nil {
			break
		}
		switch {
		case i.kind == "Softmax" || i.kind == "LogSoftmax" || unaryBy(logits, "Sigmoid") != nil:
			n.note("%s behind the logits is left off", i.node.describe())
			logits = i.in[0]
		case i.kind == "Reshape" && samplesFirst(i.in[0], samples) == nil:
			logits = i.in[0]
		case i.kind == "Linear":
			head = i
		case i.kind == "Conv" && onePixel(i):
			head = i
		default:
			break walk
		}
	}
	if err := samplesFirst(logits, samples); err != nil {
		return fmt.Errorf("logits: %w", err)
	}
	if logits.inst == nil {
		return errors.New("logits: they are the input")
	}
	flat := func(v *value) *value {
		if v.rank() == 2 {
			return v
		}
		i := &inst{kind: "Reshape", node: p.results[0].inst.node, ops: []string{"Flatten"}, in: []*value{v}}
		i.out = &value{elem: v.elem, shape: []int{samples, product(v.shape[1:])}, batch: onAxis(0), inst: i}
		p.insts = append(p.insts, i)
		return i.out
	}
	if head != nil && (product(head.in[0].shape) != samples*head.in[0].shape[len(head.in[0].shape)-1] && head.kind == "Linear" ||
		samplesFirst(head.in[0], samples) != nil || product(head.out.shape) != product(logits.shape)) {
		head = nil // it is applied to several positions of an image
	}
	if head != nil {
		x := flat(head.in[0])
		if head.in[0] != x || head.kind != "Linear" {
			l := &inst{kind: "Linear", node: head.node, ops: head.ops, in: []*value{x}, params: slices.Clone(head.params)}
			w := *l.params[0]
			w.shape = []int{w.shape[0], x.shape[1]}
			l.params[0] = &w
			l.out = &value{name: logits.name, elem: x.elem, shape: []int{samples, w.shape[0]}, batch: onAxis(0), inst: l}
			p.insts = append(p.insts, l)
			head = l
		}
		if !has(head, "bias") {
			k := head.out.shape[1]
			head.params = append(head.params, &param{suffix: "bias", shape: []int{k}, values: func() []float32 { return make([]float32, k) }})
		}
		logits = head.out
	}
	p.results[0] = flat(logits)
	if head != nil && len(p.results) == 1 {
		p.results = append(p.results, head.in[0])
	} else if len(p.results) == 2 {
		p.results[1] = flat(p.results[1])
	}
	p.fuse()
	logits = p.results[0]
	n.roles[logits], n.classes = nets.Logits, logits.shape[1]
	if len(p.results) > 1 {
		features := p.results[1]
		if features == logits || features.inst == nil {
			return fmt.Errorf("features: %q is the %s", features.name, n.roles[features])
		}
		if head != nil && head.in[0] == features {
			n.head = head
		}
		n.roles[features], n.dim = nets.Features, features.shape[1]
	}
	if n.head == nil {
		n.note("no linear last layer is found")
	}
	return nil
}

// onePixel tells whether a convolution is a linear layer: it has one pixel to see.
func onePixel(i *inst) bool {
	w, x := i.a.(*windowAttrs), i.in[0]
	return len(i.params) > 0 && product(w.kernel) == 1 && w.groups == 1 && product(x.shape[2:]) == 1 &&
		slices.Max(w.begin) == 0 && slices.Max(w.end) == 0
}

// allocate makes the parameters.
func (n *Network) allocate() error {
	n.index = map[string]*graph.Param{}
	add := func(name string, shape []int, values []float32, buffer bool) error {
		if product(shape) != len(values) {
			return fmt.Errorf("parameter %s of shape %v has %d values", name, shape, len(values))
		}
		p := newParam(name, nodeShape(shape), values)
		p.Buffer = buffer
		n.params = append(n.params, p)
		n.index[name] = p
		return nil
	}
	for _, i := range n.program.insts {
		for _, p := range i.params {
			if err := add(i.base+"."+p.suffix, p.shape, p.values(), p.buffer); err != nil {
				return err
			}
			p.values = nil // what it was made of is needed no more
		}
		for _, v := range i.in {
			if name := n.names.operands[v]; n.names.params[v] && n.index[name] == nil {
				if err := add(name, v.shape, v.c.float32s(), false); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Name is the file's name.
func (n *Network) Name() string { return n.name }

// Classes is the number of classes, K: of logits.
func (n *Network) Classes() int { return n.classes }

// Dim is the number of penultimate neurons, D; 0 where no features are known.
func (n *Network) Dim() int { return n.dim }

// Head returns weight [classes, features] and bias [classes] of the last layer, zeros where the file has no bias. Both are nil
// where the network has no linear last layer; see [Network.NeedHead].
func (n *Network) Head() (weight, bias *graph.Param) {
	if n.head == nil {
		return nil, nil
	}
	return n.index[n.head.base+".weight"], n.index[n.head.base+".bias"]
}

// NeedHead returns an error that is [ErrNoHead] unless the logits are linear in the features.
func (n *Network) NeedHead() error {
	if n.head == nil {
		return fmt.Errorf("onnx: %s: %w: its logits are computed by %s", n.name, ErrNoHead, n.program.results[0].inst.node.describe())
	}
	return nil
}

// Preprocessing is what [Options] said.
func (n *Network) Preprocessing() nets.Preprocessing { return n.preprocessing }

// InputShape is the shape of one image, in the file's order of axes.
func (n *Network) InputShape() []int { return slices.Clone(n.input) }

// Params returns the parameters, in the order in which layers use them. They are named as PyTorch's where the file has such
// names, otherwise after its nodes.
func (n *Network) Params() []*graph.Param { return n.params }

// Outputs names the features, where there are any, and the logits.
func (n *Network) Outputs() []string {
	if n.dim == 0 {
		return []string{nets.Logits}
	}
	return []string{nets.Features, nets.Logits}
}

// Notes says what was done with the file beside reading it, one sentence each.
func (n *Network) Notes() []string { return slices.Clone(n.notes) }

// Build adds the network to a graph, for images x [batch, InputShape...].
func (n *Network) Build(b *graph.Builder, x *G.Node) error {
	e := &emitter{named: n.names, b: b, n: b.Batch(), p: n.program, nodes: map[*value]*G.Node{}, roles: n.roles}
	for v, role := range n.roles {
		if role == "input" {
			e.nodes[v] = x
		}
	}
	if err := e.run(); err != nil {
		return err
	}
	b.Tap(nets.Prediction, b.Do(func() (*G.Node, error) { return graph.ArgMax(e.nodes[n.program.results[0]]) }))
	return b.Err()
}
