package attribute

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/interactions"
	"github.com/line-ood/goline/internal/cli/command"
)

// interactionsCommand is one "attribute interactions" command line.
type interactionsCommand struct {
	command.Common
	gameFlags
	stopping
	indexName       string
	among           int
	players         []int
	top             int
	csvOut, jsonOut string
	stdout          io.Writer
	index           interactions.Index
	options         attribution.Options
	plan            plan
}

func newInteractions() *cobra.Command {
	var c interactionsCommand
	cmd := &cobra.Command{
		Use:   "interactions --net NAME --weights FILE --data DATA",
		Short: "Estimate what pairs of neurons do together",
		Long: `Estimate the interactions of pairs of neurons in the value of images, or of classes: positive where two neurons help each other,
negative where one does what the other does already, zero where their contributions add up.

  sii      the Shapley interaction index; single neurons have their Shapley values
  k-sii    the same for pairs, single neurons less half of their interactions, so that all sum to the value; needs all neurons
  banzhaf  the Banzhaf interaction index, in which all coalitions count alike

With up to 20 players and a budget of all their coalitions interactions are exact. Otherwise samples evaluate the second differences of
all pairs at random coalitions, which takes about as many forward passes as there are pairs, twice; --among looks only at pairs among
the neurons with the largest contributions, as "recommended" estimates them with a tenth of the budget first, and --player at
pairs among the neurons named. Intervals are given from 30 samples on.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.stdout = cmd.OutOrStdout()
			if err := c.check(cmd.Flags().Changed("images"), cmd.Flags().Changed("among")); err != nil {
				return err
			}
			return c.run(cmd.Context())
		},
	}
	c.Common.Register(cmd)
	c.gameFlags.register(cmd, 1)
	c.stopping.register(cmd)
	f := cmd.Flags()
	f.StringVar(&c.indexName, "index", "sii", "interaction index: sii, k-sii or banzhaf")
	f.IntVar(&c.among, "among", 20,
		"pairs among so many neurons, those with the largest contributions; 0 for all, which k-sii takes")
	f.IntSliceVar(&c.players, "player", nil,
		"pairs among these neurons (or channels, groups), counted from 0, instead of --among")
	f.IntVar(&c.top, "top", 10, "pairs to print, the largest first; 0 for none")
	f.StringVar(&c.csvOut, "csv", "", "CSV `FILE` to write")
	f.StringVar(&c.jsonOut, "json", "", "JSON `FILE` to write")
	return cmd
}

func (c *interactionsCommand) check(imagesGiven, amongGiven bool) (err error) {
	if c.index, err = interactions.ParseIndex(c.indexName); err != nil {
		return command.Usagef("--index %q: expected sii, k-sii or banzhaf", c.indexName)
	}
	if c.options, err = c.stopping.options(&c.Common); err != nil {
		return err
	}
	switch {
	case c.top < 0:
		return command.Usagef("--top %d: expected 0 or more", c.top)
	case c.among < 0:
		return command.Usagef("--among %d: expected 0 or more", c.among)
	case amongGiven && c.players != nil:
		return command.Usagef("--among and --player exclude each other")
	case c.index == interactions.KSII && (c.players != nil || amongGiven && c.among > 0):
		return command.Usagef("--index k-sii needs all neurons, not --among or --player")
	case c.index == interactions.KSII:
		c.among = 0
	}
	seen := map[int]bool{}
	for _, p := range c.players {
		if p < 0 || seen[p] {
			return command.Usagef("--player %v: expected different numbers counted from 0", c.players)
		}
		seen[p] = true
	}
	slices.Sort(c.players)
	if c.plan, err = c.gameFlags.check(imagesGiven); err != nil {
		return err
	}
	return command.CheckOutputs(command.Outputs("--csv", c.csvOut, "--json", c.jsonOut), c.plan.inputs()...)
}

// interactionsFound holds the interactions in one game.
type interactionsFound struct {
	subject  *subject
	estimate interactions.Estimate
	chosenBy string // the estimator by which the players were chosen, "" for none
	choosing attribution.Cost
}

func (c *interactionsCommand) run(ctx context.Context) error {
	s, err := newStage(&c.Common, c.plan)
	if err != nil {
		return err
	}
	subjects, err := s.subjects(ctx)
	if err != nil {
		return err
	}
	r := interactionsReport{stage: s, found: nil}
	var stopped error
	for i := range subjects {
		f, err := c.one(ctx, &subjects[i])
		if f.estimate.Pairs != nil {
			r.found = append(r.found, f)
		}
		if err != nil {
			stopped = fmt.Errorf("%s: %w", subjects[i].Name, err)
			break
		}
	}
	if stopped != nil && (len(r.found) == 0 || !command.Interrupted(ctx, stopped)) {
		return stopped
	}
	r.partial = stopped != nil
	// Files come before output: a broken pipe must not lose them.
	wrote := errors.Join(command.Write(c.csvOut, r.writeCSV), command.Write(c.jsonOut, r.writeJSON))
	return errors.Join(wrote, r.print(c.stdout, c.top), stopped)
}

// one estimates the interactions in one game.
func (c *interactionsCommand) one(ctx context.Context, s *subject) (interactionsFound, error) {
	f := interactionsFound{subject: s}
	n := s.Game.Players()
	o := c.options
	b := c.Counter(s.Name+" "+c.index.String(), o.Samples)
	defer b.Finish()
	all := c.among == 0 || c.among >= n
	if c.players == nil && all && n <= attribution.MaxEnumerated && o.Samples == 0 && o.TargetStdErr == 0 &&
		(o.Budget == 0 || o.Budget >= attribution.ForwardsPerValue(s.Game)*math.Ldexp(1, n)) {
		o.Progress = b.Set
		var err error
		f.estimate, err = interactions.Exact{Index: c.index}.Estimate(ctx, s.Game, o)
		return f, err
	}
	players := c.players
	for _, p := range players {
		if p >= n {
			return f, command.Usagef("--player %d: there are %d players", p, n)
		}
	}
	if players == nil && !all {
		var err error
		if players, err = c.choose(ctx, s, &f); err != nil {
			return f, err
		}
		if o.Budget > 0 {
			o.Budget -= f.choosing.Equivalents
		}
	}
	o.Progress = b.Set
	var err error
	f.estimate, err = interactions.Sampled{Index: c.index, Among: players}.Estimate(ctx, s.Game, o)
	if errors.Is(err, attribution.ErrBudget) {
		return f, command.Usagef("--budget %s: %w; raise it, or look at fewer pairs with --among or --player",
			figure(c.options.Budget), err)
	}
	return f, err
}

// choose returns the players with the largest contributions by magnitude, estimated with a tenth of the budget.
func (c *interactionsCommand) choose(ctx context.Context, s *subject, f *interactionsFound) ([]int, error) {
	o := attribution.Options{Budget: c.options.Budget / 10, Seed: c.Seed, Workers: c.Workers,
		BackwardCost: c.options.BackwardCost}
	if o.Budget == 0 {
		o.Budget = defaultBudget / 10
	}
	found, err := estimate.Recommended{}.Estimate(ctx, s.Game, o)
	if errors.Is(err, attribution.ErrBudget) {
		return nil, command.Usagef("--among %d: %w; raise --budget, or name neurons with --player", c.among, err)
	}
	if err != nil {
		return nil, fmt.Errorf("choosing %d of %d players: %w", c.among, s.Game.Players(), err)
	}
	f.chosenBy, f.choosing = found.Method, found.Cost
	sizes := make([]float64, len(found.Values))
	for i, v := range found.Values {
		sizes[i] = math.Abs(v)
	}
	players := estimate.Largest(sizes, c.among)
	slices.Sort(players)
	return players, nil
}
