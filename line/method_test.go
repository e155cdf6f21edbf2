package line_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/posthoc"
)

// samples runs a network on a batch and returns the samples for post-hoc methods.
func samples(t testing.TB, net *tiny, b graph.Batch) posthoc.Samples {
	t.Helper()
	out := run(t, net, graph.Options{}, nettest.Stream(b))
	return posthoc.Samples{
		N: b.N, FeatureDim: net.features, Classes: net.classes,
		Features: out.f32["features"], Logits: out.f32["logits"], Labels: b.Labels,
	}
}

func headOf(net *tiny) posthoc.Head {
	w, b := net.head()
	return posthoc.Head{Classes: net.classes, FeatureDim: net.features, Weight: w, Bias: b}
}

// TestMethodIsTheDetector: the method gives the same bits from features that a detector gives from images.
func TestMethodIsTheDetector(t *testing.T) {
	net := newTiny(4, 13, 3)
	train, test := net.batch(600, 1), net.batch(300, 2) // more than one batch of features
	for _, o := range switches() {
		m, err := line.NewMethod(o, graph.Options{Batch: 8})
		require.NoError(t, err)
		named, err := posthoc.New("line", posthoc.Options{Params: map[string]float64{
			"p_a": o.ActivationPercentile, "p_w": o.WeightPercentile, "clip": max(o.Clip, 1e-3),
			"clip_percentile": o.ClipPercentile, "clip_per_class": number(o.ClipPerClass),
			"ac": number(!o.NoClipping), "ap": number(!o.NoActivationPruning), "wp": number(!o.NoWeightPruning),
		}})
		require.NoError(t, err)
		require.Equal(t, m.Params(), named.Params())
		require.Equal(t, "line", m.Name())
		require.Equal(t, o.Params(), m.Params())
		require.Nil(t, m.Detector())
		require.NoError(t, m.Fit(context.Background(), headOf(net), samples(t, net, train)))

		det := fit(t, net, nettest.Stream(train), o)
		require.Equal(t, det.Mean(), m.Detector().Mean())
		want, err := det.Score(context.Background(), nettest.Stream(test))
		require.NoError(t, err)
		got := make([]float64, test.N)
		require.NoError(t, m.Score(context.Background(), samples(t, net, test), got))
		require.Equal(t, want.Score, got)
		require.NoError(t, named.Fit(context.Background(), headOf(net), samples(t, net, train)))
		require.NoError(t, named.Score(context.Background(), samples(t, net, test), got))
		require.Equal(t, want.Score, got)
	}
}

func number(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func TestMethodRefuses(t *testing.T) {
	net := newTiny(3, 5, 1)
	_, err := line.NewMethod(line.Options{Clip: -1}, graph.Options{})
	require.ErrorContains(t, err, "a positive clip, got -1")
	m, err := line.NewMethod(line.DefaultOptions(), graph.Options{})
	require.NoError(t, err)
	ctx, s, head := context.Background(), samples(t, net, net.batch(9, 1)), headOf(net)
	dst := make([]float64, 9)
	require.ErrorIs(t, m.Score(ctx, s, dst), posthoc.ErrNotFitted)

	require.ErrorContains(t, m.Fit(ctx, headOf(newTiny(4, 5, 1)), s),
		"expected samples of 5 features and 4 classes, got 5 and 3")
	require.ErrorContains(t, m.Fit(ctx, posthoc.Head{Classes: 3, FeatureDim: 5}, s),
		"head weight: expected 3 classes x 5 features = 15 values, got 0")

	unlabelled := s
	unlabelled.Labels = nil
	require.ErrorContains(t, m.Fit(ctx, head, unlabelled), "no labels")
	require.ErrorContains(t, m.Fit(ctx, head, posthoc.Samples{}), "expected at least 1 sample, got 0")
	require.ErrorIs(t, m.Score(ctx, s, dst), posthoc.ErrNotFitted, "a failed fit is none")

	require.NoError(t, m.Fit(ctx, head, s))
	require.NoError(t, m.Score(ctx, unlabelled, dst))
	require.ErrorContains(t, m.Score(ctx, s, dst[1:]), "expected room for 9 scores, got 8")
	require.ErrorContains(t, m.Score(ctx, posthoc.Samples{}, nil), "expected at least 1 sample, got 0")
	require.Error(t, m.Score(ctx, samples(t, newTiny(3, 6, 1), net.batch(9, 1)), dst))
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, m.Fit(cancelled, head, s), context.Canceled)
	require.ErrorIs(t, m.Score(cancelled, s, dst), context.Canceled)
}
