package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/bench"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/nets"
)

// Limits beyond which a number must be a mistake: the command would hardly ever end.
const (
	maxBenchImages = 1_000_000_000
	maxBenchRuns   = 10_000
	maxTimedImages = 100_000_000
)

func newBench() *cobra.Command {
	var (
		c            command.Common
		net          command.Network
		images, runs int
		jsonOut      string
		compare      string
		latency      bool
	)
	cmd := &cobra.Command{
		Use:   "bench --net NAME [--weights FILE]",
		Short: "Measure how fast features come: images/s, share of the processor's peak, memory, profile",
		Long: `Run the network over synthetic images several times and print images per second (median), the share of the measured peak
of fused multiply-adds, what is allocated per image, and where the time goes by operation. Without --weights they are random.
With --latency, images come one at a time, all workers share each, and how long they take is printed.
With --compare, print what changed since an earlier run.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case images < 1 || images > maxBenchImages:
				return command.Usagef("--images %d: expected 1 to %d", images, maxBenchImages)
			case runs < 1 || runs > maxBenchRuns:
				return command.Usagef("--runs %d: expected 1 to %d", runs, maxBenchRuns)
			case latency && c.Batch > 1:
				return command.Usagef("--latency runs one image at a time: expected no --batch, got %d", c.Batch)
			case latency && images > maxTimedImages/runs:
				return command.Usagef("--latency keeps the time of each image: expected at most %d in all runs, got "+
					"%d of %d",
					maxTimedImages, runs, images)
			}
			inputs := append(net.Inputs(), command.InputFile("--compare", compare))
			if err := command.CheckOutputs(command.Outputs("--json", jsonOut), inputs...); err != nil {
				return err
			}
			var before bench.Result
			if compare != "" {
				var err error
				if before, err = readBench(compare); err != nil {
					return err
				}
			}
			n, err := benchNetwork(net, c.Seed)
			if err != nil {
				return err
			}
			o, run := c.GraphOptions(), bench.Run
			if latency {
				run = bench.RunSingly
				o = graph.Options{Batch: 1, Workers: 1, Threads: o.Workers, Device: o.Device, Precision: o.Precision}
				if o.Threads == 0 {
					o.Threads = runtime.GOMAXPROCS(0)
				}
			}
			r, err := run(cmd.Context(), n, o, images, runs, c.Seed)
			if err != nil {
				return err
			}
			if err := r.Print(cmd.OutOrStdout()); err != nil {
				return err
			}
			if compare != "" {
				if err := bench.Comparable(before, r); err != nil {
					return fmt.Errorf("%s: %w", compare, err)
				}
				if err := bench.PrintChange(cmd.OutOrStdout(), before, r); err != nil {
					return err
				}
			}
			return command.Write(jsonOut, func(w io.Writer) error { return command.WriteJSON(w, r) })
		},
	}
	c.Register(cmd)
	net.Register(cmd)
	cmd.Flags().IntVar(&images, "images", 1000, "images in each run")
	cmd.Flags().IntVar(&runs, "runs", 5, "runs, after one to warm up")
	cmd.Flags().BoolVar(&latency, "latency", false, "one image at a time, shared by all workers: p50 and p99")
	cmd.Flags().StringVar(&jsonOut, "json", "", "JSON file to write")
	cmd.Flags().StringVar(&compare, "compare", "", "JSON `FILE` of an earlier run to compare with")
	return cmd
}

// readBench reads a result that --json has written.
func readBench(path string) (r bench.Result, err error) {
	data, err := fsfile.ReadRegular(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: expected JSON of goline bench --json: %w", path, err)
	}
	return r, nil
}

// benchNetwork opens the network or, without weights, fills it with random numbers.
func benchNetwork(net command.Network, seed uint64) (nets.Classifier, error) {
	n, trained, err := net.OpenOrNew(10)
	if err != nil || trained {
		return n, err
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, p := range n.Params() {
		for i := range p.Float32s() {
			p.Float32s()[i] = rng.Float32() * 0.1
		}
	}
	return n, nil
}
