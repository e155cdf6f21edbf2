package eval

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// Validation holds the data on which parameters are chosen. Its sets Fit, ID and OOD have the roles that they have in
// [Run], but no test picture is among them.
type Validation struct {
	Data   Data // what to hand to [Run] or [Tune]
	Pseudo bool // whether the OOD sets are made from ID pictures, see [PseudoOOD]
}

// Choose is [Tune] on the validation data. It also returns the search in the form that reports show.
func (v *Validation) Choose(ctx context.Context, name string, fixed map[string]float64,
	workers int) (*Choice, *report.Tuning, error) {
	c, err := Tune(ctx, name, v.Data, fixed, workers)
	if err != nil {
		return nil, nil, err
	}
	t := &report.Tuning{ID: v.Data.ID.Name, Pseudo: v.Pseudo}
	for _, set := range v.Data.OOD {
		t.OOD = append(t.OOD, set.Name)
	}
	for _, trial := range c.Trials {
		t.Trials = append(t.Trials, report.Trial{Params: trial.Params, AUROC: trial.AUROC, FPR95: trial.FPR95})
	}
	return c, t, nil
}

// ChooseAll is [Validation.Choose] for each of the methods. It returns the parameters chosen and the searches, by
// method.
func (v *Validation) ChooseAll(ctx context.Context, names []string, fixed map[string]map[string]float64,
	workers int) (map[string]map[string]float64, map[string]*report.Tuning, error) {
	choices, searches := map[string]map[string]float64{}, map[string]*report.Tuning{}
	for _, name := range names {
		choice, search, err := v.Choose(ctx, name, fixed[name], workers)
		if err != nil {
			return nil, nil, err
		}
		choices[name], searches[name] = choice.Params, search
	}
	return choices, searches, nil
}

// ErrFewPictures is wrapped by the error of HeldOut where there are too few pictures to hold some out.
var ErrFewPictures = errors.New("fewer than four pictures of every class")

// HoldOut splits n samples by their labels, which may be nil: a quarter of each class, rounded down, is held out, and
// a quarter of the samples without a label. The seed determines which. Both parts are ascending indices.
func HoldOut(labels []int, n int, seed uint64) (rest, held []int) {
	of := map[int][]int{}
	for i := range n {
		label := -1
		if labels != nil {
			label = labels[i]
		}
		of[label] = append(of[label], i)
	}
	for label, indices := range of {
		rng := rand.New(rand.NewPCG(seed, uint64(int64(label))))
		rng.Shuffle(len(indices), func(a, b int) { indices[a], indices[b] = indices[b], indices[a] })
		quarter := len(indices) / 4
		held, rest = append(held, indices[:quarter]...), append(rest, indices[quarter:]...)
	}
	slices.Sort(held)
	slices.Sort(rest)
	return rest, held
}

// HeldOut makes validation data where no other pictures are available. It holds out a quarter of the pictures that
// methods would be fitted to, see [HoldOut], and methods are fitted to the other three quarters. With pseudo, OOD
// sets are made of the held-out pictures by [PseudoOOD]. fit holds the samples of pictures, with the needs that
// [Extractor.Extend] added. Pictures marked in drop (nil for none) are not held out. It returns an error that wraps
// ErrFewPictures where nothing can be held out.
func (x *Extractor) HeldOut(
	ctx context.Context, head posthoc.Head, fit Set, pictures dataset.Dataset, needs []string, drop []bool, pseudo bool,
	seed uint64,
) (*Validation, error) {
	rest, held := HoldOut(fit.Labels, fit.N, seed)
	held = slices.DeleteFunc(held, func(i int) bool { return drop != nil && drop[i] })
	if len(held) == 0 {
		return nil, fmt.Errorf("%s: %w", pictures.Name(), ErrFewPictures)
	}
	v := &Validation{Pseudo: pseudo, Data: Data{
		Head: head, Fit: Set{Name: "three quarters of " + fit.Name, Samples: fit.Subset(rest)},
		ID: Set{Name: "a quarter of " + fit.Name, Samples: fit.Subset(held)},
	}}
	if !pseudo {
		return v, nil
	}
	some, err := dataset.Subset(pictures, held)
	if err != nil {
		return nil, err
	}
	v.Data.OOD, err = x.Pseudo(ctx, some, needs, seed)
	return v, err
}

// Pseudo returns the samples of the sets that [PseudoOOD] makes of pictures, with the values that needs name; see
// [Extractor.Extend].
func (x *Extractor) Pseudo(ctx context.Context, pictures dataset.Dataset, needs []string,
	seed uint64) (sets []Set, err error) {
	for _, set := range PseudoOOD(pictures, seed) {
		name := "pseudo-" + set.Name()
		s, err := x.Samples(ctx, name, set)
		if err == nil {
			err = x.Extend(ctx, name, set, &s, needs)
		}
		if err != nil {
			return nil, err
		}
		sets = append(sets, Set{Name: set.Name(), Samples: s})
	}
	return sets, nil
}

// TuneNeeds lists what a known method needs of each picture besides features and logits (see [Needs]) in any of the
// settings that [Tune] tries.
func TuneNeeds(name string, fixed map[string]float64) ([]string, error) {
	params, err := posthoc.Parameters(name)
	if err != nil {
		return nil, err
	}
	var all []posthoc.Method
	for setting := range combinations(params, fixed) {
		m, err := posthoc.New(name, posthoc.Options{Params: setting})
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return Needs(all...), nil
}
