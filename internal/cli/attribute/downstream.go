package attribute

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/downstream"
	"github.com/line-ood/goline/line/eval"
)

// downstreamCommand is one "attribute downstream" command line. Its data flags are those of goline eval.
type downstreamCommand struct {
	command.Evaluation
	jsonOut, csvOut    string
	stdout             io.Writer
	values, estimators []string
	budgets            numberList
	seeds, background  int
	removal            string
	backwardCost       float64
	parsed             []attribution.Estimator
	games              []downstream.Game
}

func newDownstream() *cobra.Command {
	var d downstreamCommand
	cmd := &cobra.Command{
		Use:   "downstream --net NAME --weights FILE --fit DATA --id DATA --ood NAME=DATA ...",
		Short: "What the choice of estimator and value does to the LINe detector",
		Long: `Fit LINe to contributions from every estimator, value, budget and seed, and compare each detector with the paper's, which takes
gradient × activation of the logit: the overlap (Jaccard index) of the neurons and weights that they keep, and the change of
FPR95 and AUROC on each out-of-distribution set. The contributions of a class are those of the game whose value is the mean
over its training images; its budget is --budgets times their number. Contributions start from features: with
--features-dir no later call runs the network.

An interrupt writes what was finished, marked as partial, and the exit status is 130.

` + estimatorHelp,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.stdout = cmd.OutOrStdout()
			if err := d.check(); err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	d.Common.Register(cmd)
	d.Net.Register(cmd)
	d.LINe.Register(cmd)
	registerBackward(cmd, &d.backwardCost)
	f := cmd.Flags()
	f.StringVar(&d.Fit, "fit", "", "labelled training images that contributions are measured on: `DATA`")
	f.StringVar(&d.ID, "id", "", "in-distribution test images: `DATA`")
	d.OOD.Register(f, command.FlagOOD, "out-of-distribution test images: `NAME=DATA`; repeatable")
	f.StringSliceVar(&d.values, "values", []string{"logit", "probability", "log-probability", "log-sum-exp"},
		"what is attributed: logit, probability, log-probability, log-sum-exp, margin")
	f.StringSliceVar(&d.estimators, "estimators", []string{"gradient-activation", "integrated-gradients", "permutation",
		"antithetic", "owen-halved", "kernelshap-paired"}, "estimators to try, by name")
	d.budgets = numberList{4, 100, 1000}
	f.Var(&d.budgets, "budgets",
		"forward passes to spend for each training image, a backward counted too; gradient × activation takes 4")
	f.IntVar(&d.seeds, "seeds", 3, "runs of each estimator that samples, with seeds from --seed on")
	f.StringVar(&d.removal, "removal", "zero", "what a removed neuron becomes: zero, mean or resample")
	f.IntVar(&d.background, "background", 10, "images of --fit that --removal resample draws from, chosen by --seed")
	f.StringVar(&d.FeaturesDir, "features-dir", "", "`FOLDER` to keep features in, shared with goline eval")
	f.StringVar(&d.jsonOut, "json", "", "JSON `FILE` to write, with all runs")
	f.StringVar(&d.csvOut, "csv", "", "CSV `FILE` to write, one line for each run and set")
	return cmd
}

// check parses and checks the flags before any file is read.
func (d *downstreamCommand) check() (err error) {
	if err := d.Evaluation.Check(); err != nil {
		return err
	}
	if d.parsed, err = parseEstimators(d.estimators); err != nil {
		return err
	}
	if err := checkBudgets(d.budgets); err != nil {
		return err
	}
	if err := checkBackward(d.backwardCost); err != nil {
		return err
	}
	if len(d.values) == 0 {
		return command.Usagef("--values names none")
	}
	for _, name := range d.values {
		name = strings.TrimSpace(name)
		v, err := attribution.ParseValue(name)
		if err != nil {
			return command.Usagef("--values %q: expected logit, probability, log-probability, log-sum-exp or margin",
				name)
		}
		for _, g := range d.games {
			if g.Name == name {
				return command.Usagef("--values: %s is named twice", name)
			}
		}
		d.games = append(d.games, downstream.Game{Name: name, Options: games.PenultimateOptions{Value: v}})
	}
	switch {
	case d.seeds < 1 || d.seeds > maxSeeds:
		return command.Usagef("--seeds %d: expected 1 to %d", d.seeds, maxSeeds)
	case d.Seed+uint64(d.seeds) > 1<<32:
		return command.Usagef("--seed %d: expected less than 2^32", d.Seed)
	case d.background < 1:
		return command.Usagef("--background %d: expected at least 1", d.background)
	case d.removal == "class-mean":
		return command.Usagef("--removal class-mean: what the images of a class add to their own mean is zero on " +
			"average, so nothing is left to keep neurons by")
	case !slices.Contains([]string{"zero", "mean", "resample"}, d.removal):
		return command.Usagef("--removal %q: expected zero, mean or resample", d.removal)
	}
	return nil
}

func (d *downstreamCommand) run(ctx context.Context) (err error) {
	if err := command.CheckOutputs(command.Outputs("--json", d.jsonOut, "--csv", d.csvOut), d.Inputs()...); err != nil {
		return err
	}
	if err := d.Extract(ctx, eval.CheckTraining); err != nil {
		return err
	}
	removal, err := removalFrom(d.Data.Fit.Samples, d.removal, d.background, d.Seed)
	if err != nil {
		return err
	}
	for i := range d.games {
		d.games[i].Options.Removal = removal
	}
	b := d.Counter("detectors", 0)
	defer b.Finish()
	study := downstream.Study{
		Data: d.Data, Line: d.LINeOptions, Games: d.games,
		Estimators: forPlayers(d.parsed, d.Network.FeatureDim()), Budgets: d.budgets, Seeds: seedList(d.Seed, d.seeds),
		Graph: d.GraphOptions(), Workers: d.Workers, BackwardCost: d.backwardCost, Progress: b.Set,
	}
	result, stopped := downstream.Measure(ctx, study)
	if stopped != nil && (result == nil || !command.Interrupted(ctx, stopped)) {
		return stopped
	}
	r := downstreamReport{command: d, result: result, partial: stopped != nil}
	// Files come before output: a broken pipe must not lose them.
	wrote := errors.Join(command.Write(d.jsonOut, r.writeJSON), command.Write(d.csvOut, r.writeCSV))
	return errors.Join(wrote, r.print(d.stdout), stopped)
}
