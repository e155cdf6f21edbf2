package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/line/downstream"
)

// downstreamCommand is one "attribute downstream" command line. It takes its sets as eval does.
type downstreamCommand struct {
	evaluation
	values, estimators []string
	budgets            numberList
	seeds, background  int
	removal            string
	backwardCost       float64
	parsed             []attribution.Estimator
	games              []downstream.Game
}

func newAttributeDownstream() *cobra.Command {
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
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out = cmd.OutOrStdout()
			if err := d.check(); err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	d.common.register(cmd)
	d.net.register(cmd)
	d.line.register(cmd)
	registerBackward(cmd, &d.backwardCost)
	f := cmd.Flags()
	f.StringVar(&d.fit, "fit", "", "labelled training images that contributions are measured on: `DATA`")
	f.StringVar(&d.id, "id", "", "in-distribution test images: `DATA`")
	f.StringArrayVar(&d.ood, "ood", nil, "out-of-distribution test images: `NAME=DATA`; repeatable")
	f.StringSliceVar(&d.values, "values", []string{"logit", "probability", "log-probability", "log-sum-exp"}, "what is attributed: logit, probability, log-probability, log-sum-exp, margin")
	f.StringSliceVar(&d.estimators, "estimators", []string{"gradient-activation", "integrated-gradients", "permutation", "antithetic", "owen-halved", "kernelshap-paired"}, "estimators to try, by name")
	d.budgets = numberList{4, 100, 1000}
	f.Var(&d.budgets, "budgets", "forward passes to spend for each training image, a backward counted too; gradient × activation takes 4")
	f.IntVar(&d.seeds, "seeds", 3, "runs of each estimator that samples, with seeds from --seed on")
	f.StringVar(&d.removal, "removal", "zero", "what a removed neuron becomes: zero, mean or resample")
	f.IntVar(&d.background, "background", 10, "images of --fit that --removal resample draws from, chosen by --seed")
	f.StringVar(&d.featuresDir, "features-dir", "", "`FOLDER` to keep features in, shared with goline eval")
	f.StringVar(&d.jsonOut, "json", "", "JSON `FILE` to write, with all runs")
	f.StringVar(&d.csvOut, "csv", "", "CSV `FILE` to write, one line for each run and set")
	return cmd
}

// check parses what the flags say before anything is read.
func (d *downstreamCommand) check() (err error) {
	d.methods = []string{"line"} // of eval, whose sets and detector these are
	if err := d.evaluation.check(); err != nil {
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
		return usagef("--values names none")
	}
	for _, name := range d.values {
		name = strings.TrimSpace(name)
		v, err := attribution.ParseValue(name)
		if err != nil {
			return usagef("--values %q: expected logit, probability, log-probability, log-sum-exp or margin", name)
		}
		for _, g := range d.games {
			if g.Name == name {
				return usagef("--values: %s is named twice", name)
			}
		}
		d.games = append(d.games, downstream.Game{Name: name, Options: games.PenultimateOptions{Value: v}})
	}
	switch {
	case d.seeds < 1 || d.seeds > maxSeeds:
		return usagef("--seeds %d: expected 1 to %d", d.seeds, maxSeeds)
	case d.seed+uint64(d.seeds) > 1<<32:
		return usagef("--seed %d: expected less than 2^32", d.seed)
	case d.background < 1:
		return usagef("--background %d: expected at least 1", d.background)
	case d.removal == "class-mean":
		return usagef("--removal class-mean: what the images of a class add to their own mean is zero on average, so nothing is left to keep neurons by")
	case !slices.Contains([]string{"zero", "mean", "resample"}, d.removal):
		return usagef("--removal %q: expected zero, mean or resample", d.removal)
	}
	return nil
}

func (d *downstreamCommand) run(ctx context.Context) (err error) {
	if err := checkOutputs([]file{{"--json", d.jsonOut}, {"--csv", d.csvOut}}, d.inputs()...); err != nil {
		return err
	}
	if err := d.extract(ctx); err != nil {
		return err
	}
	removal, err := removalFrom(d.data.Fit.Samples, d.removal, d.background, d.seed)
	if err != nil {
		return err
	}
	for i := range d.games {
		d.games[i].Options.Removal = removal
	}
	b := d.counter("detectors", 0)
	defer b.finish()
	study := downstream.Study{
		Data: d.data, Line: d.lineOptions, Games: d.games,
		Estimators: forPlayers(d.parsed, d.network.Dim()), Budgets: d.budgets, Seeds: seedList(d.seed, d.seeds),
		Graph: d.common.options(), Workers: d.workers, BackwardCost: d.backwardCost, Progress: b.set,
	}
	result, stopped := downstream.Measure(ctx, study)
	if stopped != nil && (result == nil || ctx.Err() == nil || !errors.Is(stopped, ctx.Err())) {
		return stopped
	}
	r := downstreamReport{command: d, result: result, partial: stopped != nil}
	var errs []error // files come first: a pipe that breaks must not lose them
	for path, write := range map[string]func(io.Writer) error{d.jsonOut: r.writeJSON, d.csvOut: r.writeCSV} {
		if path != "" {
			errs = append(errs, atomicfile.Write(path, write))
		}
	}
	return errors.Join(append(errs, r.print(d.out), stopped)...)
}
