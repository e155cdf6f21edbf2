package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// GradientTimesActivation returns activation ⊙ d logits[n, class[n]] / d activation for each sample n: the first-order
// Shapley contribution of every neuron of a layer to the logit of a class (Ahn et al., CVPR 2023, equation 4).
//
// activation is [batch, ...], logits [batch, classes] depends on it, class [batch] is of int, ones is a [batch] node of
// ones. The result has the shape of activation.
func GradientTimesActivation(activation, logits, class, ones *G.Node) (*G.Node, error) {
	chosen, err := Gather(logits, class)
	if err != nil {
		return nil, fmt.Errorf("gradient times activation: %w", err)
	}
	gs, err := Gradients(G.Nodes{chosen}, G.Nodes{ones}, G.Nodes{activation})
	if err != nil {
		return nil, fmt.Errorf("gradient times activation: %w", err)
	}
	return Mul(activation, gs[0])
}
