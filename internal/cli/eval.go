package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/probe"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets"
)

// evalCommand is one eval command line.
type evalCommand struct {
	command.Evaluation
	contributions            command.Contributions
	tuning                   tuning
	openOOD, benchmark       string
	alsoWeights              []string
	compare, fpr             string
	methods, params          []string
	all                      bool // whether methods was "all"
	jsonOut, csvOut, htmlOut string
	latexOut, markdownOut    string
	resamples                int
	command                  string // the command line as text, for reports
	out                      io.Writer
	methodParams             map[string]map[string]float64
	// parameters by method that the command line fixes, which no search changes
	fixed map[string]map[string]float64
}

func newEval() *cobra.Command {
	var e evalCommand
	cmd := &cobra.Command{
		Use:   "eval --net NAME --weights FILE --fit DATA --id DATA --ood NAME=DATA ...",
		Short: "Compare LINe with its baselines and print the table",
		Long: `Extract features once, fit every method on the images of --fit, and measure how well its scores tell the images of --id from
those of each --ood, --near and --far set. FPR95 here: the share of OOD images that score above the threshold which 95 % of ID images
pass; the JSON and CSV also hold OpenOOD's convention, which --fpr openood shows in the table.

Sets of --near and --far also have averages of their own. Those of --csid show the network's classes in another manner: they count as
ID in the full-spectrum rates. --compare tests differences of average AUROC on the same images. With --also-weights rates are means
over checkpoints, with standard deviations.

--tune chooses the parameters of every method by one rule: the highest mean AUROC over the method's grid on validation images, those
of --id-val against those of --ood-val; without --ood-val against images made of the ID ones (patches and pixels shuffled, blends),
without --id-val on a quarter of the images of --fit. Validation images must be in no test set, and those of --id-val not in --fit.

--openood reads OpenOOD's image lists and folders as its downloads lay them out: every set of the benchmark, the validation sets too.`,
		Example: `  goline eval --net densenet-bc-100-12 --weights checkpoint_100.pth.tar --fit 'cifar-10-batches-bin/data_batch_*.bin' \
    --id cifar-10-batches-bin/test_batch.bin --near cifar100=test.bin --far textures=dtd/images --far mnist=t10k-images.gz+t10k-labels.gz \
    --json eval.json --report eval.html
  goline eval --net resnet18-openood --weights best.ckpt --openood data --benchmark cifar10 --methods all --tune`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e.LINe.Warn(cmd.ErrOrStderr())
			e.out, e.command = cmd.OutOrStdout(), cmd.Root().Annotations[commandLine]
			return e.run(cmd.Context())
		},
	}
	e.Common.Register(cmd)
	e.Net.Register(cmd)
	e.LINe.Register(cmd)
	e.contributions.Register(cmd)
	f := cmd.Flags()
	f.StringVar(&e.Fit, "fit", "", "labelled training images that methods are fitted to: `DATA`, [format:]path")
	f.StringVar(&e.ID, "id", "", "in-distribution test images: `DATA`, [format:]path")
	e.OOD.Register(f, command.FlagOOD, "out-of-distribution test images: `NAME=DATA`; repeatable")
	e.OOD.Register(f, command.FlagNear, "the same, in the group near: `NAME=DATA`; repeatable")
	e.OOD.Register(f, command.FlagFar, "the same, in the group far: `NAME=DATA`; repeatable")
	e.OOD.Register(f, command.FlagCSID, "covariate-shifted in-distribution test images: `NAME=DATA`; repeatable")
	f.StringVar(&e.openOOD, "openood", "",
		"`FOLDER` of OpenOOD's downloads, with benchmark_imglist in it, for the sets of --benchmark; --fit and --id "+
			"take the place of its own")
	f.StringVar(&e.benchmark, "benchmark", "", "benchmark of --openood: cifar10, cifar100, imagenet200 or imagenet")
	f.StringArrayVar(&e.alsoWeights, "also-weights", nil,
		"`FILE` of weights of another checkpoint of the network; repeatable")
	f.StringSliceVar(&e.methods, "methods", []string{"line", "msp", "maxlogit", "energy", "react", "dice"},
		"`METHODS` to compare, or all: "+strings.Join(posthoc.Names(), ", "))
	f.StringArrayVar(&e.params, "param", nil,
		"parameter of a method: `METHOD.NAME=VALUE`, for example react.percentile=95; repeatable")
	e.tuning.register(f)
	f.StringVar(&e.compare, "compare", "",
		"`METHOD` that every other one is compared with by a paired test; all for every pair, none for no test "+
			"(default line, where it is a method)")
	f.StringVar(&e.fpr, "fpr", "line",
		"`CONVENTION` of FPR95 in the table: line (ID positive) or openood (OOD positive)")
	f.StringVar(&e.FeaturesDir, "features-dir", "",
		"`FOLDER` to keep features and scores in: a later call with the same network and images starts from them")
	f.StringVar(&e.jsonOut, "json", "", "JSON `FILE` to write")
	f.StringVar(&e.csvOut, "csv", "", "CSV `FILE` to write")
	f.StringVar(&e.htmlOut, "report", "",
		"HTML `FILE` to write: the table with curves, histograms, pictures and provenance")
	f.StringVar(&e.latexOut, "latex", "",
		"LaTeX `FILE` to write: the table for the package booktabs, to read by \\input")
	f.StringVar(&e.markdownOut, "markdown", "", "Markdown `FILE` to write: the tables")
	f.IntVar(&e.resamples, "bootstrap", 0,
		"resamples for 95 % confidence intervals in JSON, CSV and report, and for the tests of --compare; 0 for "+
			"none, and for DeLong's test")
	return cmd
}

