// Package command is what goline's commands share: flags, the network, detector and sets of images that they name, checks of
// outputs against inputs, progress, and errors that are the caller's. Package cli and its commands build on it.
package command

import (
	"context"
	"io"

	"github.com/spf13/cobra"

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

	Stderr io.Writer
}

// Register adds the flags to a command, which checks them before it runs.
func (c *Common) Register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&c.Batch, "batch", 0, "images that one worker runs at once, 0 for as many as suit their size; results do not depend on it")
	f.IntVar(&c.Workers, "workers", 0, "parallel workers, 0 for one per processor; results do not depend on it")
	f.Uint64Var(&c.Seed, "seed", 1, "seed of everything random")
	f.StringVar(&c.Device, "device", "cpu", "where the graph runs: cpu or cuda")
	f.StringVar(&c.Progress, "progress", "auto", "progress on stderr: auto (on a terminal), always or never")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		c.Stderr = cmd.ErrOrStderr()
		return c.Check()
	}
}

// A run needs memory for so many images and workers at once: beyond these a number is a typing error.
const (
	maxBatch   = 4096
	maxWorkers = 1024
)

// Check fails for values that no run can have.
func (c *Common) Check() error {
	switch {
	case c.Batch < 0 || c.Batch > maxBatch:
		return Usagef("--batch %d: expected 0 to %d", c.Batch, maxBatch)
	case c.Workers < 0 || c.Workers > maxWorkers:
		return Usagef("--workers %d: expected 0 to %d", c.Workers, maxWorkers)
	case c.Device != string(graph.CPU) && c.Device != string(graph.CUDA):
		return Usagef("--device %q: expected cpu or cuda", c.Device)
	case c.Progress != "auto" && c.Progress != "always" && c.Progress != "never":
		return Usagef("--progress %q: expected auto, always or never", c.Progress)
	}
	return nil
}

// GraphOptions are the options of a program.
func (c *Common) GraphOptions() graph.Options {
	return graph.Options{Batch: c.Batch, Workers: c.Workers, Device: graph.Device(c.Device)}
}

// EvalOptions are the options of package eval, with progress on stderr; finish ends it.
func (c *Common) EvalOptions() (o eval.Options, finish func()) {
	var shown Bar
	stage := ""
	return eval.Options{Graph: c.GraphOptions(), Progress: func(what string, done, total int) {
		if what != stage {
			shown.Finish()
			shown, stage = c.newBar(what, total), what
		}
		shown.Set(done, total)
	}}, func() { shown.Finish() }
}

// Stream streams a set for a network, with progress; finish ends the progress.
func (c *Common) Stream(ctx context.Context, what string, set dataset.Dataset, p nets.Preprocessing) (stream graph.Batches, finish func()) {
	o, finish := c.EvalOptions()
	return eval.Images(ctx, what, set, p, o), finish
}
