package line

import (
	"context"
	"fmt"
	"iter"
	"runtime"

	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Scores holds the result for a set of images, in their order.
type Scores struct {
	Score      []float64 // higher is more in-distribution
	Prediction []int     // the class that the network predicts
	Label      []int     // -1 where unknown
}

// Compile makes a program of the whole pipeline. Without o.Fetch it fetches what [Detector.Collect] needs: score and
// prediction, or for a method other than LINe the nodes that the method reads.
func (d *Detector) Compile(o graph.Options) (*graph.Program, error) {
	if d.other != nil {
		return d.compileOther(o)
	}
	return graph.Compile(Pipeline{Classifier: d.net, Detector: d}, o)
}

// Score scores a stream of images X [batch, channels, height, width], already normalised, with default options. It
// reads the stream once. A stream without images is an error that wraps [ErrNoImages]. For other options, or further
// values such as the gradient of the score, see [Detector.Compile]; for pictures see [Detector.ScoreImages].
//
// The first call compiles a program, which the detector keeps, and calls at the same time share it. Streams that begin
// with a batch of one image get another one, which takes images one by one and is the faster for them: all
// processors share an image that comes alone. The bits are the same.
func (d *Detector) Score(ctx context.Context, images graph.Batches) (*Scores, error) {
	next, stop := iter.Pull2(images)
	defer stop()
	first, err, ok := next()
	switch {
	case ctx.Err() != nil:
		err = ctx.Err() // ctx may be the reason why the stream ended
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
	return d.Collect(ctx, prog, func(yield func(graph.Batch, error) bool) {
		for b, err, ok := first, error(nil), true; ok && yield(b, err); {
			b, err, ok = next()
		}
	})
}

// program returns the kept program for streams whose first batch has n images.
func (d *Detector) program(ctx context.Context, n int) (*graph.Program, error) {
	if n == 1 {
		return d.single.get(ctx, func() (*graph.Program, error) {
			return d.Compile(graph.Options{Batch: 1, Threads: runtime.GOMAXPROCS(0)})
		})
	}
	return d.many.get(ctx, func() (*graph.Program, error) { return d.Compile(graph.Options{}) })
}

// Collect runs a program that fetches score and prediction, and returns them for all images. Errors are a score that
// is NaN, naming the image, counted from 0; a stream without images, wrapping [ErrNoImages]; and a score with more
// than one value for a sample.
func Collect(ctx context.Context, program *graph.Program, images graph.Batches) (*Scores, error) {
	if shape := program.Shape(Score); tensor.Shape(shape).TotalSize() != 1 {
		return nil, fmt.Errorf("line: %q: expected one value a sample, got shape %v", Score, shape)
	}
	s := &Scores{}
	for out, err := range program.Run(ctx, images) {
		if err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
		if s.Score, err = appendScores(s.Score, out); err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
		s.Prediction = append(s.Prediction, out.Ints(nets.Prediction)...)
		s.Label = append(s.Label, out.Labels...)
	}
	if len(s.Score) == 0 {
		return nil, fmt.Errorf("line: score: %w", ErrNoImages)
	}
	return s, nil
}

// appendScores appends a batch's scores to those of the images before it.
func appendScores(scores []float64, out *graph.Outputs) ([]float64, error) {
	for _, v := range out.Float32(Score) {
		if v != v {
			return nil, fmt.Errorf("score of image %d is NaN", len(scores))
		}
		scores = append(scores, float64(v))
	}
	return scores, nil
}
