package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Config says how to train. Epochs and Schedule.LearningRate must be set. For other fields the zero value has the
// meaning that their comments state.
type Config struct {
	// Epochs is the number of times that each image is visited, at least 1.
	Epochs int
	// Batch is the number of images in a step; 0 stands for 128, or for all images where there are fewer. Images that
	// do not fill the last batch of an epoch are left out of it.
	Batch int
	// Shard is the number of images that share the statistics of batch norm (see [graph.TrainingOptions]). It must
	// divide Batch. 0 stands for 32 where that divides Batch, otherwise for Batch.
	Shard int
	// Workers is the number of shards that are computed at a time; 0 stands for GOMAXPROCS. The result does not
	// depend on it.
	Workers int `json:"-"`
	// MaxMemory bounds the memory, in bytes, of all pictures that are being decoded; 0 stands for
	// [dataset.DecodeMemory]. The result does not depend on it.
	MaxMemory int64 `json:"-"`
	// Device computes gradients and validation; the zero value is the processor. Weights differ between devices by
	// rounding.
	Device graph.Device `json:"-"`
	// Seed is the seed of the order of the images, of augmentation and of dropout.
	Seed uint64

	Optimizer      OptimizerConfig // SGD without momentum by default
	Schedule       ScheduleConfig  // a constant learning rate by default
	Augmentation   Augmentation    // none by default
	LabelSmoothing float64         // share of each target that is distributed over all classes, in [0, 1)
	ClipNorm       float64         // largest norm of the gradients, to which larger ones are scaled; 0 for no limit
	// EMADecay is the decay per step of an exponential moving average of the weights, in [0, 1). With it the averages
	// are validated and returned; 0 for none.
	EMADecay float64 `json:"AverageDecay"`

	// Checkpoint is the file in which the state of the run is kept; "" for none.
	Checkpoint string `json:"-"`
	// CheckpointEvery is the number of steps between two checkpoints; 0 writes one at the end of each epoch. A
	// checkpoint is always written at the end of the run.
	CheckpointEvery int `json:"-"`
	// Resume continues from the checkpoint if there is one. Without it an existing checkpoint is overwritten.
	Resume bool `json:"-"`
	// StopAt ends the run after that many steps, before the schedule ends; 0 runs to the end of the schedule.
	StopAt int `json:"-"`
	// Progress, if not nil, is called after every step and after every validation, on the goroutine of Run.
	Progress func(Progress) `json:"-"`
}

// Progress describes how far a run has come.
type Progress struct {
	Epoch, Epochs  int           // the current epoch, counted from 1
	Step, Steps    int           // steps done, and steps of the whole run
	Loss, Accuracy float64       // on the varied training images of this epoch so far; accuracy in [0, 1]
	LearningRate   float64       // in the last step
	ImagesPerSec   float64       // images a second since the epoch began, or since the run was resumed in it
	Remaining      time.Duration // estimated, without validation
	FinishedEpoch  *Epoch        // the epoch that has just been validated, otherwise nil
}

// Epoch is one row of the learning curves. Losses are mean cross-entropies, accuracies are in [0, 1].
type Epoch struct {
	Epoch         int     // counted from 1
	LearningRate  float64 `json:"Rate"` // in the last step
	Loss          float64 // on the varied training images
	Accuracy      float64 // on the varied training images
	ValLoss       float64 // 0 without validation images
	ValAccuracy   float64 // 0 without validation images
	Seconds       float64 // for training and validation
	ImagesPerSec  float64 // images a second in training; since the run was resumed, where that was in this epoch
	Interruptions int     // number of times that the run had been resumed
}

// Result is the outcome of a run, besides the weights in the network.
type Result struct {
	// Curve has a row for each finished epoch, including those before an interruption.
	Curve []Epoch
	// Steps is the number of steps done, including those before an interruption.
	Steps int
}

// ErrDiverged is wrapped by the error of [Run] when a loss, a gradient or a weight is not finite.
var ErrDiverged = errors.New("training diverged")

// ErrConfig is wrapped by errors for settings that are out of range, have unknown names, or exclude each other.
var ErrConfig = errors.New("settings of training")

// configError is an error for settings whose text needs no prefix.
type configError struct{ error }

func (e configError) Unwrap() []error { return []error{e.error, ErrConfig} }

func configf(format string, args ...any) error {
	return configError{fmt.Errorf("train: "+format, args...)}
}

