package games

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
)

// gap is a value function defined by the test: the squared distance of the class's logit from the mean logit.
func gap(gradient bool) attribution.ValueFunction {
	distance := func(l []float64, class int) float64 {
		mean := 0.0
		for _, v := range l {
			mean += v / float64(len(l))
		}
		return l[class] - mean
	}
	of := func(l []float64, class int) float64 { return distance(l, class) * distance(l, class) }
	if !gradient {
		return attribution.NewValue("gap", of, nil)
	}
	return attribution.NewValue("gap", of, func(l []float64, class int, dst []float64) {
		d := 2 * distance(l, class)
		for k := range dst {
			dst[k] = -d / float64(len(l))
		}
		dst[class] += d
	})
}

// outside wraps a value so that games do not recognise it as one of the constants of [attribution.Value].
type outside struct {
	attribution.DifferentiableValue
}

func TestOwnValueOfPenultimateGameIsEnumerated(t *testing.T) {
	net := randomNetwork(4, 7, 21)
	removed := make([]float64, 7)
	for i := range removed {
		removed[i] = 0.1 * float64(i)
	}
	g := net.game(t, PenultimateOptions{Value: gap(false), Target: attribution.TargetClass(2),
		Removal: attribution.RemoveTo(removed)})
	v := make([]float64, 1<<7)
	for s := range v {
		present := make([]bool, 7)
		for i := range present {
			present[i] = s>>i&1 == 1
		}
		v[s] = net.naive(present, removed, 2, gap(false), nil)
	}
	table, err := NewTable(v)
	require.NoError(t, err)
	want, got := exactly(t, table), exactly(t, g)
	for i := range want {
		require.InDelta(t, want[i], got[i], 1e-12)
	}
	e, err := estimate.Permutation{Antithetic: true}.Estimate(background, g, attribution.Options{Samples: 4000,
		Seed: 1})
	require.NoError(t, err)
	for i := range want {
		require.InDelta(t, want[i], e.Values[i], 5*e.StdErr[i]+1e-12)
	}
	checkWalker(t, g, []int{3, 1, 0, 2, 6, 5, 4}, 3)
}

// differences checks the gradients of a game by central differences of its values along the path.
func differences(t *testing.T, g attribution.Differentiable, step, tolerance float64) {
	t.Helper()
	n := g.Players()
	alpha := make([]float64, n)
	for i := range alpha {
		alpha[i] = 0.2 + 0.6*float64(i%5)/5
	}
	value, grads := make([]float64, 1), make([]float64, n)
	require.NoError(t, g.Gradients(background, alpha, value, grads))
	moved, unused := make([]float64, n), make([]float64, n)
	at := func(i int, d float64) float64 {
		copy(moved, alpha)
		moved[i] += d
		v := make([]float64, 1)
		require.NoError(t, g.Gradients(background, moved, v, unused))
		return v[0]
	}
	for i := range grads {
		numeric := (at(i, step) - at(i, -step)) / (2 * step)
		require.InDelta(t, numeric, grads[i], tolerance*max(1, math.Abs(numeric)), "player %d", i)
	}
}

func TestOwnValueGradientsMatchFiniteDifferences(t *testing.T) {
	g := randomNetwork(4, 7, 22).game(t, PenultimateOptions{Value: gap(true)})
	differences(t, g.(attribution.Differentiable), 1e-5, 1e-7)
	layer := layerGames(t, LayerOptions{Layer: "trans2", Channels: true, Value: gap(true)}, 1)[0]
	differences(t, layer.(attribution.Differentiable), 1e-2, 2e-2) // in float32
}

// TestOwnValueOfLayerGameAgreesWithTheGraph: a constant in disguise is computed from the returned logits instead of
// in the graph, with the same result.
func TestOwnValueOfLayerGameAgreesWithTheGraph(t *testing.T) {
	for _, o := range []LayerOptions{
		{Layer: "trans2", Channels: true},
		{Layer: "features", Removal: attribution.RemoveByResampling(backgroundRows(3, layerSize(t, "features")))},
	} {
		for _, v := range allValues {
			in, out := o, o
			in.Value, out.Value = v, outside{v}
			a, b := layerGames(t, in, 1)[0].(*LayerGame), layerGames(t, out, 1)[0].(*LayerGame)
			s := randomCoalitions(a.Players(), 9)
			want, got := make([]float64, 9), make([]float64, 9)
			require.NoError(t, a.Values(background, s, want))
			require.NoError(t, b.Values(background, s, got))
			n := a.Players()
			alpha := make([]float64, 2*n)
			for i := range alpha {
				alpha[i] = float64(i%7) / 6
			}
			wantGrads, gotGrads := make([]float64, 2*n), make([]float64, 2*n)
			require.NoError(t, a.Gradients(background, alpha, make([]float64, 2), wantGrads))
			require.NoError(t, b.Gradients(background, alpha, make([]float64, 2), gotGrads))
			for i := range want {
				require.InDelta(t, want[i], got[i], 1e-5, v)
			}
			for i := range wantGrads {
				require.InDelta(t, wantGrads[i], gotGrads[i], 1e-5, v)
			}
		}
	}
}

