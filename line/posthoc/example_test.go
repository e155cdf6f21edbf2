package posthoc_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/line-ood/goline/line/posthoc"
)

// twoSamples returns a network's features and logits for a picture with large features and one with small features.
func twoSamples() posthoc.Samples {
	return posthoc.Samples{N: 2, FeatureDim: 2, Classes: 2, Features: []float32{3, 4, 0.3, 0.4},
		Logits: []float32{3, 4, 0.3, 0.4}}
}

// A method of one's own is a function of the features [feature] and logits [class] of one sample.
func ExampleFunc() {
	norm := posthoc.Func("norm", func(features, _ []float32) float64 {
		sum := 0.0
		for _, z := range features {
			sum += float64(z) * float64(z)
		}
		return math.Sqrt(sum)
	})
	scores := make([]float64, 2)
	if err := norm.Score(context.Background(), twoSamples(), scores); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f\n", scores)
	// Output: [5.0 0.5]
}

// A registered method has a name and parameters that searches and reports know. One that learns, or is to be composed
// with others, has a Part instead of New: see the example of Scorer.
func ExampleRegister() {
	posthoc.Register(posthoc.Kind{
		Name: "example-margin", Doc: "largest logit minus the second, times a factor", Source: "this example",
		Params: []posthoc.Parameter{{Name: "factor", Default: 1, Min: 0, Max: 10, Open: true, Grid: []float64{1, 2},
			Doc: "what it is multiplied by"}},
		New: func(params map[string]float64, _ int) (posthoc.Method, error) {
			return posthoc.Func("example-margin", func(_, logits []float32) float64 {
				first, second := math.Inf(-1), math.Inf(-1)
				for _, l := range logits {
					if l := float64(l); l > first {
						first, second = l, first
					} else {
						second = max(second, l)
					}
				}
				return params["factor"] * (first - second)
			}), nil
		},
	})
	m, err := posthoc.New("example-margin", posthoc.Options{Params: map[string]float64{"factor": 2}})
	if err != nil {
		log.Fatal(err)
	}
	scores := make([]float64, 2)
	if err := m.Score(context.Background(), twoSamples(), scores); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %.1f\n", m.Name(), scores)
	// Output: example-margin: [2.0 0.2]
}

// centre is a scorer that learns: 1/(1 + d), with d the distance to the mean of the fitted features.
type centre struct {
	state struct{ Mean []float64 } // [feature]
}

// State has Fit called, and the mean kept in the files of detectors.
func (c *centre) State() any { return &c.state }

func (c *centre) Fit(_ context.Context, head posthoc.Head, id posthoc.Samples) error {
	c.state.Mean = make([]float64, head.FeatureDim)
	for i, z := range id.Features {
		c.state.Mean[i%head.FeatureDim] += float64(z) / float64(id.N)
	}
	return nil
}

func (c *centre) Score() func(*posthoc.Block, []float64) {
	return func(b *posthoc.Block, dst []float64) {
		for i := range dst {
			sum := 0.0
			for j, z := range b.FeaturesOf(i) {
				sum += (z - c.state.Mean[j]) * (z - c.state.Mean[j])
			}
			dst[i] = 1 / (1 + math.Sqrt(sum))
		}
	}
}

// A method that learns is a Part. It can be composed with others by name, and line.FitMethod makes a detector of it,
// with its state in the file.
func ExampleScorer() {
	posthoc.Register(posthoc.Kind{
		Name: "example-centre", Doc: "nearness to the mean", Source: "this example", FittedOn: posthoc.ID,
		Part: func(map[string]float64, int) (posthoc.Part, error) { return posthoc.Part{Score: &centre{}}, nil },
	})
	ctx, samples := context.Background(), twoSamples()
	head := posthoc.Head{Classes: 2, FeatureDim: 2, Weight: []float32{1, 0, 0, 1}, Bias: []float32{0, 0}}
	fitted := samples.Subset([]int{1}) // the picture with small features
	for _, name := range []string{"example-centre", "react+example-centre"} {
		m, err := posthoc.New(name, posthoc.Options{})
		if err != nil {
			log.Fatal(err)
		}
		if err := m.Fit(ctx, head, fitted); err != nil {
			log.Fatal(err)
		}
		scores := make([]float64, samples.N)
		if err := m.Score(ctx, samples, scores); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %.2f\n", m.Name(), scores)
	}
	// Output:
	// example-centre: [0.18 1.00]
	// react+example-centre: [0.92 1.00]
}
