package cli

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// evalCommand is one eval command line.
type evalCommand struct {
	command.Evaluation
	contributions            command.Contributions
	methods, params          []string
	jsonOut, csvOut, htmlOut string
	latexOut, markdownOut    string
	resamples                int
	command                  string // the command line itself
	out                      io.Writer
	methodParams             map[string]map[string]float64
}

func newEval() *cobra.Command {
	var e evalCommand
	cmd := &cobra.Command{
		Use:   "eval --net NAME --weights FILE --fit DATA --id DATA --ood NAME=DATA ...",
		Short: "Compare LINe with its baselines and print the table",
		Long: `Extract features once, fit every method on the images of --fit, and measure how well its scores tell the images of --id from
those of each --ood set. FPR95 here: the share of OOD images that score above the threshold which 95 % of ID images pass;
the JSON and CSV also hold OpenOOD's convention.`,
		Example: `  goline eval --net densenet-bc-100-12 --weights checkpoint_100.pth.tar --fit 'cifar-10-batches-bin/data_batch_*.bin' \
    --id cifar-10-batches-bin/test_batch.bin --ood textures=dtd/images --ood mnist=t10k-images.gz+t10k-labels.gz \
    --json eval.json --report eval.html`,
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
	f.StringArrayVar(&e.OOD, "ood", nil, "out-of-distribution test images: `NAME=DATA`; repeatable")
	f.StringSliceVar(&e.methods, "methods", []string{"line", "msp", "maxlogit", "energy", "react", "dice"},
		"`METHODS` to compare: "+strings.Join(posthoc.Names(), ", "))
	f.StringArrayVar(&e.params, "param", nil, "parameter of a method: `METHOD.NAME=VALUE`, for example react.percentile=95; repeatable")
	f.StringVar(&e.FeaturesDir, "features-dir", "", "`FOLDER` to keep features in: a later call with the same network and images starts from them")
	f.StringVar(&e.jsonOut, "json", "", "JSON `FILE` to write")
	f.StringVar(&e.csvOut, "csv", "", "CSV `FILE` to write")
	f.StringVar(&e.htmlOut, "report", "", "HTML `FILE` to write: the table with curves, histograms, pictures and provenance")
	f.StringVar(&e.latexOut, "latex", "", "LaTeX `FILE` to write: the table for the package booktabs, to read by \\input")
	f.StringVar(&e.markdownOut, "markdown", "", "Markdown `FILE` to write: the tables")
	f.IntVar(&e.resamples, "bootstrap", 0, "resamples for 95 % confidence intervals in JSON, CSV and report; 0 for none")
	return cmd
}

// check parses what the flags say before anything is read.
func (e *evalCommand) check() error {
	if err := e.Evaluation.Check(); err != nil {
		return err
	}
	if e.resamples < 0 {
		return command.Usagef("--bootstrap %d: expected 0 or more", e.resamples)
	}
	return e.checkMethods()
}

func (e *evalCommand) checkMethods() error {
	e.methodParams = map[string]map[string]float64{"line": e.LINe.Params()}
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
	for name := range e.methodParams {
		if !seen[name] && name != "line" {
			return command.Usagef("--param: method %q is not among --methods", name)
		}
	}
	return nil
}

func (e *evalCommand) run(ctx context.Context) (err error) {
	if err := e.check(); err != nil {
		return err
	}
	outputs := command.Outputs("--json", e.jsonOut, "--csv", e.csvOut, "--report", e.htmlOut, "--latex", e.latexOut, "--markdown", e.markdownOut)
	if err := command.CheckOutputs(outputs, append(e.Inputs(), e.contributions.Input())...); err != nil {
		return err
	}
	if err := e.contributions.Check(); err != nil {
		return err
	}
	labels := eval.CheckLabels
	for _, name := range e.methods {
		if k, err := posthoc.LookUp(name); err == nil && k.FittedOn == posthoc.Labels {
			labels = eval.CheckTraining
		}
	}
	source, err := e.contributions.Source(e.Network, func() (string, error) { return e.WeightsSHA, nil })
	if err != nil {
		return err
	}
	var methods []posthoc.Method
	for _, name := range e.methods {
		m, err := posthoc.New(name, posthoc.Options{Params: e.methodParams[name], Workers: e.Workers})
		if err != nil {
			return err
		}
		if l, ok := m.(*line.Method); ok && source != nil {
			m = l.WithSource(source)
		}
		methods = append(methods, m)
	}
	e.Needs = eval.Needs(methods...)
	if err := e.Extract(ctx, labels); err != nil {
		return err
	}
	found, err := eval.Run(ctx, e.Data, methods, eval.RunOptions{Resamples: e.resamples, Seed: e.Seed})
	if err != nil {
		return err
	}
	var pictures []report.Pictures
	if e.htmlOut != "" {
		if pictures, err = e.pictures(ctx, methods, found.Scores); err != nil {
			return err
		}
	}
	return e.write(found.Report(e.Network.Name(), report.Weights{File: e.Net.File(), SHA256: e.WeightsSHA}), found.Scores, pictures)
}
