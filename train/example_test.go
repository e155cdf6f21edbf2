package train_test

import (
	"context"
	"fmt"
	"log"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/train"
)

// shades is a set of 64 plain pictures of two classes, dark and bright. Any [dataset.Dataset] will do, for example what
// [dataset.Open] returns.
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
