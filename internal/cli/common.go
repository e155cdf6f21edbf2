package cli

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
)

// common holds the flags that most commands share.
type common struct {
	batch, workers   int
	seed             uint64
	device, progress string

	stderr io.Writer
}

func (c *common) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&c.batch, "batch", graph.DefaultBatch, "images that one worker runs at once; results do not depend on it")
	f.IntVar(&c.workers, "workers", 0, "parallel workers, 0 for one per processor; results do not depend on it")
	f.Uint64Var(&c.seed, "seed", 1, "seed of everything random")
	f.StringVar(&c.device, "device", "cpu", "where the graph runs: cpu or cuda")
	f.StringVar(&c.progress, "progress", "auto", "progress on stderr: auto (on a terminal), always or never")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		c.stderr = cmd.ErrOrStderr()
		return c.check()
	}
}

// A run needs memory for so many images and workers at once: beyond these a number is a typing error.
const (
	maxBatch   = 4096
	maxWorkers = 1024
)

func (c *common) check() error {
	switch {
	case c.batch < 1 || c.batch > maxBatch:
		return usagef("--batch %d: expected 1 to %d", c.batch, maxBatch)
	case c.workers < 0 || c.workers > maxWorkers:
		return usagef("--workers %d: expected 0 to %d", c.workers, maxWorkers)
	case c.device != string(graph.CPU) && c.device != string(graph.CUDA):
		return usagef("--device %q: expected cpu or cuda", c.device)
	case c.progress != "auto" && c.progress != "always" && c.progress != "never":
		return usagef("--progress %q: expected auto, always or never", c.progress)
	}
	return nil
}

func (c *common) options() graph.Options {
	return graph.Options{Batch: c.batch, Workers: c.workers, Device: graph.Device(c.device)}
}

// network holds the flags that choose a network.
type network struct{ name, weights string }

func (n *network) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&n.name, "net", "", "architecture by `NAME`, for example densenet-bc-100-12")
	cmd.Flags().StringVar(&n.weights, "weights", "", "`FILE` of weights: .pth, .pth.tar, .pt, .safetensors or .npz")
}

func (n *network) open() (*nets.Network, error) {
	if err := required("--net", n.name, "--weights", n.weights); err != nil {
		return nil, err
	}
	if _, err := nets.New(n.name, 1); err != nil {
		return nil, usageError{err}
	}
	return nets.Open(n.name, n.weights)
}

// required takes pairs of a flag and its value and fails where values are empty.
func required(pairs ...string) error {
	var missing []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			missing = append(missing, pairs[i])
		}
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return usagef("%s is required", missing[0])
	}
	last := len(missing) - 1
	return usagef("%s and %s are required", strings.Join(missing[:last], ", "), missing[last])
}

// evalOptions are options with progress on stderr; finish ends it.
func (c *common) evalOptions() (o eval.Options, finish func()) {
	var shown bar
	stage := ""
	return eval.Options{Graph: c.options(), Progress: func(what string, done, total int) {
		if what != stage {
			shown.finish()
			shown, stage = c.newBar(what, total), what
		}
		shown.set(done, total)
	}}, func() { shown.finish() }
}

// stream streams a set for a network, with progress; finish ends the progress.
func (c *common) stream(ctx context.Context, what string, set dataset.Dataset, p nets.Preprocessing) (stream graph.Batches, finish func()) {
	o, finish := c.evalOptions()
	return eval.Images(ctx, what, set, p, o), finish
}
