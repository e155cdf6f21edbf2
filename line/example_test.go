package line_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"log"
	"os"
	"path/filepath"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// colours is a classifier that tells red from green images. Its features are the mean of each colour, and its logits
// are linear in the features, which is all that LINe needs. Networks from package nets are classifiers, too.
type colours struct{ weight, bias *graph.Param }

func newColours() colours {
	c := colours{graph.NewParam("fc.weight", 2, 3), graph.NewParam("fc.bias", 2)}
	copy(c.weight.Float32s(), []float32{
		4, -2, 1, // red: the mean of red counts for it, green against it, and blue a little for it
		-2, 4, 1,
	})
	return c
}

func (c colours) Name() string    { return "colours" }
func (c colours) Classes() int    { return 2 }
func (c colours) FeatureDim() int { return 3 }
func (c colours) Preprocessing() nets.Preprocessing {
	return nets.Preprocessing{Std: [3]float32{1, 1, 1}}
}
func (c colours) Head() (weight, bias *graph.Param) { return c.weight, c.bias }
func (c colours) InputShape() []int                 { return []int{3, 2, 2} }
func (c colours) Params() []*graph.Param            { return []*graph.Param{c.weight, c.bias} }
func (c colours) Outputs() []string                 { return []string{"features", "logits"} }

