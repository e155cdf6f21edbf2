package graph_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// smallClassifier is a model with every kind of layer that differs between training and inference.
type smallClassifier struct{ params []*graph.Param }

func newSmallClassifier() *smallClassifier {
	m := &smallClassifier{}
	r := newRand(11)
	for _, p := range []struct {
		name  string
		shape []int
	}{
		{"stem.weight", []int{4, 3, 3, 3}}, {"stem.bias", []int{4}},
		{"norm.weight", []int{4}}, {"norm.bias", []int{4}}, {"norm.running_mean", []int{4}},
		{"norm.running_var", []int{4}},
		{"conv.weight", []int{4, 4, 3, 3}},
		{"norm2.weight", []int{4}}, {"norm2.bias", []int{4}}, {"norm2.running_mean", []int{4}},
		{"norm2.running_var", []int{4}},
		{"fc.weight", []int{3, 4}}, {"fc.bias", []int{3}},
	} {
		q := graph.NewParam(p.name, p.shape...)
		for i := range q.Float32s() {
			q.Float32s()[i] = float32(0.4 * r.NormFloat64())
			if len(p.shape) == 1 && i%2 == 0 {
				q.Float32s()[i] = 1
			}
		}
		if p.name[len(p.name)-4:] == "mean" || p.name[len(p.name)-4:] == "_var" {
			q.Buffer = true
			for i := range q.Float32s() {
				q.Float32s()[i] = 1
			}
		}
		m.params = append(m.params, q)
	}
	return m
}

func (m *smallClassifier) InputShape() []int      { return []int{3, 5, 5} }
func (m *smallClassifier) Params() []*graph.Param { return m.params }
func (m *smallClassifier) Outputs() []string      { return []string{"logits"} }

func (m *smallClassifier) Build(b *graph.Builder, x *G.Node) error {
	same := graph.ConvConfig{Padding: [2]int{1, 1}}
	x = b.ReLU(b.BatchNorm(b.Conv(x, "stem", same), "norm", 1e-3))
	x = b.Dropout(x, "drop", 0.25)
	x = b.ReLU(b.Add(b.BatchNorm(b.Conv(x, "conv", same), "norm2", 1e-3), x))
	b.Tap("logits", b.Linear(b.GlobalAvgPool(x), "fc"))
	return b.Err()
}

func smallBatch(n int, seed uint64) graph.TrainingBatch {
	r := newRand(seed)
	b := graph.TrainingBatch{X: make([]float32, n*75), Targets: make([]float32, n*3), Seeds: make([]int, n)}
	for i := range b.X {
		b.X[i] = float32(r.NormFloat64())
	}
	for i := range n {
		b.Targets[i*3+i%3] = 1
		b.Seeds[i] = r.Int()
	}
	return b
}

func compileTraining(t *testing.T, m graph.Model, o graph.TrainingOptions) *graph.TrainingProgram {
	t.Helper()
	p, err := graph.CompileTraining(m, o)
	require.NoError(t, err)
	return p
}

func runTraining(t *testing.T, p *graph.TrainingProgram, b graph.TrainingBatch) graph.TrainingResult {
	t.Helper()
	out, err := p.Run(context.Background(), b)
	require.NoError(t, err)
	return out
}

func TestTrainingGradientsAgainstCentralDifferences(t *testing.T) {
	m := newSmallClassifier()
	p := compileTraining(t, m, graph.TrainingOptions{Batch: 6, Shard: 3, Workers: 1})
	batch := smallBatch(6, 1)
	runTraining(t, p, batch)
	const h = 2e-3
	for i, q := range p.Params() {
		got := append([]float32(nil), p.Gradients()[i]...)
		for j := range min(len(got), 6) {
			j = j * len(got) / min(len(got), 6)
			at := func(d float32) float64 {
				v := q.Float32s()
				old := v[j]
				v[j] = old + d
				defer func() { v[j] = old }()
				return runTraining(t, p, batch).Loss
			}
			want := (at(h) - at(-h)) / (2 * h)
			require.InDelta(t, want, got[j], 2e-3+0.02*math.Abs(want), "%s element %d", q, j)
		}
	}
}

