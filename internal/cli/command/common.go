// Package command holds the code that goline's commands share: common flags, the opening of networks, detectors and
// sets of images, checks of outputs against inputs, progress bars, and usage errors. Package cli and its commands build
// on it.
package command

import (
	"context"
	"io"
	"runtime"

	"github.com/spf13/cobra"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
)

// Common holds the flags that most commands share.
type Common struct {
	Batch, Workers   int
	Seed             uint64
	Device, Progress string
	MaxMemory        Bytes // 0 for DefaultMemory
	Precision        string

	Stderr io.Writer
}

// Register adds the flags to a command. It makes the command check them before it runs.
func (c *Common) Register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&c.Batch, "batch", 0,
		"images that one worker runs at once, 0 for as many as suit their size; results do not depend on it")
	f.IntVar(&c.Workers, "workers", 0, "parallel workers, 0 for one per processor; results do not depend on it")
	f.Uint64Var(&c.Seed, "seed", 1, "seed of everything random")
	RegisterDevice(cmd, &c.Device)
	RegisterMaxMemory(cmd, &c.MaxMemory, "pictures being decoded, batches and workers")
	f.StringVar(&c.Precision, "precision", string(graph.Float32),
		"what convolutions multiply in: f32; bf16, which rounds their weights and inputs and is faster with AMX; or "+
			"tf32, which rounds them less, on a card's tensor cores")
	f.StringVar(&c.Progress, "progress", "auto", "progress on stderr: auto (on a terminal), always or never")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		c.Stderr = cmd.ErrOrStderr()
		return c.Check()
	}
}

// Limits beyond which a number must be a mistake: a run needs memory for that many images and workers at once.
const (
	maxBatch   = 4096
	maxWorkers = 1024
)

// MaxResamples limits the resamples of a bootstrap, whose rates are held in memory. More do not improve an interval.
const MaxResamples = 1_000_000

// DefaultMemory is the default of --max-memory: 1 GiB, of which five eighths are for decoding pictures.
const DefaultMemory = dataset.DecodeMemory / 5 * 8

// RegisterMaxMemory adds the flag --max-memory to a command. what continues the help text: what the memory is limited
// for.
func RegisterMaxMemory(cmd *cobra.Command, b *Bytes, what string) {
	cmd.Flags().Var(b, "max-memory", "`BYTES`, as in 512MiB or 4GiB, that "+what+
		" may take together, 0 for 1GiB; a picture whose file is large may take more")
}

// CheckMaxMemory fails for a limit that is too low for any run.
func CheckMaxMemory(b Bytes) error {
	if b != 0 && b < 16<<20 {
		return Usagef("--max-memory %s: expected at least 16MiB", b.String())
	}
	return nil
}

// DecodeMemory returns the part of --max-memory, in bytes, that pictures may take while they are being decoded.
func DecodeMemory(b Bytes) int64 { return maxMemory(b) / 8 * 5 }

func maxMemory(b Bytes) int64 {
	if b == 0 {
		return DefaultMemory
	}
	return int64(b)
}

// Check fails for values of the flags that no run can have.
func (c *Common) Check() error {
	switch {
	case c.Batch < 0 || c.Batch > maxBatch:
		return Usagef("--batch %d: expected 0 to %d", c.Batch, maxBatch)
	case c.Workers < 0 || c.Workers > maxWorkers:
		return Usagef("--workers %d: expected 0 to %d", c.Workers, maxWorkers)
	case c.Precision != string(graph.Float32) && c.Precision != string(graph.BFloat16) &&
		c.Precision != string(graph.TF32):
		return Usagef("--precision %q: expected f32, bf16 or tf32", c.Precision)
	case c.Precision == string(graph.TF32) && c.Device == string(graph.CPU):
		return Usagef("--precision tf32 needs a card: expected --device cuda or cuda:N with it")
	case c.Progress != "auto" && c.Progress != "always" && c.Progress != "never":
		return Usagef("--progress %q: expected auto, always or never", c.Progress)
	}
	if err := CheckMaxMemory(c.MaxMemory); err != nil {
		return err
	}
	return CheckDevice(c.Device)
}

