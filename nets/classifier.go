package nets

import (
	"errors"

	"github.com/line-ood/goline/graph"
)

// ErrNoHead is wrapped by the errors of functions that need a last layer linear in the features, for a network without
// one, such as SqueezeNet, whose logits are pooled from feature maps.
var ErrNoHead = errors.New("the network has no linear last layer")

// Classifier is an image classifier whose logits are linear in its penultimate features. [*Network] is one; any other
// type that satisfies it can be trained, loaded, fitted, scored, explained and saved all the same. A classifier without
// such a last layer serves where logits are enough: its Head returns nil, its FeatureDim 0, and it taps no features;
// functions that need them fail with [ErrNoHead].
//
// Its graph taps the nodes [Features], [Logits] and [Prediction]. Its methods return the same at each call: parameters
// are identified by their names, and keep their memory for as long as the classifier is in use.
type Classifier interface {
	graph.Model
	// Name identifies the architecture, for example "densenet-bc-100-12". What is saved of the classifier bears it.
	Name() string
	// Classes is the number of classes, K.
	Classes() int
	// FeatureDim is the number of penultimate neurons, D.
	FeatureDim() int
	// Head returns weight [classes, features] and bias [classes] of the last layer, two of Params.
	Head() (weight, bias *graph.Param)
	// Preprocessing is how images are brought to the network's input.
	Preprocessing() Preprocessing
}

var _ Classifier = (*Network)(nil)