// check parses and checks the flags before any file is read.
func (e *evalCommand) check() error {
	if err := e.readBenchmark(); err != nil {
		return err
	}
	if err := e.Evaluation.Check(); err != nil {
		return err
	}
	if err := e.tuning.check(); err != nil {
		return err
	}
	switch {
	case e.resamples < 0 || e.resamples > command.MaxResamples:
		return command.Usagef("--bootstrap %d: expected 0 to %d", e.resamples, command.MaxResamples)
	case e.resamples > 0 && len(e.alsoWeights) > 0:
		return command.Usagef("--bootstrap and --also-weights: rates of several checkpoints come with standard " +
			"deviations, not with intervals")
	case len(e.alsoWeights) > 0 && e.Net.IsONNX():
		return command.Usagef("--also-weights: the ONNX file %s has its own weights", e.Net.Name)
	case len(e.alsoWeights) > 0 && e.contributions.File != "":
		return command.Usagef("--also-weights and --contributions: contributions are of one checkpoint")
	case e.fpr != "line" && e.fpr != "openood":
		return command.Usagef("--fpr %q: expected line or openood", e.fpr)
	}
	if err := e.checkMethods(); err != nil {
		return err
	}
	return e.checkCompare()
}

// readBenchmark adds the sets in the folder of --openood as if they were on the command line.
func (e *evalCommand) readBenchmark() error {
	if e.openOOD == "" && e.benchmark == "" {
		return nil
	}
	if err := command.Required("--openood", e.openOOD, "--benchmark", e.benchmark); err != nil {
		return err
	}
	b, err := dataset.OpenOOD(e.openOOD, e.benchmark)
	if err != nil {
		return command.UsageError{Err: fmt.Errorf("--openood: %w", err)}
	}
	if e.Fit == "" {
		e.Fit = b.Train
	}
	if e.ID == "" {
		e.ID = b.Test
	}
	given := e.OOD
	e.OOD = nil
	for _, group := range []struct {
		flag string
		sets []dataset.OpenOODSet
	}{{command.FlagNear, b.Near}, {command.FlagFar, b.Far}, {command.FlagCSID, b.CSID}} {
		for _, s := range group.sets {
			e.OOD.Add(group.flag, s.Name, s.Data)
		}
	}
	e.OOD = append(e.OOD, given...)
	e.tuning.take(b)
	if len(b.Missing) > 0 {
		fmt.Fprintf(e.Stderr,
			"goline: note: without covariate-shifted ID sets of the benchmark that %s does not have: %s\n", e.openOOD,
			strings.Join(b.Missing, ", "))
	}
	return nil
}

