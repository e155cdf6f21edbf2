package train

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/nets"
)

// numbered is a set of ten pictures whose brightness is their number, of three classes.
type numbered struct{ blank }

func (numbered) Len() int      { return 10 }
func (numbered) Labels() []int { return []int{0, 1, 2, 0, 1, 2, 0, 1, 2, 0} }
func (numbered) Image(i int) (dataset.Image, error) {
	return dataset.Image{Pix: slices.Repeat([]uint8{uint8(10 * i)}, 3*28*28), Height: 28, Width: 28}, nil
}

func numberedLoader(t *testing.T, change func(c *Config)) *loader {
	net, err := nets.New("resnet-fashion-8-1", 3)
	require.NoError(t, err)
	c := Config{Epochs: 1, Batch: 4, Workers: 3, Seed: 5}
	change(&c)
	l, err := newLoader(net, numbered{}, c)
	require.NoError(t, err)
	return l
}

// lastChannels is a network that takes images in the layout NHWC.
type lastChannels struct{ nets.Classifier }

func (lastChannels) Preprocessing() nets.Preprocessing {
	p := nets.FashionMNIST()
	p.Layout = nets.NHWC
	return p
}

func TestLayoutIsRefused(t *testing.T) {
	net, err := nets.New("resnet-fashion-8-1", 3)
	require.NoError(t, err)
	_, err = newLoader(lastChannels{net}, numbered{}, Config{Batch: 4, Workers: 1})
	require.EqualError(t, err, "train: network resnet-fashion-8-1: expected images in the layout NCHW, got NHWC")
}

// visited returns the pictures in the batches of that many steps, identified by their brightness.
func visited(t *testing.T, l *loader, steps int) []int {
	var out []int
	for b, err := range l.batches(context.Background(), 0, steps) {
		require.NoError(t, err)
		for i, label := range b.labels {
			level := b.X[i*3*28*28]*l.pre.Std[0] + l.pre.Mean[0]
			image := int(level*25.5 + 0.5)
			require.Equal(t, numbered{}.Labels()[image], label)
			out = append(out, image)
		}
	}
	return out
}

func TestEveryEpochHasAnOrderOfItsOwn(t *testing.T) {
	l := numberedLoader(t, func(*Config) {})
	require.Equal(t, 2, l.stepsPerEpoch(), "two pictures are left over")
	seen := visited(t, l, 6)
	require.Len(t, seen, 24)
	for epoch := range 3 {
		part := slices.Clone(seen[8*epoch : 8*epoch+8])
		require.Equal(t, l.order(epoch)[:8], part)
		slices.Sort(part)
		require.Len(t, slices.Compact(part), 8, "no picture comes twice in an epoch")
	}
	require.NotEqual(t, seen[:8], seen[8:16])
	require.NotEqual(t, seen[8:16], seen[16:])
	require.NotEqual(t, seen[:8], visited(t, numberedLoader(t, func(c *Config) { c.Seed++ }), 2))
}

func TestTargetsAreDistributions(t *testing.T) {
	for b, err := range numberedLoader(t, func(c *Config) { c.LabelSmoothing = 0.3 }).batches(context.Background(), 0,
		2) {
		require.NoError(t, err)
		for i, label := range b.labels {
			want := []float32{0.1, 0.1, 0.1}
			want[label] = 0.8
			require.InDeltaSlice(t, want, b.Targets[3*i:3*i+3], 1e-6)
		}
	}
	mixed := 0
	for b, err := range numberedLoader(t, func(c *Config) { c.Augmentation.Mixup = 1 }).batches(context.Background(), 0,
		2) {
		require.NoError(t, err)
		for i := range b.labels {
			row := b.Targets[3*i : 3*i+3]
			require.InDelta(t, 1, row[0]+row[1]+row[2], 1e-6)
			if slices.Max(row) < 0.999 {
				mixed++
			}
		}
	}
	require.Positive(t, mixed)
}

func TestSeedsOfSamplesDiffer(t *testing.T) {
	seen := map[int]bool{}
	for b, err := range numberedLoader(t, func(*Config) {}).batches(context.Background(), 0, 6) {
		require.NoError(t, err)
		for _, s := range b.Seeds {
			seen[s] = true
		}
	}
	require.Len(t, seen, 24)
}

func TestLoaderStops(t *testing.T) {
	l := numberedLoader(t, func(*Config) {})
	for range l.batches(context.Background(), 0, 1000) {
		break // the goroutine that makes batches ahead must then end
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	count := 0
	var last error
	for _, err := range l.batches(ctx, 0, 1000) {
		if count++; count == 3 {
			cancel()
		}
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Less(t, count, 10)
}