func TestTrainingDoesNotDependOnWorkers(t *testing.T) {
	var first [][]float32
	var loss float64
	for _, replicas := range []int{1, 2, 3, 5, 8} {
		m := newSmallClassifier()
		p := compileTraining(t, m, graph.TrainingOptions{Batch: 20, Shard: 4, Workers: replicas})
		var values [][]float32
		var out graph.TrainingResult
		for step := range uint64(3) {
			out = runTraining(t, p, smallBatch(20, step))
		}
		values = append(values, p.Gradients()...)
		for _, q := range m.Params() {
			values = append(values, q.Float32s())
		}
		if first == nil {
			first, loss = values, out.Loss
		}
		require.Equal(t, first, values, "%d replicas", replicas)
		require.Equal(t, loss, out.Loss)
	}
}

func TestRunningStatisticsAreThoseOfTheWholeBatch(t *testing.T) {
	stats := func(shard int) (mean, variance []float32) {
		m := newSmallClassifier()
		p := compileTraining(t, m, graph.TrainingOptions{Batch: 12, Shard: shard})
		runTraining(t, p, smallBatch(12, 4))
		return m.params[4].Float32s(), m.params[5].Float32s() // of the first norm, whose input no sharding changes
	}
	mean, variance := stats(12)
	for _, shard := range []int{1, 3, 6} {
		gotMean, gotVariance := stats(shard)
		require.InDeltaSlice(t, mean, gotMean, 1e-5)
		require.InDeltaSlice(t, variance, gotVariance, 1e-5)
	}
}

func TestTrainingIsFollowedByInference(t *testing.T) {
	m := newSmallClassifier()
	p := compileTraining(t, m, graph.TrainingOptions{Batch: 6, Momentum: 1})
	batch := smallBatch(6, 2)
	for i := range m.params[0].Float32s() { // changed after the program was compiled
		m.params[0].Float32s()[i] *= 2
	}
	runTraining(t, p, batch)
	mean := m.params[4].Float32s()
	for _, v := range mean {
		require.NotEqual(t, float32(1), v, "momentum 1 replaces the running mean")
	}
	inference, err := graph.Compile(m, graph.Options{})
	require.NoError(t, err)
	for out, err := range inference.Run(context.Background(), stream(graph.Batch{X: batch.X, N: 6})) {
		require.NoError(t, err)
		require.Len(t, out.Float32("logits"), 18)
	}
}

func TestCompileTrainingRefuses(t *testing.T) {
	m := newSmallClassifier()
	for _, c := range []struct {
		m    graph.Model
		o    graph.TrainingOptions
		want string
	}{
		{nil, graph.TrainingOptions{Batch: 1}, "expected a model, got nil"},
		{m, graph.TrainingOptions{}, "expected a batch of at least 1 sample, got 0"},
		{m, graph.TrainingOptions{Batch: 10, Shard: 4}, "shard: expected a divisor of the batch of 10 samples, got 4"},
		{m, graph.TrainingOptions{Batch: 10, Workers: -1}, "expected at least 1 worker, got -1"},
		{m, graph.TrainingOptions{Batch: 10, Momentum: 2}, "expected momentum of running statistics in (0, 1], got 2"},
		{m, graph.TrainingOptions{Batch: 10, Logits: "nothing"}, `no node is named "nothing"`},
	} {
		_, err := graph.CompileTraining(c.m, c.o)
		require.ErrorContains(t, err, c.want)
	}
	p := compileTraining(t, m, graph.TrainingOptions{Batch: 4})
	good := smallBatch(4, 1)
	for _, c := range []struct {
		change func(b *graph.TrainingBatch)
		want   string
	}{
		{func(b *graph.TrainingBatch) { b.X = b.X[1:] },
			"training batch: expected 4 samples of 75 values, got 299 values"},
		{func(b *graph.TrainingBatch) { b.Targets = nil },
			"training batch: expected targets for 4 samples of 3 classes, got 0"},
		{func(b *graph.TrainingBatch) { b.Seeds = nil },
			"training batch: expected a seed of dropout for each of 4 samples, got 0"},
	} {
		bad := good
		c.change(&bad)
		_, err := p.Run(context.Background(), bad)
		require.ErrorContains(t, err, c.want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := p.Run(ctx, good)
	require.ErrorIs(t, err, context.Canceled)
}
