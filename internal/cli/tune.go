package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets"
)

// tuning holds the flags of a search for parameters.
type tuning struct {
	mode   string
	idVal  string
	oodVal []string

	sets []command.NamedData // the parsed oodVal
}

// Values of --tune.
const (
	tuneOff  = "off"
	tuneOn   = "on"
	tuneBoth = "both"
)

func (t *tuning) register(f *pflag.FlagSet) {
	f.StringVar(&t.mode, "tune", tuneOff,
		"choose the parameters of every method on validation images: `off`, on, or both for rows of both; --tune "+
			"alone is on")
	f.Lookup("tune").NoOptDefVal = tuneOn
	f.StringVar(&t.idVal, "id-val", "", "in-distribution validation images of --tune: `DATA`, [format:]path")
	f.StringArrayVar(&t.oodVal, "ood-val", nil,
		"out-of-distribution validation images of --tune: `NAME=DATA`; repeatable")
}

func (t *tuning) on() bool   { return t.mode == tuneOn || t.mode == tuneBoth }
func (t *tuning) both() bool { return t.mode == tuneBoth }

// take uses the validation sets of a benchmark for a search that has none of its own.
func (t *tuning) take(b dataset.OpenOODBenchmark) {
	if !t.on() || t.idVal != "" || len(t.oodVal) > 0 {
		return
	}
	t.idVal, t.oodVal = b.Val, []string{b.ValOOD.Name + "=" + b.ValOOD.Data}
}

func (t *tuning) check() error {
	if !slices.Contains([]string{tuneOff, tuneOn, tuneBoth}, t.mode) {
		return command.Usagef("--tune %q: expected off, on or both", t.mode)
	}
	if !t.on() && (t.idVal != "" || len(t.oodVal) > 0) {
		return command.Usagef("--id-val and --ood-val are images of --tune")
	}
	seen := map[string]bool{}
	for _, argument := range t.oodVal {
		d, err := command.ParseNamedData("--ood-val", argument)
		if err != nil {
			return err
		}
		if seen[d.Name] {
			return command.Usagef("--ood-val: two sets are named %q", d.Name)
		}
		seen[d.Name] = true
		t.sets = append(t.sets, d)
	}
	return nil
}

// inputs returns the files that the search reads.
func (t *tuning) inputs() []command.Input {
	inputs := []command.Input{command.InputData("--id-val", t.idVal)}
	for _, s := range t.sets {
		inputs = append(inputs, command.InputData("--ood-val "+s.Name, s.Spec))
	}
	return inputs
}

// search chooses the parameters of every method that has a grid. It returns nil where no search is asked for.
func (e *evalCommand) search(ctx context.Context,
	c *command.Evaluation) (map[string]map[string]float64, map[string]*report.Tuning, error) {
	if !e.tuning.on() {
		return nil, nil, nil
	}
	var names, needs []string
	for _, name := range e.methods {
		k, err := posthoc.LookUp(name)
		if err != nil {
			return nil, nil, err
		}
		if !eval.Tunable(k) {
			continue
		}
		more, err := eval.TuneNeeds(name, e.fixed[name])
		if err != nil {
			return nil, nil, err
		}
		names, needs = append(names, name), append(needs, more...)
	}
	slices.Sort(needs)
	v, err := e.validation(ctx, c, slices.Compact(needs))
	if err != nil {
		return nil, nil, err
	}
	return v.ChooseAll(ctx, names, e.fixed, e.Workers)
}