func (e *evalCommand) checkMethods() error {
	e.expandAll()
	e.methodParams = map[string]map[string]float64{"line": e.LINe.Params()}
	e.fixed = map[string]map[string]float64{"line": e.LINe.Given()}
	for _, p := range e.params {
		key, value, ok := strings.Cut(p, "=")
		method, name, dot := strings.Cut(key, ".")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || !dot || err != nil {
			return command.Usagef("--param %q: expected METHOD.NAME=NUMBER", p)
		}
		if e.methodParams[method] == nil {
			e.methodParams[method] = map[string]float64{}
		}
		e.methodParams[method][name] = v
		if e.fixed[method] == nil {
			e.fixed[method] = map[string]float64{}
		}
		e.fixed[method][name] = v
	}
	if p := e.methodParams["line"]; p["clip_percentile"] != 0 {
		if _, both := p["clip"]; both {
			return command.Usagef("line clips at clip_percentile or at clip, not at both")
		}
	}
	seen := map[string]bool{}
	for i, name := range e.methods {
		name = strings.TrimSpace(name)
		e.methods[i] = name
		if seen[name] {
			return command.Usagef("--methods: %q is named twice", name)
		}
		seen[name] = true
		if _, err := posthoc.New(name, posthoc.Options{Params: e.methodParams[name]}); err != nil {
			return command.Usagef("--methods: %w", err)
		}
	}
	if len(e.methods) == 0 {
		return command.Usagef("--methods names none")
	}
	if e.contributions.File != "" && !seen["line"] {
		return command.Usagef(`--contributions: method "line" is not among --methods`)
	}
	for _, name := range e.methods {
		if e.contributions.File != "" && name != "line" && slices.Contains(strings.Split(name, "+"), "line") {
			return command.Usagef("--contributions: expected line by itself, got %s, whose LINe measures its own", name)
		}
	}
	for name := range e.methodParams {
		if !seen[name] && name != "line" {
			return command.Usagef("--param: method %q is not among --methods", name)
		}
	}
	return nil
}

// expandAll replaces the method "all" by the names of all methods that are not marked as slow, LINe first.
func (e *evalCommand) expandAll() {
	if len(e.methods) != 1 || strings.TrimSpace(e.methods[0]) != "all" {
		return
	}
	e.methods, e.all = nil, true
	for _, k := range lineFirst(posthoc.Kinds()) {
		if !k.Slow {
			e.methods = append(e.methods, k.Name)
		}
	}
}

// leaveOut removes, where the methods are "all", those that need a feature map which the network does not have, with a
// note.
func (e *evalCommand) leaveOut(net nets.Classifier) error {
	if !e.all {
		return nil
	}
	var kept, left []string
	for _, name := range e.methods {
		m, err := posthoc.New(name, posthoc.Options{Params: e.methodParams[name]})
		if err == nil {
			err = probe.Check(net, eval.Needs(m))
		}
		switch {
		case err == nil:
			kept = append(kept, name)
		case errors.Is(err, probe.ErrNoMap):
			left = append(left, name)
		default:
			return err
		}
	}
	if len(left) > 0 {
		fmt.Fprintf(e.Stderr, "goline: note: without %s: %s has no feature map that its features average\n",
			strings.Join(left, ", "), net.Name())
	}
	e.methods = kept
	return nil
}

// checkCompare fails where --compare names no method of the evaluation.
func (e *evalCommand) checkCompare() error {
	switch e.compare {
	case "", eval.CompareAll, eval.CompareNone:
		return nil
	}
	names := slices.Clone(e.methods)
	if e.tuning.both() {
		for _, name := range e.methods {
			if k, err := posthoc.LookUp(name); err == nil && eval.Tunable(k) {
				names = append(names, tuned{}.called(name))
			}
		}
	}
	if !slices.Contains(names, e.compare) {
		return command.Usagef("--compare %q: expected all, none or one of the methods %s", e.compare,
			strings.Join(names, ", "))
	}
	return nil
}

