package line_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// everything returns the names of all nodes that a pipeline with a detector names.
func everything() []string {
	return []string{
		"features", "logits", "prediction", line.Class, line.ContributionsNode, line.RoutingClass, line.Score,
		line.ScoreFeatureGradient, line.ScoreInputGradient,
	}
}

// TestOneRunGivesAll: nodes fetched together in one run have the values that they have when fetched alone.
func TestOneRunGivesAll(t *testing.T) {
	for name, net := range map[string]nets.Classifier{"tiny": newTiny(4, 9, 2), "densenet": nettest.DenseNetBC(t, 10, 4,
		4, 2)} {
		train, test := nettest.Batch(12, net.InputShape(), 4, 1), nettest.Batch(9, net.InputShape(), 4, 2)
		test.Labels[3], test.Labels[8] = -1, -1
		for _, o := range switches() {
			m := line.Pipeline{Classifier: net, Detector: fit(t, net, nettest.Stream(train), o)}
			nodes := everything()
			if o.ClipPerClass {
				nodes = append(nodes, line.ClipClass)
			}
			all := run(t, m, graph.Options{Fetch: nodes}, nettest.Stream(test))
			for _, node := range nodes {
				alone := run(t, m, graph.Options{Fetch: []string{node}}, nettest.Stream(test))
				require.Equal(t, alone.f32[node], all.f32[node], "%s of %s, %+v", node, name, o)
				require.Equal(t, alone.ints[node], all.ints[node], "%s of %s, %+v", node, name, o)
			}
			require.Equal(t, run(t, net, graph.Options{}, nettest.Stream(test)).f32["features"], all.f32["features"])
		}
	}
}

// TestContributionsAreExact: the head is linear, so that z ⊙ ∂l_y/∂z is z ⊙ W[y], the exact Shapley value of the
// logit game.
func TestContributionsAreExact(t *testing.T) {
	net := newTiny(5, 23, 4)
	test := net.batch(31, 2)
	out := run(t, line.Pipeline{Classifier: net}, graph.Options{}, nettest.Stream(test))
	w, _ := net.head()
	for i, got := range out.f32[line.ContributionsNode] {
		n, j := i/net.features, i%net.features
		require.Equal(t, out.f32["features"][i]*w[test.Labels[n]*net.features+j], got)
	}
}

// TestContributionsOfLabelsOrPredictions: the class is the label where there is one, the prediction elsewhere.
func TestContributionsOfLabelsOrPredictions(t *testing.T) {
	net := newTiny(5, 8, 4)
	test := net.batch(20, 2)
	fetch := graph.Options{Fetch: []string{line.Class, "prediction", line.ContributionsNode}}
	m := line.Pipeline{Classifier: net}
	for i := 0; i < 20; i += 2 {
		test.Labels[i] = -1
	}
	mixed := run(t, m, fetch, nettest.Stream(test))
	for i, label := range test.Labels {
		want := label
		if label < 0 {
			want = mixed.ints["prediction"][i]
		}
		require.Equal(t, want, mixed.ints[line.Class][i])
	}
	test.Labels = mixed.ints[line.Class]
	require.Equal(t, mixed.f32[line.ContributionsNode],
		run(t, m, fetch, nettest.Stream(test)).f32[line.ContributionsNode])
	test.Labels = nil
	unlabelled := run(t, m, fetch, nettest.Stream(test))
	require.Equal(t, unlabelled.ints["prediction"], unlabelled.ints[line.Class])
	require.NotEqual(t, mixed.ints[line.Class], unlabelled.ints[line.Class], "the test needs a wrong prediction")
}

// TestScoreGradients compares with central differences in float64. Some activations are clipped and some are not.
func TestScoreGradients(t *testing.T) {
	const h = 1.0 / (1 << 16) // inputs are float32: steps must be exact
	net := newTiny(3, 7, 6)
	onGrid := func(b graph.Batch) graph.Batch {
		for i, v := range b.X {
			b.X[i] = float32(int(v*64)) / 64
		}
		return b
	}
	test := onGrid(net.batch(5, 2))
	z := run(t, net, graph.Options{Fetch: []string{"features"}}, nettest.Stream(test)).f32["features"]
	for _, o := range switches() {
		o.Clip = percentile(widen(z), 50) + 1.0/300
		det := fit(t, net, nettest.Stream(net.batch(12, 1)), o)
		limits, clipped := det.ClipLimits(0), 0
		for i, v := range z {
			if limits != nil && v > limits[i%net.features] {
				clipped++
			}
		}
		require.True(t, o.NoClipping || clipped > len(z)/8 && clipped < 7*len(z)/8, "%d of %d activations are clipped",
			clipped, len(z))
		m := line.Pipeline{Classifier: net, Detector: det}
		for gradient, from := range map[string]string{line.ScoreFeatureGradient: "features",
			line.ScoreInputGradient: ""} {
			b := test
			if from == "features" {
				b = onGrid(graph.Batch{N: test.N, X: append([]float32(nil), z...)})
			}
			g := graph.Options{From: from, Dtype: G.Float64, Fetch: []string{gradient, line.Score}}
			got := run(t, m, g, nettest.Stream(b)).f64[gradient]
			require.Len(t, got, len(b.X))
			g.Fetch = g.Fetch[1:]
			size, moved := len(b.X)/b.N, 0
			up, down := shifted(b, h), shifted(b, -h)
			above, below := run(t, m, g, nettest.Stream(up)).f64[line.Score],
				run(t, m, g, nettest.Stream(down)).f64[line.Score]
			for i := range got {
				// In copy i value i is moved by h.
				want := (above[i] - below[i]) / (2 * h)
				require.InDelta(t, want, got[i], 1e-7, "%s of sample %d, value %d, %+v", gradient, i/size, i%size, o)
				if want != 0 {
					moved++
				}
			}
			require.Greater(t, moved, len(got)/20, "the score must depend on its input for the test to say anything")
		}
	}
}

// shifted returns a batch with one copy of a sample for each of its values, with that value moved by h.
func shifted(b graph.Batch, h float32) graph.Batch {
	size := len(b.X) / b.N
	out := graph.Batch{N: len(b.X)}
	for i := range b.X {
		n := i / size
		out.X = append(out.X, b.X[n*size:][:size]...)
		out.X[i*size+i%size] += h
	}
	return out
}

func TestPipelineOutputs(t *testing.T) {
	net := newTiny(3, 5, 1)
	require.Equal(t, []string{line.ContributionsNode, "features", "logits"}, line.Pipeline{Classifier: net}.Outputs())
	det := fit(t, net, nettest.Stream(net.batch(9, 1)), line.DefaultOptions())
	require.Equal(t, []string{line.Score, "prediction"}, line.Pipeline{Classifier: net, Detector: det}.Outputs())
	_, err := graph.Compile(line.Pipeline{Classifier: net}, graph.Options{Fetch: []string{line.Score}})
	require.ErrorContains(t, err, `no node is named "score"`, "without a detector there is no score")
}
