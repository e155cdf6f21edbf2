package nets

import "github.com/line-ood/goline/graph"

// Classifier is an image classifier whose logits are linear in its penultimate features. [*Network] is one; any other type
// that satisfies it can be trained, loaded, fitted, scored, explained and saved all the same.
//
// Its graph taps the nodes [Features], [Logits] and [Prediction].
type Classifier interface {
	graph.Model
	// Name identifies the architecture, for example "densenet-bc-100-12".
	Name() string
	// Classes is the number of classes, K.
	Classes() int
	// Dim is the number of penultimate neurons, D.
	Dim() int
	// Head returns weight [classes, features] and bias [classes] of the last layer, two of Params.
	Head() (weight, bias *graph.Param)
	// Preprocessing is how images are brought to the network's input.
	Preprocessing() Preprocessing
}

var _ Classifier = (*Network)(nil)
