package line

import (
	"context"
	"fmt"
	"iter"

	"gorgonia.org/tensor"

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

// Score scores a stream of images X [batch, channels, height, width], already normalised, with default options; the stream is
// read once. Zero images are an error that wraps [ErrNoImages]. For other options, or further quantities such as the gradient of
// the score, see [Detector.Compile]; for pictures see [Detector.ScoreImages].
//
// The first call compiles a program, which the detector keeps, and calls at the same time share it. Streams that begin with a
// batch of one image get another one, which takes images one by one and is the faster for them; the bits are the same.
func (d *Detector) Score(ctx context.Context, images graph.Batches) (*Scores, error) {
	next, stop := iter.Pull2(images)
	defer stop()
	first, err, ok := next()
	switch {
	case ctx.Err() != nil:
		err = ctx.Err() // also where the stream ended because of it
	case err == nil && !ok:
		err = fmt.Errorf("score: %w", ErrNoImages)
	}
	var prog *graph.Program
	if err == nil {
		prog, err = d.program(ctx, first.N)
	}
	if err != nil {
		if first.Release != nil {
			first.Release()
		}
		return nil, fmt.Errorf("line: %w", err)
	}
	return Collect(ctx, prog, func(yield func(graph.Batch, error) bool) {
		for b, err, ok := first, error(nil), true; ok && yield(b, err); {
			b, err, ok = next()
		}
	})
}

// program returns the kept program for images that come n at a time.
func (d *Detector) program(ctx context.Context, n int) (*graph.Program, error) {
	if n == 1 {
		return d.single.get(ctx, func() (*graph.Program, error) { return d.Compile(graph.Options{Batch: 1}) })
	}
	return d.many.get(ctx, func() (*graph.Program, error) { return d.Compile(graph.Options{}) })
}

// Sample is what a program says of one image.
type Sample struct {
	Score      float64 // higher is more in-distribution
	Prediction int     // the network's class
	Label      int     // -1 where unknown
}

// Stream runs a program that fetches score and prediction, and yields what it says of each image as soon as its batch is done, in order.
// An error comes last, as [Collect] has them.
func Stream(ctx context.Context, program *graph.Program, images graph.Batches) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		if shape := program.Shape(Score); tensor.Shape(shape).TotalSize() != 1 {
			yield(Sample{}, fmt.Errorf("line: %q: expected one value a sample, got shape %v", Score, shape))
			return
		}
		seen := 0
		for out, err := range program.Run(ctx, images) {
			var scores []float64
			if err == nil {
				scores, err = batchScores(seen, out)
			}
			if err != nil {
				yield(Sample{}, fmt.Errorf("line: %w", err))
				return
			}
			classes := out.Ints(nets.Prediction)
			for i, v := range scores {
				if !yield(Sample{Score: v, Prediction: classes[i], Label: out.Labels[i]}, nil) {
					return
				}
			}
			seen += len(scores)
		}
		if seen == 0 {
			yield(Sample{}, fmt.Errorf("line: score: %w", ErrNoImages))
		}
	}
}

// Collect runs a program that fetches score and prediction and keeps them. A score that is NaN is an error that names the image,
// counted from 0, zero images are one that wraps [ErrNoImages], and so is a score that is not one value a sample.
func Collect(ctx context.Context, program *graph.Program, images graph.Batches) (*Scores, error) {
	s := &Scores{}
	for v, err := range Stream(ctx, program, images) {
		if err != nil {
			return nil, err
		}
		s.Score, s.Prediction, s.Label = append(s.Score, v.Score), append(s.Prediction, v.Prediction), append(s.Label, v.Label)
	}
	return s, nil
}

// batchScores returns a batch's scores. seen images came before.
func batchScores(seen int, out *graph.Outputs) ([]float64, error) {
	values := out.Float32(Score)
	scores := make([]float64, len(values))
	for i, v := range values {
		if v != v {
			return nil, fmt.Errorf("score of image %d is NaN", seen+i)
		}
		scores[i] = float64(v)
	}
	return scores, nil
}
