package line

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"slices"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Result is a detector's result for one image.
type Result struct {
	Score      float64 // higher is more in-distribution
	Prediction int     // the class that the network predicts
	// P is the p-value by the detector's calibration, 0 where there is none; see [Detector.Calibrate].
	P float64
	// OOD reports whether the image is out-of-distribution. With a calibration it is so if P is at most the
	// calibration's false-alarm rate, otherwise if the score is below [Detector.FitThreshold]. It is meaningless
	// unless Judged.
	OOD bool
	// Judged reports whether the detector has a threshold to decide by: see [ErrNoThreshold].
	Judged bool
}

// ScoreImage scores a picture of any size, which [Detector.Preprocessing] turns into the network's input. It is an
// error if the network's input is not [3, height, width], if the picture has no pixels, or if the preprocessing does
// not bring it to the size of the input.
//
// Colours are taken as 8-bit values without alpha, as the readers of package dataset take them: they are neither
// multiplied by alpha nor blended. A JPEG decoded by package image/jpeg differs by rounding from the same file read
// by those readers.
//
// The first call compiles a program for single images, which the detector keeps. [Detector.ScoreImages] is faster for
// many pictures and gives the same bits.
func (d *Detector) ScoreImage(ctx context.Context, img image.Image) (Result, error) {
	in, err := newPictureInput(d.net, d.Preprocessing())
	if err != nil {
		return Result{}, fmt.Errorf("line: %w", err)
	}
	x, err := in.append(nil, img)
	if err != nil {
		return Result{}, fmt.Errorf("line: %w", err)
	}
	prog, err := d.program(ctx, 1)
	if err != nil {
		return Result{}, fmt.Errorf("line: %w", err)
	}
	s, err := d.Collect(ctx, prog, func(yield func(graph.Batch, error) bool) { yield(graph.Batch{X: x, N: 1}, nil) })
	if err != nil {
		return Result{}, err
	}
	return d.Judge(s.Score[0], s.Prediction[0]), nil
}

// ScoreImages scores pictures as [Detector.ScoreImage] does, many at a time, and yields a result for each, in order.
// For a slice pass slices.Values of it. An error, which counts pictures from 0, is yielded last, after the results of
// the pictures before it. Without pictures there are no results.
//
// Pictures are read ahead on another goroutine, 32 at a time; memory is bounded by a few times that many. When the
// loop over the results ends, that goroutine has ended too; for this it waits until the sequence yields its next
// picture or ends.
func (d *Detector) ScoreImages(ctx context.Context, images iter.Seq[image.Image]) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		fail := func(err error) { yield(Result{}, fmt.Errorf("line: %w", err)) }
		in, err := newPictureInput(d.net, d.Preprocessing())
		if err != nil {
			fail(err)
			return
		}
		prog, err := d.program(ctx, pictureBatch)
		if err != nil {
			fail(err)
			return
		}
		for s, err := range d.batches(ctx, prog, in.batches(images)) {
			if err != nil {
				yield(Result{}, err)
				return
			}
			for i, class := range s.Prediction {
				if !yield(d.Judge(s.Score[i], class), nil) {
					return
				}
			}
		}
	}
}

// Judge returns the result for an image with this score and this class as the network's prediction.
func (d *Detector) Judge(score float64, prediction int) Result {
	if c, err := d.Calibrator(); err == nil {
		p := c.PValue(score, prediction)
		return Result{Score: score, Prediction: prediction, P: p, OOD: p <= c.Options().Alpha, Judged: true}
	}
	ood, err := d.IsOOD(score)
	return Result{Score: score, Prediction: prediction, OOD: ood, Judged: err == nil}
}

// pictureBatch is the number of pictures in a batch.
const pictureBatch = 32

// pictureInput turns pictures into network input. It is for one goroutine.
type pictureInput struct {
	pre           *dataset.Preprocessor
	height, width int
}

func newPictureInput(net nets.Classifier, p nets.Preprocessing) (*pictureInput, error) {
	in, shape := &pictureInput{}, net.InputShape()
	channels := 0
	if len(shape) == 3 {
		channels, in.height, in.width = p.Layout.Split(shape)
	}
	if channels != 3 {
		return nil, fmt.Errorf("network %s: expected input of shape [3, height, width] for pictures, got %v",
			net.Name(), shape)
	}
	var err error
	if in.pre, err = dataset.NewPreprocessor(p); err != nil {
		return nil, fmt.Errorf("network %s: %w", net.Name(), err)
	}
	return in, nil
}

// append appends the input for one picture to x.
func (in *pictureInput) append(x []float32, img image.Image) ([]float32, error) {
	pixels, err := toImage(img)
	if err != nil {
		return nil, err
	}
	height, width, err := in.pre.Size(pixels.Height, pixels.Width)
	if err != nil {
		return nil, err
	}
	if height != in.height || width != in.width {
		return nil, fmt.Errorf("preprocessed picture of %d×%d pixels: expected %d×%d, got %d×%d (width × height)",
			pixels.Width, pixels.Height, in.width, in.height, width, height)
	}
	n, at := 3*height*width, len(x)
	x = slices.Grow(x, n)[:at+n]
	return x, in.pre.Apply(x[at:], pixels)
}

// batches streams pictures in batches. A picture that fails ends the stream with its error, after the pictures before
// it.
func (in *pictureInput) batches(images iter.Seq[image.Image]) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		var b graph.Batch
		seen := 0
		for img := range images {
			if b.X == nil {
				b.X = make([]float32, 0, pictureBatch*3*in.height*in.width)
			}
			x, err := in.append(b.X, img)
			if err != nil {
				if b.N == 0 || yield(b, nil) {
					yield(graph.Batch{}, fmt.Errorf("picture %d: %w", seen, err))
				}
				return
			}
			b.X = x
			b.N++
			seen++
			if b.N == pictureBatch {
				if !yield(b, nil) {
					return
				}
				b = graph.Batch{}
			}
		}
		if b.N > 0 {
			yield(b, nil)
		}
	}
}

// toImage returns a picture's colours as [dataset.FromImage] does, and an error for a picture that it cannot convert.
func toImage(img image.Image) (dataset.Image, error) {
	if img == nil {
		return dataset.Image{}, errors.New("picture is nil")
	}
	const most = 178_956_970 // the largest number of pixels that package dataset accepts
	r := img.Bounds()
	switch {
	case r.Empty():
		return dataset.Image{}, fmt.Errorf("picture of %d×%d pixels has none", r.Dx(), r.Dy())
	case r.Dx() > most/r.Dy():
		return dataset.Image{}, fmt.Errorf("picture: expected at most %d pixels, got %d×%d", most, r.Dx(), r.Dy())
	}
	return dataset.FromImage(img), nil
}