// RegisterDevice adds the flag that says where graphs run.
func RegisterDevice(cmd *cobra.Command, device *string) {
	cmd.Flags().StringVar(device, "device", string(graph.CPU),
		"where the graph runs: cpu, cuda (the first NVIDIA card) or cuda:N")
}

// CheckDevice fails for a text that cannot name a device. Whether the machine has the device is found out when a graph
// is compiled.
func CheckDevice(device string) error {
	if device == "" || graph.Device(device).Check() != nil {
		return Usagef("--device %q: expected cpu, cuda or cuda:N", device)
	}
	return nil
}

// GraphOptions returns the options for compiling a program.
func (c *Common) GraphOptions() graph.Options {
	return graph.Options{Batch: c.Batch, Workers: c.Workers, Device: graph.Device(c.Device),
		Precision: graph.Precision(c.Precision)}
}

// workersPerProcessor limits the workers of a run. More workers would only wait for one another, and each takes memory.
const workersPerProcessor = 8

// Limit lowers --batch and --workers to what so many images can use (0 where their number is not known yet), and so far
// that what the network computes takes no more than three eighths of --max-memory. Results do not depend on either.
// Limit does nothing where neither is given, but for a single image: one worker then does, and the
// copies of the network for others need not be built.
func (c *Common) Limit(net graph.Model, images int) error {
	if images == 1 && c.Device == string(graph.CPU) {
		c.Batch, c.Workers = 1, 1
		return nil
	}
	if c.Batch == 0 && c.Workers == 0 {
		return nil
	}
	processors := runtime.GOMAXPROCS(0)
	if images > 0 {
		c.Batch = min(c.Batch, images)
	}
	batch, workers := c.Batch, c.Workers
	if batch == 0 {
		batch = graph.BatchFor(net.InputShape()...)
	}
	if workers == 0 {
		workers = processors
	}
	workers = min(workers, workersPerProcessor*processors)
	if images > 0 { // a worker without a batch has nothing to do
		workers = min(workers, (images+batch-1)/batch)
	}
	one, err := graph.Compile(net, graph.Options{Batch: 1, Workers: 1, Device: graph.Device(c.Device)})
	if err != nil {
		return err
	}
	const underWay = 4 // batches of images in memory at once
	sample := int64(one.ActivationBytes()) + underWay*4*int64(tensor.Shape(net.InputShape()).TotalSize())
	room := maxMemory(c.MaxMemory) / 8 * 3
	for workers > 1 && sample*int64(batch)*int64(workers) > room {
		workers--
	}
	if most := max(room/sample, 1); int64(batch) > most {
		batch = int(most)
	}
	c.Workers = workers
	if c.Batch > 0 {
		c.Batch = batch
	}
	return nil
}

// EvalOptions returns options for package eval that show progress on stderr. The caller calls finish to end the
// progress.
func (c *Common) EvalOptions() (o eval.Options, finish func()) {
	var shown Bar
	stage := ""
	return eval.Options{Graph: c.GraphOptions(), MaxMemory: DecodeMemory(c.MaxMemory), Progress: func(what string, done,
		total int) {
		if what != stage {
			shown.Finish()
			shown, stage = c.newBar(what, total), what
		}
		shown.Set(done, total)
	}}, func() { shown.Finish() }
}

// Stream returns the batches of a set, prepared for a network, and shows progress. The caller calls finish to end it.
func (c *Common) Stream(ctx context.Context, what string, set dataset.Dataset,
	p nets.Preprocessing) (stream graph.Batches, finish func()) {
	o, finish := c.EvalOptions()
	return eval.Images(ctx, what, set, p, o), finish
}
