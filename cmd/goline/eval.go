package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

// evaluation is one eval command line.
type evaluation struct {
	common
	net                      network
	line                     lineFlags
	fit, id                  string
	ood, methods, params     []string
	featuresDir              string
	jsonOut, csvOut, htmlOut string
	resamples                int
	out                      io.Writer
	oodNames, oodSpecs       []string
	methodParams             map[string]map[string]float64
	lineOptions              line.Options
	network                  *nets.Network
	weightsSHA               string
	fitSet, idSet            posthoc.Samples
	oodSets                  []posthoc.Samples
	accuracy                 float64
	accuracyCI               *metrics.Interval
}

func newEval() *cobra.Command {
	var e evaluation
	cmd := &cobra.Command{
		Use:   "eval --net NAME --weights FILE --fit DATA --id DATA --ood NAME=DATA ...",
		Short: "Compare LINe with its baselines and print the table",
		Long: `Extract features once, fit every method on the images of --fit, and measure how well its scores tell the images of --id from
those of each --ood set. FPR95 here: the share of OOD images that score above the threshold which 95 % of ID images pass;
the JSON and CSV also hold OpenOOD's convention.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e.out = cmd.OutOrStdout()
			return e.run(cmd.Context())
		},
	}
	e.common.register(cmd)
	e.net.register(cmd)
	e.line.register(cmd)
	f := cmd.Flags()
	f.StringVar(&e.fit, "fit", "", "labelled training images that methods are fitted to: [format:]path")
	f.StringVar(&e.id, "id", "", "in-distribution test images: [format:]path")
	f.StringArrayVar(&e.ood, "ood", nil, "out-of-distribution test images: NAME=[format:]path; repeatable")
	f.StringSliceVar(&e.methods, "methods", []string{"line", "msp", "maxlogit", "energy", "react", "dice"},
		"methods to compare: line, "+strings.Join(posthoc.Names(), ", "))
	f.StringArrayVar(&e.params, "param", nil, "parameter of a baseline: METHOD.NAME=VALUE, for example react.percentile=95; repeatable")
	f.StringVar(&e.featuresDir, "features-dir", "", "folder to keep features in: a later call with the same network and images starts from them")
	f.StringVar(&e.jsonOut, "json", "", "JSON file to write")
	f.StringVar(&e.csvOut, "csv", "", "CSV file to write")
	f.IntVar(&e.resamples, "bootstrap", 0, "resamples for 95 % confidence intervals in JSON, CSV and report; 0 for none")
	return cmd
}

// check parses what the flags say before anything is read.
func (e *evaluation) check() (err error) {
	if err := required("--fit", e.fit, "--id", e.id); err != nil {
		return err
	}
	if len(e.ood) == 0 {
		return usagef("--ood is required: NAME=DATA, once for each set")
	}
	seen := map[string]bool{}
	for _, o := range e.ood {
		name, spec, ok := strings.Cut(o, "=")
		if !ok || name == "" || spec == "" {
			return usagef("--ood %q: expected NAME=DATA", o)
		}
		if seen[name] {
			return usagef("--ood: two sets are named %q", name)
		}
		if name == "average" {
			return usagef("--ood: a set cannot be named %q, the table's last column", name)
		}
		seen[name] = true
		e.oodNames, e.oodSpecs = append(e.oodNames, name), append(e.oodSpecs, spec)
	}
	if e.lineOptions, err = e.line.options(); err != nil {
		return err
	}
	if e.resamples < 0 {
		return usagef("--bootstrap %d: expected 0 or more", e.resamples)
	}
	return e.checkMethods()
}

func (e *evaluation) checkMethods() error {
	e.methodParams = map[string]map[string]float64{}
	for _, p := range e.params {
		key, value, ok := strings.Cut(p, "=")
		method, name, dot := strings.Cut(key, ".")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || !dot || err != nil {
			return usagef("--param %q: expected METHOD.NAME=NUMBER", p)
		}
		if e.methodParams[method] == nil {
			e.methodParams[method] = map[string]float64{}
		}
		e.methodParams[method][name] = v
	}
	seen := map[string]bool{}
	for i, name := range e.methods {
		name = strings.TrimSpace(name)
		e.methods[i] = name
		if seen[name] {
			return usagef("--methods: %q is named twice", name)
		}
		seen[name] = true
		if name == "line" {
			continue
		}
		if _, err := posthoc.New(name, posthoc.Options{Params: e.methodParams[name]}); err != nil {
			return usagef("--methods: %w; line is known too", err)
		}
	}
	if len(e.methods) == 0 {
		return usagef("--methods names none")
	}
	for name := range e.methodParams {
		if !seen[name] {
			return usagef("--param: method %q is not among --methods", name)
		}
	}
	return nil
}

func (e *evaluation) run(ctx context.Context) (err error) {
	if err := e.check(); err != nil {
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

// extractAll computes, or reads from the cache, the features of all sets.
func (e *evaluation) extractAll(ctx context.Context) error {
	if e.featuresDir != "" {
		if err := os.MkdirAll(e.featuresDir, 0o777); err != nil {
			return fmt.Errorf("--features-dir: %w", err)
		}
	}
	prog, err := graph.Compile(e.network, e.common.options())
	if err != nil {
		return err
	}
	x := extractor{common: &e.common, net: e.network, program: prog, dir: e.featuresDir, weightsSHA: e.weightsSHA}
	if e.fitSet, err = x.samples(ctx, "fit", e.fit); err != nil {
		return err
	}
	if e.idSet, err = x.samples(ctx, "id", e.id); err != nil {
		return err
	}
	for i, name := range e.oodNames {
		s, err := x.samples(ctx, "ood-"+name, e.oodSpecs[i])
		if err != nil {
			return err
		}
		s.Labels = nil // labels of another label space mean nothing here
		e.oodSets = append(e.oodSets, s)
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
		if label >= e.idSet.Classes {
			return fmt.Errorf("--id %s: image %d has label %d, the network has %d classes", e.id, i, label, e.idSet.Classes)
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
	head := posthoc.Head{Classes: e.network.Classes(), Features: e.network.Features(), Weight: w.Float32s(), Bias: b.Float32s()}
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
	}
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

// write puts the result where the flags say. Files that cannot be written do not keep the table from being printed.
func (e *evaluation) write(r report.Result) error {
	table, err := r.Table(report.Text, isTerminal(e.out))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.out, table)
	errs := []error{err}
	if e.jsonOut != "" {
		errs = append(errs, atomicfile.Write(e.jsonOut, r.WriteJSON))
	}
	if e.csvOut != "" {
		errs = append(errs, atomicfile.Write(e.csvOut, r.WriteCSV))
	}
	return errors.Join(errs...)
}
