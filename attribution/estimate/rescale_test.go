package estimate

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
)

// On a linear game the rule is exact. On others its values sum to v(N) - v(∅), and are not as small as a vanishing
// gradient.
func TestRescale(t *testing.T) {
	n := randomNetwork(4, 9, 3)
	logit := n.game(t, games.PenultimateOptions{})
	e, err := Rescale{}.Estimate(background, logit, attribution.Options{})
	require.NoError(t, err)
	assert.InDeltaSlice(t, exactly(t, logit), e.Values, 1e-12)
	for _, v := range []attribution.Value{attribution.LogSumExp, attribution.Probability, attribution.LogProbability} {
		for _, removal := range []attribution.Removal{attribution.RemoveToZero(),
			attribution.RemoveByResampling([][]float64{make([]float64, 9), n.z, {1, 0, 2, 0, 0.3, 1, 0, 0, 4}})} {
			g := n.game(t, games.PenultimateOptions{Value: v, Removal: removal,
				Groups: [][]int{{0, 3}, {1}, {8, 2, 4}}})
			e, err := Rescale{}.Estimate(background, g, attribution.Options{})
			require.NoError(t, err)
			assert.InDelta(t, 0, e.Residual, 1e-12, "%v", v)
			assert.Equal(t, int64(2), e.Evaluations)
			assert.InDelta(t, 4*attribution.ForwardsPerValue(g), e.Equivalents, 1e-12)
		}
	}
	_, err = Rescale{}.Estimate(background, n.game(t, games.PenultimateOptions{Value: attribution.Margin}),
		attribution.Options{})
	assert.ErrorIs(t, err, attribution.ErrNotDifferentiable)
	_, err = Rescale{}.Estimate(background, plain{logit}, attribution.Options{})
	assert.ErrorIs(t, err, attribution.ErrNotDifferentiable)
	_, err = Rescale{}.Estimate(background, logit, attribution.Options{Budget: 3.9})
	assert.ErrorIs(t, err, attribution.ErrBudget)
}

// One neuron and the log-sum-exp of two classes: the rule by hand.
func TestRescaleByHand(t *testing.T) {
	h, err := readout([]float64{1, 2, -1, 0.5}, []float64{0, 0}) // [classes, neurons]
	require.NoError(t, err)
	g, err := games.NewPenultimate(h, []float64{1, 2}, -1, games.PenultimateOptions{Value: attribution.LogSumExp})
	require.NoError(t, err)
	e, err := Rescale{}.Estimate(background, g, attribution.Options{})
	require.NoError(t, err)
	// logits from (0, 0) to (5, 0): the sum of exponentials from 2 to e⁵ + 1
	first := (math.Exp(5) - 1) / 5
	second := 1.0 // the slope at 0, which the second logit does not leave
	outer := (math.Log(math.Exp(5)+1) - math.Log(2)) / (math.Exp(5) - 1)
	assert.InDelta(t, outer*(first*1+second*-1), e.Values[0], 1e-12)
	assert.InDelta(t, outer*(first*4+second*1), e.Values[1], 1e-12)
}

// Where the neurons' path is the straight line from zero to the sample, conductance is integrated gradients.
func TestConductanceAlongAStraightLine(t *testing.T) {
	n := randomNetwork(4, 9, 3)
	const points = 65
	path := make([][]float64, points)
	for p := range path {
		path[p] = make([]float64, 9)
		for i, z := range n.z {
			path[p][i] = z * float64(p) / (points - 1)
		}
	}
	for _, groups := range [][][]int{nil, {{0, 3}, {1, 2, 4, 5, 6, 7, 8}}} {
		g := n.game(t, games.PenultimateOptions{Value: attribution.Probability, Path: path, Groups: groups})
		c, err := Conductance{}.Estimate(background, g, attribution.Options{})
		require.NoError(t, err)
		ig, err := IntegratedGradients{Rule: Trapezoid, Steps: points - 1}.Estimate(background, g,
			attribution.Options{})
		require.NoError(t, err)
		assert.InDeltaSlice(t, ig.Values, c.Values, 1e-12)
		assert.Equal(t, points, c.Samples)
		assert.InDelta(t, 2+3*points, c.Equivalents, 1e-9)
	}
}

// On another path conductance sums to the change of the value along the path, whatever removed neurons become.
func TestConductanceSumsToTheChangeOfTheInput(t *testing.T) {
	n := randomNetwork(4, 9, 8)
	const points = 400
	path := make([][]float64, points)
	for p := range path {
		path[p] = make([]float64, 9)
		for i, z := range n.z {
			x := float64(p) / (points - 1)
			path[p][i] = z*x*x + 0.3*math.Sin(3*math.Pi*x) + 0.1
		}
	}
	n.z = path[points-1]
	value := func(z []float64) float64 {
		n.z = z
		g := n.game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
		full := attribution.NewCoalitions(9, 1)
		full.Row(0).Fill(9)
		v := make([]float64, 1)
		require.NoError(t, g.Values(background, full, v))
		return v[0]
	}
	want := value(path[points-1]) - value(path[0])
	g := n.game(t, games.PenultimateOptions{Value: attribution.LogSumExp, Path: path,
		Removal: attribution.RemoveTo(make([]float64, 9))})
	c, err := Conductance{}.Estimate(background, g, attribution.Options{})
	require.NoError(t, err)
	total := 0.0
	for _, v := range c.Values {
		total += v
	}
	assert.InDelta(t, want, total, 1e-4)

	for _, game := range []attribution.Game{n.game(t, games.PenultimateOptions{}), plain{g}} {
		_, err = Conductance{}.Estimate(background, game, attribution.Options{})
		assert.ErrorIs(t, err, attribution.ErrNotDifferentiable, "a game that does not know the way")
	}
	_, err = Conductance{}.Estimate(background, g, attribution.Options{Budget: 1000})
	assert.ErrorIs(t, err, attribution.ErrBudget)
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, err = Conductance{}.Estimate(ctx, g, attribution.Options{})
	assert.ErrorIs(t, err, context.Canceled)
	for _, bad := range [][][]float64{{{1}}, {make([]float64, 9), make([]float64, 8)},
		{make([]float64, 9), {0, 0, 0, 0, 0, 0, 0, 0, math.NaN()}}} {
		_, err := games.NewPenultimate(n.head, path[0], 0, games.PenultimateOptions{Path: bad})
		assert.ErrorContains(t, err, "the path of an input")
	}
}
