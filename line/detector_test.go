package line_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line"
)

// drawDetector draws a network and contributions, which take few levels, so that there are ties.
func drawDetector(t *rapid.T) (*tiny, *line.Contributions, line.Options) {
	net := newTiny(rapid.IntRange(1, 5).Draw(t, "classes"), rapid.IntRange(1, 12).Draw(t, "features"),
		rapid.Uint64().Draw(t, "net"))
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "contributions"), 1))
	levels := rapid.SampledFrom([]int{2, 1 << 20}).Draw(t, "levels")
	value := func() float32 { return float32(rng.IntN(2*levels+1)-levels) / float32(levels) }
	if w, _ := net.head(); levels == 2 {
		for i := range w {
			w[i] = value()
		}
	}
	c := line.NewContributions(net.classes, net.features)
	for k := range net.classes {
		row := make([]float32, net.features)
		for i := range row {
			row[i] = value()
		}
		require.NoError(t, c.Add(k, row))
	}
	percent := rapid.OneOf(rapid.SampledFrom([]float64{0, 10, 50, 90, 100}), rapid.Float64Range(0, 100))
	return net, c, line.Options{
		ActivationPercentile: line.Percent(percent.Draw(t, "p_a")),
		WeightPercentile:     line.Percent(percent.Draw(t, "p_w")), Clip: 1,
		NoActivationPruning: rapid.Bool().Draw(t, "no AP"), NoWeightPruning: rapid.Bool().Draw(t, "no WP"),
	}
}

func TestMasksFollowTheFormulas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net, c, o := drawDetector(t)
		det, err := line.New(context.Background(), net, c, o)
		require.NoError(t, err)
		want := newLiteral(net, mean(t, c), o)
		for k := range net.classes {
			require.Equal(t, want.neurons(k), det.ActiveNeurons(k), "neurons of class %d", k)
			require.Equal(t, want.weights(k), det.ActiveWeights(k), "weights of class %d", k)
		}
	})
}

func kept(mask []bool) (n int) {
	for _, m := range mask {
		if m {
			n++
		}
	}
	return n
}

// TestPercentilesAtTheEnds: nothing exceeds percentile 100, and all but the smallest values exceed percentile 0.
func TestPercentilesAtTheEnds(t *testing.T) {
	net := newTiny(3, 7, 1)
	c := line.NewContributions(3, 7)
	for k := range 3 {
		require.NoError(t, c.Add(k, []float32{3, 1, 4, 1, 5, 9, 2}))
	}
	for _, p := range []float64{0, 100} {
		det, err := line.New(context.Background(), net, c, line.Options{ActivationPercentile: line.Percent(p),
			WeightPercentile: line.Percent(p)})
		require.NoError(t, err)
		// two contributions are the smallest, and both are dropped
		want := map[float64][2]int{0: {5, 20}, 100: {0, 0}}[p]
		for k := range 3 {
			require.Equal(t, want, [2]int{kept(det.ActiveNeurons(k)), kept(det.ActiveWeights(k))}, "percentile %v", p)
		}
	}
}

func TestDetectorKnowsItself(t *testing.T) {
	net := newTiny(2, 3, 1)
	c := line.NewContributions(2, 3)
	require.NoError(t, c.Add(0, []float32{1, 2, 3}))
	require.NoError(t, c.Add(1, []float32{4, 5, 6}))
	o := line.DefaultOptions()
	det, err := line.New(context.Background(), net, c, o)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, det.Mean())
	det.Mean()[0] = 9
	require.Equal(t, float32(1), det.Mean()[0], "the mean must be a copy")
	require.Same(t, c, det.Contributions())
	require.Equal(t, o, det.Options())
	require.Same(t, net, det.Network())
}

func TestNewRefuses(t *testing.T) {
	net := newTiny(2, 3, 1)
	good := func() *line.Contributions {
		c := line.NewContributions(2, 3)
		require.NoError(t, c.Add(0, []float32{1, 2, 3}))
		require.NoError(t, c.Add(1, []float32{4, 5, 6}))
		return c
	}
	nan := math.NaN()
	for name, bad := range map[string]struct {
		c    *line.Contributions
		o    line.Options
		want string
	}{
		"classes": {line.NewContributions(3, 3), line.DefaultOptions(),
			"expected contributions of 3 neurons to 2 classes, as network tiny has, got those of 3 to 3"},
		"features": {line.NewContributions(2, 4), line.DefaultOptions(),
			"as network tiny has, got those of 4 to 2"},
		"empty": {line.NewContributions(2, 3), line.DefaultOptions(), "no images of class 0, 1"},
		"p_a below 0": {good(), line.Options{ActivationPercentile: -1, Clip: 1},
			"activation percentile in [0, 100], got -1"},
		"p_a above 100": {good(), line.Options{ActivationPercentile: 100.5, Clip: 1},
			"activation percentile in [0, 100], got 100.5"},
		"p_a NaN": {good(), line.Options{ActivationPercentile: nan, Clip: 1},
			"activation percentile in [0, 100], got NaN"},
		"p_w": {good(), line.Options{WeightPercentile: 101, Clip: 1},
			"weight percentile in [0, 100], got 101"},
		"clip below 0":  {good(), line.Options{Clip: -1}, "a positive clip, got -1"},
		"clip NaN":      {good(), line.Options{Clip: nan}, "a positive clip, got NaN"},
		"clip infinite": {good(), line.Options{Clip: math.Inf(1)}, "a positive clip, got +Inf"},
	} {
		_, err := line.New(context.Background(), net, bad.c, bad.o)
		require.ErrorContains(t, err, bad.want, name)
		require.Equal(t, name == "classes" || name == "features", errors.Is(err, line.ErrMismatch), name)
	}
	ignored := line.Options{
		ActivationPercentile: nan, WeightPercentile: -1, Clip: 0,
		NoClipping: true, NoActivationPruning: true, NoWeightPruning: true,
	}
	_, err := line.New(context.Background(), net, good(), ignored)
	require.NoError(t, err, "the parameter of a component that is off is not used")
	require.Equal(t, map[string]any{"p_a": "off", "p_w": "off", "clip": "off"}, ignored.Params())
	require.Equal(t, map[string]any{"p_a": 90.0, "p_w": 90.0, "clip": 1.0}, line.DefaultOptions().Params())

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = line.New(ctx, net, good(), line.DefaultOptions())
	require.ErrorIs(t, err, context.Canceled)
}
