package games_test

import (
	"context"
	"fmt"
	"log"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// head is a final layer of three classes over four neurons.
func head() *games.Readout {
	h, err := games.NewReadout(nets.Head{Classes: 3, FeatureDim: 4, Weight: []float32{
		1.0, -0.5, 0.2, 0.0,
		-0.3, 0.8, 0.1, 0.4,
		0.2, 0.1, -0.6, 0.9,
	}, Bias: []float32{0.1, 0, -0.1}})
	if err != nil {
		log.Fatal(err)
	}
	return h
}

// A game can be any function of the coalition: here a majority vote in which player 0 has two votes.
func ExampleFunc() {
	game := games.Func(4, func(s attribution.Coalition) float64 {
		votes := s.Size()
		if s.Has(0) {
			votes++
		}
		if votes >= 3 {
			return 1
		}
		return 0
	})
	est, err := estimate.Exact{}.Estimate(context.Background(), game, attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", est.Values)
	// Output:
	// [0.5000 0.1667 0.1667 0.1667]
}

// The mean over the samples of a class, with the logit of the label: gradient × activation is LINe's C.
func ExampleNewPenultimateMean() {
	rows := [][]float64{{2, 1, 0.5, 1.5}, {1, 0, 0.5, 0.5}}
	game, err := games.NewPenultimateMean(head(), rows, []int{0, 0},
		games.PenultimateOptions{Target: attribution.TargetLabel()})
	if err != nil {
		log.Fatal(err)
	}
	est, err := estimate.GradientActivation{}.Estimate(context.Background(), game, attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", est.Values)
	// Output:
	// [1.500 -0.250 0.100 0.000]
}

// A layer game plays on any tapped node of a network's graph: here each channel behind the first convolution is a
// player.
func ExampleNewLayer() {
	ctx := context.Background()
	net, err := nets.Define(nets.Definition{
		Name: "small", Classes: 2, Input: []int{3, 32, 32}, Preprocessing: nets.CIFAR(),
		Build: func(b *graph.Builder, x *G.Node) *G.Node {
			x = b.Tap("conv1", b.ReLU(b.Conv(x, "conv1", graph.ConvConfig{Out: 3, Kernel: [2]int{1, 1}})))
			return b.GlobalAvgPool(x)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for i, p := range net.Params() { // a trained network would come from nets.Open
		copy(p.Float32s(), [][]float32{{1, 0, 0, 0, 1, 0, 0, 0, 1}, {2, 0, 1, 0, 2, 1}, {0, 0}}[i])
	}
	layer, err := games.NewLayer(net, games.LayerOptions{Layer: "conv1", Channels: true, Value: attribution.LogSumExp})
	if err != nil {
		log.Fatal(err)
	}
	image := make([]float32, 3*32*32)
	for i := range image {
		image[i] = float32(1 + i/(32*32)) // 1, 2 and 3
	}
	images := func(yield func(graph.Batch, error) bool) { yield(graph.Batch{N: 1, X: image}, nil) }
	for game, err := range layer.Games(ctx, images) {
		if err != nil {
			log.Fatal(err)
		}
		est, err := estimate.Exact{}.Estimate(ctx, game, attribution.Options{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d players: %.3f\n", game.Players(), est.Values)
	}
	// Output:
	// 3 players: [0.771 2.663 3.000]
}
