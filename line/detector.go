package line

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/line-ood/goline/internal/invariant"
	"github.com/line-ood/goline/nets"
)

// Detector is LINe fitted to a network, or another method that [FitMethod] fitted. It is immutable and safe for
// concurrent use. The programs that it needs to score are compiled at their first use and kept as long as the
// detector.
type Detector struct {
	net           nets.Classifier
	preprocessing nets.Preprocessing // of the images that the detector was fitted to; zero where it is not known
	options       Options
	contributions *Contributions
	mean          []float32 // C [K, D]
	limits        []float32 // upper bounds of activations [D], per class [K, D]; nil where all have options.Clip
	activation    []float32 // thresholds [K], nil without AP
	weight        []float32 // thresholds [K], nil without WP
	// other is the method where that is not LINe; the LINe fields above are then empty.
	other        *other
	fitScores    []float64 // scores of the images that the detector was fitted to, ascending; empty where not known
	fitPictures  []Hash    // hashes of those images, ascending; empty where they are not known
	calibration  *calibration
	many, single compiled // programs for batches and for one image at a time
}

// New makes a detector from the contributions of the network's neurons, however they were obtained: [Fit] measures
// them by gradient × activation, and other estimates of the Shapley value may take their place. The network and the
// contributions must not be changed afterwards. It returns an error for an option out of range, for contributions of
// another shape than the network's (wrapping [ErrMismatch]), and for classes without images, which it names. A
// ClipPercentile is an error too, since it is measured on activations, which only [Fit] sees; [NewClipped] takes
// bounds measured elsewhere. The detector has no threshold, since there are no images to score.
func New(ctx context.Context, net nets.Classifier, c *Contributions, o Options) (*Detector, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	if o.measuresClip() {
		return nil,
			fmt.Errorf("line: clip percentile %v needs the activations of training images: expected Fit, or "+
				"NewClipped with limits, got New", o.ClipPercentile)
	}
	return newDetector(ctx, net, c, nil, o)
}

// newDetector makes a detector; o must be in range. It keeps limits, which must be given if the options clip at a
// percentile.
func newDetector(ctx context.Context, net nets.Classifier, c *Contributions, limits []float32,
	o Options) (*Detector, error) {
	o = o.withDefaults()
	if w, _ := net.Head(); w == nil {
		return nil, fmt.Errorf("line: %s: %w", net.Name(), nets.ErrNoHead)
	}
	if c.classes != net.Classes() || c.features != net.FeatureDim() {
		return nil,
			fmt.Errorf("line: %w: expected contributions of %d neurons to %d classes, as network %s has, got those "+
				"of %d to %d", ErrMismatch, net.FeatureDim(), net.Classes(), net.Name(), c.features, c.classes)
	}
	mean, err := c.Mean()
	if err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	d := &Detector{net: net, options: o, contributions: c, mean: mean, limits: limits}
	if o.measuresClip() {
		if err := d.checkLimits(); err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
	}
	if p := net.Preprocessing(); p.Check() == nil {
		d.preprocessing = p
	}
	if !o.NoActivationPruning {
		if d.activation, err = activationThresholds(mean, c.classes, o.ActivationPercentile); err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
	}
	if !o.NoWeightPruning {
		w, _ := net.Head()
		if d.weight, err = weightThresholds(ctx, mean, w.Float32s(), c.classes, o.WeightPercentile); err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
	}
	for _, t := range []struct {
		what   string
		values []float32
	}{{"activation threshold", d.activation}, {"weight threshold", d.weight}} {
		for class, v := range t.values {
			if v-v != 0 {
				return nil,
					fmt.Errorf("line: class %d: expected a finite %s, got %v: the contributions or the weights of "+
						"%s's last layer are too large",
						class, t.what, v, net.Name())
			}
		}
	}
	d.checkMasks()
	return d, nil
}

// checkMasks checks, in builds that check invariants, that the thresholds keep as many neurons and weights as the
// percentiles say.
func (d *Detector) checkMasks() {
	if !invariant.On {
		return
	}
	kept := func(mask []bool) (n int) {
		for _, on := range mask {
			if on {
				n++
			}
		}
		return n
	}
	most := func(n int, percentile float64, off bool) int {
		if off {
			return n
		}
		return int(math.Ceil(float64(n)*(1-percentile/100))) + 1
	}
	for class := range d.net.Classes() {
		neurons, weights := d.ActiveNeurons(class), d.ActiveWeights(class)
		invariant.Check(kept(neurons) <= most(len(neurons), d.options.ActivationPercentile,
			d.options.NoActivationPruning),
			"class %d keeps %d of %d neurons at the percentile %v", class, kept(neurons), len(neurons),
			d.options.ActivationPercentile)
		invariant.Check(kept(weights) <= most(len(weights), d.options.WeightPercentile, d.options.NoWeightPruning),
			"class %d keeps %d of %d weights at the percentile %v", class, kept(weights), len(weights),
			d.options.WeightPercentile)
	}
}

// Network returns the network that the detector was made for.
func (d *Detector) Network() nets.Classifier { return d.net }

// Preprocessing returns how pictures are turned into the network's input: as it was done for the images that the
// detector was fitted to where that is known, otherwise as the network states. It is the zero value if neither is
// known.
func (d *Detector) Preprocessing() nets.Preprocessing {
	if d.preprocessing == (nets.Preprocessing{}) {
		return d.net.Preprocessing()
	}
	return d.preprocessing
}

// Options returns LINe's options with defaults filled in. They are meaningless for a detector of another method; see
// [Detector.Params].
func (d *Detector) Options() Options { return d.options }

// Contributions returns the contributions that the detector was made from, nil for a method other than LINe. They
// must not be changed.
func (d *Detector) Contributions() *Contributions { return d.contributions }

// Mean returns C [classes, features], row-major: the mean contribution of each neuron to the logit of each class.
func (d *Detector) Mean() []float32 { return slices.Clone(d.mean) }

// ActiveNeurons reports for each neuron whether activation pruning keeps it for the class: [features].
func (d *Detector) ActiveNeurons(class int) []bool {
	features := d.net.FeatureDim()
	out := make([]bool, features)
	for i := range out {
		out[i] = d.activation == nil || d.mean[class*features+i] > d.activation[class]
	}
	return out
}

// ActiveWeights reports for each weight of the last layer whether weight pruning keeps it for the class: [classes,
// features], row-major.
func (d *Detector) ActiveWeights(class int) []bool {
	w, _ := d.net.Head()
	features := d.net.FeatureDim()
	out := make([]bool, len(w.Float32s()))
	for j, v := range w.Float32s() {
		out[j] = d.weight == nil || abs(d.mean[class*features+j%features])*v > d.weight[class]
	}
	return out
}
