package games

import (
	"fmt"
	"math"

	"github.com/line-ood/goline/internal/mathx"
)

// LINe holds what a fitted LINe detector (Ahn, Park and Kim 2023) needs besides the head, so that its score can be
// the value of a game. The class c decides which activations and weights are kept,
//
//	activation i iff C[c, i] > ActivationThresholds[c]
//	weight (k, i) iff |C[c, i]| W[k, i] > WeightThresholds[c]
//
// and the score is the log-sum-exp of the logits of the masked head over the masked activations, clipped at δ. The
// bound δ may differ by neuron.
//
// In a game the class is the same for all coalitions. By default it is the prediction of the unmasked head on the
// clipped activations with all players present, which is the class whose masks the detector uses for the sample.
// Coalitions change the activations only, never the masks. Where the bounds δ differ by class, those of the target
// class apply; that class is the prediction on unclipped activations with all players present.
type LINe struct {
	// Contributions is C [classes, neurons], row-major.
	Contributions []float64
	// ActivationThresholds [classes]: the p_a percentile of each row of C. -Inf keeps all.
	ActivationThresholds []float64
	// WeightThresholds [classes]: the p_w percentile of |C[c, :]| * W over all classes and neurons. -Inf keeps all.
	WeightThresholds []float64
	// Clip is δ, positive; +Inf for no clipping. It is not used with Limits.
	Clip float64
	// Limits, unless nil, are a bound for each neuron [neurons], or each class and neuron [classes, neurons],
	// row-major.
	Limits []float64
}

// check reports parameters that do not fit a head.
func (p *LINe) check(h *Readout) error {
	if len(p.Contributions) != h.classes*h.neurons {
		return fmt.Errorf("attribution: LINe contributions: expected [%d, %d] values, got %d", h.classes, h.neurons,
			len(p.Contributions))
	}
	if len(p.ActivationThresholds) != h.classes || len(p.WeightThresholds) != h.classes {
		return fmt.Errorf("attribution: LINe thresholds: expected %d for activations and as many for weights, got "+
			"%d and %d", h.classes, len(p.ActivationThresholds), len(p.WeightThresholds))
	}
	if n := len(p.Limits); n != 0 && n != h.neurons && n != h.classes*h.neurons {
		return fmt.Errorf("attribution: LINe clip limits: expected [%d] or [%d, %d], got %d", h.neurons, h.classes,
			h.neurons, n)
	}
	if i := mathx.FirstNotFinite(p.Limits); i >= 0 {
		return fmt.Errorf("attribution: LINe clip limit %d: expected a finite number, got %v", i, p.Limits[i])
	}
	if len(p.Limits) == 0 && (math.IsNaN(p.Clip) || p.Clip <= 0) {
		return fmt.Errorf("attribution: LINe clip: expected a positive number, got %v", p.Clip)
	}
	if i := mathx.FirstNotFinite(p.Contributions); i >= 0 {
		return fmt.Errorf("attribution: LINe contribution %d: expected a finite number, got %v", i, p.Contributions[i])
	}
	return nil
}

// masked returns the head's weights [neurons, classes] with all that class c drops set to zero. A dropped activation
// drops all weights of its neuron.
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

// perClass reports whether the bounds of activations differ by class.
func (p *LINe) perClass(h *Readout) bool { return len(p.Limits) > h.neurons }

// clipped returns a copy of z clipped at the bounds. The class matters only where the bounds differ by class.
func (p *LINe) clipped(z []float64, class int) []float64 {
	out, limits := make([]float64, len(z)), p.Limits
	if len(limits) > len(z) {
		limits = limits[class*len(z):]
	}
	for i, x := range z {
		if len(limits) == 0 {
			out[i] = min(x, p.Clip)
		} else {
			out[i] = min(x, limits[i])
		}
	}
	return out
}
