package games

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// TestWorkAgainstTime compares the cost that games state for a value with the time that the value takes, on layers of
// several networks. Since it measures time, it runs only when asked, alone on the machine: SPEED=1 go test -v -run
// WorkAgainstTime ./attribution/games.
func TestWorkAgainstTime(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("SPEED is not set: a measurement, not a test")
	}
	ctx := context.Background()
	for _, c := range []struct {
		net    string
		layers []string
	}{
		{"densenet-bc-100-12", []string{"block1", "trans1", "block2", "trans2", "block3", "features"}},
		{"resnet-cifar-20-16", []string{"layer1.0", "layer2.0", "layer3.0", "features"}},
		{"resnet-cifar-8-8", []string{"layer1.0", "layer2.0", "layer3.0", "features"}},
		{"wrn-16-2", []string{"block1.layer.1", "block2.layer.1", "block3.layer.1", "features"}},
	} {
		net, err := nets.New(c.net, 10)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(1, 1))
		for _, p := range net.Params() {
			for j := range p.Float32s() {
				p.Float32s()[j] = 0.1 * rng.Float32()
			}
		}
		for _, layer := range c.layers {
			l, err := NewLayer(net, LayerOptions{Layer: layer, Value: attribution.LogSumExp,
				Graph: graph.Options{Workers: 1}})
			if err != nil {
				t.Logf("%s %s: %v", c.net, layer, err)
				continue
			}
			var game attribution.Game
			for g, err := range l.Games(ctx, randomImages(1)) {
				require.NoError(t, err)
				game = g
			}
			forward := fastest(func() int { return runImages(t, l.front) })
			s := attribution.NewCoalitions(game.Players(), 512)
			for r := range s.Len() {
				row := s.Row(r)
				for i := range row {
					row[i] = rng.Uint64()
				}
				if n := game.Players() % 64; n > 0 {
					row[len(row)-1] &= 1<<n - 1
				}
			}
			dst := make([]float64, s.Len())
			value := fastest(func() int {
				require.NoError(t, game.Values(ctx, s, dst))
				return s.Len()
			})
			billed, took := attribution.ForwardsPerValue(game), value/forward
			t.Logf("%-20s %-9s forward %7.1f µs  value %7.2f µs  took %.2e billed %.2e  ratio %.2f  forward "+
				"estimated %.1f µs",
				c.net, layer, 1e6*forward, 1e6*value, took, billed, billed/took, 1e6*l.front.EstimatedSeconds())
		}
	}
}

// fastest returns the seconds of one unit of work in the best of some rounds; run does some units and returns their
// number.
func fastest(run func() int) float64 {
	best := 0.0
	for range 5 {
		start := time.Now()
		n := run()
		if s := time.Since(start).Seconds() / float64(n); best == 0 || s < best {
			best = s
		}
	}
	return best
}

func runImages(t testing.TB, p *graph.Program) int {
	const n = 64
	size := 1
	for _, d := range p.InputShape() {
		size *= d
	}
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
