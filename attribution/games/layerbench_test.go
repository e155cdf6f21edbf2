package games

import (
	"context"
	"testing"
	"time"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// BenchmarkLayerGames compares the coalitions a second of a game with the samples a second of the bare graph behind
// the same layer, with the same batch size. Both run in turn, and the best run of each counts: "share-%" is the share
// of the bare graph's throughput that the game reaches.
func BenchmarkLayerGames(b *testing.B) {
	net, err := nets.New("densenet-bc-100-12", 10)
	if err != nil {
		b.Fatal(err)
	}
	for i, p := range net.Params() {
		for j := range p.Float32s() {
			p.Float32s()[j] = 0.01 * float32((i+j)%7+1)
		}
	}
	const rows = 1024
	ctx := context.Background()
	for _, c := range []struct {
		layer, players string
	}{
		{"block1", "channels"}, {"trans1", "channels"}, {"trans2", "channels"}, {"block3", "channels"},
		{"block1", "neurons"}, {"trans1", "neurons"}, {"trans2", "neurons"}, {"block3", "neurons"},
	} {
		b.Run(c.layer+"/"+c.players, func(b *testing.B) {
			layer := c.layer
			l, err := NewLayer(net, LayerOptions{Layer: layer, Channels: c.players == "channels",
				Value: attribution.LogSumExp})
			if err != nil {
				b.Fatal(err)
			}
			var game attribution.Game
			for g, err := range l.Games(ctx, randomImages(1)) {
				if err != nil {
					b.Fatal(err)
				}
				game = g
			}
			bare, err := graph.Compile(net, graph.Options{From: layer, Fetch: []string{"logits"},
				Batch: l.values.Options().Batch})
			if err != nil {
				b.Fatal(err)
			}
			const batch = 64
			x := make([]float32, batch*l.size)
			stream := func(yield func(graph.Batch, error) bool) {
				for range rows / batch {
					if !yield(graph.Batch{X: x, N: batch}, nil) {
						return
					}
				}
			}
			s, dst := randomCoalitions(l.players, rows), make([]float64, rows)
			forward, values := time.Hour, time.Hour
			for b.Loop() {
				start := time.Now()
				for _, err := range bare.Run(ctx, stream) {
					if err != nil {
						b.Fatal(err)
					}
				}
				forward = min(forward, time.Since(start))
				start = time.Now()
				if err := game.Values(ctx, s, dst); err != nil {
					b.Fatal(err)
				}
				values = min(values, time.Since(start))
			}
			b.ReportMetric(rows/values.Seconds(), "coalitions/s")
			b.ReportMetric(100*forward.Seconds()/values.Seconds(), "share-%")
		})
	}
}
