package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Run trains the network on labelled images, starting from the current values of its parameters (see [Initialise]),
// and validates it after every epoch on val, which may be nil. net may be any [nets.Classifier] for images of three
// channels. The trained weights are left in the network, with [Config].EMADecay their average. Invalid settings are
// an error that wraps [ErrConfig].
//
// When ctx ends, Run writes a checkpoint and returns. When the loss or a gradient is not finite, it returns an error
// that wraps [ErrDiverged]; the last checkpoint is then from a step at which they were finite. A checkpoint to resume
// from that belongs to another run is an error that wraps [ErrMismatch]; the network is then unchanged.
func Run(ctx context.Context, net nets.Classifier, data, val dataset.Dataset, c Config) (*Result, error) {
	c, err := c.withDefaults(net, data)
	if err != nil {
		return nil, err
	}
	r, err := newRun(net, data, val, c)
	if err != nil {
		return nil, err
	}
	if c.Checkpoint != "" {
		if r.content, err = contentOf(ctx, data, c); err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
		if c.Resume {
			if err := r.restore(); err != nil {
				return nil, err
			}
		}
	}
	if err := r.all(ctx); err != nil {
		return nil, err
	}
	if r.average != nil {
		r.average.swap()
	}
	return &Result{Curve: r.state.Curve, Steps: r.state.Step}, nil
}

// run is a run of training in progress.
type run struct {
	c         Config
	net       nets.Classifier
	data, val dataset.Dataset
	content   string // of data, see contentOf; "" for a run without checkpoints
	program   *graph.TrainingProgram
	optimizer Optimizer
	schedule  Schedule
	average   *average
	loader    *loader
	state     state
	saved     int // number of steps done at the last checkpoint

	began       time.Time // time at which training began after the last validation
	steps       int       // number of steps since began
	epochBegan  time.Time
	spentBefore float64 // seconds of this epoch before an interruption
}

// state is the state of a run, without its tensors.
type state struct {
	Step    int     // number of steps done
	Loss    float64 // sum over the steps of this epoch
	Correct int     // number of right predictions in this epoch
	Curve   []Epoch
	Resumed int     // number of times that the run was resumed
	Seconds float64 // of this epoch so far
}

func newRun(net nets.Classifier, data, val dataset.Dataset, c Config) (*run, error) {
	r := &run{c: c, net: net, data: data, val: val}
	var err error
	if r.loader, err = newLoader(net, data, c); err != nil {
		return nil, err
	}
	if val != nil {
		if err := checkLabels(val, net.Classes()); err != nil {
			return nil, err
		}
	}
	if r.schedule, err = NewSchedule(c.Schedule, c.Epochs, r.loader.stepsPerEpoch()); err != nil {
		return nil, err
	}
	r.program, err = graph.CompileTraining(net, graph.TrainingOptions{
		Batch: c.Batch, Shard: c.Shard, Workers: c.Workers, Logits: nets.Logits, Device: c.Device,
	})
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if r.optimizer, err = NewOptimizer(c.Optimizer, r.program.Params()); err != nil {
		return nil, err
	}
	if c.EMADecay > 0 {
		r.average = newAverage(net.Params(), c.EMADecay)
	}
	return r, nil
}

func (r *run) totalSteps() int { return r.c.Epochs * r.loader.stepsPerEpoch() }

// all trains to the end of the run.
func (r *run) all(ctx context.Context) error {
	r.began, r.epochBegan, r.spentBefore = time.Now(), time.Now(), r.state.Seconds
	per := r.loader.stepsPerEpoch()
	// If the checkpoint was written at the end of an epoch, that epoch's validation comes first.
	if r.state.Step > 0 && r.state.Step%per == 0 && len(r.state.Curve) < r.state.Step/per {
		if err := r.endEpoch(ctx); err != nil {
			return err
		}
	}
	last := r.totalSteps()
	if r.c.StopAt > 0 {
		last = min(last, r.c.StopAt)
	}
	for b, err := range r.loader.batches(ctx, r.state.Step, last) {
		if err == nil {
			err = r.step(ctx, b)
		}
		if err != nil {
			return r.interrupted(ctx, err)
		}
		if every := r.c.CheckpointEvery; every > 0 && r.state.Step%every == 0 {
			if err := r.save(); err != nil {
				return err
			}
		}
		if r.state.Step%per == 0 {
			if err := r.endEpoch(ctx); err != nil {
				return r.interrupted(ctx, err)
			}
			if r.c.CheckpointEvery == 0 {
				if err := r.save(); err != nil {
					return err
				}
			}
		}
	}
	if r.saved == r.state.Step {
		return nil
	}
	return r.save()
}

// interrupted writes a checkpoint when ctx has ended the run.
func (r *run) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		return err
	}
	if failed := r.save(); failed != nil {
		return failed
	}
	return ctx.Err()
}

