package line_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
)

// TestScoreFollowsTheFormulas tests every combination of AC, AP and WP on random features, in both precisions.
func TestScoreFollowsTheFormulas(t *testing.T) {
	net := newTiny(6, 37, 3)
	train, test := net.batch(60, 1), net.batch(41, 2)
	z := run(t, net, graph.Options{Fetch: []string{"features"}}, nettest.Stream(test)).f32["features"]
	fitted := run(t, net, graph.Options{Fetch: []string{"features"}}, nettest.Stream(train)).f32["features"]
	for _, o := range switches() {
		det := fit(t, net, nettest.Stream(train), o)
		want := newLiteral(net, det.Mean(), o)
		if o.ClipPercentile != 0 {
			want = want.clipAt(fitted, train.Labels)
		}
		fetch := []string{line.Score, line.RoutingClass}
		from := graph.Batch{N: test.N, X: z}
		m := line.Pipeline{Classifier: net, Detector: det}
		single := run(t, m, graph.Options{From: "features", Fetch: fetch}, nettest.Stream(from))
		double := run(t, m, graph.Options{From: "features", Fetch: fetch, Dtype: G.Float64}, nettest.Stream(from))
		for i := range test.N {
			score, class := want.score(z[i*net.features:][:net.features])
			require.Equal(t, class, double.ints[line.RoutingClass][i], "%+v, sample %d", o, i)
			require.InDelta(t, score, double.f64[line.Score][i], 1e-12, "%+v, sample %d", o, i)
			require.InDelta(t, score, single.f32[line.Score][i], 2e-6, "%+v, sample %d", o, i)
		}
	}
}

// TestFloat64KeepsTheSameWeights uses percentiles that equal a product, where other rounding would change whether a
// weight is kept.
func TestFloat64KeepsTheSameWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net, c, o := drawDetector(t)
		o.NoWeightPruning = false
		o.WeightPercentile = line.Percent(100 * float64(rapid.IntRange(0, len(net.params[2].Float32s())-1).Draw(t,
			"rank")) /
			float64(max(1, len(net.params[2].Float32s())-1)))
		det, err := line.New(context.Background(), net, c, o)
		require.NoError(t, err)
		prog, err := det.Compile(graph.Options{Batch: 1, Workers: 1, From: "features", Fetch: []string{line.Score},
			Dtype: G.Float64})
		require.NoError(t, err)
		z := nettest.Batch(1, []int{net.features}, 0, 5).X
		want, _ := newLiteral(net, mean(t, c), o).score(z)
		for out, err := range prog.Run(context.Background(), nettest.Stream(graph.Batch{N: 1, X: z})) {
			require.NoError(t, err)
			require.InDelta(t, want, out.Float64(line.Score)[0], 1e-9)
		}
	})
}

// TestRoutingFollowsClippedLogits: a single large activation determines the network's prediction, but not LINe's
// class.
func TestRoutingFollowsClippedLogits(t *testing.T) {
	net := newTiny(2, 3, 1)
	w, b := net.head()
	copy(w, []float32{1, 0, 0 /* class 0 */, 0, 1, 1 /* class 1 */})
	copy(b, []float32{0, 0})
	c := line.NewContributions(2, 3)
	require.NoError(t, c.Add(0, []float32{5, 1, 1}))
	require.NoError(t, c.Add(1, []float32{1, 5, 5}))
	det, err := line.New(context.Background(), net, c, line.Options{
		// keeps neuron 0 for class 0, neurons 1 and 2 for class 1
		ActivationPercentile: 20, Clip: 1, NoWeightPruning: true,
	})
	require.NoError(t, err)
	m := line.Pipeline{Classifier: net, Detector: det}
	o := graph.Options{From: "features", Fetch: []string{line.Score, line.RoutingClass, "prediction"}}
	images := func(labels ...int) graph.Batches {
		return nettest.Stream(graph.Batch{N: 2, X: []float32{100, 0.9, 0.9, 0.5, 0.4, 0}, Labels: labels})
	}
	out := run(t, m, o, images())
	require.Equal(t, []int{0, 0}, out.ints["prediction"])
	require.Equal(t, []int{1, 0}, out.ints[line.RoutingClass])
	require.InDelta(t, math.Log(math.Exp(0)+math.Exp(1.8)), out.f32[line.Score][0], 1e-6)
	require.InDelta(t, math.Log(math.Exp(0.5)+math.Exp(0)), out.f32[line.Score][1], 1e-6)

	m.RouteByLabel = true
	out = run(t, m, o, images(0, -1))
	require.Equal(t, []int{0, 0}, out.ints[line.RoutingClass])
	require.InDelta(t, math.Log(math.Exp(1)+math.Exp(0)), out.f32[line.Score][0], 1e-6)
}

