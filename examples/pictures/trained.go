package pictures

import (
	"context"

	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/train"
)

// Preprocessing returns the preprocessing of networks for these pictures.
func Preprocessing() nets.Preprocessing {
	return nets.Preprocessing{Mean: [3]float32{.5, .5, .5}, Std: [3]float32{.25, .25, .25}}
}

// Trained returns a small residual network that has learned the three kinds of stripes.
func Trained(ctx context.Context) *nets.Network {
	net := Must(nets.SmallResNet(nets.SmallResNetConfig{Depth: 8, Width: 8, Classes: len(Kinds)}))
	train.Initialise(net.Params(), 1)
	Must(train.Run(ctx, net, Set("train", 480, 1, 0, 1, 2), nil, train.Config{
		Epochs: 2, Batch: 32, Seed: 1, Optimizer: train.OptimizerConfig{Momentum: 0.9},
		Schedule: train.ScheduleConfig{LearningRate: 0.05},
	}))
	return net
}