func (c colours) Build(b *graph.Builder, x *G.Node) error {
	z := b.Tap("features", b.GlobalAvgPool(x))
	l := b.Tap("logits", b.Linear(z, "fc"))
	b.Tap("prediction", b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
	return b.Err()
}

// plain returns 2×2 images of one colour each, as a stream of one batch.
func plain(labels []int, rgb ...[3]float32) graph.Batches {
	b := graph.Batch{N: len(rgb), Labels: labels}
	for _, colour := range rgb {
		for _, v := range colour {
			b.X = append(b.X, v, v, v, v)
		}
	}
	return func(yield func(graph.Batch, error) bool) { yield(b, nil) }
}

func fitColours(ctx context.Context) *line.Detector {
	program, err := graph.Compile(newColours(), graph.Options{})
	if err != nil {
		log.Fatal(err)
	}
	train := plain([]int{0, 0, 1, 1}, [3]float32{1, 0.1, 0}, [3]float32{0.8, 0, 0.1}, [3]float32{0.1, 1, 0},
		[3]float32{0, 0.9, 0.1})
	det, err := line.Fit(ctx, program, train, line.Options{ActivationPercentile: 50, WeightPercentile: 50, Clip: 1})
	if err != nil {
		log.Fatal(err)
	}
	return det
}

// A detector is fitted to labelled training images. It then scores red and green images high, and blue ones, which the
// network never saw, low.
func ExampleFit() {
	ctx := context.Background()
	det := fitColours(ctx)
	fmt.Printf("contributions to red, then to green: %.2f\n", det.Mean())
	fmt.Println("neurons that matter for red:", det.ActiveNeurons(0))

	scores, err := det.Score(ctx, plain(nil, [3]float32{0.9, 0, 0}, [3]float32{0, 1, 0}, [3]float32{0, 0, 1}))
	if err != nil {
		log.Fatal(err)
	}
	for i, colour := range []string{"red", "green", "blue"} {
		fmt.Printf("%-5s class %d, score %.2f\n", colour, scores.Prediction[i], scores.Score[i])
	}
	// Output:
	// contributions to red, then to green: [3.60 -0.10 0.05 -0.10 3.80 0.05]
	// neurons that matter for red: [true false false]
	// red   class 0, score 3.63
	// green class 1, score 4.02
	// blue  class 0, score 0.69
}

// square is a picture of one colour in the size that the network takes.
func square(c color.Color) image.Image {
	p := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	draw.Draw(p, p.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	return p
}

// Each neuron gets its own bound, whatever the scale of its activations.
func ExampleOptions_clipPercentile() {
	prog, err := graph.Compile(newColours(), graph.Options{})
	if err != nil {
		log.Fatal(err)
	}
	train := plain([]int{0, 0, 1, 1}, [3]float32{1, 0, 0.25}, [3]float32{0.75, 0, 0}, [3]float32{0, 0.5, 0.25},
		[3]float32{0, 1, 0})
	for _, perClass := range []bool{false, true} {
		det, err := line.Fit(context.Background(), prog, train, line.Options{ClipPercentile: 50,
			ClipPerClass: perClass})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("bounds of red pictures:", det.ClipLimits(0), "of green ones:", det.ClipLimits(1))
	}
	// Output:
	// bounds of red pictures: [0.375 0.25 0.125] of green ones: [0.375 0.25 0.125]
	// bounds of red pictures: [0.875 0 0.125] of green ones: [0 0.75 0.125]
}

// A picture in memory, for example from a camera, is scored as it is: the detector prepares it for the network.
func ExampleDetector_ScoreImage() {
	ctx := context.Background()
	det := fitColours(ctx)
	for _, c := range []color.NRGBA{{R: 250, A: 255}, {G: 250, A: 255}, {B: 250, A: 255}} {
		r, err := det.ScoreImage(ctx, square(c))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("class %d, score %.2f, out-of-distribution: %t\n", r.Prediction, r.Score, r.OOD)
	}
	// Output:
	// class 0, score 3.94, out-of-distribution: false
	// class 1, score 3.94, out-of-distribution: false
	// class 0, score 0.69, out-of-distribution: true
}

// Many pictures are scored together. A sequence may read each picture only when it is needed.
func ExampleDetector_ScoreImages() {
	ctx := context.Background()
	album := []image.Image{square(color.NRGBA{G: 240, A: 255}), square(color.NRGBA{R: 90, B: 200, A: 255})}
	for r, err := range fitColours(ctx).ScoreImages(ctx, slices.Values(album)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("class %d, score %.2f\n", r.Prediction, r.Score)
	}
	// Output:
	// class 1, score 3.79
	// class 0, score 1.63
}

// The threshold is passed by 95 % of the images that the detector was fitted to. Where held-out images are available,
// a threshold from them is better.
func ExampleDetector_IsOOD() {
	ctx := context.Background()
	det := fitColours(ctx)
	threshold, err := det.FitThreshold()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("threshold %.2f\n", threshold)
	for _, score := range []float64{4, threshold, 0.7} {
		ood, err := det.IsOOD(score)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.2f %t\n", score, ood)
	}

	other, err := line.New(ctx, det.Network(), det.Contributions(), det.Options())
	if err != nil {
		log.Fatal(err)
	}
	_, err = other.IsOOD(4) // it knows contributions, but no images
	fmt.Println(errors.Is(err, line.ErrNoThreshold))
	// Output:
	// threshold 3.24
	// 4.00 false
	// 3.24 true
	// 0.70 true
	// true
}

// Every intermediate value between image and score can be fetched from one run of one graph, gradients included.
func ExampleDetector_Compile() {
	ctx := context.Background()
	program, err := fitColours(ctx).Compile(graph.Options{Fetch: []string{"logits", line.Score,
		line.ScoreFeatureGradient}})
	if err != nil {
		log.Fatal(err)
	}
	for out, err := range program.Run(ctx, plain(nil, [3]float32{0.9, 0, 0.5})) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("logits %.1f\n", out.Float32("logits"))
		fmt.Printf("score %.2f\n", out.Float32(line.Score))
		fmt.Printf("gradient %.2f\n", out.Float32(line.ScoreFeatureGradient))
	}
	// Output:
	// logits [4.1 -1.3]
	// score [3.63]
	// gradient [3.89 0.00 0.00]
}

// A saved detector contains its network if that is one of package nets. For a network of one's own, the caller gives
// it.
func ExampleLoadFor() {
	dir, err := os.MkdirTemp("", "detector")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "colours.npz")
	if err := fitColours(context.Background()).Save(path); err != nil {
		log.Fatal(err)
	}
	det, err := line.LoadFor(path, newColours())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(det.Network().Name(), det.Options().Params())

	changed := newColours()
	changed.weight.Float32s()[0] = 5
	_, err = line.LoadFor(path, changed)
	fmt.Println(errors.Is(err, line.ErrMismatch))
	// Output:
	// colours map[clip:1 p_a:50 p_w:50]
	// true
}

