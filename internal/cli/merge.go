package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/parquetfile"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
)

func newMerge() *cobra.Command {
	var (
		c   command.Common
		out string
	)
	cmd := &cobra.Command{
		Use:   "merge PART... --out FILE",
		Short: "Put the files of all shards together, to the bits of one run",
		Long: `Read the files that goline features, fit or score wrote with --shard I/N, all N of them in any order, and write the file that one
run over all images writes, with the same bytes. Shards of other images, networks or parameters are refused, as is one that is missing or
comes twice. Parquet files need no merging: the folder of all shards is one table to what reads it.`,
		Example: `  for i in 0 1 2; do goline fit --net NET --weights FILE --data DATA --shard $i/3 --out part$i.npz; done
  goline merge part*.npz --out detector.npz`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return command.Usagef("expected the files of shards, got none")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, parts []string) error {
			if err := command.Required("--out", out); err != nil {
				return err
			}
			inputs := make([]command.Input, len(parts))
			for i, p := range parts {
				inputs[i] = command.InputFile("PART", p)
				if !strings.EqualFold(filepath.Ext(p), filepath.Ext(out)) {
					return command.Usagef("--out %s: expected the ending of the parts, as of %s", out, p)
				}
			}
			if err := command.CheckOutputs(command.Outputs("--out", out), inputs...); err != nil {
				return err
			}
			n, what, err := merge(cmd, &c, parts, out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s of %d images from %d shards\n", out, what, n, len(parts))
			return err
		},
	}
	c.Register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write")
	return cmd
}

// merge recognises the kind of the parts by the first one, and merges them.
func merge(cmd *cobra.Command, c *command.Common, parts []string, out string) (n int, what string, err error) {
	if parquetfile.Is(parts[0]) {
		return 0, "", command.Usagef("%s: Parquet files are not merged: the folder of all shards is one table",
			parts[0])
	}
	if isLines(parts[0]) {
		n, err = mergeLines(out, parts)
		return n, "scores", err
	}
	r, err := npyz.OpenNpz(parts[0])
	if err != nil {
		return 0, "", err
	}
	statistics, features, scores := r.Has("contribution_sums"), r.Has("features"), r.Has("scores")
	if err := r.Close(); err != nil {
		return 0, "", err
	}
	switch {
	case statistics:
		n, err = mergeStatistics(cmd, c, parts, out)
		return n, "detector", err
	case features:
		n, err = eval.MergeFeatures(cmd.Context(), out, parts)
		return n, "features", err
	case scores:
		archives := make([]*npyz.Archive, len(parts))
		for i, p := range parts {
			if archives[i], err = npyz.ReadNpz(p); err != nil {
				return 0, "", err
			}
		}
		n, err = mergeScoresNpz(out, parts, archives)
		return n, "scores", err
	}
	return 0, "", fmt.Errorf("%s: expected a file that goline features, fit or score wrote with --shard", parts[0])
}

// mergeStatistics writes the detector that follows from the statistics of all parts.
func mergeStatistics(cmd *cobra.Command, c *command.Common, parts []string, out string) (int, error) {
	all, n := make([]*line.Statistics, len(parts)), 0
	for i, p := range parts {
		var err error
		if all[i], err = line.LoadStatistics(p); err != nil {
			return 0, err
		}
		n += all[i].Extent().Images
	}
	det, err := line.MergeStatistics(cmd.Context(), all, parts, c.GraphOptions())
	if err != nil {
		return 0, err
	}
	return n, det.Save(out)
}