// TestTiesGoToTheFirstClass, as with argmax.
func TestTiesGoToTheFirstClass(t *testing.T) {
	net := newTiny(4, 2, 1)
	w, b := net.head()
	copy(w, []float32{0, 0, 1, 1, 1, 1, 0, 1})
	clear(b)
	c := line.NewContributions(4, 2)
	for k := range 4 {
		require.NoError(t, c.Add(k, []float32{float32(k), 1}))
	}
	det, err := line.New(context.Background(), net, c, line.DefaultOptions())
	require.NoError(t, err)
	out := run(t, line.Pipeline{Classifier: net, Detector: det},
		graph.Options{From: "features", Fetch: []string{line.RoutingClass, "prediction"}},
		nettest.Stream(graph.Batch{N: 2, X: []float32{3, 3, 0, 0}}))
	require.Equal(t, []int{1, 0}, out.ints[line.RoutingClass])
	require.Equal(t, []int{1, 0}, out.ints["prediction"])
}

// TestFeaturesAndImagesGiveTheSameBits, both when fitting and when scoring.
func TestFeaturesAndImagesGiveTheSameBits(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 4, 7)
	train, test := nettest.Batch(24, net.InputShape(), 4, 1), nettest.Batch(13, net.InputShape(), 0, 2)
	features := func(b graph.Batch) graph.Batch {
		b.X = run(t, net, graph.Options{}, nettest.Stream(b)).f32["features"]
		return b
	}
	det := fit(t, net, nettest.Stream(train), line.DefaultOptions())
	prog, err := graph.Compile(net, graph.Options{From: "features"})
	require.NoError(t, err)
	same, err := line.Fit(context.Background(), prog, nettest.Stream(features(train)), line.DefaultOptions())
	require.NoError(t, err)
	require.Equal(t, det.Mean(), same.Mean())

	want, err := det.Score(context.Background(), nettest.Stream(test))
	require.NoError(t, err)
	require.Len(t, want.Score, 13)
	short, err := det.Compile(graph.Options{From: "features", Fetch: []string{line.Score, "prediction"}})
	require.NoError(t, err)
	got, err := line.Collect(context.Background(), short, nettest.Stream(features(test)))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestBatchesAndWorkersDoNotShow: results have the same bits for any batches and workers.
func TestBatchesAndWorkersDoNotShow(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 8)
	train, test := nettest.Batch(20, net.InputShape(), 3, 1), nettest.Batch(17, net.InputShape(), 3, 2)
	o := line.Options{ActivationPercentile: 30, WeightPercentile: 50, Clip: 0.5}
	fetch := []string{line.Score, line.ScoreFeatureGradient, line.ScoreInputGradient, line.ContributionsNode}
	var wantMean []float32
	var want fetched
	for _, way := range []struct {
		batch, replicas int
		sizes           []int
	}{{1, 1, []int{20}}, {4, 2, []int{1}}, {7, 3, []int{3, 1, 9, 2}}, {32, 2, []int{20}}} {
		g := graph.Options{Batch: way.batch, Workers: way.replicas}
		prog, err := graph.Compile(net, g)
		require.NoError(t, err)
		det, err := line.Fit(context.Background(), prog, nettest.Split(train, way.sizes...), o)
		require.NoError(t, err)
		g.Fetch = fetch
		got := run(t, line.Pipeline{Classifier: net, Detector: det}, g, nettest.Split(test, way.sizes...))
		if wantMean == nil {
			wantMean, want = det.Mean(), got
		}
		require.Equal(t, wantMean, det.Mean(), "%+v", way)
		require.Equal(t, want, got, "%+v", way)
	}
}

func TestScoresKeepLabelsAndOrder(t *testing.T) {
	net := newTiny(3, 5, 1)
	det := fit(t, net, nettest.Stream(net.batch(9, 1)), line.DefaultOptions())
	known, unknown := net.batch(4, 2), net.batch(3, 3)
	unknown.Labels = nil
	s, err := det.Score(context.Background(), nettest.Stream(known, unknown))
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2, 0, -1, -1, -1}, s.Label)
	require.Len(t, s.Score, 7)
	require.Len(t, s.Prediction, 7)
	again, err := det.Score(context.Background(), nettest.Stream(unknown))
	require.NoError(t, err)
	require.Equal(t, again.Score, s.Score[4:])
}
