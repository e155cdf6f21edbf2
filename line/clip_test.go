package line_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/posthoc"
)

// fitFeatures fits LINe to features [n, d] and their labels.
func fitFeatures(t require.TestingT, net *tiny, features []float32, labels []int, o line.Options,
	workers int) *line.Detector {
	m, err := line.NewMethod(o, graph.Options{Workers: workers, Batch: 3})
	require.NoError(t, err)
	require.NoError(t, m.Fit(context.Background(), headOf(net), posthoc.Samples{
		N: len(labels), FeatureDim: net.features, Classes: net.classes,
		Features: features, Logits: make([]float32, len(labels)*net.classes), Labels: labels,
	}))
	return m.Detector()
}

// everyClass returns n labels that include each of k classes.
func everyClass(n, k int) []int {
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i * i % k
		if i < k {
			labels[i] = i
		}
	}
	return labels
}

// TestClipLimitsArePercentiles: the limits are percentiles of each neuron, over all training images or those of each
// class. Activations take few levels, so that there are ties.
func TestClipLimitsArePercentiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, d := rapid.IntRange(1, 4).Draw(t, "classes"), rapid.IntRange(1, 40).Draw(t, "features")
		net := newTiny(k, d, 1)
		labels := everyClass(k+rapid.IntRange(0, 30).Draw(t, "more"), k)
		levels := rapid.SampledFrom([]int{1, 3, 1 << 20}).Draw(t, "levels")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		z := make([]float32, len(labels)*d)
		for i := range z {
			z[i] = float32(rng.IntN(levels))/float32(levels) - 0.25
		}
		o := line.Options{
			ClipPercentile: rapid.OneOf(rapid.SampledFrom([]float64{1e-9, 50, 90, 100}),
				rapid.Float64Range(0.1, 100)).Draw(t, "percentile"),
			ClipPerClass: rapid.Bool().Draw(t, "per class"),
		}
		det := fitFeatures(t, net, z, labels, o, rapid.IntRange(1, 3).Draw(t, "workers"))
		want := newLiteral(net, det.Mean(), o).clipAt(z, labels).limits
		for c := range k {
			require.Equal(t, want[c*d:][:d], widen(det.ClipLimits(c)))
		}
	})
}

// TestClipLimitsOfOtherClipping: with a fixed δ the limit is the same for all neurons, and without clipping there are
// none.
func TestClipLimitsOfOtherClipping(t *testing.T) {
	net := newTiny(2, 3, 1)
	train := nettest.Stream(net.batch(6, 1))
	require.Equal(t, []float32{0.75, 0.75, 0.75}, fit(t, net, train, line.Options{Clip: 0.75}).ClipLimits(1))
	require.Nil(t, fit(t, net, train, line.Options{NoClipping: true}).ClipLimits(1))
	off := line.Options{NoClipping: true, ClipPercentile: 90, ClipPerClass: true, ActivationPercentile: 90,
		WeightPercentile: 90}
	det := fit(t, net, train, off)
	require.Nil(t, det.ClipLimits(1), "what is off needs no bounds")
	require.Equal(t, off, det.Options())
}

// TestClipPercentileOptions: options and reports show the percentile in the place of δ.
func TestClipPercentileOptions(t *testing.T) {
	net := newTiny(3, 5, 1)
	o := line.DefaultOptions()
	o.ClipPercentile = 90
	require.Equal(t, map[string]any{"p_a": 90.0, "p_w": 90.0, "clip_percentile": 90.0}, o.Params())
	want := line.Options{ActivationPercentile: 90, WeightPercentile: 90, ClipPercentile: 90}
	require.Equal(t, want, fit(t, net, nettest.Stream(net.batch(9, 1)), o).Options())
	o.ClipPerClass = true
	require.Equal(t, map[string]any{"p_a": 90.0, "p_w": 90.0, "clip_percentile": 90.0, "clip_per_class": true},
		o.Params())
	o.NoClipping = true
	require.Equal(t, map[string]any{"p_a": 90.0, "p_w": 90.0, "clip": "off"}, o.Params())

	for want, o := range map[string]line.Options{
		"expected a clip percentile in (0, 100], or 0 for none, got -1":     {ClipPercentile: -1},
		"expected a clip percentile in (0, 100], or 0 for none, got 100.5":  {ClipPercentile: 100.5},
		"expected a clip percentile in (0, 100], or 0 for none, got NaN":    {ClipPercentile: math.NaN()},
		"clipping per class: expected a clip percentile in (0, 100], got 0": {ClipPerClass: true},
	} {
		require.ErrorContains(t, o.Check(), want)
	}
}

