package probe

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// ErrNoMap is wrapped by the errors for values that need a feature map, if the network's features are not the average
// over one.
var ErrNoMap = errors.New("the network's features are not the average over the pixels of a feature map")

// Names of the nodes that the model adds.
const (
	// [batch, channels, height, width]: the feature map whose averages are the features
	mapNode     = "probe.map"
	topGradient = "probe.gradient.top" // ∂ max_k l_k/∂x: [batch, channels, height, width]
	// gradient ∂ log softmax_c(l/T)/∂x, up to the factor T, for the prediction c and a temperature T
	odinGradient = "probe.gradient.odin(%v)"
)

// model is a classifier with its feature map and gradients of objectives with respect to its input.
type model struct {
	nets.Classifier
	temperatures []float64
}

// Build adds the classifier and the nodes.
func (m model) Build(b *graph.Builder, x *G.Node) error {
	if err := m.Classifier.Build(b, x); err != nil {
		return err
	}
	logits, err := b.Node(nets.Logits)
	if err != nil {
		return err
	}
	b.TapOnDemand(mapNode, func() (*G.Node, error) {
		z, err := b.Node(nets.Features)
		if err != nil {
			return nil, err
		}
		pooled := graph.PooledFrom(z)
		if pooled == nil {
			return nil, fmt.Errorf("%s: %w", m.Name(), ErrNoMap)
		}
		return pooled, nil
	})
	top := func() (*G.Node, error) {
		class, err := b.Node(nets.Prediction)
		if err != nil {
			return nil, err
		}
		return graph.Gather(logits, class)
	}
	along := func(objective *G.Node) (*G.Node, error) {
		gradients, err := graph.Gradients(G.Nodes{objective}, G.Nodes{b.Ones()}, G.Nodes{x})
		if err != nil {
			return nil, err
		}
		return gradients[0], nil
	}
	b.TapOnDemand(topGradient, func() (*G.Node, error) {
		l, err := top()
		if err != nil {
			return nil, err
		}
		return along(l)
	})
	for _, t := range m.temperatures {
		b.TapOnDemand(fmt.Sprintf(odinGradient, t), func() (*G.Node, error) {
			inverse := b.Constant(fmt.Sprintf("probe.inverse(%v)", t), func() []float64 { return []float64{1 / t} }, 1)
			scale := b.Constant(fmt.Sprintf("probe.temperature(%v)", t), func() []float64 { return []float64{t} }, 1)
			scaled := b.Do(func() (*G.Node, error) { return graph.Mul(logits, inverse) })
			sum := b.Do(func() (*G.Node, error) { return graph.LogSumExp(scaled) })
			sum = b.Do(func() (*G.Node, error) { return graph.Mul(sum, scale) })
			l := b.Do(top)
			likelihood := b.Do(func() (*G.Node, error) { return graph.Sub(l, sum) })
			if err := b.Err(); err != nil {
				return nil, err
			}
			return along(likelihood)
		})
	}
	return b.Err()
}
