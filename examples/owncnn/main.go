// Command owncnn defines, trains, saves and reloads a network, fits LINe to it and scores pictures of another kind.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/line-ood/goline/examples/pictures"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
	"github.com/line-ood/goline/train"
	G "gorgonia.org/gorgonia"
)

// network returns a CNN of two convolutions, whose parameters are derived from its layers.
func network() *nets.Network {
	return pictures.Must(nets.Define(nets.Definition{
		Name: "stripes-cnn", Classes: len(pictures.Kinds), Input: []int{3, pictures.Side, pictures.Side},
		Preprocessing: pictures.Preprocessing(),
		Build: func(b *graph.Builder, x *G.Node) *G.Node {
			conv := graph.ConvConfig{Out: 24, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}}
			x = b.MaxPool(b.ReLU(b.BatchNorm(b.Conv(x, "conv1", conv), "bn1", 1e-5)),
				graph.PoolConfig{Kernel: [2]int{2, 2}})
			return b.GlobalAvgPool(b.ReLU(b.BatchNorm(b.Conv(x, "conv2", conv), "bn2", 1e-5)))
		},
	}))
}

func main() {
	ctx, dir := context.Background(), pictures.Must(os.MkdirTemp("", "owncnn"))
	defer os.RemoveAll(dir)
	net, data := network(), pictures.Set("train", 480, 1, 0, 1, 2)
	train.Initialise(net.Params(), 1)
	pictures.Must(train.Run(ctx, net, data, pictures.Set("val", 120, 2, 0, 1, 2), train.Config{
		Epochs: 4, Batch: 32, EMADecay: 0.9, Checkpoint: filepath.Join(dir, "run.npz"), Resume: true, Seed: 1,
		Optimizer: train.OptimizerConfig{Momentum: 0.9}, Schedule: train.ScheduleConfig{LearningRate: 0.05},
	}))
	pictures.Check(weights.Save(filepath.Join(dir, "net.safetensors"), pictures.Must(weights.FromParams(net.Params()))))
	again := network() // as another program would
	pictures.Check(weights.LoadInto(again, filepath.Join(dir, "net.safetensors")))
	images := func(name string, n int, seed uint64, kinds ...int) graph.Batches {
		return eval.Images(ctx, name, pictures.Set(name, n, seed, kinds...), again.Preprocessing(), eval.Options{})
	}
	det := pictures.Must(line.Fit(ctx, pictures.Must(graph.Compile(again, graph.Options{})),
		images("fit", 480, 1, 0, 1, 2), line.Options{ActivationPercentile: 10, WeightPercentile: 10}))
	pictures.Check(det.Save(filepath.Join(dir, "det.npz")))
	det = pictures.Must(line.LoadFor(filepath.Join(dir, "det.npz"), again))
	for _, kind := range []int{0, pictures.Checks} {
		scores := pictures.Must(det.Score(ctx, images("test", 90, 3, kind))).Score
		ood := len(slices.DeleteFunc(scores, func(s float64) bool { return !pictures.Must(det.IsOOD(s)) }))
		fmt.Printf("kind %d: %d of 90 out-of-distribution\n", kind, ood)
	}
}
