package attribute

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
)

func TestParseEstimator(t *testing.T) {
	for _, name := range everyEstimator {
		if name == topKept {
			continue
		}
		e, err := parseEstimator(name)
		require.NoError(t, err)
		assert.Equal(t, name, e.Name())
	}
	for short, long := range map[string]string{"gradient": "gradient-activation", "integrated": "integrated-gradients",
		"expected": "expected-gradients", " owen-halved-3 ": "owen-halved-3"} {
		e, err := parseEstimator(short)
		require.NoError(t, err)
		assert.Equal(t, long, e.Name())
	}
	kept, err := parseEstimators([]string{topKept})
	require.NoError(t, err)
	assert.Equal(t, "top-35", forPlayers(kept, 342)[0].Name())
	assert.Equal(t, "top-1", forPlayers(kept, 2)[0].Name())
	assert.Equal(t, estimate.TopK{}, kept[0], "settling K must not change the list")
}

func TestChoose(t *testing.T) {
	assert.Equal(t, []int{0, 1, 2}, choose(0, 3, 1, 1))
	assert.Equal(t, []int{0, 1, 2}, choose(7, 3, 1, 1))
	a := choose(5, 100, 1, imageStream)
	assert.Len(t, a, 5)
	assert.IsIncreasing(t, a)
	assert.Equal(t, a, choose(5, 100, 1, imageStream))
	assert.NotEqual(t, a, choose(5, 100, 2, imageStream))
	assert.NotEqual(t, a, choose(5, 100, 1, backgroundStream))
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "0", -0.00123456: "-0.001235", 342: "342", 999.96: "1000",
		34200: "34200", -12345.6: "-12346", 3e12: "3e+12"} {
		assert.Equal(t, want, figure(v))
	}
	assert.Equal(t, "–", figure(math.NaN()))
	assert.Equal(t, "null", func() string { b, _ := jsonNumber(math.Inf(1)).MarshalJSON(); return string(b) }())
}

func TestNoIntervals(t *testing.T) {
	few := attribution.Estimate{Method: "antithetic", Samples: 5, LeastSamples: 30}
	assert.Equal(t, "no intervals: too few samples, 5 of the 30 that they need", noIntervals(&few))
	few.LeastSamples = math.MaxInt
	assert.Contains(t, noIntervals(&few), "antithetic has a bias")
}
