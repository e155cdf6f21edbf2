package games

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// measuredLayers are layers of several networks, with batches of images for them.
var measuredLayers = []struct {
	net    string
	layers []string
}{
	{"densenet-bc-100-12", []string{"block1", "trans1", "block2", "trans2", "block3", "features"}},
	{"resnet-cifar-20-16", []string{"layer1.0", "layer2.0", "layer3.0", "features"}},
	{"resnet-cifar-8-8", []string{"layer1.0", "layer2.0", "layer3.0", "features"}},
	{"wrn-16-2", []string{"block1.layer.1", "block2.layer.1", "block3.layer.1", "features"}},
	{"mobilenet_v2", []string{"features.7", "features.14", "features"}},
	{"resnet18", []string{"layer4.0", "layer4.1", "features"}},
}

// eachMeasuredLayer hands a game on every measured layer to measure. Since that measures time, it runs only when asked.
func eachMeasuredLayer(t *testing.T, channels bool, measure func(t *testing.T, l *Layer, g attribution.Game)) {
	if os.Getenv("SPEED") == "" {
		t.Skip("SPEED is not set: a measurement, not a test")
	}
	for _, c := range measuredLayers {
		net, err := nets.New(c.net, 10)
		require.NoError(t, err)
		draw(net)
		rng := rand.New(rand.NewPCG(1, 1))
		b := graph.Batch{N: 1, Labels: []int{0}}
		size := 1
		for _, d := range net.InputShape() {
			size *= d
		}
		for range size {
			b.X = append(b.X, float32(rng.NormFloat64()))
		}
		for _, layer := range c.layers {
			name := c.net + "-" + layer
			l, err := NewLayer(net, LayerOptions{Layer: layer, Value: attribution.LogSumExp,
				Channels: channels && layer != "features", Graph: graph.Options{Workers: 1}})
			if err != nil {
				t.Logf("%s: %v", name, err)
				continue
			}
			one := func(yield func(graph.Batch, error) bool) { yield(b, nil) }
			for g, err := range l.Games(context.Background(), one) {
				require.NoError(t, err)
				t.Run(name, func(t *testing.T) { measure(t, l, g) })
			}
		}
	}
}

// TestWorkAgainstTime compares the cost that games state for a value with the time that the value takes. It runs alone
// on the machine: SPEED=1 go test -v -run WorkAgainstTime ./attribution/games.
func TestWorkAgainstTime(t *testing.T) {
	eachMeasuredLayer(t, false, func(t *testing.T, l *Layer, g attribution.Game) {
		forward := fastest(func() int { return runImages(t, l.front) })
		s := randomCoalitions(g.Players(), 256)
		dst := make([]float64, s.Len())
		value := fastest(func() int {
			require.NoError(t, g.Values(context.Background(), s, dst))
			return s.Len()
		})
		billed, took := attribution.ForwardsPerValue(g), value/forward
		t.Logf("forward %7.1f µs  value %7.2f µs  took %.2e billed %.2e  ratio %.2f  forward estimated %.1f µs",
			1e6*forward, 1e6*value, took, billed, billed/took, 1e6*l.front.EstimatedSeconds())
	})
}

// TestForecastsAgainstRuns compares what is forecast with what a run costs and how long it takes, with the channels as
// players. It runs alone on the machine: SPEED=1 go test -v -run ForecastsAgainstRuns ./attribution/games.
func TestForecastsAgainstRuns(t *testing.T) {
	const seconds = 0.6 // of a run
	ctx := context.Background()
	eachMeasuredLayer(t, true, func(t *testing.T, _ *Layer, g attribution.Game) {
		s := randomCoalitions(g.Players(), 128)
		dst := make([]float64, s.Len())
		start := time.Now()
		require.NoError(t, g.Values(ctx, s, dst))
		values := min(max(seconds/time.Since(start).Seconds()*float64(s.Len()), 900), 3000)
		opt := attribution.Options{Budget: attribution.ForwardsPerValue(g) * values, Workers: 1}
		for _, e := range []attribution.Estimator{estimate.Recommended{}, estimate.LeverageSHAP{}} {
			got, err := e.Estimate(ctx, g, opt)
			if errors.Is(err, attribution.ErrBudget) {
				continue
			}
			require.NoError(t, err)
			f, err := estimate.Predict(ctx, e, g, opt, 0)
			require.NoError(t, err)
			t.Logf("%4d players  %-20s %8.2f forward-equivalents, %6.2f s  forecast over run: %.2f, seconds %.2f",
				g.Players(), got.Method, got.Equivalents, got.Seconds, f.Equivalents/got.Equivalents,
				f.Seconds/got.Seconds)
		}
	})
}

// fastest returns the seconds of one unit of work in the best of some rounds; run does some units and returns their
// number.
func fastest(run func() int) float64 {
	best := 0.0
	for range 3 {
		start := time.Now()
		n := run()
		if s := time.Since(start).Seconds() / float64(n); best == 0 || s < best {
			best = s
		}
	}
	return best
}

func runImages(t testing.TB, p *graph.Program) int {
	size := 1
	for _, d := range p.InputShape() {
		size *= d
	}
	n := min(64, max(1, 1<<19/size)) // fewer of large images
	x := make([]float32, n*size)
	for i := range x {
		x[i] = float32(i%17) / 17
	}
	for _, err := range p.Run(context.Background(), func(yield func(graph.Batch, error) bool) {
		yield(graph.Batch{X: x, N: n}, nil)
	}) {
		require.NoError(t, err)
	}
	return n
}
