package line

import (
	"fmt"
	"math"
)

// Options are LINe's parameters. The zero value is the paper's choice for CIFAR-10. A percentile is the share in percent that is
// dropped; the comparison with it is strict.
type Options struct {
	// ActivationPercentile is p_a: a neuron stays for class c when its contribution C[c, i] exceeds this percentile of
	// C[c, :]. In [0, 100]; 0 means 90, see [Percent] for the percentile 0.
	ActivationPercentile float64
	// WeightPercentile is p_w: a weight stays for class c when |C[c, i]|·W[j, i] exceeds this percentile over all j and i.
	// In [0, 100]; 0 means 90, see [Percent] for the percentile 0.
	WeightPercentile float64
	// Clip is δ, the upper bound of activations. Positive; 0 means 1.
	Clip float64
	// NoClipping, NoActivationPruning and NoWeightPruning switch AC, AP and WP off; their parameter is then not used.
	NoClipping, NoActivationPruning, NoWeightPruning bool
	// Source is where [Fit] gets contributions from; nil means [GradientActivation].
	Source Source
}

// DefaultOptions returns the parameters of the paper for CIFAR-10: p_a = p_w = 90, δ = 1. It is what Options{} stands for, said
// explicitly.
func DefaultOptions() Options {
	return Options{ActivationPercentile: 90, WeightPercentile: 90, Clip: 1}
}

// Percent returns a percentile for the fields of [Options], where 0 stands for the default. Percent(0) is the smallest positive
// number, and that percentile of any values is their minimum, as the percentile 0 is: pruning by it drops the minimum and what
// equals it, whereas switched off it drops nothing. Any other p comes back as it is. Use it for a percentile that a flag or a
// grid gives.
func Percent(p float64) float64 {
	if p == 0 {
		return math.SmallestNonzeroFloat64
	}
	return p
}

// percentValue undoes [Percent], for reports and files.
func percentValue(p float64) float64 {
	if p == math.SmallestNonzeroFloat64 {
		return 0
	}
	return p
}

// withDefaults fills in the parameters of the components that are on.
func (o Options) withDefaults() Options {
	d := DefaultOptions()
	if o.ActivationPercentile == 0 && !o.NoActivationPruning {
		o.ActivationPercentile = d.ActivationPercentile
	}
	if o.WeightPercentile == 0 && !o.NoWeightPruning {
		o.WeightPercentile = d.WeightPercentile
	}
	if o.Clip == 0 && !o.NoClipping {
		o.Clip = d.Clip
	}
	return o
}

// Check reports the first parameter that is out of range.
func (o Options) Check() error {
	o = o.withDefaults()
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

// Params returns the options as they appear in reports, defaults filled in: a component that is switched off has the value "off".
func (o Options) Params() map[string]any {
	o = o.withDefaults()
	or := func(off bool, v float64) any {
		if off {
			return "off"
		}
		return v
	}
	return map[string]any{
		"p_a":  or(o.NoActivationPruning, percentValue(o.ActivationPercentile)),
		"p_w":  or(o.NoWeightPruning, percentValue(o.WeightPercentile)),
		"clip": or(o.NoClipping, o.Clip),
	}
}
