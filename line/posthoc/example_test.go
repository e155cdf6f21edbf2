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

// A registered method has a name and parameters that commands and searches know, and can be composed with others.
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
