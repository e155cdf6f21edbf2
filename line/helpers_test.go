package line_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// tiny is a classifier of one convolution and a linear layer, which is not one of package nets.
type tiny struct {
	classes, features int
	params            []*graph.Param
}

func newTiny(classes, features int, seed uint64) *tiny {
	n := &tiny{classes: classes, features: features, params: []*graph.Param{
		graph.NewParam("conv.weight", features, 2, 3, 3), graph.NewParam("conv.bias", features),
		graph.NewParam("out.weight", classes, features), graph.NewParam("out.bias", classes),
	}}
	nettest.Fill(n.params, seed)
	return n
}

func (n *tiny) Name() string                      { return "tiny" }
func (n *tiny) Classes() int                      { return n.classes }
func (n *tiny) FeatureDim() int                   { return n.features }
func (t *tiny) Preprocessing() nets.Preprocessing { return nets.Preprocessing{} }
func (n *tiny) Head() (weight, bias *graph.Param) { return n.params[2], n.params[3] }
func (n *tiny) InputShape() []int                 { return []int{2, 5, 4} }
func (n *tiny) Params() []*graph.Param            { return n.params }
func (n *tiny) Outputs() []string                 { return []string{"features", "logits"} }
func (n *tiny) head() (w, b []float32)            { return n.params[2].Float32s(), n.params[3].Float32s() }
func (n *tiny) batch(size int, seed uint64) graph.Batch {
	return nettest.Batch(size, n.InputShape(), n.classes, seed)
}

