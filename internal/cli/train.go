package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/objects"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
	"github.com/line-ood/goline/train"
)

// trainFlags are the flags of goline train beside the common ones.
type trainFlags struct {
	net                    command.Network
	data, val, out, curves string
	config                 train.Config
	device                 string
	memory                 command.Bytes
	decayVectors, resume   bool
	classes                int
}

func (t *trainFlags) register(cmd *cobra.Command) {
	f, c := cmd.Flags(), &t.config
	t.net.Register(cmd)
	f.Lookup("net").Usage = "architecture, for example resnet-cifar-8-16"
	f.Lookup("weights").Usage = "weights to start from instead of random ones"
	f.StringVar(&t.data, "data", "", "labelled training images: [format:]path")
	f.StringVar(&t.val, "val", "", "labelled images to validate on after each epoch: [format:]path")
	f.StringVar(&t.out, "out", "", "weights to write: .npz or .safetensors")
	f.StringVar(&t.curves, "curves", "", "learning curves to write, FILE.csv and FILE.png; default beside --out")
	f.IntVar(&t.classes, "classes", 0, "number of classes, 0 for one more than the largest label")

	f.IntVar(&c.Epochs, "epochs", 0, "passes over the training images")
	f.IntVar(&c.Batch, "batch", 128, "images of a step")
	f.IntVar(&c.Shard, "shard", 0,
		"images that share batch-norm statistics, a divisor of --batch; 0 for 32 if that divides it, else all")
	f.IntVar(&c.Workers, "workers", 0, "parallel workers, 0 for one per processor; the weights do not depend on it")
	f.Uint64Var(&c.Seed, "seed", 1, "seed of everything random")

	o := &c.Optimizer
	f.StringVar(&o.Name, "optimizer", train.SGD, "sgd, sgdw (decoupled weight decay) or adamw")
	f.Float64Var(&o.Momentum, "momentum", 0.9, "momentum of sgd and sgdw")
	f.BoolVar(&o.Nesterov, "nesterov", true, "Nesterov's look-ahead of sgd and sgdw")
	f.Float64Var(&o.WeightDecay, "weight-decay", 5e-4, "weight decay")
	f.BoolVar(&t.decayVectors, "decay-vectors", false,
		"let biases and batch-norm scales decay as well, as PyTorch does by default")

	s := &c.Schedule
	f.StringVar(&s.Name, "schedule", train.OneCycle, "of the learning rate: constant, step, cosine or onecycle")
	f.Float64Var(&s.LearningRate, "lr", 0.1, "highest learning rate")
	f.Float64Var(&s.Warmup, "warmup", 0, "epochs until the learning rate is highest")
	f.Float64Var(&s.Every, "step-every", 10, "epochs between the drops of the step schedule")
	f.Float64Var(&s.Gamma, "step-gamma", 0.1, "factor of each drop of the step schedule")
	f.Float64Var(&s.Final, "final-lr", 0, "share of --lr at the end of the cosine and onecycle schedules")

	a := &c.Augmentation
	f.IntVar(&a.Crop, "crop", 0, "cut randomly out of images padded by so many pixels")
	f.BoolVar(&a.Flip, "flip", false, "mirror images at random")
	f.IntVar(&a.Cutout, "cutout", 0, "blank a random square of so many pixels a side")
	f.Float64Var(&a.Mixup, "mixup", 0, "blend pairs of images, shares drawn from Beta(MIXUP, MIXUP)")
	f.Float64Var(&c.LabelSmoothing, "label-smoothing", 0, "share of each label spread over all classes")
	f.Float64Var(&c.ClipNorm, "clip-norm", 0, "bound of the gradients' norm, 0 for none")
	f.Float64Var(&c.EMADecay, "ema", 0, "decay of an exponential moving average of the weights, 0 for none")

	f.StringVar(&c.Checkpoint, "checkpoint", "", "file that keeps the state of the run; default OUT.checkpoint.npz")
	f.IntVar(&c.CheckpointEvery, "checkpoint-every", 0, "steps between checkpoints, 0 for one after each epoch")
	f.IntVar(&c.StopAt, "stop-at", 0, "end after so many steps, with the schedule unfinished; 0 for its end")
	f.BoolVar(&t.resume, "resume", false, "go on from the checkpoint, if there is one")
}