func (e *evalCommand) run(ctx context.Context) (err error) {
	if err := e.check(); err != nil {
		return err
	}
	outputs := command.Outputs("--json", e.jsonOut, "--csv", e.csvOut, "--report", e.htmlOut, "--latex", e.latexOut,
		"--markdown", e.markdownOut)
	inputs := append(e.Inputs(), e.contributions.Input())
	for _, file := range e.alsoWeights {
		inputs = append(inputs, command.InputFile("--also-weights", file))
	}
	if err := command.CheckOutputs(outputs, append(inputs, e.tuning.inputs()...)...); err != nil {
		return err
	}
	if err := e.contributions.Check(); err != nil {
		return err
	}
	found, methods, err := e.evaluate(ctx, &e.Evaluation)
	if err != nil {
		return err
	}
	var pictures []report.Pictures
	if e.htmlOut != "" {
		if pictures, err = e.pictures(ctx, methods, found.Scores); err != nil {
			return err
		}
	}
	results := []*eval.Result{found}
	for _, file := range e.alsoWeights {
		r, _, err := e.evaluate(ctx, e.Checkpoint(file))
		if err != nil {
			return fmt.Errorf("--also-weights %s: %w", file, err)
		}
		results = append(results, r)
	}
	if found, err = eval.Combine(ctx, results, eval.RunOptions{Compare: e.compare}); err != nil {
		return err
	}
	return e.write(found.Report(e.Network.Name(), report.Weights{File: e.Net.File(), SHA256: e.WeightsSHA}),
		found.Scores, pictures)
}

// evaluate runs all methods on one checkpoint.
func (e *evalCommand) evaluate(ctx context.Context, c *command.Evaluation) (*eval.Result, []posthoc.Method, error) {
	defer c.Close()
	labels := eval.CheckLabels
	for _, name := range e.methods {
		if k, err := posthoc.LookUp(name); err == nil && k.FittedOn == posthoc.Labels {
			labels = eval.CheckTraining
		}
	}
	if err := c.Open(labels); err != nil {
		return nil, nil, err
	}
	if err := e.leaveOut(c.Network); err != nil {
		return nil, nil, err
	}
	methods, searches, err := e.build(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	c.Needs = eval.Needs(methods...)
	if err := c.Load(ctx); err != nil {
		return nil, nil, err
	}
	o := eval.RunOptions{Resamples: e.resamples, Seed: e.Seed, Compare: e.compare}
	if e.contributions.File == "" { // the parameters do not identify the contributions of a file
		if o.Kept, err = c.KeptScores(); err != nil {
			return nil, nil, err
		}
	}
	found, err := eval.Run(ctx, c.Data, methods, o)
	if err != nil {
		return nil, nil, err
	}
	for i := range found.Methods {
		found.Methods[i].Tuning = searches[found.Methods[i].Name]
	}
	return found, methods, nil
}

// build returns the methods for a checkpoint, tuned where the flags ask for it, and by name how parameters were chosen.
func (e *evalCommand) build(ctx context.Context,
	c *command.Evaluation) ([]posthoc.Method, map[string]*report.Tuning, error) {
	source, err := e.contributions.Source(c.Network, func() (string, error) { return c.WeightsSHA, nil })
	if err != nil {
		return nil, nil, err
	}
	create := func(name string, params map[string]float64) (posthoc.Method, error) {
		m, err := posthoc.New(name, posthoc.Options{Params: params, Workers: e.Workers})
		if l, ok := m.(*line.Method); ok && source != nil {
			m = l.WithSource(source)
		}
		return m, err
	}
	choices, searches, err := e.search(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	var methods, more []posthoc.Method
	for _, name := range e.methods {
		params := e.methodParams[name]
		chosen, search := choices[name]
		if search && e.tuning.both() {
			m, err := create(name, chosen)
			if err != nil {
				return nil, nil, err
			}
			more = append(more, tuned{m})
			searches[tuned{}.called(name)] = searches[name]
			delete(searches, name)
		} else if search {
			params = chosen
		}
		m, err := create(name, params)
		if err != nil {
			return nil, nil, err
		}
		methods = append(methods, m)
	}
	return append(methods, more...), searches, nil
}
