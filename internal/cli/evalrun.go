package cli

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets/weights"
)

func (e *evaluation) run(ctx context.Context) (err error) {
	if err := e.check(); err != nil {
		return err
	}
	outputs := []file{{"--json", e.jsonOut}, {"--csv", e.csvOut}, {"--report", e.htmlOut}}
	if err := checkOutputs(outputs, file{"--weights", e.net.weights}, data("--fit", e.fit), data("--id", e.id)); err != nil {
		return err
	}
	if e.network, err = e.net.open(); err != nil {
		return err
	}
	if e.weightsSHA, err = weights.SHA256(e.net.weights); err != nil {
		return err
	}
	if err := e.extractAll(ctx); err != nil {
		return err
	}
	result := report.Result{
		Net:     e.network.Name(),
		Weights: report.Weights{File: e.net.weights, SHA256: e.weightsSHA},
		Seed:    e.seed,
		ID:      report.ID{N: e.idSet.N, Accuracy: e.accuracy, AccuracyCI: e.accuracyCI},
	}
	if e.resamples > 0 {
		result.Bootstrap = &report.Bootstrap{Resamples: e.resamples, Level: bootstrapLevel}
	}
	for _, name := range e.methods {
		m, err := e.measure(ctx, name)
		if err != nil {
			return err
		}
		result.Methods = append(result.Methods, m)
	}
	return e.write(result)
}

const bootstrapLevel = 0.95

// imageSet is one DATA argument, opened.
type imageSet struct {
	dataset.Dataset
	name string // what progress and the cache call it
}

// open opens all sets, and checks what can be checked of them before the work begins.
func (e *evaluation) open() (sets []imageSet, err error) {
	defer func() {
		if err != nil {
			closeSets(sets)
		}
	}()
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
	check := checkLabels
	if slices.Contains(e.methods, "line") {
		check = checkTraining
	}
	if err = check("--fit", sets[0], e.network.Classes()); err == nil {
		err = checkLabels("--id", sets[1], e.network.Classes())
	}
	return sets, err
}

func closeSets(sets []imageSet) {
	for _, s := range sets {
		s.Close()
	}
}

// extractAll computes, or reads from the cache, the features of all sets.
func (e *evaluation) extractAll(ctx context.Context) error {
	sets, err := e.open()
	if err != nil {
		return err
	}
	defer closeSets(sets)
	if e.featuresDir != "" {
		if err := makeFolder("--features-dir", e.featuresDir); err != nil {
			return err
		}
	}
	prog, err := graph.Compile(e.network, e.common.options())
	if err != nil {
		return err
	}
	x := extractor{common: &e.common, net: e.network, program: prog, dir: e.featuresDir, weightsSHA: e.weightsSHA}
	for i, set := range sets {
		s, err := x.samplesOf(ctx, set.name, set.Dataset)
		if err != nil {
			return err
		}
		switch i {
		case 0:
			e.fitSet = s
		case 1:
			e.idSet = s
		default:
			s.Labels = nil // labels of another label space mean nothing here
			e.oodSets = append(e.oodSets, s)
		}
	}
	return e.measureAccuracy(ctx)
}

func (e *evaluation) measureAccuracy(ctx context.Context) error {
	e.accuracy = math.NaN()
	var predicted, labels []int
	for i, label := range e.idSet.Labels {
		if label < 0 {
			continue
		}
		row := e.idSet.Logits[i*e.idSet.Classes:][:e.idSet.Classes]
		best := 0
		for k, v := range row {
			if v > row[best] {
				best = k
			}
		}
		predicted, labels = append(predicted, best), append(labels, label)
	}
	if len(labels) == 0 {
		return nil
	}
	var err error
	if e.accuracy, err = metrics.Accuracy(predicted, labels); err != nil || e.resamples == 0 {
		return err
	}
	ci, err := metrics.BootstrapAccuracy(ctx, predicted, labels, e.resamples, bootstrapLevel, e.seed)
	e.accuracyCI = &ci
	return err
}

func (e *evaluation) method(name string) (posthoc.Method, error) {
	if name == "line" {
		return line.NewMethod(e.network, e.lineOptions, e.common.options())
	}
	return posthoc.New(name, posthoc.Options{Params: e.methodParams[name], Workers: e.workers})
}

// measure fits one method and scores all sets with it.
func (e *evaluation) measure(ctx context.Context, name string) (report.Method, error) {
	method, err := e.method(name)
	if err != nil {
		return report.Method{}, err
	}
	w, b := e.network.Head()
	head := posthoc.Head{Classes: e.network.Classes(), Dim: e.network.Dim(), Weight: w.Float32s(), Bias: b.Float32s()}
	start := time.Now()
	if err := method.Fit(ctx, head, e.fitSet); err != nil {
		return report.Method{}, fmt.Errorf("fit %s on %s: %w", name, e.fit, err)
	}
	m := report.Method{Name: name, Params: method.Params(), FitSeconds: time.Since(start).Seconds()}
	start = time.Now()
	id := make([]float64, e.idSet.N)
	if err := method.Score(ctx, e.idSet, id); err != nil {
		return m, fmt.Errorf("score %s with %s: %w", e.id, name, err)
	}
	m.MicrosPerSample = time.Since(start).Seconds() * 1e6 / float64(len(id))
	all := report.Scores{Method: name, ID: id}
	for i, set := range e.oodSets {
		scores := make([]float64, set.N)
		if err := method.Score(ctx, set, scores); err != nil {
			return m, fmt.Errorf("score %s with %s: %w", e.oodSpecs[i], name, err)
		}
		o, err := e.compare(ctx, e.oodNames[i], id, scores)
		if err != nil {
			return m, fmt.Errorf("%s on %s: %w", name, e.oodNames[i], err)
		}
		m.OOD = append(m.OOD, o)
		all.OOD = append(all.OOD, report.NamedScores{Name: o.Name, Scores: scores})
	}
	e.scores = append(e.scores, all)
	return m, nil
}

func (e *evaluation) compare(ctx context.Context, name string, id, ood []float64) (report.OOD, error) {
	o := report.OOD{Name: name, N: len(ood)}
	var err error
	if o.Metrics, err = metrics.Evaluate(id, ood); err != nil || e.resamples == 0 {
		return o, err
	}
	ci, err := metrics.Bootstrap(ctx, id, ood, e.resamples, bootstrapLevel, e.seed)
	o.CI = &ci
	return o, err
}