// validation opens the validation sets, fails where they share pictures that they must not share, and extracts their
// features.
func (e *evalCommand) validation(ctx context.Context, c *command.Evaluation, needs []string) (*eval.Validation, error) {
	var sets []command.ImageSet // those of --ood-val, after that of --id-val if there is one
	defer func() {
		for _, s := range sets {
			s.Close()
		}
	}()
	if e.tuning.idVal != "" {
		set, err := c.OpenID("--id-val", e.tuning.idVal)
		if err != nil {
			return nil, err
		}
		sets = append(sets, command.ImageSet{Dataset: set, Kept: "val-id", Flag: "--id-val"})
		if err := eval.CheckLabels(set, c.Network.Classes()); err != nil {
			return nil, fmt.Errorf("--id-val %w", err)
		}
	}
	for _, s := range e.tuning.sets {
		set, err := command.OpenOOD(s)
		if err != nil {
			return nil, err
		}
		sets = append(sets, command.ImageSet{Dataset: set, Kept: "val-ood-" + s.Name, Flag: "--ood-val " + s.Name})
	}
	drop, err := e.disjoint(ctx, c, sets)
	if err != nil {
		return nil, err
	}
	fit, err := c.Samples(ctx, c.Images[0], needs)
	if err != nil {
		return nil, err
	}
	head, fitSet := nets.HeadOf(c.Network), eval.Set{Name: e.Fit, Samples: fit}
	ood := sets
	v := &eval.Validation{Data: eval.Data{Head: head, Fit: fitSet}}
	if e.tuning.idVal != "" {
		ood = sets[1:]
		s, err := c.Samples(ctx, sets[0], needs)
		if err != nil {
			return nil, err
		}
		v.Data.ID = eval.Set{Name: e.tuning.idVal, Samples: s}
	} else if v, err = c.Extractor.HeldOut(ctx, head, fitSet, c.Images[0].Dataset, needs, drop, len(ood) == 0,
		e.Seed); err != nil {
		if errors.Is(err, eval.ErrFewPictures) {
			return nil, fmt.Errorf("--tune: --fit %w; name others by --id-val", err)
		}
		return nil, err
	}
	if e.tuning.idVal != "" && len(ood) == 0 {
		v.Pseudo = true
		v.Data.OOD, err = c.Extractor.Pseudo(ctx, sets[0].Dataset, needs, e.Seed)
		return v, err
	}
	for i, set := range ood {
		s, err := c.Samples(ctx, set, needs)
		if err != nil {
			return nil, err
		}
		s.Labels = nil
		v.Data.OOD = append(v.Data.OOD, eval.Set{Name: e.tuning.sets[i].Name, Samples: s})
	}
	return v, nil
}

// disjoint fails where a validation picture is in a test set, a picture of --id-val in --fit, or a picture in two
// validation sets. Without --id-val it marks the pictures of --fit that are also in another set, because they are not
// held out.
func (e *evalCommand) disjoint(ctx context.Context, c *command.Evaluation,
	validation []command.ImageSet) (drop []bool, err error) {
	hash := func(s command.ImageSet) (eval.Pictures, error) {
		hashes, err := c.Extractor.Hashes(ctx, s.Kept, s.Dataset)
		return eval.Pictures{Name: s.Flag, Set: s.Dataset, Hashes: hashes}, err
	}
	var others []eval.Pictures // that of --fit first
	for _, s := range c.Images {
		p, err := hash(s)
		if err != nil {
			return nil, err
		}
		others = append(others, p)
	}
	fit, tests := others[0], others[1:]
	var before []eval.Pictures
	for _, s := range validation {
		p, err := hash(s)
		if err != nil {
			return nil, err
		}
		if err := p.CheckDisjoint(slices.Concat(tests, before)...); err != nil {
			return nil, err
		}
		if s.Flag == "--id-val" {
			if err := p.CheckDisjoint(fit); err != nil {
				return nil, err
			}
		}
		before = append(before, p)
	}
	if e.tuning.idVal != "" {
		return nil, nil
	}
	drop = fit.Shared(slices.Concat(tests, before)...)
	n := 0
	for _, shared := range drop {
		if shared {
			n++
		}
	}
	if n > 0 {
		fmt.Fprintf(e.Stderr,
			"goline: note: %d of %d pictures of --fit are in other sets too; parameters are not chosen on them\n", n,
			len(drop))
	}
	return drop, nil
}

// facts returns what parameters were chosen on, for the report.
func (t *tuning) facts() []report.Fact {
	if !t.on() {
		return nil
	}
	id, ood := t.idVal, "pictures made of the ID ones: patches and pixels shuffled, blends"
	if id == "" {
		id = "a quarter of the fitted pictures"
	}
	if len(t.oodVal) > 0 {
		ood = strings.Join(t.oodVal, ", ")
	}
	return []report.Fact{{Name: "Parameters chosen by", Value: report.TuningRule}, {Name: "on ID pictures", Value: id},
		{Name: "and OOD pictures", Value: ood}}
}