// TestClipAt100ChangesNoTrainingImage: at percentile 100 no activation exceeds the limit, which is the largest of its
// neuron, or of its neuron and class where every image is predicted as its label.
func TestClipAt100ChangesNoTrainingImage(t *testing.T) {
	net := newTiny(4, 9, 2)
	train := net.batch(50, 1)
	train.Labels = run(t, net, graph.Options{Fetch: []string{"prediction"}}, nettest.Stream(train)).ints["prediction"]
	var full []int // some classes may never be predicted, so that each gets one more image
	for k := range net.classes {
		full = append(full, k)
	}
	size := len(train.X) / train.N
	train.X = append(train.X, train.X[:len(full)*size]...)
	train.Labels, train.N = append(train.Labels, full...), train.N+len(full)
	off := fit(t, net, nettest.Stream(train), line.Options{NoClipping: true})
	want, err := off.Score(t.Context(), nettest.Stream(train))
	require.NoError(t, err)
	for _, perClass := range []bool{false, true} {
		det := fit(t, net, nettest.Stream(train), line.Options{ClipPercentile: 100, ClipPerClass: perClass})
		got, err := det.Score(t.Context(), nettest.Stream(train))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// TestClipPercentileKnowsNoScale: activations twice as large with weights half as large leave the scores unchanged,
// bit for bit. With one δ for all neurons the scores change.
func TestClipPercentileKnowsNoScale(t *testing.T) {
	net, scaled := newTiny(4, 9, 2), newTiny(4, 9, 2)
	w, _ := scaled.head()
	for i := range w {
		w[i] /= 2
	}
	for _, p := range scaled.params[:2] {
		for i := range p.Float32s() {
			p.Float32s()[i] *= 2
		}
	}
	train, test := nettest.Stream(net.batch(40, 1)), nettest.Stream(net.batch(30, 2))
	for _, o := range []line.Options{{ClipPercentile: 70}, {ClipPercentile: 70, ClipPerClass: true}, {Clip: 0.3}} {
		want, err := fit(t, net, train, o).Score(t.Context(), test)
		require.NoError(t, err)
		got, err := fit(t, scaled, train, o).Score(t.Context(), test)
		require.NoError(t, err)
		if o.ClipPercentile != 0 {
			require.Equal(t, want, got)
		} else {
			require.NotEqual(t, want.Score, got.Score)
		}
	}
}

// TestClipClassIsTheUnclippedPrediction: the limits are those of the class predicted from unclipped activations, or
// of the label where the pipeline is asked to use it.
func TestClipClassIsTheUnclippedPrediction(t *testing.T) {
	net := newTiny(2, 2, 1)
	w, b := net.head()
	copy(w, []float32{1, 0 /* class 0 */, 0, 1 /* class 1 */})
	clear(b)
	c := line.NewContributions(2, 2)
	require.NoError(t, c.Add(0, []float32{1, 0}))
	require.NoError(t, c.Add(1, []float32{0, 1}))
	o := line.Options{ClipPercentile: 90, ClipPerClass: true, NoActivationPruning: true, NoWeightPruning: true}
	limits := []float32{1, 10 /* class 0 */, 20, 2 /* class 1 */}
	det, err := line.NewClipped(t.Context(), net, c, limits, o)
	require.NoError(t, err)
	clear(limits) // the detector must have copied them
	m := line.Pipeline{Classifier: net, Detector: det}
	fetch := graph.Options{From: "features", Fetch: []string{line.Score, line.ClipClass, line.RoutingClass}}
	images := func(labels ...int) graph.Batches {
		return nettest.Stream(graph.Batch{N: 2, X: []float32{9, 8, 3, 4}, Labels: labels})
	}
	energy := func(x ...float64) float64 { return math.Log(math.Exp(x[0]) + math.Exp(x[1])) }
	out := run(t, m, fetch, images())
	require.Equal(t, []int{0, 1}, out.ints[line.ClipClass])
	require.Equal(t, []int{1, 0}, out.ints[line.RoutingClass], "of the clipped activations")
	require.InDelta(t, energy(1, 8), out.f32[line.Score][0], 1e-6)
	require.InDelta(t, energy(3, 2), out.f32[line.Score][1], 1e-6)

	m.RouteByLabel = true
	out = run(t, m, fetch, images(1, -1))
	require.Equal(t, []int{1, 1}, out.ints[line.ClipClass])
	require.Equal(t, []int{1, 0}, out.ints[line.RoutingClass])
	require.InDelta(t, energy(9, 2), out.f32[line.Score][0], 1e-6)
}

// TestManyClassesAreClipped: with K = 1000 classes each has its own bounds.
func TestManyClassesAreClipped(t *testing.T) {
	const k, d = 1000, 20
	net := newTiny(k, d, 1)
	labels := everyClass(2*k, k)
	z := nettest.Batch(2*k, []int{d}, 0, 3).X
	o := line.Options{ClipPercentile: 50, ClipPerClass: true, NoWeightPruning: true}
	det := fitFeatures(t, net, z, labels, o, 1)
	require.Equal(t, newLiteral(net, det.Mean(), o).clipAt(z, labels).limits[777*d:][:d], widen(det.ClipLimits(777)))
}

// blind is a source of contributions that does not see features.
type blind struct{}

func (blind) Measure(ctx context.Context, program *graph.Program, images graph.Batches) (*line.Contributions, error) {
	return line.Measure(ctx, program, images)
}

func TestClippingRefuses(t *testing.T) {
	net := newTiny(3, 5, 1)
	ctx, c := t.Context(), line.NewContributions(3, 5)
	for k := range 3 {
		require.NoError(t, c.Add(k, []float32{1, 2, 3, 4, 5}))
	}
	o := line.Options{ClipPercentile: 90}
	_, err := line.New(ctx, net, c, o)
	require.ErrorContains(t, err,
		"clip percentile 90 needs the activations of training images: expected Fit, or NewClipped with limits, got New")
	infinite := []float32{1, 2, 3, 4, float32(math.Inf(1))}
	for want, bad := range map[string]struct {
		limits []float32
		o      line.Options
	}{
		"expected limits of activations of shape [5], got 3 values": {[]float32{1, 2, 3}, o},
		"expected limits of activations of shape [3 5], got 5 values": {[]float32{1, 2, 3, 4, 5},
			line.Options{ClipPercentile: 90, ClipPerClass: true}},
		"limit 4 of the activations: expected a finite number, got +Inf": {infinite, o},
		"expected options with a clip percentile and clipping, got map[clip:1 p_a:90 p_w:90]": {infinite[:3],
			line.Options{}},
		"with a clip percentile and clipping, got map[clip:off p_a:90 p_w:90]": {infinite[:3],
			line.Options{ClipPercentile: 5, NoClipping: true}},
		"clip percentile in (0, 100], or 0 for none, got 101": {infinite[:3], line.Options{ClipPercentile: 101}},
	} {
		_, err := line.NewClipped(ctx, net, c, bad.limits, bad.o)
		require.ErrorContains(t, err, want)
	}

	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	used := false
	o.Source = blind{}
	_, err = line.Fit(ctx, prog, func(func(graph.Batch, error) bool) { used = true }, o)
	require.ErrorContains(t, err,
		"clip percentile 90 needs the features of training images, which a source line_test.blind does not show")
	require.False(t, used, "before the work, not after it")
}
