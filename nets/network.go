package nets

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// Names of the nodes that every network taps.
const (
	Features   = "features"   // penultimate activations after pooling: [batch, features]
	Logits     = "logits"     // [batch, classes]
	Prediction = "prediction" // argmax of the logits, the first of equals: [batch] of int
)

// Network is an image classifier: an architecture with its parameters. Its last layer is linear on the features.
// It is a [graph.Model].
type Network struct {
	name          string
	classes       int
	features      int
	input         []int
	head          string
	preprocessing Preprocessing
	layout        layout
	params        []*graph.Param
	index         map[string]*graph.Param
	build         func(b *graph.Builder, x *G.Node) *G.Node // from images to features
}

// Name returns the architecture's name, for example "densenet-bc-100-12".
func (n *Network) Name() string { return n.name }

// Classes returns the number of classes, K.
func (n *Network) Classes() int { return n.classes }

// Dim returns the number of penultimate neurons, D.
func (n *Network) Dim() int { return n.features }

// InputShape returns [channels, height, width].
func (n *Network) InputShape() []int { return slices.Clone(n.input) }

// Preprocessing returns how images are brought to the network's input.
func (n *Network) Preprocessing() Preprocessing { return n.preprocessing }

// Params returns the parameters in the order of the state dict.
func (n *Network) Params() []*graph.Param { return n.params }

// Head returns weight [classes, features] and bias [classes] of the last layer.
func (n *Network) Head() (weight, bias *graph.Param) {
	return n.index[n.head+".weight"], n.index[n.head+".bias"]
}

// Outputs names the features and the logits.
func (n *Network) Outputs() []string { return []string{Features, Logits} }

// Build adds the network to a graph, for images x [batch, channels, height, width]: features, logits and prediction.
func (n *Network) Build(b *graph.Builder, x *G.Node) error {
	z := b.Tap(Features, n.build(b, x))
	l := b.Tap(Logits, b.Linear(z, n.head))
	b.Tap(Prediction, b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
	return b.Err()
}

// allocate makes the parameters, all zero, of a network that has been described.
func (n *Network) allocate() (*Network, error) {
	params, err := n.layout.allocate()
	if err != nil {
		return nil, err
	}
	n.params, n.index = params, make(map[string]*graph.Param, len(params))
	for _, p := range params {
		n.index[p.Name] = p
	}
	return n, nil
}
