package train

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/splitmix"
	"github.com/line-ood/goline/nets"
)

// loader makes the batches of a run. The content of a batch depends only on the seed and the batch's place in the
// run.
type loader struct {
	data          dataset.Dataset
	labels        []int
	classes       int
	height, width int
	pre           nets.Preprocessing
	black         [3]float32
	augment       Augmentation
	smoothing     float64
	seed          uint64
	batch         int // number of images
	workers       int
	memory        *dataset.Memory // for pictures that are being decoded
}

// minibatch is one batch with the labels of its images.
type minibatch struct {
	graph.TrainingBatch
	labels []int
}

func newLoader(net nets.Classifier, data dataset.Dataset, c Config) (*loader, error) {
	l := &loader{
		data: data, labels: data.Labels(), classes: net.Classes(), pre: net.Preprocessing(), augment: c.Augmentation,
		smoothing: c.LabelSmoothing, seed: c.Seed, batch: c.Batch, workers: min(c.Workers, c.Batch),
		memory: dataset.NewMemory(c.MaxMemory),
	}
	if l.pre.Layout != nets.NCHW {
		return nil, fmt.Errorf("train: network %s: expected images in the layout %s, got %s", net.Name(), nets.NCHW,
			l.pre.Layout)
	}
	shape := net.InputShape()
	l.height, l.width = shape[1], shape[2]
	for i := range l.black {
		l.black[i] = -l.pre.Mean[i] / l.pre.Std[i]
	}
	if err := checkLabels(data, l.classes); err != nil {
		return nil, err
	}
	return l, c.Augmentation.check(l.height, l.width)
}

// checkLabels returns an error unless every image has a class of the network.
func checkLabels(data dataset.Dataset, classes int) error {
	labels := data.Labels()
	if len(labels) == 0 {
		return fmt.Errorf("train: %s: expected a label for each image, got none", data.Name())
	}
	for i, c := range labels {
		if c < 0 || c >= classes {
			return fmt.Errorf("train: %s: image %s: expected a label from 0 to %d, got %d", data.Name(), data.ID(i),
				classes-1, c)
		}
	}
	return nil
}

// stepsPerEpoch returns the number of full batches in an epoch. The images that are left over differ from epoch to
// epoch.
func (l *loader) stepsPerEpoch() int { return l.data.Len() / l.batch }

// order returns the indices of the images in the order in which an epoch visits them.
func (l *loader) order(epoch int) []int {
	return rand.New(rand.NewPCG(splitmix.Combine(l.seed, uint64(epoch)+1), 0x6f72646572)).Perm(l.data.Len())
}

// batches yields the batches of steps first to last-1, which other goroutines make ahead. A batch is valid until the
// next one.
func (l *loader) batches(ctx context.Context, first, last int) iter.Seq2[*minibatch, error] {
	return func(yield func(*minibatch, error) bool) {
		group, ctx := errgroup.WithContext(ctx)
		free, ready := make(chan *minibatch, 2), make(chan *minibatch, 1)
		for range cap(free) {
			free <- l.allocate()
		}
		stop := make(chan struct{})
		group.Go(func() error {
			defer close(ready)
			return l.produce(ctx, first, last, free, ready, stop)
		})
		stopped := false
		for b := range ready {
			if stopped = !yield(b, nil); stopped {
				break
			}
			free <- b
		}
		close(stop)
		for range ready {
		}
		if err := group.Wait(); err != nil && !stopped {
			yield(nil, err)
		}
	}
}

func (l *loader) allocate() *minibatch {
	return &minibatch{
		TrainingBatch: graph.TrainingBatch{
			X:       make([]float32, l.batch*3*l.height*l.width),
			Targets: make([]float32, l.batch*l.classes),
			Seeds:   make([]int, l.batch),
		},
		labels: make([]int, l.batch),
	}
}

func (l *loader) produce(ctx context.Context, first, last int, free <-chan *minibatch, ready chan<- *minibatch,
	stop <-chan struct{}) error {
	makers := make([]*maker, l.workers)
	for i := range makers {
		m, err := newMaker(l)
		if err != nil {
			return err
		}
		makers[i] = m
	}
	epoch, order := -1, []int(nil)
	for step := first; step < last; step++ {
		if e := step / l.stepsPerEpoch(); e != epoch {
			epoch, order = e, l.order(e)
		}
		var b *minibatch
		select {
		case b = <-free:
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		indices := order[step%l.stepsPerEpoch()*l.batch:][:l.batch]
		var group errgroup.Group
		for w, m := range makers {
			group.Go(func() error {
				for i := w; i < len(indices); i += len(makers) {
					if err := m.make(ctx, b, i, epoch, indices[i]); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		select {
		case ready <- b:
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// maker makes training samples. It is for one goroutine.
type maker struct {
	*loader
	reader       *dataset.Reader
	pre          *dataset.Preprocessor
	plain, other []float32
}

func newMaker(l *loader) (*maker, error) {
	p, err := dataset.NewPreprocessor(l.pre)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	n := 3 * l.height * l.width
	return &maker{loader: l, reader: l.memory.Reader(), pre: p, plain: make([]float32, n), other: make([]float32, n)},
		nil
}

// make writes a varied image and its target as sample i of a batch.
func (m *maker) make(ctx context.Context, b *minibatch, i, epoch, index int) error {
	r := stream(m.seed, epoch, index)
	x := b.X[i*len(m.plain):][:len(m.plain)]
	target := b.Targets[i*m.classes:][:m.classes]
	b.labels[i] = m.labels[index]
	if err := m.image(ctx, x, index, r); err != nil {
		return err
	}
	clear(target)
	m.addTarget(target, index, 1)
	if m.augment.Mixup > 0 {
		j, share := m.augment.partner(m.data.Len(), r)
		if err := m.image(ctx, m.other, j, r); err != nil {
			return err
		}
		keep := float32(share)
		for k, v := range m.other {
			x[k] = keep*x[k] + (1-keep)*v
		}
		clear(target)
		m.addTarget(target, index, share)
		m.addTarget(target, j, 1-share)
	}
	b.Seeds[i] = int(r.Uint64() >> 1)
	return nil
}

// addTarget adds the smoothed label of an image, times share, to a target distribution.
func (m *maker) addTarget(target []float32, index int, share float64) {
	for k := range target {
		target[k] += float32(share * m.smoothing / float64(m.classes))
	}
	target[m.labels[index]] += float32(share * (1 - m.smoothing))
}

// image writes a varied image to dst.
func (m *maker) image(ctx context.Context, dst []float32, index int, r *rand.Rand) error {
	err := m.reader.Image(ctx, m.data, index, func(img dataset.Image) error {
		if err := m.pre.Apply(m.plain, img); err != nil {
			return fmt.Errorf("image %s: %w", m.data.ID(index), err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	m.augment.vary(dst, m.plain, m.height, m.width, m.black, r)
	return nil
}
