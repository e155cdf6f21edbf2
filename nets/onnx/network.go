package onnx

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Network is a classifier from an ONNX file. It is a [nets.Classifier].
//
// Its graph taps the features, the logits and the prediction, and every value that several layers read. The names are
// those of the file's nodes; see [Network.Layers].
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
	options       Options
	source        func() ([]byte, error)
}

var _ nets.Classifier = (*Network)(nil)

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
			p.values = nil // frees what the values were made of
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

// Name returns the file's name.
func (n *Network) Name() string { return n.name }

// Classes returns the number of classes, K, which is the number of logits.
func (n *Network) Classes() int { return n.classes }

// FeatureDim returns the number of penultimate neurons, D; 0 if the network has no features.
func (n *Network) FeatureDim() int { return n.dim }

// Head returns the weight [classes, features] and the bias [classes] of the last layer; the bias is zero if the file
// has none. Both are nil if the network has no linear last layer; see [Network.NeedHead].
func (n *Network) Head() (weight, bias *graph.Param) {
	if n.head == nil {
		return nil, nil
	}
	return n.index[n.head.base+".weight"], n.index[n.head.base+".bias"]
}

// Preprocessing returns the preprocessing that [Options] or the file gave, the zero value if neither did.
func (n *Network) Preprocessing() nets.Preprocessing { return n.preprocessing }

// InputShape returns the shape of one image, in the file's order of axes.
func (n *Network) InputShape() []int { return slices.Clone(n.input) }

// Params returns the parameters, in the order in which layers use them. They have their names in PyTorch's state dict
// if the file has such names, and otherwise names after the file's nodes.
func (n *Network) Params() []*graph.Param { return n.params }

// Outputs returns the names of the features, if there are any, and of the logits.
func (n *Network) Outputs() []string {
	if n.dim == 0 {
		return []string{nets.Logits}
	}
	return []string{nets.Features, nets.Logits}
}

// Notes returns what was changed when the file was read, one sentence each, such as a softmax that was left off.
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
