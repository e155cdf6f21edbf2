package eval_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// scaled is a method defined by the test: the sum of the features times a parameter, which does not change the order
// of scores.
func scaled(name string) posthoc.Kind {
	return posthoc.Kind{
		Name: name,
		Params: []posthoc.Parameter{{Name: "factor", Default: 2, Min: 0, Max: 10, Open: true,
			Grid: []float64{1, 2, 3}}},
		New: func(params map[string]float64, _ int) (posthoc.Method, error) {
			return posthoc.Func(name, func(features, _ []float32) float64 {
				sum := 0.0
				for _, z := range features {
					sum -= float64(z)
				}
				return sum * params["factor"]
			}), nil
		},
	}
}

func init() { posthoc.Register(scaled("test-scaled")) }

// TestRegister: a registered kind is made, checked and tuned by its name like any other, and invalid registrations
// panic.
func TestRegister(t *testing.T) {
	require.Contains(t, posthoc.Names(), "test-scaled")
	m, err := posthoc.New("test-scaled", posthoc.Options{Params: map[string]float64{"factor": 3}})
	require.NoError(t, err)
	require.NoError(t, m.Fit(context.Background(), posthoc.Head{}, posthoc.Samples{}))
	got := make([]float64, 2)
	require.NoError(t, m.Score(context.Background(), posthoc.Samples{N: 2, FeatureDim: 2, Classes: 1,
		Features: []float32{1, 2, 3, 4}, Logits: []float32{0, 0}}, got))
	require.Equal(t, []float64{-9, -21}, got)
	_, err = posthoc.New("test-scaled", posthoc.Options{Params: map[string]float64{"factor": 0}})
	require.ErrorContains(t, err, "expected a value in (0, 10]")
	c, err := eval.Tune(context.Background(), "test-scaled", data(1), nil, 1)
	require.NoError(t, err)
	require.Len(t, c.Trials, 3)
	require.Equal(t, 1.0, c.Params["factor"], "of equal settings the first")

	bad := scaled("test-bad")
	bad.Params[0].Grid = []float64{11}
	nothing := scaled("test-bad")
	nothing.New = nil
	for name, k := range map[string]posthoc.Kind{
		"a name that is taken": scaled("test-scaled"), "a built-in name": scaled("energy"), "no name": scaled(""),
		"a grid out of range": bad, "no New": nothing,
	} {
		require.Panics(t, func() { posthoc.Register(k) }, name)
	}
	require.NotContains(t, posthoc.Names(), "test-bad")
}

// Compare LINe with a method of one's own: a function of a picture's features and logits.
func ExampleRun() {
	line, err := posthoc.New("line", posthoc.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	own := posthoc.Func("largest", func(features, _ []float32) float64 {
		most := features[0]
		for _, z := range features {
			most = max(most, z)
		}
		return -float64(most)
	})
	r, err := eval.Run(context.Background(), data(1), []posthoc.Method{line, own}, eval.RunOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := r.Report("made up", report.Weights{}).Table(report.Markdown, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(table)
	// Output:
	// | method | parameters | wide | narrow | average |
	// |:--- |:--- | ---:| ---:| ---:|
	// | line | clip = 1, p_a = 90, p_w = 90 | 96.67 / 36.62 | 85.00 / 68.81 | 90.83 / 52.72 |
	// | largest |  | 23.33 / 91.25 | 100.00 /  7.12 | 61.67 / 49.19 |
	//
	// FPR95 (lower is better) / AUROC (higher is better) in %; 40 ID samples, accuracy 32.50 %
}