func (n *tiny) Build(b *graph.Builder, x *G.Node) error {
	z := b.Tap("features", b.GlobalAvgPool(b.ReLU(b.Conv(x, "conv", graph.ConvConfig{Padding: [2]int{1, 1}}))))
	l := b.Tap("logits", b.Linear(z, "out"))
	b.Tap("prediction", b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
	return b.Err()
}

// fetched holds the outputs of a program for a whole stream.
type fetched struct {
	f32  map[string][]float32
	f64  map[string][]float64
	ints map[string][]int
}

// run compiles a model, runs it on batches and collects the outputs that it fetches.
func run(t testing.TB, m graph.Model, o graph.Options, batches graph.Batches) fetched {
	t.Helper()
	prog, err := graph.Compile(m, o)
	require.NoError(t, err)
	out := fetched{map[string][]float32{}, map[string][]float64{}, map[string][]int{}}
	for b, err := range prog.Run(context.Background(), batches) {
		require.NoError(t, err)
		for _, name := range prog.Options().Fetch {
			switch {
			case name == "prediction" || name == line.Class || name == line.ClipClass || name == line.RoutingClass:
				out.ints[name] = append(out.ints[name], b.Ints(name)...)
			case prog.Options().Dtype == G.Float64:
				out.f64[name] = append(out.f64[name], b.Float64(name)...)
			default:
				out.f32[name] = append(out.f32[name], b.Float32(name)...)
			}
		}
	}
	return out
}

// fit fits LINe to images of a network.
func fit(t testing.TB, net nets.Classifier, images graph.Batches, o line.Options) *line.Detector {
	t.Helper()
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	det, err := line.Fit(context.Background(), prog, images, o)
	require.NoError(t, err)
	return det
}

// literal is LINe by its definition, in float64, with every mask formed.
type literal struct {
	k, d    int
	w, b, c []float64 // [k, d], [k], [k, d]
	limits  []float64 // [k, d] upper bounds where o has a clip percentile
	o       line.Options
}

func newLiteral(net *tiny, mean []float32, o line.Options) literal {
	w, b := net.head()
	return literal{net.classes, net.features, widen(w), widen(b), widen(mean), nil, o}
}

// clipAt sets the bounds of activations from training features [n, d]: a percentile of each neuron, with ClipPerClass
// over the features of each label.
func (l literal) clipAt(features []float32, labels []int) literal {
	l.limits = make([]float64, l.k*l.d)
	for j := range l.limits {
		class, neuron := j/l.d, j%l.d
		var column []float64
		for n, label := range labels {
			if label == class || !l.o.ClipPerClass {
				column = append(column, float64(features[n*l.d+neuron]))
			}
		}
		l.limits[j] = float64(float32(percentile(column, l.o.ClipPercentile)))
	}
	return l
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// percentile is numpy's default percentile: linear interpolation between sorted values, from the nearer end, so that
// it rounds as numpy does.
func percentile(values []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	virtual := float64(len(sorted)-1) * (p / 100)
	k := int(math.Floor(virtual))
	t := virtual - float64(k)
	if t == 0 {
		return sorted[k]
	}
	a, b := sorted[k], sorted[k+1]
	if t >= 0.5 {
		return b - float64((b-a)*(1-t))
	}
	return a + float64((b-a)*t)
}

// neurons keeps neuron i iff C[c, i] > percentile(C[c, :], p_a).
func (l literal) neurons(c int) []bool {
	row := l.c[c*l.d:][:l.d]
	threshold := math.Inf(-1)
	if !l.o.NoActivationPruning {
		threshold = percentile(row, l.o.ActivationPercentile)
	}
	keep := make([]bool, l.d)
	for i, v := range row {
		keep[i] = v > threshold
	}
	return keep
}

// weights keeps W[j, i] iff M[j, i] > percentile(M over all K·D, p_w), M = |C[c, :]| · W.
func (l literal) weights(c int) []bool {
	m := make([]float64, l.k*l.d)
	for j := range m {
		m[j] = math.Abs(l.c[c*l.d+j%l.d]) * l.w[j]
		m[j] = float64(float32(m[j])) // C and W are float32, and numpy's product of them is float32 too
	}
	threshold := math.Inf(-1)
	if !l.o.NoWeightPruning {
		threshold = percentile(m, l.o.WeightPercentile)
	}
	keep := make([]bool, len(m))
	for j, v := range m {
		keep[j] = v > threshold
	}
	return keep
}

func (l literal) logits(z []float64, keep []bool) []float64 {
	out := slices.Clone(l.b)
	for j := range l.w {
		if keep == nil || keep[j] {
			out[j/l.d] += l.w[j] * z[j%l.d]
		}
	}
	return out
}

// score returns the score of one sample, and the class whose masks were used.
func (l literal) score(features []float32) (score float64, class int) {
	z := widen(features)
	unclipped := argMax(l.logits(z, nil))
	for i, v := range z {
		switch {
		case l.o.NoClipping:
		case l.limits != nil:
			z[i] = min(v, l.limits[unclipped*l.d+i])
		default:
			z[i] = min(v, float64(float32(l.o.Clip)))
		}
	}
	class = argMax(l.logits(z, nil))
	for i, keep := range l.neurons(class) {
		if !keep {
			z[i] = 0
		}
	}
	sum := 0.0
	for _, v := range l.logits(z, l.weights(class)) {
		sum += math.Exp(v)
	}
	return math.Log(sum), class
}

func argMax(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// switches returns options with all combinations of AC, AP and WP, at percentiles that prune some but not all, and
// with clipping at percentiles.
func switches() []line.Options {
	var out []line.Options
	for bits := range 8 {
		out = append(out, line.Options{
			ActivationPercentile: 40, WeightPercentile: 60, Clip: 0.5,
			NoClipping: bits&1 != 0, NoActivationPruning: bits&2 != 0, NoWeightPruning: bits&4 != 0,
		})
	}
	for bits := range 4 {
		out = append(out, line.Options{
			ActivationPercentile: 40, WeightPercentile: 60, ClipPercentile: 55, ClipPerClass: bits&1 != 0,
			NoActivationPruning: bits&2 != 0, NoWeightPruning: bits&2 != 0,
		})
	}
	return out
}
