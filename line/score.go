package line

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Scores holds the result for a set of images, in their order.
type Scores struct {
	Score      []float64 // higher is more in-distribution
	Prediction []int     // the network's class
	Label      []int     // -1 where unknown
}

// Compile makes a program of the whole pipeline. Without o.Fetch it fetches score and prediction.
func (d *Detector) Compile(o graph.Options) (*graph.Program, error) {
	return graph.Compile(Pipeline{Classifier: d.net, Detector: d}, o)
}

// Score scores a stream of images with default options. Zero images are an error. For other options, or further quantities
// such as the gradient of the score, see [Detector.Compile].
func (d *Detector) Score(ctx context.Context, images graph.Batches) (*Scores, error) {
	prog, err := d.Compile(graph.Options{})
	if err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	return Collect(ctx, prog, images)
}

// Collect runs a program that fetches score and prediction and keeps them.
func Collect(ctx context.Context, program *graph.Program, images graph.Batches) (*Scores, error) {
	s := &Scores{}
	for out, err := range program.Run(ctx, images) {
		if err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
		for i, v := range out.Float32(Score) {
			if v != v {
				return nil, fmt.Errorf("line: score of image %d is NaN", len(s.Score)+i)
			}
		}
		for _, v := range out.Float32(Score) {
			s.Score = append(s.Score, float64(v))
		}
		s.Prediction = append(s.Prediction, out.Ints(nets.Prediction)...)
		s.Label = append(s.Label, out.Labels...)
	}
	if len(s.Score) == 0 {
		return nil, fmt.Errorf("line: score: %w", ErrNoImages)
	}
	return s, nil
}
