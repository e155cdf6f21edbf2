package train_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/train"
)

// TestLearnsCIFAR10 trains on 5,000 images for three epochs: far too little, but far better than the 10 % of guessing.
func TestLearnsCIFAR10(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for several seconds")
	}
	open := func(name string) dataset.Dataset {
		d, err := dataset.Open("cifar10:" + sharedtest.Path(t, "data", name))
		require.NoError(t, err)
		t.Cleanup(func() { d.Close() })
		return d
	}
	net, err := nets.New("resnet-cifar-8-8", 10)
	require.NoError(t, err)
	train.Initialise(net.Params(), 1)
	result, err := train.Run(context.Background(), net, open("cifar10_train_5000.bin"), open("cifar10_test_5000.bin"),
		train.Config{
			Epochs: 3, Batch: 64, Seed: 1,
			Optimizer:    train.OptimizerConfig{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4, ExemptVectors: true},
			Schedule:     train.ScheduleConfig{Name: train.OneCycle, LearningRate: 0.1, Warmup: 1},
			Augmentation: train.Augmentation{Crop: 4, Flip: true},
		})
	require.NoError(t, err)
	for _, e := range result.Curve {
		t.Logf("epoch %d: loss %.3f, accuracy %.1f %%, validation loss %.3f, accuracy %.1f %%, %.0f images/s",
			e.Epoch, e.Loss, 100*e.Accuracy, e.ValLoss, 100*e.ValAccuracy, e.ImagesPerSec)
	}
	require.Less(t, result.Curve[2].Loss, result.Curve[0].Loss)
	require.Greater(t, result.Curve[2].ValAccuracy, 0.35)
}
