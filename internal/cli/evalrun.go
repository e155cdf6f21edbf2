package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets/weights"
)

func (e *evaluation) run(ctx context.Context) (err error) {
	if err := e.check(); err != nil {
		return err
	}
	outputs := []file{{"--json", e.jsonOut}, {"--csv", e.csvOut}, {"--report", e.htmlOut}}
	if err := checkOutputs(outputs, e.inputs()...); err != nil {
		return err
	}
	if err := e.extract(ctx); err != nil {
		return err
	}
	var methods []posthoc.Method
	for _, name := range e.methods {
		m, err := posthoc.New(name, posthoc.Options{Params: e.methodParams[name], Workers: e.workers})
		if err != nil {
			return err
		}
		methods = append(methods, m)
	}
	found, err := eval.Run(ctx, e.data, methods, eval.RunOptions{Resamples: e.resamples, Seed: e.seed})
	if err != nil {
		return err
	}
	return e.write(found.Report(e.network.Name(), report.Weights{File: e.net.weights, SHA256: e.weightsSHA}), found.Scores)
}

// inputs are what the command reads.
func (e *evaluation) inputs() []input {
	all := []input{inputFile("--weights", e.net.weights), inputData("--fit", e.fit), inputData("--id", e.id),
		inputFolder("--features-dir", e.featuresDir)}
	for i, spec := range e.oodSpecs {
		all = append(all, inputData("--ood "+e.oodNames[i], spec))
	}
	return all
}

// extract opens the network and computes, or reads from the folder of kept features, the features of all sets.
func (e *evaluation) extract(ctx context.Context) (err error) {
	if e.network, err = e.net.open(); err != nil {
		return err
	}
	if e.weightsSHA, err = weights.SHA256(e.net.weights); err != nil {
		return err
	}
	sets, err := e.open()
	defer closeSets(sets)
	if err != nil {
		return err
	}
	if e.featuresDir != "" {
		if err := makeFolder("--features-dir", e.featuresDir); err != nil {
			return err
		}
	}
	o, finish := e.evalOptions()
	defer finish()
	x, err := eval.NewExtractor(e.network, o)
	if err != nil {
		return err
	}
	x.Dir, x.Weights = e.featuresDir, e.weightsSHA
	e.data.Head = eval.Head(e.network)
	for i, set := range sets {
		s, err := x.Samples(ctx, set.name, set.Dataset)
		if err != nil {
			return err
		}
		switch i {
		case 0:
			e.data.Fit = eval.Set{Name: e.fit, Samples: s}
		case 1:
			e.data.ID = eval.Set{Name: e.id, Samples: s}
		default:
			s.Labels = nil // labels of another label space mean nothing here
			e.data.OOD = append(e.data.OOD, eval.Set{Name: e.oodNames[i-2], Samples: s})
		}
	}
	return nil
}

// imageSet is one DATA argument, opened.
type imageSet struct {
	dataset.Dataset
	name string // what progress and the kept features call it
}

// open opens all sets, and checks what can be checked of them before the work begins. The caller closes those returned.
func (e *evaluation) open() (sets []imageSet, err error) {
	add := func(flag, name, spec string) {
		if err != nil {
			return
		}
		var set dataset.Dataset
		if set, err = dataset.Open(spec); err != nil {
			err = fmt.Errorf("%s: %w", flag, err)
			return
		}
		sets = append(sets, imageSet{set, name})
	}
	add("--fit", "fit", e.fit)
	add("--id", "id", e.id)
	for i, name := range e.oodNames {
		add("--ood "+name, "ood-"+name, e.oodSpecs[i])
	}
	if err != nil {
		return sets, err
	}
	check := eval.CheckLabels
	if slices.Contains(e.methods, "line") {
		check = eval.CheckTraining
	}
	if err := check(sets[0], e.network.Classes()); err != nil {
		return sets, fmt.Errorf("--fit %w", err)
	}
	if err := eval.CheckLabels(sets[1], e.network.Classes()); err != nil {
		return sets, fmt.Errorf("--id %w", err)
	}
	return sets, nil
}

func closeSets(sets []imageSet) {
	for _, s := range sets {
		s.Close()
	}
}
