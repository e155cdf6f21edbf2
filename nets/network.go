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
	Logits     = "logits"     // [batch, classes]
	Prediction = "prediction" // argmax of the logits: [batch] of int
)

// Network is an image classifier: an architecture with its parameters. Its last layer is linear on the features.
// It is a [graph.Model].
type Network struct {
	name           string
	classes        int
	features       int
	input          []int
	head           string
	preprocessing  Preprocessing
	params         []*graph.Param
	index          map[string]*graph.Param
	build          func(b *graph.Builder, x *G.Node) *G.Node // from images to features
	declareFailure error
}

// Name returns the architecture's name, for example "densenet-bc-100-12".
func (n *Network) Name() string { return n.name }

// Classes returns the number of classes, K.
func (n *Network) Classes() int { return n.classes }

// Features returns the number of penultimate neurons, D.
func (n *Network) Features() int { return n.features }

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

// Build adds the network to a graph: features, logits and prediction.
func (n *Network) Build(b *graph.Builder, x *G.Node) error {
	z := b.Tap(Features, n.build(b, x))
	l := b.Tap(Logits, b.Linear(z, n.head))
	b.Tap(Prediction, b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
	return b.Err()
}

// declare adds a parameter.
func (n *Network) declare(buffer bool, name string, shape ...int) {
	if n.index == nil {
		n.index = map[string]*graph.Param{}
	}
	if n.index[name] != nil {
		n.declareFailure = errors.Join(n.declareFailure, fmt.Errorf("parameter %q declared twice", name))
		return
	}
	p := graph.NewParam(name, shape...)
	p.Buffer = buffer
	n.params = append(n.params, p)
	n.index[name] = p
}

func (n *Network) declareConv(name string, out, in, kernel int) {
	n.declare(false, name+".weight", out, in, kernel, kernel)
}

func (n *Network) declareBatchNorm(name string, channels int) {
	n.declare(false, name+".weight", channels)
	n.declare(false, name+".bias", channels)
	n.declare(true, name+".running_mean", channels)
	n.declare(true, name+".running_var", channels)
}

func (n *Network) declareLinear(name string, out, in int) {
	n.declare(false, name+".weight", out, in)
	n.declare(false, name+".bias", out)
}
