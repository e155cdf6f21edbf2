package line

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// sourceProgram returns a program of a small random network that starts at its features, and labelled features.
func sourceProgram(t *testing.T) (*graph.Program, graph.Batches) {
	t.Helper()
	net, err := nets.New("densenet-bc-10-4", 4)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(11, 1))
	for _, p := range net.Params() {
		for i := range p.Float32s() {
			p.Float32s()[i] = float32(0.3 * rng.NormFloat64())
			if strings.HasSuffix(p.Name, "running_var") {
				p.Float32s()[i] = 1
			}
		}
	}
	prog, err := graph.Compile(net, graph.Options{From: "features"})
	require.NoError(t, err)
	b := graph.Batch{N: 24}
	for i := range b.N {
		for range net.FeatureDim() {
			b.X = append(b.X, float32(math.Abs(rng.NormFloat64())))
		}
		b.Labels = append(b.Labels, i%4)
	}
	return prog, func(yield func(graph.Batch, error) bool) { yield(b, nil) }
}

func TestEstimatedContributionsAgreeWithTheGraph(t *testing.T) {
	prog, train := sourceProgram(t)
	ctx := context.Background()
	reference, err := Measure(ctx, prog, train)
	require.NoError(t, err)
	want, err := reference.Mean()
	require.NoError(t, err)
	for _, e := range []attribution.Estimator{estimate.GradientActivation{}, estimate.ClosedForm{}} {
		got, err := EstimatedContributions{Estimator: e}.Measure(ctx, prog, train)
		require.NoError(t, err)
		mean, err := got.Mean()
		require.NoError(t, err)
		for i, v := range want {
			require.InDelta(t, v, mean[i], 1e-6, e.Name())
		}
	}
	// The logit game is additive for each image, so that all randomness of sampling is in the choice of images.
	var seen []attribution.Estimate
	s := EstimatedContributions{
		Estimator: estimate.Permutation{}, Options: attribution.Options{Samples: 2000, Seed: 3},
		Observe: func(_ int, e attribution.Estimate) { seen = append(seen, e) },
	}
	det, err := Fit(ctx, prog, train, Options{ActivationPercentile: 50, WeightPercentile: 50, Clip: 1, Source: s})
	require.NoError(t, err)
	require.Len(t, seen, 4)
	features := det.Network().FeatureDim()
	for class, e := range seen {
		for i := range features {
			require.InDelta(t, want[class*features+i], det.Mean()[class*features+i], 6*e.StdErr[i]+1e-6)
		}
	}
}

func TestEstimatedRefusals(t *testing.T) {
	prog, train := sourceProgram(t)
	ctx := context.Background()
	_, err := EstimatedContributions{Estimator: estimate.ClosedForm{},
		Game: games.PenultimateOptions{Groups: [][]int{{0}}}}.Measure(ctx, prog, train)
	require.ErrorContains(t, err, "single neurons")
	_, err = EstimatedContributions{Estimator: estimate.ClosedForm{},
		Game: games.PenultimateOptions{Value: attribution.Probability}}.Measure(ctx, prog, train)
	require.ErrorIs(t, err, attribution.ErrNotLinear)
	_, err = EstimatedContributions{Estimator: estimate.Permutation{}}.Measure(ctx, prog, train)
	require.ErrorContains(t, err, "class 0")
	missing := func(yield func(graph.Batch, error) bool) {
		for b, err := range train {
			b.Labels = make([]int, b.N)
			yield(b, err)
		}
	}
	_, err = EstimatedContributions{Estimator: estimate.ClosedForm{}}.Measure(ctx, prog, missing)
	require.ErrorContains(t, err, "no images of class 1, 2, 3")
}

// TestGivenContributionsAreTaken: given contributions are used unchanged except for rounding to float32. With those
// that [Fit] measures, the detector is the same.
func TestGivenContributionsAreTaken(t *testing.T) {
	prog, train := sourceProgram(t)
	ctx := context.Background()
	o := Options{ActivationPercentile: 50, WeightPercentile: 50, ClipPercentile: 90}
	want, err := Fit(ctx, prog, train, o)
	require.NoError(t, err)
	mean := make([]float64, len(want.mean))
	for i, v := range want.mean {
		mean[i] = float64(v) * (1 + 1e-12)
	}
	o.Source = GivenContributions{Mean: mean, Name: "measured before"}
	require.Equal(t, "measured before", o.Params()["contributions"])
	got, err := Fit(ctx, prog, train, o)
	require.NoError(t, err)
	require.Equal(t, want.mean, got.mean)
	require.Equal(t, want.activation, got.activation)
	require.Equal(t, want.weight, got.weight)
	require.Equal(t, want.limits, got.limits)
	require.Equal(t, want.fitScores, got.fitScores)
	require.Equal(t, want.contributions.count, got.contributions.count)
}

func TestGivenRefusals(t *testing.T) {
	prog, train := sourceProgram(t)
	ctx := context.Background()
	net, err := classifier(prog)
	require.NoError(t, err)
	k, d := net.Classes(), net.FeatureDim()
	with := func(i int, v float64) GivenContributions {
		mean := make([]float64, k*d)
		mean[i] = v
		return GivenContributions{Mean: mean}
	}
	_, err = GivenContributions{Mean: make([]float64, k*d-1)}.Measure(ctx, prog, train)
	require.ErrorIs(t, err, ErrMismatch)
	_, err = with(d+2, math.NaN()).Measure(ctx, prog, train)
	require.ErrorContains(t, err, "contribution of neuron 2 to class 1: expected a finite float32, got NaN")
	_, err = with(1, 1e300).Measure(ctx, prog, train)
	require.ErrorContains(t, err, "contribution of neuron 1 to class 0: expected a finite float32, got 1e+300")
	_, err = with(0, 1).Measure(ctx, prog, func(func(graph.Batch, error) bool) {})
	require.ErrorIs(t, err, ErrNoImages)
	changed := func(change func(b *graph.Batch)) graph.Batches {
		return func(yield func(graph.Batch, error) bool) {
			for b, err := range train {
				b.X, b.Labels = append([]float32(nil), b.X...), append([]int(nil), b.Labels...)
				change(&b)
				yield(b, err)
			}
		}
	}
	_, err = with(0, 1).Measure(ctx, prog, changed(func(b *graph.Batch) { b.X[3*d+5] = float32(math.Inf(1)) }))
	require.ErrorContains(t, err, "training image 3: feature 5 is +Inf")
	_, err = with(0, 1).Measure(ctx, prog, changed(func(b *graph.Batch) { b.Labels[7] = -1 }))
	require.ErrorContains(t, err, "training image 7: expected a label from 0 to 3, got -1")
	_, err = Fit(ctx, prog, changed(func(b *graph.Batch) { clear(b.Labels) }), Options{Source: with(0, 1)})
	require.ErrorContains(t, err, "no images of class 1, 2, 3")
}
