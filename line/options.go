package line

import (
	"fmt"
	"math"
)

// Options are LINe's parameters. A percentile is the share in percent that is dropped; the comparison with it is strict.
type Options struct {
	// ActivationPercentile is p_a: a neuron stays for class c when its contribution C[c, i] exceeds this percentile of
	// C[c, :]. In [0, 100].
	ActivationPercentile float64
	// WeightPercentile is p_w: a weight stays for class c when |C[c, i]|·W[j, i] exceeds this percentile over all j and i.
	// In [0, 100].
	WeightPercentile float64
	// Clip is δ, the upper bound of activations. Positive.
	Clip float64
	// NoClipping, NoActivationPruning and NoWeightPruning switch AC, AP and WP off; their parameter is then not used.
	NoClipping, NoActivationPruning, NoWeightPruning bool
	// Source is where [Fit] gets contributions from; nil means [GradientActivation].
	Source Source
}

// DefaultOptions returns the parameters of the paper for CIFAR-10: p_a = p_w = 90, δ = 1.
func DefaultOptions() Options {
	return Options{ActivationPercentile: 90, WeightPercentile: 90, Clip: 1}
}

// Check reports the first parameter that is out of range.
func (o Options) Check() error {
	percent := func(p float64) bool { return p >= 0 && p <= 100 }
	switch {
	case !o.NoActivationPruning && !percent(o.ActivationPercentile):
		return fmt.Errorf("activation percentile %v is not in [0, 100]", o.ActivationPercentile)
	case !o.NoWeightPruning && !percent(o.WeightPercentile):
		return fmt.Errorf("weight percentile %v is not in [0, 100]", o.WeightPercentile)
	case !o.NoClipping && !(o.Clip > 0 && o.Clip <= math.MaxFloat32):
		return fmt.Errorf("clip %v is not a positive number", o.Clip)
	}
	return nil
}

// Params returns the options as they appear in reports: a component that is switched off has the value "off".
func (o Options) Params() map[string]any {
	or := func(off bool, v float64) any {
		if off {
			return "off"
		}
		return v
	}
	return map[string]any{
		"p_a":  or(o.NoActivationPruning, o.ActivationPercentile),
		"p_w":  or(o.NoWeightPruning, o.WeightPercentile),
		"clip": or(o.NoClipping, o.Clip),
	}
}
