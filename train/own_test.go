package train_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
	"github.com/line-ood/goline/train"
)

// smallCNN defines a network that is not one of package nets, for the pictures of [waves].
func smallCNN(t testing.TB, width int) *nets.Network {
	t.Helper()
	net, err := nets.Define(nets.Definition{
		Name: "small-cnn", Classes: 3, Input: []int{3, 28, 28}, Preprocessing: nets.FashionMNIST(),
		Build: func(b *graph.Builder, x *G.Node) *G.Node {
			conv := func(out int) graph.ConvConfig {
				return graph.ConvConfig{Out: out, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}, Bias: true}
			}
			x = b.ReLU(b.BatchNorm(b.Conv(x, "conv1", conv(width)), "bn1", 1e-5))
			x = b.MaxPool(x, graph.PoolConfig{Kernel: [2]int{2, 2}})
			x = b.ReLU(b.Conv(b.Dropout(x, "dropout", 0.1), "conv2", conv(2*width)))
			return b.ReLU(b.Linear(b.GlobalAvgPool(x), "hidden", 12))
		},
	})
	require.NoError(t, err)
	train.Initialise(net.Params(), 1)
	return net
}

// foreign is a classifier that is not a *nets.Network: it defines its parameters and taps its nodes itself.
type foreign struct{ params []*graph.Param }

func newForeign() *foreign {
	f := &foreign{params: []*graph.Param{
		graph.NewParam("stem.weight", 6, 3, 3, 3), graph.NewParam("out.weight", 3, 6), graph.NewParam("out.bias", 3),
	}}
	train.Initialise(f.params, 1)
	return f
}

func (f *foreign) Name() string                      { return "foreign" }
func (f *foreign) Classes() int                      { return 3 }
func (f *foreign) FeatureDim() int                   { return 6 }
func (f *foreign) Preprocessing() nets.Preprocessing { return nets.FashionMNIST() }
func (f *foreign) Head() (weight, bias *graph.Param) { return f.params[1], f.params[2] }
func (f *foreign) InputShape() []int                 { return []int{3, 28, 28} }
func (f *foreign) Params() []*graph.Param            { return f.params }
func (f *foreign) Outputs() []string                 { return []string{nets.Features, nets.Logits} }

func (f *foreign) Build(b *graph.Builder, x *G.Node) error {
	z := b.Tap(nets.Features, b.GlobalAvgPool(b.ReLU(b.Conv(x, "stem", graph.ConvConfig{}))))
	l := b.Tap(nets.Logits, b.Linear(z, "out"))
	b.Tap(nets.Prediction, b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
	return b.Err()
}

// TestOwnNetworksGoAllTheWay trains networks that are not in package nets, with an interruption, saves and reloads
// them, fits detectors to them, and saves, reloads and scores with these.
func TestOwnNetworksGoAllTheWay(t *testing.T) {
	ctx := context.Background()
	data := waves(t, 96)
	for name, fresh := range map[string]func() nets.Classifier{
		"defined": func() nets.Classifier { return smallCNN(t, 4) },
		"foreign": func() nets.Classifier { return newForeign() },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			whole, c := fresh(), tinyConfig()
			_, err := train.Run(ctx, whole, data, data, c)
			require.NoError(t, err)
			require.NotEqual(t, bits(fresh()), bits(whole))

			c.Checkpoint, c.Resume, c.StopAt = filepath.Join(dir, "run.npz"), true, 4
			_, err = train.Run(ctx, fresh(), data, data, c)
			require.NoError(t, err)
			net := fresh()
			c.StopAt = 0
			result, err := train.Run(ctx, net, data, data, c)
			require.NoError(t, err)
			require.Equal(t, 8, result.Steps)
			require.Equal(t, bits(whole), bits(net), "resumed")

			path := filepath.Join(dir, "weights.safetensors")
			require.NoError(t, weights.WriteSafetensors(path, stateDict(t, net)))
			again := fresh()
			require.NoError(t, weights.LoadInto(again, path))
			require.Equal(t, bits(net), bits(again), "reloaded")

			images := func() graph.Batches {
				return dataset.Batches(ctx, data, net.Preprocessing(), dataset.BatchOptions{})
			}
			program, err := graph.Compile(net, graph.Options{})
			require.NoError(t, err)
			det, err := line.Fit(ctx, program, images(), line.Options{ActivationPercentile: 50, WeightPercentile: 50,
				Clip: 1})
			require.NoError(t, err)
			path = filepath.Join(dir, "detector.npz")
			require.NoError(t, det.Save(path))
			loaded, err := line.LoadFor(path, again)
			require.NoError(t, err)
			want, err := det.Score(ctx, images())
			require.NoError(t, err)
			got, err := loaded.Score(ctx, images())
			require.NoError(t, err)
			require.Len(t, got.Score, 96)
			require.Equal(t, want.Score, got.Score)
		})
	}
}

func stateDict(t testing.TB, net nets.Classifier) *weights.StateDict {
	t.Helper()
	sd := &weights.StateDict{}
	for _, p := range net.Params() {
		require.NoError(t, sd.Add(weights.Tensor{Name: p.Name, Shape: p.Shape(), F32: p.Float32s()}))
	}
	return sd
}

// TestCheckpointOfANamesakeIsRefused: two networks with the same name can differ.
func TestCheckpointOfANamesakeIsRefused(t *testing.T) {
	data := waves(t, 48)
	c := tinyConfig()
	c.Checkpoint, c.Resume, c.StopAt = filepath.Join(t.TempDir(), "run.npz"), true, 1
	_, err := train.Run(context.Background(), smallCNN(t, 4), data, nil, c)
	require.NoError(t, err)
	_, err = train.Run(context.Background(), smallCNN(t, 4), data, nil, c)
	require.NoError(t, err)
	for _, width := range []int{3, 5} {
		net := smallCNN(t, width)
		before := bits(net)
		_, err = train.Run(context.Background(), net, data, nil, c)
		require.ErrorIs(t, err, train.ErrMismatch)
		require.Equal(t, before, bits(net), "nothing is half loaded")
	}
}
