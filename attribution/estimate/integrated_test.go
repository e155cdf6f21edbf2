package estimate

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
)

func TestQuadratureOfPolynomials(t *testing.T) {
	for _, m := range []int{2, 4, 8, 16} {
		points, weights, coarse := quadrature(ClenshawCurtis, m)
		for degree := 0; degree <= m; degree++ {
			got, half := 0.0, 0.0
			for j, x := range points {
				got += weights[j] * math.Pow(x, float64(degree))
				half += coarse[j] * math.Pow(x, float64(degree))
			}
			assert.InDelta(t, 1/float64(degree+1), got, 1e-14, "x^%d with %d steps", degree, m)
			if degree <= m/2 {
				assert.InDelta(t, 1/float64(degree+1), half, 1e-14, "x^%d with every second of %d steps", degree, m)
			}
		}
	}
	// x² on 0, 1/4, 1/2, 3/4, 1.
	for rule, want := range map[Rule]float64{
		Trapezoid:    (0.0625 + 0.25 + 0.5625 + 0.5) / 4,
		RightRiemann: (0.0625 + 0.25 + 0.5625 + 1) / 4,
	} {
		points, weights, _ := quadrature(rule, 4)
		got := 0.0
		for j, x := range points {
			got += weights[j] * x * x
		}
		assert.InDelta(t, want, got, 1e-15, rule)
	}
}

// Completeness (Sundararajan et al. 2017, proposition 1): the attributions sum to v(N) - v(∅).
func TestIntegratedGradientsAreComplete(t *testing.T) {
	for _, v := range []attribution.Value{attribution.Probability, attribution.LogProbability, attribution.LogSumExp} {
		g := randomNetwork(5, 20, 3).game(t, games.PenultimateOptions{Value: v})
		fine, err := IntegratedGradients{Steps: 128}.Estimate(background, g, attribution.Options{})
		require.NoError(t, err)
		assert.InDelta(t, 0, fine.Residual, 1e-10, v)
		for _, rule := range []Rule{ClenshawCurtis, Trapezoid, RightRiemann} {
			est, err := IntegratedGradients{Rule: rule, Steps: 16}.Estimate(background, g, attribution.Options{})
			require.NoError(t, err)
			for i := range est.Values {
				assert.LessOrEqual(t, math.Abs(est.Values[i]-fine.Values[i]), 3*est.StdErr[i]+1e-12,
					"%v %v: the error estimate of player %d", v, rule, i)
			}
		}
	}
}

// bent is a game that says it has kinks.
type bent struct{ attribution.Differentiable }

func (bent) Kinked() bool { return true }

// TestRuleByGame holds the rule that is taken where none is named, on a smooth game and on one that says it has kinks.
func TestRuleByGame(t *testing.T) {
	smooth := randomNetwork(5, 20, 3).game(t, games.PenultimateOptions{Value: attribution.Probability})
	for rule, g := range map[Rule]attribution.Game{ClenshawCurtis: smooth,
		Trapezoid: bent{smooth.(attribution.Differentiable)}} {
		got, err := IntegratedGradients{Steps: 8}.Estimate(background, g, attribution.Options{})
		require.NoError(t, err)
		for _, other := range []Rule{ClenshawCurtis, Trapezoid, RightRiemann} {
			named, err := IntegratedGradients{Steps: 8, Rule: other}.Estimate(background, g, attribution.Options{})
			require.NoError(t, err)
			assert.Equal(t, other == rule, slices.Equal(named.Values, got.Values), "%v, %v", rule, other)
		}
		assert.Equal(t, "integrated-gradients", got.Method)
	}
	e, err := Parse("integrated-gradients-clenshaw-curtis")
	require.NoError(t, err)
	assert.Equal(t, IntegratedGradients{Rule: ClenshawCurtis}, e)
}

func TestIntegratedGradientsStepsAndBudget(t *testing.T) {
	g := randomNetwork(3, 4, 3).game(t, games.PenultimateOptions{Value: attribution.Probability})
	est, err := IntegratedGradients{}.Estimate(background, g, attribution.Options{})
	require.NoError(t, err)
	assert.Equal(t, 32, est.Samples)
	assert.Equal(t, 33.0, est.Backwards)
	est, err = IntegratedGradients{}.Estimate(background, g, attribution.Options{Samples: 10})
	require.NoError(t, err)
	assert.Equal(t, 10, est.Samples)
	// 13 points of 3: 12 steps
	est, err = IntegratedGradients{}.Estimate(background, g, attribution.Options{Budget: 40})
	require.NoError(t, err)
	assert.Equal(t, 12, est.Samples)
	assert.Equal(t, 39.0, est.Equivalents)
}

// A budget that is too small is refused with an error that names the smallest one; a run with that budget succeeds.
func TestIntegratedGradientsSayWhatTheyNeed(t *testing.T) {
	g := randomNetwork(3, 9, 1).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	_, err := IntegratedGradients{}.Estimate(background, g, attribution.Options{Budget: 8})
	require.ErrorContains(t, err, "needs 9 ")
	_, err = IntegratedGradients{}.Estimate(background, g, attribution.Options{Budget: 9})
	require.NoError(t, err)
}
