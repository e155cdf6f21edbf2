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

// Compile makes a program of the whole pipeline. Without o.Fetch it fetches score and prediction, or of a method other
// than LINe what that reads of the network, for [Detector.Collect].
func (d *Detector) Compile(o graph.Options) (*graph.Program, error) {
	if d.other != nil {
		return d.compileOther(o)
	}
	return graph.Compile(Pipeline{Classifier: d.net, Detector: d}, o)
}

// Score scores a stream of images X [batch, channels, height, width], already normalised, with default options; the
// stream is read once. Zero images are an error that wraps [ErrNoImages]. For other options, or further quantities such
// as the gradient of the score, see [Detector.Compile]; for pictures see [Detector.ScoreImages].
//
// The first call compiles a program, which the detector keeps, and calls at the same time share it. Streams that begin
// with a batch of one image get another one, which takes images one by one and is the faster for them; the bits are the
// same.
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
	return d.Collect(ctx, prog, func(yield func(graph.Batch, error) bool) {
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

// Collect runs a program that fetches score and prediction and keeps them. A score that is NaN is an error that names
// the image, counted from 0, zero images are one that wraps [ErrNoImages], and so is a score that is not one value a
// sample.
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