// Contributions of disjoint sets of images merge into those of the union.
func ExampleContributions() {
	ctx := context.Background()
	program, err := graph.Compile(newColours(), graph.Options{})
	if err != nil {
		log.Fatal(err)
	}
	reds, err := line.Measure(ctx, program, plain([]int{0, 0}, [3]float32{1, 0.1, 0}, [3]float32{0.8, 0, 0.1}))
	if err != nil {
		log.Fatal(err)
	}
	greens, err := line.Measure(ctx, program, plain([]int{1, 1}, [3]float32{0.1, 1, 0}, [3]float32{0, 0.9, 0.1}))
	if err != nil {
		log.Fatal(err)
	}
	_, err = reds.Mean()
	fmt.Println(err)
	if err := reds.Merge(greens); err != nil {
		log.Fatal(err)
	}
	mean, err := reds.Mean()
	fmt.Printf("%.2f %v\n", mean, err)
	// Output:
	// no images of class 1: every class needs at least one
	// [3.60 -0.10 0.05 -0.10 3.80 0.05] <nil>
}

// A detector with a guarantee: of pictures like those that it was calibrated on, it calls at most a tenth
// out-of-distribution.
func ExampleDetector_Calibrate() {
	ctx := context.Background()
	det := fitColours(ctx)
	shades := make([][3]float32, 99)
	for i := range shades {
		shades[i] = [3]float32{float32(i+1) / 99, 0.1, 0.1}
	}
	heldOut, err := det.Score(ctx, plain(nil, shades...))
	if err != nil {
		log.Fatal(err)
	}
	calibrated, err := det.Calibrate(heldOut, nil, conformal.Options{Alpha: 0.1})
	if err != nil {
		log.Fatal(err)
	}
	c, err := calibrated.Calibrator()
	if err != nil {
		log.Fatal(err)
	}
	t, err := c.Thresholds(0.1)
	if err != nil {
		log.Fatal(err)
	}
	bound, err := t[0].Bound(0.1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the %dth lowest of %d scores; in 90 %% of calibrations at most %.1f %% false alarms\n", t[0].Rank,
		t[0].N, 100*bound)
	// Output: the 10th lowest of 99 scores; in 90 % of calibrations at most 14.0 % false alarms
}

// Methods other than LINe make detectors, too: this one is fitted to the network's features of training images.
func ExampleFitMethod() {
	ctx := context.Background()
	fit := posthoc.Samples{
		N: 4, FeatureDim: 3, Classes: 2,
		Features: []float32{1, 0.1, 0, 0.8, 0, 0.1, 0.1, 1, 0, 0, 0.9, 0.1}, // the means of reds and greens
		Logits:   []float32{3.8, -1.6, 3.3, -1.5, -1.6, 3.8, -1.7, 3.7},
	}
	det, err := line.FitMethod(ctx, newColours(), "knn", map[string]float64{"k": 1}, fit)
	if err != nil {
		log.Fatal(err)
	}
	scores, err := det.Score(ctx, plain(nil, [3]float32{0.9, 0, 0}, [3]float32{0, 1, 0}, [3]float32{0, 0, 1}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: red %.2f, green %.2f, blue %.2f\n", det.Method(), scores.Score[0], scores.Score[1], scores.Score[2])
	// Output: knn: red -0.01, green -0.01, blue -1.75
}
