package line

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Names of the nodes that a [Pipeline] adds to those of its network.
const (
	// Class is the class to which a sample's contributions refer: its label, or the prediction where the label is -1.
	Class = "class"
	// ContributionsNode holds the contribution of each penultimate neuron to the logit of Class, z ⊙ ∂l_c/∂z: [batch,
	// features].
	ContributionsNode = "contributions"
	// ClipClass is the prediction from unclipped activations, by which a detector that clips per class chooses the
	// bounds: [batch] of int. It exists only for such detectors.
	ClipClass = "line_clip_class"
	// RoutingClass is the prediction from clipped activations, by which the masks are chosen: [batch] of int.
	RoutingClass = "line_class"
	// Score is LINe's score: [batch].
	Score = "score"
	// ScoreFeatureGradient is ∂score/∂features: [batch, features].
	ScoreFeatureGradient = "score_gradient_features"
	// ScoreInputGradient is ∂score/∂input: [batch, channels, height, width].
	ScoreInputGradient = "score_gradient_input"
)

// Pipeline is a network followed by LINe's steps, as one graph: image → backbone → clipping → masks of the class →
// masked head → log-sum-exp. Every node named in this package can be fetched from one run. Without a detector the
// graph ends at the contributions.
type Pipeline struct {
	nets.Classifier
	// Detector is what the graph scores by; nil ends it at the contributions.
	Detector *Detector
	// RouteByLabel chooses masks, and the bounds of a detector that clips per class, by the label of a sample, where
	// it has one, instead of by a prediction. A Shapley game needs this, because its rules must not change with the
	// coalition.
	RouteByLabel bool
}

var _ graph.Model = Pipeline{}

// Outputs returns the names of score and prediction, or without a detector those of contributions, features and
// logits.
func (p Pipeline) Outputs() []string {
	if p.Detector == nil {
		return []string{ContributionsNode, nets.Features, nets.Logits}
	}
	return []string{Score, nets.Prediction}
}

// Build adds the network's nodes and LINe's nodes to the graph.
func (p Pipeline) Build(b *graph.Builder, x *G.Node) error {
	if err := p.Classifier.Build(b, x); err != nil {
		return err
	}
	z, err := b.Node(nets.Features)
	if err != nil {
		return err
	}
	logits, err := b.Node(nets.Logits)
	if err != nil {
		return err
	}
	b.TapOnDemand(Class, func() (*G.Node, error) {
		prediction, err := b.Node(nets.Prediction)
		if err != nil {
			return nil, err
		}
		return graph.SelectClass(b.Labels(), prediction)
	})
	b.TapOnDemand(ContributionsNode, func() (*G.Node, error) {
		class, err := b.Node(Class)
		if err != nil {
			return nil, err
		}
		return graph.GradientTimesActivation(z, logits, class, b.Ones())
	})
	if p.Detector == nil {
		return b.Err()
	}
	score, err := p.Detector.build(b, z, p.RouteByLabel)
	if err != nil {
		return fmt.Errorf("line: %w", err)
	}
	gradient := func(wrt *G.Node) func() (*G.Node, error) {
		return func() (*G.Node, error) {
			gs, err := graph.Gradients(G.Nodes{score}, G.Nodes{b.Ones()}, G.Nodes{wrt})
			if err != nil {
				return nil, err
			}
			return gs[0], nil
		}
	}
	b.TapOnDemand(ScoreFeatureGradient, gradient(z))
	b.TapOnDemand(ScoreInputGradient, gradient(x))
	return b.Err()
}

// build adds the nodes from the features to the score.
func (d *Detector) build(b *graph.Builder, z *G.Node, routeByLabel bool) (*G.Node, error) {
	weight, bias := d.net.Head()
	w, v := b.Param(weight.Name), b.Param(bias.Name)
	k, features := d.net.Classes(), d.net.FeatureDim()
	z = d.clip(b, z, w, v, routeByLabel)
	full := b.Do(func() (*G.Node, error) { return graph.Linear(z, w, v) })
	class := b.Do(func() (*G.Node, error) { return graph.ArgMax(full) })
	if routeByLabel {
		class = b.Do(func() (*G.Node, error) { return graph.SelectClass(b.Labels(), class) })
	}
	class = b.Tap(RoutingClass, class)
	if d.activation != nil {
		mask := b.Constant("line.activation_mask", func() []float64 {
			out := make([]float64, 0, k*features)
			for c := range k {
				for _, keep := range d.ActiveNeurons(c) {
					out = append(out, map[bool]float64{true: 1}[keep])
				}
			}
			return out
		}, k, features)
		z = b.Do(func() (*G.Node, error) { return graph.ClassMask(z, class, mask) })
	}
	logits := full
	switch {
	case d.weight != nil:
		head := graph.RoutedHead{
			Weight: w, Bias: v,
			Contribution: b.Constant("line.contribution", func() []float64 {
				out := make([]float64, len(d.mean))
				for i, c := range d.mean {
					out[i] = float64(abs(c))
				}
				return out
			}, k, features),
			Threshold: b.Constant("line.weight_threshold", func() []float64 {
				out := make([]float64, k)
				for c, t := range d.weight {
					out[c] = roundsTo(t)
				}
				return out
			}, k),
		}
		logits = b.Do(func() (*G.Node, error) { return graph.RoutedLinear(z, class, head) })
	case d.activation != nil:
		logits = b.Do(func() (*G.Node, error) { return graph.Linear(z, w, v) })
	}
	score := b.Tap(Score, b.Do(func() (*G.Node, error) { return graph.LogSumExp(logits) }))
	return score, b.Err()
}
