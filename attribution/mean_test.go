package attribution

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func resampled(t *testing.T) *Mean {
	net := randomNetwork(3, 7, 1)
	rows := [][]float64{make([]float64, 7), randomNetwork(1, 7, 3).z, randomNetwork(1, 7, 4).z}
	return net.game(t, PenultimateOptions{Value: LogSumExp, Removal: RemoveByResampling(rows)}).(*Mean)
}

func TestMeanWalkerAveragesMembers(t *testing.T) {
	m := resampled(t)
	checkWalker(t, m, []int{3, 1, 0, 6, 5, 2, 4}, 3)
	nested, err := NewMean(m, m)
	require.NoError(t, err)
	checkWalker(t, nested, []int{3, 1, 0, 6, 5, 2, 4}, 4)
	mixed, err := NewMean(m.Member(0), plain{m.Member(1)})
	require.NoError(t, err)
	assert.Nil(t, mixed.NewWalker(), "a member without an incremental form")
	est, err := Owen{}.Estimate(background, mixed, Options{Samples: 2000})
	require.NoError(t, err)
	for i, want := range exactly(t, mixed) {
		assert.InDelta(t, want, est.Values[i], 5*est.StdErr[i]+1e-12)
	}
}

func TestMemberValuesAreThoseOfTheMember(t *testing.T) {
	m := resampled(t)
	s := NewCoalitions(7, 5)
	members := []int{2, 0, 2, 1, 0}
	for r := range 5 {
		s.Row(r)[0] = uint64(17 * (r + 1) % 128)
	}
	got := make([]float64, 5)
	require.NoError(t, m.MemberValues(background, members, s, got))
	for r, member := range members {
		want := make([]float64, 1)
		require.NoError(t, m.Member(member).Values(background, s.Slice(r, r+1), want))
		assert.Equal(t, want[0], got[r])
	}
	all := m.Exhaustive()
	assert.Equal(t, 1, all.Members())
	require.NoError(t, all.MemberValues(background, make([]int, 5), s, got))
	want := make([]float64, 5)
	require.NoError(t, all.Member(0).Values(background, s, want))
	assert.Equal(t, want, got)
}

// batchedGradients answers gradients of several members at once.
type batchedGradients struct {
	*Mean
	calls int
}

func (b *batchedGradients) MemberGradients(ctx context.Context, members []int, alpha, values, grads []float64) error {
	b.calls++
	return memberGradients(ctx, b.Mean, members, alpha, values, grads)
}

func TestExpectedGradientsOfABatch(t *testing.T) {
	m := resampled(t)
	one, err := ExpectedGradients{}.Estimate(background, m, Options{Samples: 50})
	require.NoError(t, err)
	b := &batchedGradients{Mean: m}
	two, err := ExpectedGradients{}.Estimate(background, b, Options{Samples: 50, Workers: 1})
	require.NoError(t, err)
	assert.Equal(t, one.Values, two.Values)
	assert.Equal(t, 4, b.calls, "50 gradients in chunks of 16")
	mixed, err := NewMean(m.Member(0), plain{m.Member(1)})
	require.NoError(t, err)
	for _, e := range []Estimator{ExpectedGradients{}, GradientActivation{}} {
		_, err = e.Estimate(background, mixed, Options{Samples: 50})
		assert.ErrorIs(t, err, ErrNotDifferentiable)
	}
	assert.False(t, mixed.Shapley(make([]float64, 7)))
}

// steep has gradients that are not finite.
type steep struct {
	Game
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
	for _, g := range []Game{steep{randomTable(3, 1), math.NaN(), 1}, steep{randomTable(3, 1), 1, math.Inf(1)}} {
		for _, e := range []Estimator{GradientActivation{}, IntegratedGradients{}, ExpectedGradients{}} {
			_, err := e.Estimate(background, g, Options{Samples: 2})
			assert.ErrorIs(t, err, ErrNotFinite, e.Name())
		}
	}
}

// lying is incremental with marginals that are not finite.
type lying struct{ Game }

func (lying) NewWalker() Walker { return nanWalker{} }

type nanWalker struct{}

func (nanWalker) Marginals(_ []int, dst []float64)            { dst[0] = math.NaN() }
func (nanWalker) Toggles(_ Coalition, _ []int, dst []float64) { dst[0] = math.Inf(1) }

func TestMarginalsMustBeFinite(t *testing.T) {
	for _, e := range []Estimator{Permutation{}, Owen{}, TopK{K: 1}} {
		_, err := e.Estimate(background, lying{randomTable(3, 1)}, Options{Samples: 5})
		assert.ErrorIs(t, err, ErrNotFinite, e.Name())
	}
}
