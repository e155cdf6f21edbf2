package line

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/quantile"
	"github.com/line-ood/goline/nets"
)

// NewClipped is [New] for options with a ClipPercentile. limits are the upper bounds of the activations: one for each
// neuron [features], or with ClipPerClass one for each class and neuron [classes, features], row-major. It returns an
// error for options without a ClipPercentile or with NoClipping, and for limits that have another length or are not
// finite. limits is copied.
func NewClipped(ctx context.Context, net nets.Classifier, c *Contributions, limits []float32,
	o Options) (*Detector, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	if !o.measuresClip() {
		return nil, fmt.Errorf("line: limits of activations: expected options with a clip percentile and clipping, "+
			"got %v", o.Params())
	}
	return newDetector(ctx, net, c, slices.Clone(limits), o)
}

// ClipLimits returns the upper bound of each neuron's activations [features] for images that the network predicts as
// the class. The bounds are the same for all classes unless the detector clips per class. The result is nil where the
// detector does not clip.
func (d *Detector) ClipLimits(class int) []float32 {
	features := d.net.FeatureDim()
	switch {
	case d.options.NoClipping:
		return nil
	case d.limits == nil:
		return slices.Repeat([]float32{float32(d.options.Clip)}, features)
	case d.options.ClipPerClass:
		return slices.Clone(d.limits[class*features:][:features])
	}
	return slices.Clone(d.limits)
}

// limitShape is the shape of the bounds for a network.
func (o Options) limitShape(classes, features int) []int {
	if o.ClipPerClass {
		return []int{classes, features}
	}
	return []int{features}
}

// checkLimits returns an error unless the bounds fit the detector's options and network.
func (d *Detector) checkLimits() error {
	shape, n := d.options.limitShape(d.net.Classes(), d.net.FeatureDim()), 1
	for _, size := range shape {
		n *= size
	}
	if len(d.limits) != n {
		return fmt.Errorf("expected limits of activations of shape %v, got %d values", shape, len(d.limits))
	}
	for i, v := range d.limits {
		if v-v != 0 {
			return fmt.Errorf("limit %d of the activations: expected a finite number, got %v", i, v)
		}
	}
	return nil
}

// clip adds the nodes that bound the activations z.
func (d *Detector) clip(b *graph.Builder, z, weight, bias *G.Node, routeByLabel bool) *G.Node {
	switch {
	case d.options.NoClipping:
		return z
	case d.limits == nil:
		limit := b.Constant("line.clip", func() []float64 { return []float64{float64(float32(d.options.Clip))} }, 1)
		return b.Do(func() (*G.Node, error) { return graph.Clip(z, limit) })
	}
	limits := func() []float64 {
		out := make([]float64, len(d.limits))
		for i, v := range d.limits {
			out[i] = float64(v)
		}
		return out
	}
	limit := b.Constant("line.clip_limits", limits, d.options.limitShape(d.net.Classes(), d.net.FeatureDim())...)
	if !d.options.ClipPerClass {
		return b.Do(func() (*G.Node, error) { return graph.Clip(z, limit) })
	}
	logits := b.Do(func() (*G.Node, error) { return graph.Linear(z, weight, bias) })
	class := b.Do(func() (*G.Node, error) { return graph.ArgMax(logits) })
	if routeByLabel {
		class = b.Do(func() (*G.Node, error) { return graph.SelectClass(b.Labels(), class) })
	}
	class = b.Tap(ClipClass, class)
	return b.Do(func() (*G.Node, error) { return graph.ClassClip(z, class, limit) })
}

// clipLimits returns the bounds that the options ask for, [features] or [classes, features], from the kept
// activations.
func (k *keptFeatures) clipLimits(ctx context.Context, percentile float64) ([]float32, error) {
	if k.byClass == nil {
		return k.all.percentiles(ctx, percentile)
	}
	var limits []float32
	for class, s := range k.byClass {
		row, err := s.percentiles(ctx, percentile)
		if err != nil {
			return nil, fmt.Errorf("class %d: %w", class, err)
		}
		limits = append(limits, row...)
	}
	return limits, nil
}

// percentiles returns a percentile of each column of the kept rows [dim].
func (s *sample) percentiles(ctx context.Context, percentile float64) ([]float32, error) {
	const tile = 16 // columns in a cache line, which are processed together, so that each line is read once
	rows := s.kept()
	out := make([]float32, s.dim)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for lo := 0; lo < s.dim; lo += tile {
		group.Go(func() error {
			n := min(tile, s.dim-lo)
			columns := make([]float32, n*rows)
			at := 0
			for _, block := range s.blocks {
				for ; len(block) > 0; block = block[s.dim:] {
					for j, v := range block[lo : lo+n] {
						columns[j*rows+at] = v
					}
					at++
				}
			}
			for j := range n {
				if err := ctx.Err(); err != nil {
					return err
				}
				v, err := quantile.PercentileInPlace(columns[j*rows:][:rows], percentile)
				if err != nil {
					return fmt.Errorf("clip percentile of neuron %d: %w", lo+j, err)
				}
				out[lo+j] = float32(v)
			}
			return nil
		})
	}
	return out, group.Wait()
}
