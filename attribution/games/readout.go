package games

import (
	"fmt"

	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/nets"
)

// Readout is the final linear layer of a network, l = W z + b, over D penultimate neurons and K classes, in the
// layout that games need. It is read-only and may be shared by any number of games.
type Readout struct {
	classes, neurons int
	weights          []float64 // [neurons, classes]: the weights of a neuron are contiguous
	bias             []float64 // [classes]
}

// NewReadout copies a final layer. It returns an error where [nets.Head.Validate] does.
func NewReadout(h nets.Head) (*Readout, error) {
	if err := h.Validate(); err != nil {
		return nil, fmt.Errorf("attribution: %w", err)
	}
	r := &Readout{classes: h.Classes, neurons: h.FeatureDim, weights: make([]float64, len(h.Weight)),
		bias: mathx.Float64s(h.Bias)}
	for at, w := range h.Weight {
		c, i := at/h.FeatureDim, at%h.FeatureDim
		r.weights[i*h.Classes+c] = float64(w)
	}
	return r, nil
}

// logits writes W z + b.
//
// Shapes: z [neurons], dst [classes].
func (r *Readout) logits(z, dst []float64) {
	copy(dst, r.bias)
	addColumns(dst, r.weights, z)
}

// addColumns adds Σ_i x_i w_i to dst, w_i row i of the matrix weights [len(x), len(dst)].
func addColumns(dst, weights, x []float64) {
	k := len(dst)
	for i, xi := range x {
		if xi == 0 {
			continue
		}
		for c, w := range weights[i*k : (i+1)*k] {
			dst[c] += xi * w
		}
	}
}