func newTrain() *cobra.Command {
	var (
		t        trainFlags
		progress string
	)
	cmd := &cobra.Command{
		Use:   "train --net NAME --data DATA [--val DATA] --epochs N --out model.npz",
		Short: "Train a network on labelled images",
		Long: `Train a network on labelled images with stochastic gradient descent, and write its weights and learning curves.

The same seed gives the same weights, bit for bit, for any number of workers. A checkpoint is kept while the run lasts:
after an interrupt, or a kill, --resume with the same flags goes on from it and ends with the same weights. When the loss
is not a number any more the command fails and leaves the last good checkpoint.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.check(progress); err != nil {
				return err
			}
			w := cmd.ErrOrStderr()
			return t.run(cmd.Context(), cmd.OutOrStdout(), w, command.Live(progress, w))
		},
	}
	t.register(cmd)
	command.RegisterDevice(cmd, &t.device)
	command.RegisterMaxMemory(cmd, &t.memory, "pictures being decoded")
	cmd.Flags().StringVar(&progress, "progress", "auto", "progress on stderr: auto (on a terminal), always or never")
	return cmd
}

// maxClasses limits the rows of the last layer. A larger number must be a mistake, and would take memory before it is
// noticed.
const maxClasses = 1 << 20

func (t *trainFlags) check(progress string) error {
	if err := command.Required("--net", t.net.Name, "--data", t.data, "--out", t.out); err != nil {
		return err
	}
	switch ext := filepath.Ext(t.out); {
	case t.config.Epochs < 1:
		return command.Usagef("--epochs %d: expected at least 1", t.config.Epochs)
	case t.config.Batch < 1:
		return command.Usagef("--batch %d: expected at least 1", t.config.Batch)
	case t.config.StopAt < 0:
		return command.Usagef("--stop-at %d: expected 0 or more", t.config.StopAt)
	case t.config.Workers < 0:
		return command.Usagef("--workers %d: expected 0 or more", t.config.Workers)
	case t.classes < 0 || t.classes > maxClasses:
		return command.Usagef("--classes %d: expected 0 to %d", t.classes, maxClasses)
	case ext != ".npz" && ext != ".safetensors":
		return command.Usagef("--out %s: expected a name that ends with .npz or .safetensors", t.out)
	case progress != "auto" && progress != "always" && progress != "never":
		return command.Usagef("--progress %q: expected auto, always or never", progress)
	}
	if err := command.CheckDevice(t.device); err != nil {
		return err
	}
	if err := command.CheckMaxMemory(t.memory); err != nil {
		return err
	}
	t.config.Device, t.config.MaxMemory = graph.Device(t.device), command.DecodeMemory(t.memory)
	if err := t.net.Known(); err != nil {
		return err
	}
	if err := t.net.CheckFiles(); err != nil {
		return err
	}
	t.config.Optimizer.ExemptVectors = !t.decayVectors
	if t.config.Optimizer.Name == train.AdamW || t.config.Optimizer.Momentum == 0 {
		t.config.Optimizer.Nesterov = false
	}
	if err := t.config.Check(); err != nil {
		return command.UsageError{Err: err}
	}
	stem := strings.TrimSuffix(t.out, filepath.Ext(t.out))
	if t.curves == "" {
		t.curves = stem + ".curves"
	}
	if t.config.Checkpoint == "" {
		t.config.Checkpoint = stem + ".checkpoint.npz"
	}
	if objects.IsURL(t.config.Checkpoint) {
		return command.Usagef("--checkpoint %s: expected a file of this machine, got the URL of a store",
			t.config.Checkpoint)
	}
	t.config.Resume = t.resume
	outputs := command.Outputs("--out", t.out, "--curves", t.curves+".csv", "--curves", t.curves+".png", "--checkpoint",
		t.config.Checkpoint)
	return command.CheckOutputs(outputs, append(t.net.Inputs(), command.InputData("--data", t.data),
		command.InputData("--val", t.val))...)
}

func (t *trainFlags) run(ctx context.Context, stdout, stderr io.Writer, live bool) error {
	data, err := t.net.Data("--data", t.data)
	if err != nil {
		return err
	}
	defer data.Close()
	var val dataset.Dataset
	if t.val != "" {
		if val, err = t.net.Data("--val", t.val); err != nil {
			return err
		}
		defer val.Close()
	}
	net, err := t.open(data)
	if err != nil {
		return err
	}
	if _, err := os.Stat(t.config.Checkpoint); err == nil && !t.resume {
		return command.Usagef("%s exists: --resume goes on from it; remove it to start anew", t.config.Checkpoint)
	}
	show := trainProgress{w: stderr, out: stdout, live: live}
	t.config.Progress = show.report
	result, err := train.Run(ctx, net, data, val, t.config)
	show.clear()
	if errors.Is(err, train.ErrConfig) {
		return command.UsageError{Err: err}
	}
	if errors.Is(err, train.ErrDiverged) {
		if _, stat := os.Stat(t.config.Checkpoint); stat == nil {
			return fmt.Errorf("%w; the last good checkpoint is %s", err, t.config.Checkpoint)
		}
	}
	if err != nil {
		if _, stat := os.Stat(t.config.Checkpoint); ctx.Err() != nil && stat == nil {
			fmt.Fprintf(stderr, "goline: the same command with --resume goes on from %s\n", t.config.Checkpoint)
		}
		return err
	}
	if err := patiently(ctx, func() error { return t.write(net, result) }); err != nil {
		return err
	}
	if err := os.Remove(t.config.Checkpoint); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove checkpoint: %w", err)
	}
	fmt.Fprintf(stdout, "%s: %s trained for %d steps; learning curves in %s.csv and .png\n", t.out, net.Name(),
		result.Steps, t.curves)
	return nil
}

// open returns the network to train, with the initial values of its parameters.
func (t *trainFlags) open(data dataset.Dataset) (nets.Classifier, error) {
	classes := t.classes
	if classes == 0 {
		for _, c := range data.Labels() {
			classes = max(classes, c+1)
		}
	}
	net, trained, err := t.net.OpenOrNew(max(classes, 1))
	if err != nil {
		return nil, err
	}
	if !trained {
		train.Initialise(net.Params(), t.config.Seed)
	}
	return net, t.net.Prepares(net)
}

func (t *trainFlags) write(net nets.Classifier, result *train.Result) error {
	sd, err := weights.FromParams(net.Params())
	if err != nil {
		return err
	}
	if err := weights.Save(t.out, sd); err != nil {
		return err
	}
	return train.WriteCurves(t.curves, result.Curve)
}

// trainProgress writes a progress line that it overwrites again and again, and one permanent line for each epoch.
type trainProgress struct {
	w, out io.Writer
	live   bool
	last   time.Time
	width  int
}

func (s *trainProgress) report(p train.Progress) {
	if e := p.FinishedEpoch; e != nil {
		s.clear()
		line := fmt.Sprintf("epoch %d/%d  loss %.4f  accuracy %.2f %%", e.Epoch, p.Epochs, e.Loss, 100*e.Accuracy)
		if e.ValLoss != 0 || e.ValAccuracy != 0 {
			line += fmt.Sprintf("  validation loss %.4f  accuracy %.2f %%", e.ValLoss, 100*e.ValAccuracy)
		}
		fmt.Fprintf(s.out, "%s  %.0f images/s  %.0f s\n", line, e.ImagesPerSec, e.Seconds)
		return
	}
	if !s.live || time.Since(s.last) < 200*time.Millisecond && p.Step != p.Steps {
		return
	}
	s.last = time.Now()
	line := fmt.Sprintf("epoch %d/%d  step %d/%d  loss %.4f  accuracy %.2f %%  %.0f images/s  %s left",
		p.Epoch, p.Epochs, p.Step, p.Steps, p.Loss, 100*p.Accuracy, p.ImagesPerSec, p.Remaining.Round(time.Second))
	fmt.Fprintf(s.w, "\r%-*s", s.width, line)
	s.width = len(line)
}

// clear wipes the line.
func (s *trainProgress) clear() {
	if s.width > 0 {
		fmt.Fprintf(s.w, "\r%*s\r", s.width, "")
		s.width = 0
	}
}
