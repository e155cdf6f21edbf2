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
// Its graph taps the features, the logits and the prediction, and every value that several layers read, named after the
// file's nodes; see [Network.Layers].
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

// Classes is the number of classes, K, which is the number of logits.
func (n *Network) Classes() int { return n.classes }

// FeatureDim is the number of penultimate neurons, D; 0 where no features are known.
func (n *Network) FeatureDim() int { return n.dim }

// Head returns weight [classes, features] and bias [classes] of the last layer, zeros where the file has no bias. Both
// are nil where the network has no linear last layer; see [Network.NeedHead].
func (n *Network) Head() (weight, bias *graph.Param) {
	if n.head == nil {
		return nil, nil
	}
	return n.index[n.head.base+".weight"], n.index[n.head.base+".bias"]
}

// Preprocessing is the preprocessing that [Options] gave.
func (n *Network) Preprocessing() nets.Preprocessing { return n.preprocessing }

// InputShape is the shape of one image, in the file's order of axes.
func (n *Network) InputShape() []int { return slices.Clone(n.input) }

// Params returns the parameters, in the order in which layers use them. They have the names of PyTorch's state dict
// where the file has such names, and otherwise names after the file's nodes.
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
