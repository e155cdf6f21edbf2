package line

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line/posthoc"
)

// part is LINe as a shaper (see package posthoc), for compositions with other detectors: it clips z, chooses the
// class by the full head, masks neurons, and replaces the head by the one masked for that class. The energy of the
// result is LINe's score up to the rounding of float32, in which [Method]'s graph computes.
type part struct {
	options Options
	workers int
	head    posthoc.Head
	state   struct {
		Mean       []float32 // C, shape [class, feature]
		Limits     []float32 // upper bounds, shape [feature] or [class, feature]; empty where options.Clip bounds all
		Activation []float32 // thresholds, shape [class]; empty without activation pruning
		Weight     []float32 // thresholds, shape [class]; empty without weight pruning
	}
}

// State returns what Fit learned, for saving.
func (p *part) State() any { return &p.state }

// Fit measures contributions on labelled samples, as [Method.Fit] does.
func (p *part) Fit(ctx context.Context, head posthoc.Head, id posthoc.Samples) error {
	m, err := NewMethod(p.options, graph.Options{Workers: p.workers})
	if err != nil {
		return err
	}
	if err := m.Fit(ctx, head, id); err != nil {
		return err
	}
	d := m.Detector()
	p.state.Mean, p.state.Limits, p.state.Activation, p.state.Weight = d.mean, d.limits, d.activation, d.weight
	return p.Derive(head)
}

// Derive copies the head, and checks the state against it.
func (p *part) Derive(head posthoc.Head) error {
	k, d := head.Classes, head.FeatureDim
	limits := 0
	if p.options.measuresClip() {
		limits = d
		if p.options.ClipPerClass {
			limits = k * d
		}
	}
	thresholds := func(off bool) int {
		if off {
			return 0
		}
		return k
	}
	for _, f := range []struct {
		name string
		got  []float32
		want int
	}{
		{"contributions", p.state.Mean, k * d}, {"limits", p.state.Limits, limits},
		{"activation thresholds", p.state.Activation, thresholds(p.options.NoActivationPruning)},
		{"weight thresholds", p.state.Weight, thresholds(p.options.NoWeightPruning)},
	} {
		if len(f.got) != f.want {
			return fmt.Errorf("expected %d %s for %d classes and %d features, got %d", f.want, f.name, k, d, len(f.got))
		}
	}
	p.head = posthoc.Head{Classes: k, FeatureDim: d, Weight: append([]float32(nil), head.Weight...),
		Bias: append([]float32(nil), head.Bias...)}
	return nil
}

// Shape returns a function that applies LINe's steps, except the score, to a block.
func (p *part) Shape() func(*posthoc.Block) {
	classes := []int{}
	return func(b *posthoc.Block) {
		if !p.options.NoClipping {
			p.clip(b)
		}
		classes = classes[:0]
		for i := range b.N {
			classes = append(classes, b.Prediction(i))
		}
		if !p.options.NoActivationPruning {
			for i, c := range classes {
				mean := p.state.Mean[c*b.FeatureDim:][:b.FeatureDim]
				for d, z := 0, b.FeaturesOf(i); d < len(z); d++ {
					if !(mean[d] > p.state.Activation[c]) {
						z[d] = 0
					}
				}
			}
			b.FeaturesChanged()
		}
		if !p.options.NoWeightPruning {
			b.SetHead(&routed{p, classes})
		}
	}
}

// clip clips the features of a block.
func (p *part) clip(b *posthoc.Block) {
	for i := range b.N {
		limits := p.state.Limits
		if len(limits) > b.FeatureDim {
			// the bounds of the class predicted from the unclipped features
			limits = limits[b.Prediction(i)*b.FeatureDim:][:b.FeatureDim]
		}
		for d, z := 0, b.FeaturesOf(i); d < len(z); d++ {
			limit := float64(float32(p.options.Clip))
			if len(limits) > 0 {
				limit = float64(limits[d])
			}
			z[d] = min(z[d], limit)
		}
	}
	b.FeaturesChanged()
}

// routed is the head restricted to the weights that each sample's class keeps.
type routed struct {
	*part
	classes []int // class of each sample of the block
}

// Logits computes the logits of a block's samples.
func (r *routed) Logits(dst, z []float64, n int) {
	k, d := r.head.Classes, r.head.FeatureDim
	for i := range n {
		c := r.classes[i]
		mean, threshold, row := r.state.Mean[c*d:][:d], r.state.Weight[c], z[i*d:][:d]
		for j := range k {
			sum := 0.0
			for f, w := range r.head.Weight[j*d:][:d] {
				if row[f] != 0 && abs(mean[f])*w > threshold {
					sum += float64(float64(w) * row[f])
				}
			}
			dst[i*k+j] = sum + float64(r.head.Bias[j])
		}
	}
}
