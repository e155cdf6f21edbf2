package line

import (
	"fmt"
	"math"
)

// Options are LINe's parameters. The zero value is the paper's choice for CIFAR-10. A percentile is the percentage
// that is dropped; values must strictly exceed it to be kept.
type Options struct {
	// ActivationPercentile is p_a: neuron i is kept for class c when its contribution C[c, i] exceeds this percentile
	// of C[c, :]. In [0, 100]; 0 stands for 90, see [Percent] for the percentile 0.
	ActivationPercentile float64
	// WeightPercentile is p_w: weight W[j, i] is kept for class c when |C[c, i]|·W[j, i] exceeds this percentile over
	// all j and i. In [0, 100]; 0 stands for 90, see [Percent] for the percentile 0.
	WeightPercentile float64
	// Clip is δ, the upper bound of the activations of all neurons. Positive; 0 stands for 1. It is ignored with
	// ClipPercentile.
	Clip float64
	// ClipPercentile, unless 0, clips each neuron at this percentile of the neuron's own activations on the training
	// images, as VRA (Xu et al., NeurIPS 2023) does, so that results do not depend on the scale of the activations.
	// The paper uses Clip instead. In (0, 100]. The percentile is computed as by numpy's default, in float64, and
	// rounded to float32. See [Fit] for the number of images that it is computed from.
	ClipPercentile float64
	// ClipPerClass computes the ClipPercentile of each neuron separately over the training images of each label. An
	// image is then clipped at the bounds of the class that the network predicts from its unclipped activations.
	ClipPerClass bool
	// NoClipping, NoActivationPruning and NoWeightPruning switch AC, AP and WP (see the package comment) off, so that
	// their parameters are ignored.
	NoClipping, NoActivationPruning, NoWeightPruning bool
	// Source is the source of the contributions for [Fit]; nil stands for [GradientActivation].
	Source Source
}

// DefaultOptions returns the paper's parameters for CIFAR-10: p_a = p_w = 90, δ = 1. Options{} stands for the same
// values.
func DefaultOptions() Options {
	return Options{ActivationPercentile: 90, WeightPercentile: 90, Clip: 1}
}

// Percent returns a percentile for the fields of [Options], in which 0 stands for the default. Percent(0) is the
// smallest positive number; as a percentile it is the minimum of the values, as percentile 0 is. Pruning by it drops
// the minimum and all values equal to it, whereas pruning that is switched off drops nothing. Any other p is returned
// unchanged. Use it for a percentile that comes from a flag or a grid.
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

// withDefaults fills in the parameters of the steps that are on.
func (o Options) withDefaults() Options {
	d := DefaultOptions()
	if o.ActivationPercentile == 0 && !o.NoActivationPruning {
		o.ActivationPercentile = d.ActivationPercentile
	}
	if o.WeightPercentile == 0 && !o.NoWeightPruning {
		o.WeightPercentile = d.WeightPercentile
	}
	switch {
	case o.NoClipping:
	case o.ClipPercentile != 0:
		o.Clip = 0
	case o.Clip == 0:
		o.Clip = d.Clip
	}
	return o
}

// measuresClip reports whether activations are clipped at bounds measured on training images.
func (o Options) measuresClip() bool { return !o.NoClipping && o.ClipPercentile != 0 }

// Check returns an error for the first parameter that is out of range.
func (o Options) Check() error {
	o = o.withDefaults()
	percent := func(p float64) bool { return p >= 0 && p <= 100 }
	switch {
	case !o.NoActivationPruning && !percent(o.ActivationPercentile):
		return fmt.Errorf("expected an activation percentile in [0, 100], got %v", o.ActivationPercentile)
	case !o.NoWeightPruning && !percent(o.WeightPercentile):
		return fmt.Errorf("expected a weight percentile in [0, 100], got %v", o.WeightPercentile)
	case o.measuresClip() && !(o.ClipPercentile > 0 && o.ClipPercentile <= 100):
		return fmt.Errorf("expected a clip percentile in (0, 100], or 0 for none, got %v", o.ClipPercentile)
	case !o.NoClipping && !o.measuresClip() && o.ClipPerClass:
		return fmt.Errorf("clipping per class: expected a clip percentile in (0, 100], got %v", o.ClipPercentile)
	case !o.NoClipping && !o.measuresClip() && !(o.Clip > 0 && o.Clip <= math.MaxFloat32):
		return fmt.Errorf("expected a positive clip, got %v", o.Clip)
	}
	return nil
}

// Params returns the options as reports show them, with defaults filled in. A step that is switched off has the value
// "off". Where activations are clipped at a percentile, clip_percentile takes the place of clip, and clip_per_class
// is true or missing. contributions is the name of a [GivenContributions] source that has one.
func (o Options) Params() map[string]any {
	o = o.withDefaults()
	or := func(off bool, v float64) any {
		if off {
			return "off"
		}
		return v
	}
	params := map[string]any{
		"p_a":  or(o.NoActivationPruning, percentValue(o.ActivationPercentile)),
		"p_w":  or(o.NoWeightPruning, percentValue(o.WeightPercentile)),
		"clip": or(o.NoClipping, o.Clip),
	}
	if o.measuresClip() {
		delete(params, "clip")
		params["clip_percentile"] = o.ClipPercentile
		if o.ClipPerClass {
			params["clip_per_class"] = true
		}
	}
	if g, ok := o.Source.(GivenContributions); ok && g.Name != "" {
		params["contributions"] = g.Name
	}
	return params
}
