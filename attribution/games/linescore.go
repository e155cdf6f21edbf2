package games

import (
	"fmt"
	"math"

	"github.com/line-ood/goline/internal/mathx"
)

// LINe holds what a fitted LINe detector (Ahn, Park and Kim 2023) needs besides the head, so that its score can be the
// value of a game: the class c decides which activations and weights are kept,
//
//	activation i iff C[c, i] > ActivationThresholds[c]
//	weight (k, i) iff |C[c, i]| W[k, i] > WeightThresholds[c]
//
// and the score is the log-sum-exp of the masked head over the masked activations clipped at δ.
//
// In a game the class is fixed for all coalitions, by default to the prediction of the unmasked head on the clipped
// activations with all players present, which is the class that the detector routes the sample to. Coalitions change
// the activations only, never the masks.
type LINe struct {
	// Contributions is C [classes, neurons], row-major.
	Contributions []float64
	// ActivationThresholds [classes]: the p_a percentile of each row of C. -Inf keeps all.
	ActivationThresholds []float64
	// WeightThresholds [classes]: the p_w percentile of |C[c, :]| * W over all classes and neurons. -Inf keeps all.
	WeightThresholds []float64
	// Clip is δ, positive; +Inf for no clipping.
	Clip float64
}

// check reports parameters that do not fit a head.
func (p *LINe) check(h *Readout) error {
	if len(p.Contributions) != h.classes*h.neurons {
		return fmt.Errorf("attribution: LINe contributions hold %d values, expected [%d, %d]", len(p.Contributions), h.classes, h.neurons)
	}
	if len(p.ActivationThresholds) != h.classes || len(p.WeightThresholds) != h.classes {
		return fmt.Errorf("attribution: LINe has %d activation and %d weight thresholds, expected %d of each",
			len(p.ActivationThresholds), len(p.WeightThresholds), h.classes)
	}
	if math.IsNaN(p.Clip) || p.Clip <= 0 {
		return fmt.Errorf("attribution: LINe clips at %v, expected a positive number", p.Clip)
	}
	if i := mathx.FirstNotFinite(p.Contributions); i >= 0 {
		return fmt.Errorf("attribution: LINe contribution %d is %v", i, p.Contributions[i])
	}
	return nil
}

// masked returns the head's weights [neurons, classes] with everything that class c drops set to zero: a dropped
// activation drops all weights of its neuron.
func (p *LINe) masked(h *Readout, c int) []float64 {
	k := h.classes
	out := make([]float64, len(h.weights))
	for i, contribution := range p.Contributions[c*h.neurons : (c+1)*h.neurons] {
		if contribution <= p.ActivationThresholds[c] {
			continue
		}
		for j, w := range h.weights[i*k : (i+1)*k] {
			if math.Abs(contribution)*w > p.WeightThresholds[c] {
				out[i*k+j] = w
			}
		}
	}
	return out
}

// clipped returns min(z, δ) in a new slice.
func (p *LINe) clipped(z []float64) []float64 {
	out := make([]float64, len(z))
	for i, x := range z {
		out[i] = min(x, p.Clip)
	}
	return out
}