// ErrMismatch is wrapped by the error of [Run] when the checkpoint to resume from belongs to another run: one with
// other settings, images, labels or number of classes, or with another network. A file that is not a checkpoint gives
// another error.
var ErrMismatch = errors.New("checkpoint of another run")

// Larger numbers are taken for typing errors: a run needs memory for a batch and for its workers.
const (
	maxEpochs  = 1_000_000
	maxBatch   = 1 << 16
	maxWorkers = 1024
)

// Check returns an error that wraps [ErrConfig] for settings that are invalid for any network and images. [Run]
// checks them as well.
func (c Config) Check() error {
	switch {
	case c.Epochs < 1 || c.Epochs > maxEpochs:
		return configf("expected 1 to %d epochs, got %d", maxEpochs, c.Epochs)
	case c.Batch < 0 || c.Batch > maxBatch:
		return configf("batch: expected 1 to %d images, or 0 for the default, got %d", maxBatch, c.Batch)
	case c.Shard < 0 || c.Batch > 0 && c.Shard > 0 && c.Batch%c.Shard != 0:
		return configf("shard: expected a divisor of the batch of %d images, or 0 for the default, got %d", c.Batch,
			c.Shard)
	case c.Workers < 0 || c.Workers > maxWorkers:
		return configf("expected 1 to %d workers, or 0 for the default, got %d", maxWorkers, c.Workers)
	case c.MaxMemory < 0:
		return configf("memory: expected 1 byte or more, or 0 for the default, got %d", c.MaxMemory)
	case !(c.LabelSmoothing >= 0 && c.LabelSmoothing < 1):
		return configf("label smoothing: expected a share in [0, 1), got %v", c.LabelSmoothing)
	case !(c.ClipNorm >= 0) || math.IsInf(c.ClipNorm, 0):
		return configf("bound of the gradient's norm: expected a finite number, 0 (none) or more, got %v", c.ClipNorm)
	case !(c.EMADecay >= 0 && c.EMADecay < 1):
		return configf("decay of the average: expected a number in [0, 1), got %v", c.EMADecay)
	case c.StopAt < 0:
		return configf("step to stop at: expected 0 (the end) or more, got %d", c.StopAt)
	case c.CheckpointEvery < 0:
		return configf("steps between checkpoints: expected 0 (every epoch) or more, got %d", c.CheckpointEvery)
	}
	if _, err := c.Optimizer.withDefaults(); err != nil {
		return configf("%w", err)
	}
	if _, err := NewSchedule(c.Schedule, c.Epochs, 1); err != nil {
		return err
	}
	return c.Augmentation.check(math.MaxInt/4, math.MaxInt/4)
}

func (c Config) withDefaults(net nets.Classifier, data dataset.Dataset) (Config, error) {
	if c.Batch == 0 {
		c.Batch = min(128, data.Len())
	}
	if c.Shard == 0 {
		c.Shard = 32
		if c.Batch%c.Shard != 0 {
			c.Shard = c.Batch
		}
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Batch < 1 || c.Batch > data.Len() {
		return c, configf("batch: expected 1 to %d images, as many as %s has, got %d", data.Len(), data.Name(), c.Batch)
	}
	if err := c.Check(); err != nil {
		return c, err
	}
	switch shape := net.InputShape(); {
	case c.Batch%c.Shard != 0:
		return c, configf("shard: expected a divisor of the batch of %d images, got %d", c.Batch, c.Shard)
	case len(shape) != 3 || shape[0] != 3:
		return c, configf("network %s: expected input of shape [3 height width], got %v", net.Name(), shape)
	}
	return c, nil
}

// identity returns a text with everything that the weights of a run depend on. Only a run with the same identity can
// be resumed. content is the result of [contentOf] for the data.
func (c Config) identity(net nets.Classifier, data dataset.Dataset, content string) string {
	text, err := json.Marshal(struct {
		Config
		Network         string
		Classes, Images int
		Content         string
	}{c, net.Name(), net.Classes(), data.Len(), content})
	if err != nil {
		panic(err) // cannot happen: numbers, strings and flags can always be encoded
	}
	return string(text)
}

// contentOf returns a hash, in hexadecimal, of the labels and of the content of every image, in order. It decodes
// each image once.
func contentOf(ctx context.Context, data dataset.Dataset, c Config) (string, error) {
	hashed := dataset.WithHashes(data)
	hashed.MaxMemory = c.MaxMemory
	if err := hashed.HashAll(ctx, c.Workers); err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", data.Labels())
	for _, one := range hashed.Hashes() {
		h.Write(one[:])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
