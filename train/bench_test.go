package train_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/ostest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/train"
)

// BenchmarkStep measures steps of training a small residual network; testdata/torch_throughput.py does the same in
// PyTorch.
func BenchmarkStep(b *testing.B) {
	const batch, size = 128, 3 * 32 * 32
	net, err := nets.New("resnet-cifar-8-16", 10)
	require.NoError(b, err)
	train.Initialise(net.Params(), 1)
	program, err := graph.CompileTraining(net, graph.TrainingOptions{Batch: batch, Shard: 32})
	require.NoError(b, err)
	optimizer, err := train.NewOptimizer(train.OptimizerConfig{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4},
		program.Params())
	require.NoError(b, err)
	in := graph.TrainingBatch{X: make([]float32, batch*size), Targets: make([]float32, batch*10)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range in.X {
		in.X[i] = float32(r.NormFloat64())
	}
	for i := range batch {
		in.Targets[i*10+i%10] = 1
	}
	cpu := ostest.CPUSeconds(b)
	for b.Loop() {
		_, err := program.Run(context.Background(), in)
		require.NoError(b, err)
		optimizer.Step(0.05, program.Gradients())
	}
	b.ReportMetric(batch*float64(b.N)/b.Elapsed().Seconds(), "images/s")
	b.ReportMetric(batch*float64(b.N)/(ostest.CPUSeconds(b)-cpu), "images/CPU-s")
}
