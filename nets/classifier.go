package nets

import (
	"errors"

	"github.com/line-ood/goline/graph"
)

// ErrNoHead is wrapped by errors of functions that need a last layer that is linear in the features. Some networks have
// none: SqueezeNet, for example, pools its logits from feature maps.
var ErrNoHead = errors.New("the network has no linear last layer")

// Classifier is an image classifier whose logits are linear in its penultimate features. [*Network] is one, and any
// other type that satisfies the interface can be trained, loaded, fitted, scored, explained and saved as well. A
// classifier without such a last layer can be used where logits are enough: its Head returns nil, its FeatureDim 0, and
// it taps no features. Functions that need features fail with [ErrNoHead].
//
// Its graph taps the nodes [Features], [Logits] and [Prediction]. Its methods return the same result at each call.
// Parameters are identified by their names, and keep their memory as long as the classifier is in use.
type Classifier interface {
	graph.Model
	// Name identifies the architecture, for example "densenet-bc-100-12". Files saved from the classifier hold this
	// name.
	Name() string
	// Classes returns the number of classes, K.
	Classes() int
	// FeatureDim returns the number of penultimate neurons, D.
	FeatureDim() int
	// Head returns the weight [classes, features] and the bias [classes] of the last layer, which are two of Params.
	Head() (weight, bias *graph.Param)
	// Preprocessing returns how to turn images into the network's input.
	Preprocessing() Preprocessing
}

var _ Classifier = (*Network)(nil)
