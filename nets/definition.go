package nets

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// Definition describes an image classifier by the function that computes its features; [Define] makes a [Network] of
// it.
type Definition struct {
	// Name identifies the architecture. Files saved from a network hold it, so another architecture needs another name.
	Name string
	// Classes is the number of classes, at least 1.
	Classes int
	// Input is the shape of one image, [channels, height, width].
	Input []int
	// Preprocessing says how to turn images into the input. It may be left out where batches are already preprocessed.
	Preprocessing Preprocessing
	// Head is the name of the last layer, whose parameters are Head.weight and Head.bias; "" means "fc".
	Head string
	// Build adds the layers from images [batch, Input...] to features [batch, dim]. Build does not add the linear layer
	// to the logits, which follows the features. Its calls state the sizes of parameters, as [graph.Declare] says, and
	// name them as in the PyTorch state dict that they may be loaded from. Build runs once for [Define] and once for
	// each graph that the network becomes part of, and must ask for the same parameters each time.
	Build func(b *graph.Builder, x *G.Node) *G.Node

	// fill sets the values that are not zero in a network without weights; nil where all are zero.
	fill func(p *graph.Param)
}

// Define returns the network with all parameters zero. The parameters are in the order in which Build asks for them,
// with those of the head last. It is an error if Build fails, if the definition is incomplete, or if there are more
// than 2^30 parameter values.
func Define(d Definition) (*Network, error) {
	n, err := describe(d)
	if err != nil {
		return nil, fmt.Errorf("nets: network %q: %w", d.Name, err)
	}
	return n.allocate(), nil
}

// describe returns the network without its parameters.
func describe(d Definition) (*Network, error) {
	switch {
	case d.Name == "":
		return nil, errors.New("expected a name, got none")
	case d.Build == nil:
		return nil, errors.New("expected a function Build, got nil")
	case len(d.Input) != 3:
		return nil, fmt.Errorf("expected input of shape [channels height width], got %v", d.Input)
	case d.Classes < 1:
		return nil, fmt.Errorf("expected at least 1 class, got %d", d.Classes)
	}
	if err := d.Preprocessing.Fits(d.Input); err != nil {
		return nil, err
	}
	if d.Head == "" {
		d.Head = "fc"
	}
	d.Input = slices.Clone(d.Input)
	n := &Network{d: d}
	var err error
	n.specs, err = graph.Declare(d.Input, func(b *graph.Builder, x *G.Node) error {
		if err := n.Build(b, x); err != nil {
			return err
		}
		z, err := b.Node(Features)
		if err == nil {
			n.dim = z.Shape()[1]
		}
		return err
	})
	return n, err
}
