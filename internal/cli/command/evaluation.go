package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
)

// Evaluation is what commands share that fit on one set of images and measure on others.
type Evaluation struct {
	Common
	Net         Network
	LINe        LINe
	Fit, ID     string   // DATA arguments
	OOD         []string // NAME=DATA
	FeaturesDir string
	Needs       []string // of each picture beside features and logits, see [eval.Needs]

	// What Check, and then Extract, make of the flags.
	Sets        []NamedData
	LINeOptions line.Options
	Network     nets.Classifier
	WeightsSHA  string
	Data        eval.Data
}

// NamedData is a DATA argument with the name that it was given.
type NamedData struct{ Name, Spec string }

// Check parses what the flags say before anything is read.
func (e *Evaluation) Check() (err error) {
	if err := Required(append(e.Net.Needs(), "--fit", e.Fit, "--id", e.ID, "--ood", strings.Join(e.OOD, ""))...); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, o := range e.OOD {
		name, spec, ok := strings.Cut(o, "=")
		if !ok || name == "" || spec == "" {
			return Usagef("--ood %q: expected NAME=DATA", o)
		}
		if seen[name] {
			return Usagef("--ood: two sets are named %q", name)
		}
		if name == "average" {
			return Usagef("--ood: a set cannot be named %q, the table's last column", name)
		}
		seen[name] = true
		e.Sets = append(e.Sets, NamedData{name, spec})
	}
	e.LINeOptions, err = e.LINe.Options()
	return err
}

// Inputs are what the command reads.
func (e *Evaluation) Inputs() []Input {
	all := append(e.Net.Inputs(), InputData("--fit", e.Fit), InputData("--id", e.ID), InputFolder("--features-dir", e.FeaturesDir))
	for _, s := range e.Sets {
		all = append(all, InputData("--ood "+s.Name, s.Spec))
	}
	return all
}

// Extract opens the network and computes, or reads from the folder of kept features, the features of all sets. labels says
// what labels fitting needs.
func (e *Evaluation) Extract(ctx context.Context, labels func(set dataset.Dataset, classes int) error) (err error) {
	if e.Network, err = e.Net.Open(); err != nil {
		return err
	}
	if e.WeightsSHA, err = e.Net.SHA256(); err != nil {
		return err
	}
	sets, err := e.open(labels)
	defer closeSets(sets)
	if err != nil {
		return err
	}
	o, finish := e.EvalOptions()
	defer finish()
	x, err := NewExtractor(e.Network, e.FeaturesDir, e.WeightsSHA, o)
	if err != nil {
		return err
	}
	e.Data.Head = nets.HeadOf(e.Network)
	for i, set := range sets {
		s, err := x.Samples(ctx, set.name, set.Dataset)
		if err == nil {
			err = x.Extend(ctx, set.name, set.Dataset, &s, e.Needs)
		}
		if err != nil {
			return err
		}
		switch i {
		case 0:
			e.Data.Fit = eval.Set{Name: e.Fit, Samples: s}
		case 1:
			e.Data.ID = eval.Set{Name: e.ID, Samples: s}
		default:
			s.Labels = nil // labels of another label space mean nothing here
			e.Data.OOD = append(e.Data.OOD, eval.Set{Name: e.Sets[i-2].Name, Samples: s})
		}
	}
	return nil
}

// NewExtractor returns an extractor that keeps features in the folder of --features-dir, "" for none.
func NewExtractor(net nets.Classifier, dir, weightsSHA string, o eval.Options) (*eval.Extractor, error) {
	if dir != "" {
		if err := MakeFolder("--features-dir", dir); err != nil {
			return nil, err
		}
	}
	x, err := eval.NewExtractor(net, o)
	if err != nil {
		return nil, err
	}
	x.Dir, x.Weights = dir, weightsSHA
	return x, nil
}

// imageSet is one DATA argument, opened.
type imageSet struct {
	dataset.Dataset
	name string // what progress and the kept features call it
}

// open opens all sets, and checks what can be checked of them before the work begins. The caller closes those returned.
func (e *Evaluation) open(labels func(set dataset.Dataset, classes int) error) (sets []imageSet, err error) {
	add := func(name string, open func() (dataset.Dataset, error)) {
		if err != nil {
			return
		}
		var set dataset.Dataset
		if set, err = open(); err == nil {
			sets = append(sets, imageSet{set, name})
		}
	}
	add("fit", func() (dataset.Dataset, error) { return e.Net.Data("--fit", e.Fit) })
	add("id", func() (dataset.Dataset, error) { return e.Net.Data("--id", e.ID) })
	for _, s := range e.Sets {
		add("ood-"+s.Name, func() (dataset.Dataset, error) { return openOOD(s) })
	}
	if err != nil {
		return sets, err
	}
	if e.Net.ClassNames == "" {
		sets[1].Dataset = eval.AlignClasses(sets[1].Dataset, sets[0].Dataset)
	}
	if err := labels(sets[0], e.Network.Classes()); err != nil {
		return sets, fmt.Errorf("--fit %w", err)
	}
	if err := eval.CheckLabels(sets[1], e.Network.Classes()); err != nil {
		return sets, fmt.Errorf("--id %w", err)
	}
	return sets, nil
}

// openOOD opens images whose classes are none of the network's.
func openOOD(s NamedData) (dataset.Dataset, error) {
	set, err := dataset.Open(s.Spec)
	if err != nil {
		return nil, fmt.Errorf("--ood %s: %w", s.Name, err)
	}
	return set, nil
}

func closeSets(sets []imageSet) {
	for _, s := range sets {
		s.Close()
	}
}
