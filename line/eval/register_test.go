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

// labelled is a part of the test: a scorer that counts the samples with labels, but is not Stateful.
type labelled struct{ state struct{ Seen int } }

func (l *labelled) Fit(_ context.Context, _ posthoc.Head, id posthoc.Samples) error {
	for i := range id.N {
		if id.Labels[i] >= 0 {
			l.state.Seen++
		}
	}
	return nil
}

func (l *labelled) Score() func(*posthoc.Block, []float64) {
	return func(_ *posthoc.Block, dst []float64) {
		for i := range dst {
			dst[i] = float64(l.state.Seen)
		}
	}
}

// stateful is a labelled scorer that is fitted.
type stateful struct{ labelled }

func (s *stateful) State() any { return &s.state }

func init() {
	posthoc.Register(posthoc.Kind{Name: "test-labels", FittedOn: posthoc.Labels,
		Params: []posthoc.Parameter{{Name: "stateless", Max: 1, Whole: true}},
		Part: func(params map[string]float64, _ int) (posthoc.Part, error) {
			if params["stateless"] == 1 {
				return posthoc.Part{Score: &labelled{}}, nil
			}
			return posthoc.Part{Score: &stateful{}}, nil
		}})
}

// TestRegisterLabels: the part of a kind that is fitted on labels need not look for samples without any, alone and in a
// composition, and a scorer that would never be fitted is an error.
func TestRegisterLabels(t *testing.T) {
	d := data(1)
	none := d.Fit.Samples
	none.Labels = nil
	for _, name := range []string{"test-labels", "react+test-labels"} {
		m, err := posthoc.New(name, posthoc.Options{})
		require.NoError(t, err)
		require.EqualError(t, m.Fit(t.Context(), d.Head, none), fmt.Sprintf(
			"posthoc: %s: expected labelled in-distribution samples, got %d without a label", name, none.N))
		require.NoError(t, m.Fit(t.Context(), d.Head, d.Fit.Samples))
		got := make([]float64, d.ID.N)
		require.NoError(t, m.Score(t.Context(), d.ID.Samples, got))
		require.Equal(t, float64(d.Fit.N), got[0], "every fitted sample has a label")
	}
	for name, param := range map[string]string{
		"test-labels": "stateless", "react+test-labels": "test-labels.stateless",
	} {
		_, err := posthoc.New(name, posthoc.Options{Params: map[string]float64{param: 1}})
		require.EqualError(t, err, "posthoc: test-labels is fitted on labelled ID samples: expected a scorer that "+
			"implements Stateful, got a *eval_test.labelled", name)
	}
}
