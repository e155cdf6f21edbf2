package line

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// GivenContributions is a source of contributions that are known already, for example estimated by another program.
// The images provide what else a detector needs: their number in each class, the bounds of a ClipPercentile, and the
// scores for [Detector.Threshold].
type GivenContributions struct {
	// Mean is C [classes, features], row-major: the mean contribution of each neuron to each class. It is rounded to
	// float32.
	Mean []float64
	// Name describes the contributions in reports.
	Name string
}

// Measure runs the network once on each image for the features, and counts the images. It is an error if the
// contributions have another shape than the network's (wrapping [ErrMismatch]) or are not finite in float32, if a
// feature is not finite, and if a class has no images.
func (g GivenContributions) Measure(ctx context.Context, program *graph.Program,
	images graph.Batches) (*Contributions, error) {
	return g.measure(ctx, program, images, func([]float32, []int) {})
}

func (g GivenContributions) measure(ctx context.Context, program *graph.Program, images graph.Batches,
	show show) (*Contributions, error) {
	net, err := classifier(program)
	if err != nil {
		return nil, err
	}
	k, d := net.Classes(), net.FeatureDim()
	if len(g.Mean) != k*d {
		return nil, fmt.Errorf("line: %w: expected contributions [%d, %d], got %d values", ErrMismatch, k, d,
			len(g.Mean))
	}
	for i, v := range g.Mean {
		if f := float32(v); f-f != 0 {
			return nil, fmt.Errorf("line: contribution of neuron %d to class %d: expected a finite float32, got %v",
				i%d, i/d, v)
		}
	}
	o := program.Options()
	o.Fetch = []string{nets.Features}
	prog, err := graph.Compile(net, o)
	if err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	c := NewContributions(k, d)
	seen := 0
	for out, err := range prog.Run(ctx, checkLabels(images, k)) {
		if err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
		z := out.Float32(nets.Features)
		for i, v := range z {
			if v-v != 0 {
				return nil, fmt.Errorf("line: training image %d: feature %d is %v", seen+i/d, i%d, v)
			}
		}
		show(z, out.Labels)
		for _, label := range out.Labels {
			c.count[label]++
		}
		seen += out.N
	}
	if seen == 0 {
		return nil, fmt.Errorf("line: fit: %w", ErrNoImages)
	}
	for i, v := range g.Mean { // a float32 times a count is exact in float64, and so is the mean
		c.hi[i] = float64(float32(v)) * float64(c.count[i/d])
	}
	return c, nil
}
