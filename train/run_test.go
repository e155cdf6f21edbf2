package train_test

import (
	"bytes"
	"context"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/train"
)

// waves writes n pictures of 28×28 pixels in three classes, stripes of three directions with noise, and opens them.
func waves(t testing.TB, n int) dataset.Dataset {
	t.Helper()
	pix, labels := make([]uint8, n*28*28), make([]int64, n)
	for i := range n {
		labels[i] = int64(i % 3)
		for at := range 28 * 28 {
			y, x := float64(at/28), float64(at%28)
			phase := []float64{x, y, x + y}[i%3]
			pix[i*784+at] = uint8(128 + 60*math.Sin(0.7*phase+float64(i)) + 60*noise(float64(i*784+at)))
		}
	}
	path := filepath.Join(t.TempDir(), "waves.npz")
	require.NoError(t, npyz.WriteNpz(path, npyz.Stored,
		npyz.Named{Name: "images", Array: npyz.New(pix, n, 28, 28)},
		npyz.Named{Name: "labels", Array: npyz.New(labels)}))
	d, err := dataset.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func tinyNet(t testing.TB, seed uint64) *nets.Network {
	t.Helper()
	net, err := nets.New("resnet-fashion-8-2", 3)
	require.NoError(t, err)
	train.Initialise(net.Params(), seed)
	return net
}

func tinyConfig() train.Config {
	return train.Config{
		Epochs: 2, Batch: 24, Shard: 6, Seed: 3,
		Optimizer:      train.OptimizerConfig{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4},
		Schedule:       train.ScheduleConfig{Name: train.OneCycle, LearningRate: 0.1, Warmup: 0.5},
		Augmentation:   train.Augmentation{Crop: 2, Flip: true, Cutout: 4, Mixup: 0.2},
		LabelSmoothing: 0.05, ClipNorm: 5, EMADecay: 0.9,
	}
}

// bits returns the values of all parameters of a network.
func bits(net nets.Classifier) map[string][]float32 {
	out := map[string][]float32{}
	for _, p := range net.Params() {
		out[p.Name] = append([]float32(nil), p.Float32s()...)
	}
	return out
}

func TestRunLearns(t *testing.T) {
	data, val := waves(t, 240), waves(t, 60)
	net, c := tinyNet(t, 1), tinyConfig()
	c.Epochs, c.Augmentation, c.LabelSmoothing = 5, train.Augmentation{}, 0
	var last train.Progress
	reported := 0
	c.Progress = func(p train.Progress) {
		if p.FinishedEpoch != nil {
			reported++
		}
		last = p
	}
	result, err := train.Run(context.Background(), net, data, val, c)
	require.NoError(t, err)
	require.Equal(t, 50, result.Steps)
	require.Len(t, result.Curve, 5)
	require.Equal(t, 5, reported)
	require.Equal(t, 50, last.Step)
	end := result.Curve[4]
	require.Less(t, end.Loss, result.Curve[0].Loss/2)
	require.Greater(t, end.ValAccuracy, 0.95)
	loss, accuracy, err := train.Evaluate(context.Background(), net, val, 1)
	require.NoError(t, err)
	require.Equal(t, end.ValLoss, loss, "the curve ends with the returned weights")
	require.Equal(t, end.ValAccuracy, accuracy)
}

func TestSameSeedSameWeightsForAnyWorkers(t *testing.T) {
	data := waves(t, 60)
	var want map[string][]float32
	for _, workers := range []int{1, 2, 3, 7} {
		net, c := tinyNet(t, 1), tinyConfig()
		c.Workers = workers
		_, err := train.Run(context.Background(), net, data, nil, c)
		require.NoError(t, err)
		if want == nil {
			want = bits(net)
		}
		require.Equal(t, want, bits(net), "%d workers", workers)
	}
	net, c := tinyNet(t, 1), tinyConfig()
	c.Seed++
	_, err := train.Run(context.Background(), net, data, nil, c)
	require.NoError(t, err)
	require.NotEqual(t, want, bits(net), "another seed")
}

func TestInterruptedRunResumesToTheSameBits(t *testing.T) {
	data, val := waves(t, 100), waves(t, 20)
	whole := tinyNet(t, 1)
	want, err := train.Run(context.Background(), whole, data, val, tinyConfig())
	require.NoError(t, err)
	for _, name := range []string{train.SGD, train.AdamW} {
		c := tinyConfig()
		if name == train.AdamW {
			c.Optimizer, c.Schedule.LearningRate = train.OptimizerConfig{Name: name, WeightDecay: 0.01}, 0.01
			whole = tinyNet(t, 1)
			want, err = train.Run(context.Background(), whole, data, val, c)
			require.NoError(t, err)
		}
		for stop := 1; stop < want.Steps; stop += 2 { // including steps in the middle and at the end of an epoch
			c.Checkpoint, c.Resume = filepath.Join(t.TempDir(), "run.npz"), true
			ctx, cancel := context.WithCancel(context.Background())
			c.Progress = func(p train.Progress) {
				if p.Step == stop {
					cancel()
				}
			}
			_, err := train.Run(ctx, tinyNet(t, 1), data, val, c)
			require.ErrorIs(t, err, context.Canceled)
			c.Progress = nil
			net := tinyNet(t, 1234) // other initial weights, since the checkpoint must hold all weights
			got, err := train.Run(context.Background(), net, data, val, c)
			require.NoError(t, err)
			require.Equal(t, bits(whole), bits(net), "stopped after step %d", stop)
			for i := range want.Curve {
				w, g := want.Curve[i], got.Curve[i]
				require.Equal(t, [4]float64{w.Loss, w.Accuracy, w.ValLoss, w.ValAccuracy},
					[4]float64{g.Loss, g.Accuracy, g.ValLoss, g.ValAccuracy})
			}
		}
	}
}

func TestStopAtIsAPrefixOfTheRun(t *testing.T) {
	data := waves(t, 72)
	c := tinyConfig()
	c.Checkpoint, c.CheckpointEvery = filepath.Join(t.TempDir(), "run.npz"), 4
	c.StopAt = 4
	stopped := tinyNet(t, 1)
	result, err := train.Run(context.Background(), stopped, data, nil, c)
	require.NoError(t, err)
	require.Equal(t, 4, result.Steps)
	c.StopAt, c.Resume = 0, true
	resumed, whole := tinyNet(t, 2), tinyNet(t, 1)
	_, err = train.Run(context.Background(), resumed, data, nil, c)
	require.NoError(t, err)
	_, err = train.Run(context.Background(), whole, data, nil, tinyConfig())
	require.NoError(t, err)
	require.Equal(t, bits(whole), bits(resumed))
	require.NotEqual(t, bits(whole), bits(stopped))
}

func TestDivergenceKeepsTheLastGoodCheckpoint(t *testing.T) {
	data := waves(t, 120)
	net, c := tinyNet(t, 1), tinyConfig()
	c.Epochs, c.ClipNorm, c.Schedule = 20, 0, train.ScheduleConfig{LearningRate: 1e18}
	c.Checkpoint, c.CheckpointEvery = filepath.Join(t.TempDir(), "run.npz"), 1
	_, err := train.Run(context.Background(), net, data, nil, c)
	require.ErrorIs(t, err, train.ErrDiverged)
	a, err := npyz.ReadNpz(c.Checkpoint)
	require.NoError(t, err)
	for name, array := range a.All() {
		if values, ok := array.Data.([]float32); ok {
			for _, v := range values {
				require.False(t, math.IsNaN(float64(v)) || math.IsInf(float64(v), 0), name)
			}
		}
	}
}

func TestCheckpointOfAnotherRunIsRefused(t *testing.T) {
	data := waves(t, 48)
	c := tinyConfig()
	c.Checkpoint, c.Resume = filepath.Join(t.TempDir(), "run.npz"), true
	_, err := train.Run(context.Background(), tinyNet(t, 1), data, nil, c)
	require.NoError(t, err)
	whole, err := os.ReadFile(c.Checkpoint)
	require.NoError(t, err)

	other := c
	other.Seed++
	net := tinyNet(t, 1)
	before := bits(net)
	_, err = train.Run(context.Background(), net, data, nil, other)
	require.ErrorIs(t, err, train.ErrMismatch)
	require.ErrorContains(t, err, "another run")
	require.Equal(t, before, bits(net), "nothing is half loaded")
	require.ErrorContains(t, err, "Seed: expected ")

	rotated := make([]int, data.Len())
	for i := range rotated {
		rotated[i] = (i + 3*data.Len() - 1) % data.Len()
	}
	moved, err := dataset.Subset(data, rotated)
	require.NoError(t, err)
	_, err = train.Run(context.Background(), net, moved, nil, c)
	require.ErrorIs(t, err, train.ErrMismatch)
	require.ErrorContains(t, err, "images and labels: expected ")
	require.Equal(t, before, bits(net), "nothing is half loaded")

	for _, n := range []int{0, 10, len(whole) / 2, len(whole) - 1} {
		require.NoError(t, os.WriteFile(c.Checkpoint, whole[:n], 0o600))
		_, err = train.Run(context.Background(), net, data, nil, c)
		require.ErrorContains(t, err, c.Checkpoint)
	}
	require.NoError(t, npyz.WriteNpz(c.Checkpoint, npyz.Stored, npyz.Named{Name: "x", Array: npyz.Scalar(int64(1))}))
	_, err = train.Run(context.Background(), net, data, nil, c)
	require.ErrorContains(t, err, "not a checkpoint")
}

func TestRunRefuses(t *testing.T) {
	data := waves(t, 30)
	for _, bad := range []struct {
		change func(c *train.Config)
		want   string
	}{
		{func(c *train.Config) { c.Epochs = 0 }, "expected 1 to 1000000 epochs, got 0"},
		{func(c *train.Config) { c.Batch = 31 },
			"batch: expected 1 to 30 images, as many as " + data.Name() + " has, got 31"},
		{func(c *train.Config) { c.Shard = 5 },
			"shard: expected a divisor of the batch of 24 images, or 0 for the default, got 5"},
		{func(c *train.Config) { c.Workers = -1 }, " workers, or 0 for the default, got -1"},
		{func(c *train.Config) { c.LabelSmoothing = 1 }, "label smoothing: expected a share in [0, 1), got 1"},
		{func(c *train.Config) { c.ClipNorm = math.NaN() },
			"bound of the gradient's norm: expected a finite number, 0 (none) or more, got NaN"},
		{func(c *train.Config) { c.EMADecay = 1 }, "decay of the average: expected a number in [0, 1), got 1"},
		{func(c *train.Config) { c.Optimizer.Name = "lion" }, `optimizer: expected sgd, sgdw or adamw, got "lion"`},
		{func(c *train.Config) { c.Optimizer.Momentum = 1 }, "momentum: expected a number in [0, 1), got 1"},
		{func(c *train.Config) { c.Schedule.LearningRate = 0 }, "learning rate: expected a positive number, got 0"},
		{func(c *train.Config) { c.Schedule.Name = "zigzag" },
			`schedule: expected constant, step, cosine or onecycle, got "zigzag"`},
		{func(c *train.Config) { c.Schedule.Warmup = 2 },
			"warm-up: expected 0 epochs or more, but less than the run's 2, got 2"},
		{func(c *train.Config) { c.Augmentation.Crop = 29 }, "crop"},
		{func(c *train.Config) { c.Augmentation.Mixup = -1 }, "mixup: expected a finite number of at least 0, got -1"},
	} {
		c := tinyConfig()
		bad.change(&c)
		_, err := train.Run(context.Background(), tinyNet(t, 1), data, nil, c)
		require.ErrorContains(t, err, bad.want)
	}
	two, err := nets.New("resnet-fashion-8-2", 2)
	require.NoError(t, err)
	_, err = train.Run(context.Background(), two, data, nil, tinyConfig())
	require.ErrorContains(t, err, "expected a label from 0 to 1, got 2")
}

func TestCurves(t *testing.T) {
	curve := []train.Epoch{
		{Epoch: 1, LearningRate: 0.1, Loss: 1.5, Accuracy: 0.5, ValLoss: 1.25, ValAccuracy: 0.625, ImagesPerSec: 100,
			Seconds: 2.5},
		{Epoch: 2, LearningRate: 0.05, Loss: 0.75, Accuracy: 0.75, ValLoss: 0.5, ValAccuracy: 0.875, ImagesPerSec: 200,
			Seconds: 1.25},
	}
	stem := filepath.Join(t.TempDir(), "curves")
	require.NoError(t, train.WriteCurves(stem, curve))
	text, err := os.ReadFile(stem + ".csv")
	require.NoError(t, err)
	require.Equal(t, "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,images_per_second,seconds\n"+
		"1,0.1,1.500000,50.000,1.250000,62.500,100.0,2.5\n2,0.05,0.750000,75.000,0.500000,87.500,200.0,1.2\n",
		string(text))
	raw, err := os.ReadFile(stem + ".png")
	require.NoError(t, err)
	img, err := png.Decode(bytes.NewReader(raw))
	require.NoError(t, err)
	require.Greater(t, img.Bounds().Dx(), img.Bounds().Dy())
	require.Error(t, train.WriteCurves(filepath.Join(stem, "nowhere", "x"), curve))
}

func TestInitialise(t *testing.T) {
	net := tinyNet(t, 5)
	again := tinyNet(t, 5)
	require.Equal(t, bits(net), bits(again))
	require.NotEqual(t, bits(net), bits(tinyNet(t, 6)))
	wide, err := nets.New("resnet-cifar-8-32", 10)
	require.NoError(t, err)
	train.Initialise(wide.Params(), 1)
	for _, p := range wide.Params() {
		var sum, square, top float64
		for _, v := range p.Float32s() {
			sum += float64(v)
			square += float64(v) * float64(v)
			top = math.Max(top, math.Abs(float64(v)))
		}
		n := float64(len(p.Float32s()))
		s := p.Shape()
		switch {
		case len(s) == 4:
			want := 2 / float64(s[0]*s[2]*s[3])
			require.InEpsilon(t, want, square/n, 6*math.Sqrt(2/n), p.Name)
			require.InDelta(t, 0, sum/n, 5*math.Sqrt(want/n), p.Name)
		case strings.HasPrefix(p.Name, "fc."):
			require.LessOrEqual(t, top, 1/math.Sqrt(128), p.Name)
			require.Greater(t, top, 0.5/math.Sqrt(128), p.Name)
		case strings.HasSuffix(p.Name, "weight") || strings.HasSuffix(p.Name, "running_var"):
			require.Equal(t, n, sum, p.Name)
			require.Equal(t, n, square, p.Name)
		default:
			require.Zero(t, top, p.Name)
		}
	}
}

// TestInitialiseByShape: buffers other than running statistics are unchanged, and matrices of any name are
// initialised like linear layers.
func TestInitialiseByShape(t *testing.T) {
	index, projection := graph.NewParam("attn.index", 3), graph.NewParam("attn.in_proj_weight", 6, 4)
	index.Buffer = true
	copy(index.Float32s(), []float32{2, 1, 0})
	train.Initialise([]*graph.Param{index, projection}, 1)
	require.Equal(t, []float32{2, 1, 0}, index.Float32s())
	for _, v := range projection.Float32s() {
		require.NotZero(t, v)
		require.InDelta(t, 0, v, 0.5)
	}
}
