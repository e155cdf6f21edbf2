package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
	"github.com/line-ood/goline/train"
)

// shades is a set of 64 pictures of one shade each, in two classes, dark and bright. Any [dataset.Dataset] can be
// used in its place, for example one that [dataset.Open] returns.
type shades struct{}

func (shades) Name() string      { return "shades" }
func (shades) Len() int          { return 64 }
func (shades) Classes() []string { return []string{"dark", "bright"} }
func (shades) ID(i int) string   { return fmt.Sprintf("shades#%d", i) }
func (shades) Close() error      { return nil }

func (s shades) Labels() []int {
	labels := make([]int, s.Len())
	for i := range labels {
		labels[i] = i % 2
	}
	return labels
}

func (shades) Image(i int) (dataset.Image, error) {
	img := dataset.Image{Pix: make([]uint8, 3*28*28), Height: 28, Width: 28}
	for k := range img.Pix {
		img.Pix[k] = uint8(40 + i%8 + 150*(i%2))
	}
	return img, nil
}

func ExampleRun() {
	net, err := nets.New("resnet-fashion-8-2", 2)
	if err != nil {
		log.Fatal(err)
	}
	train.Initialise(net.Params(), 1)
	var data shades
	result, err := train.Run(context.Background(), net, data, data, train.Config{
		Epochs: 4, Batch: 16, Seed: 1,
		Optimizer: train.OptimizerConfig{Momentum: 0.9, Nesterov: true},
		Schedule:  train.ScheduleConfig{Name: train.OneCycle, LearningRate: 0.05, Warmup: 1},
	})
	if err != nil {
		log.Fatal(err)
	}
	last := result.Curve[len(result.Curve)-1]
	fmt.Printf("%d steps, validation accuracy %.0f %%\n", result.Steps, 100*last.ValAccuracy)
	// Output: 16 steps, validation accuracy 100 %
}

// newOwn defines a network of one's own by the layers that compute the features; the last layer is added to them.
func newOwn() (*nets.Network, error) {
	return nets.Define(nets.Definition{
		Name: "mine", Classes: 2, Input: []int{3, 28, 28}, Preprocessing: nets.FashionMNIST(),
		Build: func(b *graph.Builder, x *G.Node) *G.Node {
			x = b.Conv(x, "conv1", graph.ConvConfig{Out: 8, Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}})
			x = b.ReLU(b.BatchNorm(x, "bn1", 1e-5))
			return b.GlobalAvgPool(b.ReLU(b.Conv(x, "conv2", graph.ConvConfig{Out: 16, Kernel: [2]int{3, 3},
				Bias: true})))
		},
	})
}

// A network of one's own is trained, saved and loaded like any other network.
func ExampleRun_ownNetwork() {
	ctx := context.Background()
	net, err := newOwn()
	if err != nil {
		log.Fatal(err)
	}
	train.Initialise(net.Params(), 1)
	var data shades
	if _, err := train.Run(ctx, net, data, nil, train.Config{
		Epochs: 5, Batch: 16, Optimizer: train.OptimizerConfig{Momentum: 0.9},
		Schedule: train.ScheduleConfig{LearningRate: 0.05},
	}); err != nil {
		log.Fatal(err)
	}

	dir, err := os.MkdirTemp("", "own")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "mine.safetensors")
	state := &weights.StateDict{}
	for _, p := range net.Params() {
		if err := state.Add(weights.Tensor{Name: p.Name, Shape: p.Shape(), F32: p.Float32s()}); err != nil {
			log.Fatal(err)
		}
	}
	if err := weights.WriteSafetensors(path, state); err != nil {
		log.Fatal(err)
	}

	again, err := newOwn()
	if err != nil {
		log.Fatal(err)
	}
	if err := weights.LoadInto(again, path); err != nil {
		log.Fatal(err)
	}
	_, accuracy, err := train.Evaluate(ctx, again, data, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d parameters, accuracy %.0f %%\n", again.Name(), len(again.Params()), 100*accuracy)
	// Output: mine: 9 parameters, accuracy 100 %
}

func ExampleNewSchedule() {
	rate, err := train.NewSchedule(train.ScheduleConfig{Name: train.Cosine, LearningRate: 1, Warmup: 1}, 5, 2)
	if err != nil {
		log.Fatal(err)
	}
	for step := range 10 {
		fmt.Printf("%.2f ", rate(step))
	}
	// Output: 0.50 1.00 1.00 0.96 0.85 0.69 0.50 0.31 0.15 0.04
}
