package attribute

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/internal/cli/command"
)

// valuesCommand is one "attribute values" command line.
type valuesCommand struct {
	command.Common
	gameFlags
	stopping
	estimators                  []string
	forecast                    bool
	top                         int
	csvOut, jsonOut, parquetOut string
	figure                      string
	stdout                      io.Writer
	parsed                      []attribution.Estimator
	plan                        plan
	estimatorOptions            attribution.Options
}

func newValues() *cobra.Command {
	var v valuesCommand
	cmd := &cobra.Command{
		Use:   "values --net NAME --weights FILE --data DATA",
		Short: "Estimate the Shapley values of neurons, with intervals",
		Long: `Estimate what each neuron of a layer contributes to the value of images, or of classes, and print the neurons with the largest
values. CSV and JSON hold all of them, with standard errors and 95 % intervals. What is recommended is exact for a logit of
penultimate neurons; where it has the smallest error but no intervals, --target-stderr or another estimator gives them.
Gradient × activation, integrated gradients and exact results have no sampling error; that they may be off by their own
approximation is nothing an interval tells. A figure shows the neurons of the first game by all its estimators, and where they
feed the last layer their weights to the game's class.

An interrupt ends sampling: what is known by then is printed and written with its intervals, marked as partial, and the exit
status is 130.

` + estimatorHelp,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v.stdout = cmd.OutOrStdout()
			if err := v.check(cmd.Flags().Changed("images")); err != nil {
				return err
			}
			return v.run(cmd.Context())
		},
	}
	v.Common.Register(cmd)
	v.gameFlags.register(cmd, 1)
	v.stopping.register(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&v.estimators, "estimators", []string{"recommended"}, "estimators, by name")
	f.BoolVar(&v.forecast, "forecast", false, "print first what each estimate will take, from short pilot runs")
	f.IntVar(&v.top, "top", 10, "neurons to print, the largest first; 0 for none")
	f.StringVar(&v.csvOut, "csv", "", "CSV `FILE` to write")
	f.StringVar(&v.jsonOut, "json", "", "JSON `FILE` to write")
	f.StringVar(&v.parquetOut, "parquet", "",
		"Parquet `FILE` to write, a row for each estimate, with lists of values and standard errors")
	f.StringVar(&v.figure, "figure", "",
		"`FILE` to draw the --top neurons of the first game in, at most 50: .png or .svg")
	return cmd
}

func (v *valuesCommand) check(imagesGiven bool) (err error) {
	if v.parsed, err = parseEstimators(v.estimators); err != nil {
		return err
	}
	if v.estimatorOptions, err = v.stopping.options(&v.Common); err != nil {
		return err
	}
	if v.top < 0 {
		return command.Usagef("--top %d: expected 0 or more", v.top)
	}
	if v.plan, err = v.gameFlags.check(imagesGiven); err != nil {
		return err
	}
	if err := v.checkFigure(); err != nil {
		return err
	}
	v.plan.path = wantsPath(v.parsed)
	return command.CheckOutputs(command.Outputs("--csv", v.csvOut, "--json", v.jsonOut, "--parquet", v.parquetOut,
		"--figure", v.figure), v.inputs()...)
}

// finding is an estimate of one game by one estimator.
type finding struct {
	subject  *subject
	estimate attribution.Estimate
	ranking  *estimate.Ranking // of top-k
}

func (v *valuesCommand) run(ctx context.Context) error {
	s, err := newStage(&v.Common, v.plan)
	if err != nil {
		return err
	}
	subjects, err := s.subjects(ctx)
	if err != nil {
		return err
	}
	found, stopped := v.estimate(ctx, subjects)
	if stopped != nil && (len(found) == 0 || !command.Interrupted(ctx, stopped)) {
		return stopped
	}
	r := valuesReport{stage: s, options: v.estimatorOptions, found: found, partial: stopped != nil}
	// Files come before output: a broken pipe must not lose them.
	wrote := errors.Join(command.Write(v.csvOut, r.writeCSV), command.Write(v.jsonOut, r.writeJSON),
		command.Write(v.parquetOut, r.writeParquet), r.draw(v.figure, v.top))
	return errors.Join(wrote, r.print(v.stdout, v.top), stopped)
}

// estimate runs all estimators on all games. If there is an error it returns the estimates before it, too.
func (v *valuesCommand) estimate(ctx context.Context, subjects []subject) (found []finding, err error) {
	for i := range subjects {
		s := &subjects[i]
		for _, e := range forPlayers(v.parsed, s.Game.Players()) {
			if v.forecast {
				text, err := predict(ctx, e, s.Game, v.estimatorOptions)
				if err != nil {
					return found, fmt.Errorf("%s: %w", s.Name, err)
				}
				fmt.Fprintf(v.Stderr, "forecast for %s: %s\n", s.Name, text)
			}
			f, err := v.one(ctx, s, e)
			if f.estimate.Values != nil {
				found = append(found, f)
			}
			if err != nil {
				return found, fmt.Errorf("%s: %w", s.Name, err)
			}
		}
	}
	return found, nil
}

// one estimates one game by one estimator, with the settings of the game.
func (v *valuesCommand) one(ctx context.Context, s *subject, e attribution.Estimator) (finding, error) {
	o := v.estimatorOptions
	b := v.Counter(s.Name+" "+e.Name(), o.Samples)
	defer b.Finish()
	o.Progress = b.Set
	f := finding{subject: s}
	if t, ok := e.(estimate.TopK); ok {
		r, err := t.Rank(ctx, s.Game, o)
		f.estimate, f.ranking = r.Estimate, &r
		return f, err
	}
	var err error
	f.estimate, err = e.Estimate(ctx, s.Game, o)
	return f, err
}
