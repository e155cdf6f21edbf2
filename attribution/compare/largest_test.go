package compare_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
)

// threePlayers is an estimate whose last player has the largest value, with a standard error of 0.5.
func threePlayers() attribution.Estimate {
	return attribution.Estimate{Method: "sampled", Names: []string{"first", "second", "third"},
		Values: []float64{1, -2, 3}, StdErr: []float64{0.5, 0.5, 0.5}, DF: []float64{50, 50, 50}, Samples: 51}
}

func TestLargestValues(t *testing.T) {
	sampled := threePlayers()
	exact := attribution.Estimate{Method: "exact", Values: []float64{1.1, -2.1, 2.9}, StdErr: make([]float64, 3)}
	few := threePlayers()
	few.Method, few.LeastSamples = "few", 100
	f, err := compare.LargestValues([]attribution.Estimate{sampled, exact, few}, 2, 0.95,
		compare.Weights{Label: "weight to class 7 (horse)", Values: []float64{0.25, 0.5, -0.75}})
	require.NoError(t, err)
	f.Titled("a network, a layer, a value")
	checkFigure(t, f, "largest", "a network, a layer, a value", "sampled", "exact", "few, no intervals", "third",
		"first", "Shapley value with 95 % interval", "weight to class 7 (horse)")
	var svg bytes.Buffer
	_, err = f.SVG().WriteTo(&svg)
	require.NoError(t, err)
	assert.NotContains(t, svg.String(), "second", "it is not among the two largest")
	assert.Less(t, bytes.Index(svg.Bytes(), []byte("first")), bytes.Index(svg.Bytes(), []byte("third")),
		"rows are drawn upwards, the largest last")

	f, err = compare.LargestValues([]attribution.Estimate{exact}, 3, 0.95, compare.Weights{})
	require.NoError(t, err)
	svg.Reset()
	_, err = f.SVG().WriteTo(&svg)
	require.NoError(t, err)
	assert.NotContains(t, svg.String(), "interval", "an exact result has none")
	assert.NotContains(t, svg.String(), "weight to")

	f, err = compare.LargestValues([]attribution.Estimate{sampled}, 1, 0.95, compare.Weights{})
	require.NoError(t, err)
	checkFigure(t, f, "largest-one", "third")
}

func TestBadLargestValues(t *testing.T) {
	one := []attribution.Estimate{threePlayers()}
	for want, draw := range map[string]func() (*compare.Figure, error){
		"expected at least one estimate": func() (*compare.Figure, error) {
			return compare.LargestValues(nil, 1, 0.95, compare.Weights{})
		},
		"expected 1 to 3 of the largest values, got 4": func() (*compare.Figure, error) {
			return compare.LargestValues(one, 4, 0.95, compare.Weights{})
		},
		"expected 1 to 3 of the largest values, got 0": func() (*compare.Figure, error) {
			return compare.LargestValues(one, 0, 0.95, compare.Weights{})
		},
		"expected 3 weights, got 2": func() (*compare.Figure, error) {
			return compare.LargestValues(one, 2, 0.95, compare.Weights{Values: []float64{1, 2}})
		},
		"short has 1 values, sampled 3": func() (*compare.Figure, error) {
			short := attribution.Estimate{Method: "short", Values: []float64{1}, StdErr: []float64{0}}
			return compare.LargestValues(append(one, short), 2, 0.95, compare.Weights{})
		},
		"values of sampled": func() (*compare.Figure, error) {
			bad := threePlayers()
			bad.Values[0] = math.Inf(1)
			return compare.LargestValues([]attribution.Estimate{bad}, 2, 0.95, compare.Weights{})
		},
	} {
		_, err := draw()
		assert.ErrorContains(t, err, want)
	}
}
