package nets

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// Names of the nodes that every network taps.
const (
	Features   = "features"   // penultimate activations after pooling: [batch, features]
	Logits     = graph.Logits // [batch, classes]
	Prediction = "prediction" // argmax of the logits, the first of equal ones: [batch] of int
)

// Network is an image classifier: an architecture with its parameters. Its last layer is linear in the features. It is
// a [Classifier]. [Define] makes one from a function, [New] and [Open] from a name.
type Network struct {
	d      Definition
	dim    int
	specs  []graph.ParamSpec
	params []*graph.Param
	index  map[string]*graph.Param
}

// Name returns the architecture's name, for example "densenet-bc-100-12".
func (n *Network) Name() string { return n.d.Name }

// Classes returns the number of classes, K.
func (n *Network) Classes() int { return n.d.Classes }

// FeatureDim returns the number of penultimate neurons, D.
func (n *Network) FeatureDim() int { return n.dim }

// InputShape returns [channels, height, width].
func (n *Network) InputShape() []int { return slices.Clone(n.d.Input) }

// Preprocessing returns how to turn images into the network's input.
func (n *Network) Preprocessing() Preprocessing { return n.d.Preprocessing }

// WithPreprocessing returns the network, with the same parameters, for images that are preprocessed in another way. It
// is an error if p is not a possible preprocessing or does not fit the input; see [Preprocessing.Check] and
// [Preprocessing.Fits].
func (n *Network) WithPreprocessing(p Preprocessing) (*Network, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("nets: network %q: preprocessing: %w", n.Name(), err)
	}
	if err := p.Fits(n.d.Input); err != nil {
		return nil, fmt.Errorf("nets: network %q: %w", n.Name(), err)
	}
	other := *n
	other.d.Preprocessing = p
	return &other, nil
}

// Params returns the parameters in the order of the state dict.
func (n *Network) Params() []*graph.Param { return n.params }

// Head returns weight [classes, features] and bias [classes] of the last layer.
func (n *Network) Head() (weight, bias *graph.Param) {
	return n.index[n.d.Head+".weight"], n.index[n.d.Head+".bias"]
}

// Outputs returns the names of the features and the logits.
func (n *Network) Outputs() []string { return []string{Features, Logits} }

// Build adds the network to a graph, for images x [batch, channels, height, width]. It taps features, logits and
// prediction.
func (n *Network) Build(b *graph.Builder, x *G.Node) error {
	z := n.d.Build(b, x)
	if z == nil && b.Err() == nil {
		return errors.New("expected features from Definition.Build, got nil")
	}
	if z = b.Tap(Features, z); z != nil && z.Dims() != 2 {
		return fmt.Errorf("expected features of shape [batch, features], got %v", z.Shape())
	}
	l := b.Tap(Logits, b.Linear(z, n.d.Head, n.d.Classes))
	b.Tap(Prediction, b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
	return b.Err()
}

// size returns the number of parameter values.
func (n *Network) size() (values int) {
	for _, s := range n.specs {
		values += s.Len()
	}
	return values
}

// allocate makes the parameters of a described network: all zero, except buffers that follow from sizes, such as an
// index.
func (n *Network) allocate() *Network {
	n.params, n.index = make([]*graph.Param, len(n.specs)), make(map[string]*graph.Param, len(n.specs))
	for i, s := range n.specs {
		n.params[i] = s.NewParam()
		if n.d.fill != nil {
			n.d.fill(n.params[i])
		}
		n.index[s.Name] = n.params[i]
	}
	return n
}
