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

func resampled(t *testing.T) *games.Mean {
	net := randomNetwork(3, 7, 1)
	rows := [][]float64{make([]float64, 7), randomNetwork(1, 7, 3).z, randomNetwork(1, 7, 4).z}
	return net.game(t, games.PenultimateOptions{Value: attribution.LogSumExp,
		Removal: attribution.RemoveByResampling(rows)}).(*games.Mean)
}

// batchedGradients is a mean game that computes gradients of several members in one call.
type batchedGradients struct {
	*games.Mean
	calls int
}

func (b *batchedGradients) MemberGradients(ctx context.Context, members []int, alpha, values, grads []float64) error {
	b.calls++
	return memberGradients(ctx, b.Mean, members, alpha, values, grads)
}

func TestExpectedGradientsOfABatch(t *testing.T) {
	m := resampled(t)
	one, err := ExpectedGradients{}.Estimate(background, m, attribution.Options{Samples: 50})
	require.NoError(t, err)
	b := &batchedGradients{Mean: m}
	two, err := ExpectedGradients{}.Estimate(background, b, attribution.Options{Samples: 50, Workers: 1})
	require.NoError(t, err)
	assert.Equal(t, one.Values, two.Values)
	assert.Equal(t, 4, b.calls, "50 gradients in chunks of 16")
	mixed, err := games.NewMean(m.Member(0), plain{m.Member(1)})
	require.NoError(t, err)
	for _, e := range []attribution.Estimator{ExpectedGradients{}, GradientActivation{}} {
		_, err = e.Estimate(background, mixed, attribution.Options{Samples: 50})
		assert.ErrorIs(t, err, attribution.ErrNotDifferentiable)
	}
	assert.False(t, mixed.Shapley(make([]float64, 7)))
}

// steep is a game with gradients that are not finite.
type steep struct {
	attribution.Game
	value, grad float64
}

func (s steep) Gradients(_ context.Context, _, values, grads []float64) error {
	for i := range values {
		values[i] = s.value
	}
	for i := range grads {
		grads[i] = s.grad
	}
	return nil
}

func TestGradientsMustBeFinite(t *testing.T) {
	for _, g := range []attribution.Game{steep{randomTable(3, 1), math.NaN(), 1},
		steep{randomTable(3, 1), 1, math.Inf(1)}} {
		for _, e := range []attribution.Estimator{GradientActivation{}, IntegratedGradients{}, ExpectedGradients{}} {
			_, err := e.Estimate(background, g, attribution.Options{Samples: 2})
			assert.ErrorIs(t, err, attribution.ErrNotFinite, e.Name())
		}
	}
}

// lying is an incremental game with marginal contributions that are not finite.
type lying struct{ attribution.Game }

func (lying) NewWalker() attribution.Walker { return nanWalker{} }

type nanWalker struct{}

func (nanWalker) Marginals(_ []int, dst []float64) { dst[0] = math.NaN() }

func (nanWalker) Toggles(_ attribution.Coalition, _ []int, dst []float64) { dst[0] = math.Inf(1) }

func TestMarginalsMustBeFinite(t *testing.T) {
	for _, e := range []attribution.Estimator{Permutation{}, Owen{}, TopK{K: 1}} {
		_, err := e.Estimate(background, lying{randomTable(3, 1)}, attribution.Options{Samples: 5})
		assert.ErrorIs(t, err, attribution.ErrNotFinite, e.Name())
	}
}