// step trains on one batch. When it fails, only the running statistics may have changed.
func (r *run) step(ctx context.Context, b *minibatch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	out, err := r.program.Run(ctx, b.TrainingBatch)
	if err != nil {
		return err
	}
	grads := r.program.Gradients()
	norm := Clip(grads, r.c.ClipNorm)
	if bad := !finite(out.Loss) || !finite(norm); bad {
		return fmt.Errorf("train: step %d (epoch %d): loss %v, gradient norm %v: %w",
			r.state.Step+1, r.epoch()+1, out.Loss, norm, ErrDiverged)
	}
	rate := r.schedule(r.state.Step)
	r.optimizer.Step(rate, grads)
	r.state.Step++
	r.steps++
	if r.average != nil {
		r.average.update(r.state.Step)
	}
	r.state.Loss += out.Loss
	r.state.Correct += correct(out.Logits, b.labels)
	r.report(rate, nil)
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// correct counts the rows of logits whose largest element, the first one at a tie, is at the label.
func correct(logits []float32, labels []int) int {
	n, k := 0, len(logits)/len(labels)
	for i, label := range labels {
		best := 0
		row := logits[i*k:][:k]
		for j, v := range row {
			if v > row[best] {
				best = j
			}
		}
		if best == label {
			n++
		}
	}
	return n
}

// epoch returns the epoch of the last step, counted from 0.
func (r *run) epoch() int { return max(r.state.Step-1, 0) / r.loader.stepsPerEpoch() }

// means returns the loss and the accuracy of this epoch so far.
func (r *run) means() (loss, accuracy float64) {
	steps := r.state.Step - r.epoch()*r.loader.stepsPerEpoch()
	if steps == 0 {
		return 0, 0
	}
	return r.state.Loss / float64(steps), float64(r.state.Correct) / float64(steps*r.c.Batch)
}

func (r *run) report(rate float64, done *Epoch) {
	if r.c.Progress == nil {
		return
	}
	p := Progress{
		Epoch: r.epoch() + 1, Epochs: r.c.Epochs, Step: r.state.Step, Steps: r.totalSteps(), LearningRate: rate,
		FinishedEpoch: done,
		ImagesPerSec:  r.speed(),
	}
	p.Loss, p.Accuracy = r.means()
	if p.ImagesPerSec > 0 {
		p.Remaining = time.Duration(float64((p.Steps-p.Step)*r.c.Batch) / p.ImagesPerSec * float64(time.Second))
	}
	r.c.Progress(p)
}

// speed returns the number of images per second since the last validation or the start.
func (r *run) speed() float64 {
	return float64(r.steps*r.c.Batch) / max(time.Since(r.began).Seconds(), 1e-9)
}

// endEpoch validates and adds a row to the curve.
func (r *run) endEpoch(ctx context.Context) error {
	e := Epoch{
		Epoch: r.epoch() + 1, LearningRate: r.schedule(r.state.Step - 1), ImagesPerSec: r.speed(),
		Interruptions: r.state.Resumed,
	}
	e.Loss, e.Accuracy = r.means()
	if r.val != nil {
		if r.average != nil {
			r.average.swap()
			defer r.average.swap()
		}
		var err error
		if e.ValLoss, e.ValAccuracy, err = evaluate(ctx, r.net, r.val, graph.Options{Workers: r.c.Workers,
			Device: r.c.Device}, r.c.MaxMemory); err != nil {
			return err
		}
	}
	e.Seconds = r.spentBefore + time.Since(r.epochBegan).Seconds()
	r.state.Curve = append(r.state.Curve, e)
	r.state.Loss, r.state.Correct, r.state.Seconds = 0, 0, 0
	r.report(e.LearningRate, &e)
	r.began, r.steps, r.epochBegan, r.spentBefore = time.Now(), 0, time.Now(), 0
	return nil
}

// Evaluate returns the network's mean cross-entropy and accuracy, in [0, 1], on labelled images, in inference mode.
// The loss is summed in the order of the images. workers is the number of images that are computed at a time; 0
// stands for GOMAXPROCS. The result does not depend on it.
func Evaluate(ctx context.Context, net nets.Classifier, data dataset.Dataset,
	workers int) (loss, accuracy float64, err error) {
	return evaluate(ctx, net, data, graph.Options{Workers: workers}, 0)
}

func evaluate(ctx context.Context, net nets.Classifier, data dataset.Dataset, o graph.Options,
	memory int64) (loss, accuracy float64, err error) {
	if err := checkLabels(data, net.Classes()); err != nil {
		return 0, 0, err
	}
	o.Fetch = []string{nets.Logits}
	const size = 64
	o.Workers = min(o.Workers, (data.Len()+size-1)/size) // 0 stays 0
	program, err := graph.Compile(net, o)
	if err != nil {
		return 0, 0, fmt.Errorf("train: %w", err)
	}
	defer program.Close()
	hits := 0
	batches := dataset.Batches(ctx, data, net.Preprocessing(), dataset.BatchOptions{Size: size, Workers: o.Workers,
		MaxMemory: memory})
	for out, err := range program.Run(ctx, batches) {
		if err != nil {
			return 0, 0, fmt.Errorf("train: %s: %w", data.Name(), err)
		}
		logits := out.Float32(nets.Logits)
		hits += correct(logits, out.Labels)
		k := net.Classes()
		for i, label := range out.Labels {
			loss += crossEntropy(logits[i*k:][:k], label)
		}
	}
	n := float64(data.Len())
	return loss / n, float64(hits) / n, nil
}

// crossEntropy returns -log softmax(logits)[label].
func crossEntropy(logits []float32, label int) float64 {
	top := math.Inf(-1)
	for _, v := range logits {
		top = math.Max(top, float64(v))
	}
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum) - float64(logits[label])
}
