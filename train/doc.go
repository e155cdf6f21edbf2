// Package train trains image classifiers on labelled images: the networks of package nets, and any other
// [nets.Classifier].
//
// [Run] does all of it: it runs a training program of package graph, data-parallel over shards of each batch, with an
// [Optimizer], a [Schedule], augmentation, an average of the weights, and checkpoints. All random numbers come from
// separate streams for each (seed, epoch, sample), and gradients are summed in the order of the samples. A seed
// therefore gives the same weights, bit for bit, for any number of workers, and also when a run was interrupted and
// resumed.
//
//	train.Initialise(net.Params(), 1)
//	result, err := train.Run(ctx, net, data, validation, train.Config{
//		Epochs: 10, Batch: 128, Seed: 1, Checkpoint: "run.npz", Resume: true, // a killed run goes on to the same bits
//		Optimizer: train.OptimizerConfig{Momentum: 0.9, WeightDecay: 5e-4},
//		Schedule:  train.ScheduleConfig{Name: train.Cosine, LearningRate: 0.1},
//	})
//	figure, err := train.Curves(result.Curve)
//	state, err := weights.FromParams(net.Params())
//	err = weights.Save("net.safetensors", state)
//
// Of this module it imports dataset, graph and nets; only commands are above it.
package train