func TestOwnValueWithoutGradient(t *testing.T) {
	for _, g := range []attribution.Game{
		randomNetwork(4, 7, 22).game(t, PenultimateOptions{Value: gap(false)}),
		layerGames(t, LayerOptions{Layer: "features", Value: gap(false)}, 1)[0],
	} {
		_, err := estimate.GradientActivation{}.Estimate(background, g, attribution.Options{})
		require.ErrorIs(t, err, attribution.ErrNotDifferentiable)
		require.ErrorContains(t, err, "the value gap has none")
		_, err = estimate.ClosedForm{}.Estimate(background, g, attribution.Options{})
		require.ErrorIs(t, err, attribution.ErrNotLinear)
		_, err = estimate.Permutation{}.Estimate(background, g, attribution.Options{Samples: 2})
		require.NoError(t, err)
	}
}

func TestOutputMustBeOneValueASample(t *testing.T) {
	for output, want := range map[string]string{
		"logits":  `output "logits": expected one value a sample, got shape [5]`,
		"trans1":  `output "trans1": expected one value a sample, got shape [`,
		"nowhere": `nowhere`,
	} {
		_, err := NewLayer(randomNet(t), LayerOptions{Layer: "block1", Channels: true, Output: output})
		require.ErrorContains(t, err, want)
	}
}

// TestOwnValueGradientsAreBilled: the extra run that finds the logits counts in the cost of an estimate, against the
// budget and in forecasts.
func TestOwnValueGradientsAreBilled(t *testing.T) {
	rows := backgroundRows(3, layerSize(t, "trans2"))
	for _, removal := range []attribution.Removal{attribution.RemoveToZero(), attribution.RemoveByResampling(rows)} {
		g := layerGames(t, LayerOptions{Layer: "trans2", Channels: true, Value: gap(true), Removal: removal}, 1)[0]
		for _, g := range []attribution.Game{g, newMean(t, g, g)} {
			forward := attribution.ForwardsPerValue(g)
			require.Equal(t, 2*forward, attribution.ForwardsPerGradient(g))
			o := attribution.Options{BackwardCost: 1.5}
			e, err := estimate.GradientActivation{}.Estimate(background, g, o)
			require.NoError(t, err)
			require.InDelta(t, 3*forward, e.Forwards, 1e-12, "a value, and two runs for the gradient")
			require.InDelta(t, forward, e.Backwards, 1e-12)
			f, err := estimate.Predict(background, estimate.GradientActivation{}, g, o, 0)
			require.NoError(t, err)
			require.InDelta(t, e.Forwards, f.Forwards, 1e-12)
			require.InDelta(t, e.Equivalents, f.Equivalents, 1e-12)

			o.Budget = 20 * forward
			e, err = estimate.IntegratedGradients{}.Estimate(background, g, o)
			require.NoError(t, err)
			require.Equal(t, 4, e.Samples, "five gradients of 3.5 forward-equivalents")
			require.InDelta(t, 5*3.5*forward, e.Equivalents, 1e-12)

			o.Budget = 0
			o.Samples = 10
			few, err := estimate.ExpectedGradients{}.Estimate(background, g, o)
			require.NoError(t, err)
			members := 1.0
			if s, ok := g.(attribution.Sampled); ok {
				members = float64(s.Members())
			}
			require.InDelta(t, (2+20/members)*forward, few.Forwards, 1e-12)
			o.Samples, o.Budget = 0, few.Equivalents
			again, err := estimate.ExpectedGradients{}.Estimate(background, g, o)
			require.NoError(t, err)
			require.Equal(t, 10, again.Samples)
		}
	}
}

func newMean(t *testing.T, members ...attribution.Game) *Mean {
	t.Helper()
	m, err := NewMean(members...)
	require.NoError(t, err)
	return m
}
