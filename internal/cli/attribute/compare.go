package attribute

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/internal/cli/command"
)

// compareCommand is one "attribute compare" command line.
type compareCommand struct {
	command.Common
	gameFlags
	estimators                []string
	budgets                   numberList
	seeds, keep, resamples    int
	truthBudget, backwardCost float64
	outDir                    string
	imports                   []string
	imported                  []*compare.Imported
	stdout                    io.Writer
	parsed                    []attribution.Estimator
	plan                      plan
}

// everyEstimator lists the estimators that the commands compare by default.
var everyEstimator = []string{"recommended", "coalition-gradients", "coalition-gradients-unbiased",
	"proxy-adjusted", "gradient-activation", "integrated-gradients", "expected-gradients", "permutation", "antithetic",
	"stratified", "owen", "owen-halved", "kernelshap", "kernelshap-paired", "leverageshap", "odd-regression", "svarm",
	"svarm-stratified", topKept}

func newCompare() *cobra.Command {
	var c compareCommand
	cmd := &cobra.Command{
		Use:   "compare --net NAME --weights FILE --data DATA --out-dir DIR",
		Short: "Error against cost of Shapley estimators",
		Long: `Run estimators with several budgets and seeds on the games of many images, compare what they say with the truth, and write
  runs.csv           one line for each run: cost, time, and every measure of error
  cells.csv          one line for each estimator and budget: means with 95 % bootstrap bands
  truth.csv          where the truth of each game comes from, and how well it is known
  agreement.csv      how alike the estimates of several seeds are
  comparison.json    all of it with the settings
  error.png, .svg    mean squared error against forward passes; seconds.* against wall time; further measures likewise
  scatter-*.png      estimates of the first game with the largest budget against the truth
  overlap.png, .svg  share of the k largest neurons that each estimator finds there, for all k

The truth is the closed form where the game is linear, enumeration with up to 20 players, and otherwise antithetic
permutation sampling with --truth-budget, whose own error is reported. An interrupt writes the runs that were finished to
files whose names say partial.

--import puts other programs into the same tables: FILE holds the arrays estimator (its name), games [rows] (names as attribute play
gives them), budgets, evaluations and seconds [rows], ends [rows, 2] (the values of the empty and the grand coalition), values
[rows, players], and optionally seeds [rows] and std_err [rows, players]. attribution/testdata/peers.py writes such files.

` + estimatorHelp,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.stdout = cmd.OutOrStdout()
			if err := c.check(cmd.Flags().Changed("images")); err != nil {
				return err
			}
			return c.run(cmd.Context())
		},
	}
	c.Common.Register(cmd)
	c.gameFlags.register(cmd, 10)
	registerBackward(cmd, &c.backwardCost)
	f := cmd.Flags()
	f.StringSliceVar(&c.estimators, "estimators", everyEstimator, "estimators to compare, by name")
	c.budgets = numberList{342, 1000, 3420, 10000, 34200}
	f.Var(&c.budgets, "budgets", "forward passes to spend on each estimate, a backward counted too")
	f.IntVar(&c.seeds, "seeds", 5, "runs of each estimator that samples, with seeds from --seed on")
	f.Float64Var(&c.truthBudget, "truth-budget", 0,
		"forward passes for a truth that must be sampled; 0 for 100 times the largest budget")
	f.IntVar(&c.keep, "keep", 0, "k of precision@k; 0 for as many as LINe keeps at p_a = 90")
	f.IntVar(&c.resamples, "bootstrap", 1000, "resamples behind the bands")
	f.StringArrayVar(&c.imports, "import", nil,
		"npz `FILE` of estimates that another program made of the same games; may be given several times")
	f.StringVar(&c.outDir, "out-dir", "", "`FOLDER` to write to")
	return cmd
}

// maxSeeds limits the number of runs, so that a mistyped number does not ask for endless work.
const maxSeeds = 1 << 20

func (c *compareCommand) check(imagesGiven bool) (err error) {
	if err := command.Required("--out-dir", c.outDir); err != nil {
		return err
	}
	if c.parsed, err = parseEstimators(c.estimators); err != nil {
		return err
	}
	if err := checkBudgets(c.budgets); err != nil {
		return err
	}
	switch {
	case c.seeds < 1 || c.seeds > maxSeeds:
		return command.Usagef("--seeds %d: expected 1 to %d", c.seeds, maxSeeds)
	case !(c.truthBudget >= 0) || math.IsInf(c.truthBudget, 0):
		return command.Usagef("--truth-budget %v: expected 0 or more", c.truthBudget)
	case c.keep < 0:
		return command.Usagef("--keep %d: expected 0 or more", c.keep)
	case c.resamples < 1 || c.resamples > command.MaxResamples:
		return command.Usagef("--bootstrap %d: expected 1 to %d", c.resamples, command.MaxResamples)
	}
	if err := checkBackward(c.backwardCost); err != nil {
		return err
	}
	if c.truthBudget == 0 {
		c.truthBudget = 100 * slices.Max(c.budgets)
	}
	c.plan, err = c.gameFlags.check(imagesGiven)
	c.plan.path = wantsPath(c.parsed)
	return err
}

