package estimate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseEstimatorReadsNames(t *testing.T) {
	all := append(everyEstimator(), ClosedForm{}, IntegratedGradients{Rule: RightRiemann},
		Owen{Halved: true, Trapezoid: true, Levels: 7},
		Stratified{Strata: 12}, Permutation{Rotations: 4, Antithetic: true},
		CoalitionGradients{}, CoalitionGradients{Unbiased: true}, ProxyAdjusted{}, Recommended{}, Rescale{},
		Conductance{})
	names := map[string]bool{}
	for _, e := range all {
		got, err := Parse(e.Name())
		require.NoError(t, err, e.Name())
		assert.Equal(t, e, got, e.Name())
		assert.False(t, names[e.Name()] && e.Name() != "top-3", "%s names two estimators", e.Name())
		names[e.Name()] = true
	}
	for _, bad := range []string{"", "-", "shapley", "permutation-rotated", "permutation-3", "kernelshap-3",
		"kernelshap-unbiased-paired", "owen-05",
		"owen--5", "exact-2", "top", "top-0", "top--1", "svarm-x", "integrated-gradients-simpson",
		"permutation-rotated-99999999999999999999"} {
		_, err := Parse(bad)
		assert.ErrorContains(t, err, "unknown estimator", bad)
	}
}