func checkBudgets(budgets []float64) error {
	if len(budgets) == 0 {
		return command.Usagef("--budgets names none")
	}
	seen := map[float64]bool{}
	for _, b := range budgets {
		if !(b > 0) || math.IsInf(b, 0) {
			return command.Usagef("--budgets %v: expected positive numbers", b)
		}
		if seen[b] {
			return command.Usagef("--budgets: %v is named twice", b)
		}
		seen[b] = true
	}
	return nil
}

// seedList returns n consecutive seeds from first on.
func seedList(first uint64, n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = first + uint64(i)
	}
	return out
}

func (c *compareCommand) run(ctx context.Context) error {
	inputs := c.plan.inputs()
	for _, path := range c.imports {
		m, err := compare.ReadImported(path)
		if err != nil {
			return fmt.Errorf("--import %w", err)
		}
		c.imported, inputs = append(c.imported, m), append(inputs, command.InputFile("--import", path))
	}
	if err := command.MakeFolder("--out-dir", c.outDir); err != nil {
		return err
	}
	var outputs []string
	for _, name := range compareFiles(c.names()) {
		outputs = append(outputs, "--out-dir", filepath.Join(c.outDir, name))
	}
	if err := command.CheckOutputs(command.Outputs(outputs...), inputs...); err != nil {
		return err
	}
	s, err := newStage(&c.Common, c.plan)
	if err != nil {
		return err
	}
	subjects, err := s.subjects(ctx)
	if err != nil {
		return err
	}
	if n := subjects[0].Game.Players(); c.keep > n {
		return command.Usagef("--keep %d: there are %d players", c.keep, n)
	}
	study, err := c.study(ctx, subjects)
	if err != nil {
		return err
	}
	comparison, stopped := compare.Compare(ctx, study)
	if stopped != nil && (comparison == nil || !command.Interrupted(ctx, stopped)) {
		return stopped
	}
	r := compareReport{stage: s, command: c, study: study, comparison: comparison, partial: stopped != nil}
	if stopped == nil {
		r.shown, stopped = c.show(ctx, study)
		if stopped != nil && !command.Interrupted(ctx, stopped) {
			return stopped
		}
		r.partial = stopped != nil
	}
	wrote := r.write(c.outDir) // files before output: a broken pipe must not lose them
	return errors.Join(wrote, r.print(c.stdout), stopped)
}

// truthStream is added to the seeds of sampled truths, so that a truth and the estimates that it judges do not share
// coalitions.
const truthStream = 1 << 63

// study computes the truth of every game and returns the study to run.
func (c *compareCommand) study(ctx context.Context, subjects []subject) (compare.Study, error) {
	st := compare.Study{
		Estimators: forPlayers(c.parsed, subjects[0].Game.Players()), Budgets: c.budgets,
		Seeds:    seedList(c.Seed, c.seeds),
		Imported: c.imported, K: c.keep, Level: intervalLevel, Resamples: c.resamples, Seed: c.Seed, Workers: c.Workers,
		BackwardCost: c.backwardCost,
	}
	b := c.Counter("truth", len(subjects))
	defer b.Finish()
	for i := range subjects {
		o := attribution.Options{Budget: c.truthBudget, Seed: (c.Seed + uint64(i)) ^ truthStream, Workers: c.Workers,
			BackwardCost: c.backwardCost}
		truth, err := compare.FindTruth(ctx, subjects[i].Game, o)
		if errors.Is(err, attribution.ErrBudget) {
			return st, command.Usagef("--truth-budget: %w", err)
		}
		if err != nil {
			return st, fmt.Errorf("truth of %s: %w", subjects[i].Name, err)
		}
		st.Subjects = append(st.Subjects, compare.Subject{Name: subjects[i].Name, Game: subjects[i].Game, Truth: truth})
		b.Add(1)
	}
	runs := c.Counter("runs", len(st.Subjects)*len(st.Estimators)*len(st.Budgets)*len(st.Seeds))
	st.Progress = func(done, total int) {
		runs.Set(done, total)
		if done == total {
			runs.Finish()
		}
	}
	return st, nil
}

// names returns the names of all estimators, imported ones last.
func (c *compareCommand) names() (out []string) {
	for _, e := range c.parsed {
		out = append(out, e.Name())
	}
	for _, m := range c.imported {
		out = append(out, m.Estimator)
	}
	return out
}

// show estimates the first game once more with the largest budget, for the figures of single games.
func (c *compareCommand) show(ctx context.Context, st compare.Study) ([]attribution.Estimate, error) {
	var out []attribution.Estimate
	o := attribution.Options{Budget: slices.Max(c.budgets), Seed: c.Seed, Workers: c.Workers,
		BackwardCost: c.backwardCost}
	for _, e := range st.Estimators {
		estimate, err := e.Estimate(ctx, st.Subjects[0].Game, o)
		if errors.Is(err, attribution.ErrBudget) || errors.Is(err, attribution.ErrNotDifferentiable) ||
			errors.Is(err, attribution.ErrNotLinear) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		out = append(out, estimate)
	}
	for _, m := range st.Imported {
		if found := m.Estimates(st.Subjects[0].Name, o.Budget,
			attribution.ForwardsPerValue(st.Subjects[0].Game)); found != nil {
			out = append(out, found[0])
		}
	}
	return out, nil
}
