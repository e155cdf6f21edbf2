package cli

import (
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
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
	command                  string // the command line itself
	out                      io.Writer

	oodNames, oodSpecs []string
	methodParams       map[string]map[string]float64
	lineOptions        line.Options

	network    *nets.Network
	weightsSHA string
	data       eval.Data
}

func newEval() *cobra.Command {
	var e evaluation
	cmd := &cobra.Command{
		Use:   "eval --net NAME --weights FILE --fit DATA --id DATA --ood NAME=DATA ...",
		Short: "Compare LINe with its baselines and print the table",
		Long: `Extract features once, fit every method on the images of --fit, and measure how well its scores tell the images of --id from
those of each --ood set. FPR95 here: the share of OOD images that score above the threshold which 95 % of ID images pass;
the JSON and CSV also hold OpenOOD's convention.`,
		Example: `  goline eval --net densenet-bc-100-12 --weights checkpoint_100.pth.tar --fit 'cifar-10-batches-bin/data_batch_*.bin' \
    --id cifar-10-batches-bin/test_batch.bin --ood textures=dtd/images --ood mnist=t10k-images.gz+t10k-labels.gz \
    --json eval.json --report eval.html`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e.line.warn(cmd.ErrOrStderr())
			e.out, e.command = cmd.OutOrStdout(), cmd.Root().Annotations[commandLine]
			return e.run(cmd.Context())
		},
	}
	e.common.register(cmd)
	e.net.register(cmd)
	e.line.register(cmd)
	f := cmd.Flags()
	f.StringVar(&e.fit, "fit", "", "labelled training images that methods are fitted to: `DATA`, [format:]path")
	f.StringVar(&e.id, "id", "", "in-distribution test images: `DATA`, [format:]path")
	f.StringArrayVar(&e.ood, "ood", nil, "out-of-distribution test images: `NAME=DATA`; repeatable")
	f.StringSliceVar(&e.methods, "methods", []string{"line", "msp", "maxlogit", "energy", "react", "dice"},
		"`METHODS` to compare: "+strings.Join(posthoc.Names(), ", "))
	f.StringArrayVar(&e.params, "param", nil, "parameter of a method: `METHOD.NAME=VALUE`, for example react.percentile=95; repeatable")
	f.StringVar(&e.featuresDir, "features-dir", "", "`FOLDER` to keep features in: a later call with the same network and images starts from them")
	f.StringVar(&e.jsonOut, "json", "", "JSON `FILE` to write")
	f.StringVar(&e.csvOut, "csv", "", "CSV `FILE` to write")
	f.StringVar(&e.htmlOut, "report", "", "HTML `FILE` to write: the table with curves, histograms and provenance")
	f.IntVar(&e.resamples, "bootstrap", 0, "resamples for 95 % confidence intervals in JSON, CSV and report; 0 for none")
	return cmd
}

// check parses what the flags say before anything is read.
func (e *evaluation) check() (err error) {
	anyOOD := strings.Join(e.ood, "")
	if err := required("--net", e.net.name, "--weights", e.net.weights, "--fit", e.fit, "--id", e.id, "--ood", anyOOD); err != nil {
		return err
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
	e.methodParams = map[string]map[string]float64{"line": e.line.params()}
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
		if _, err := posthoc.New(name, posthoc.Options{Params: e.methodParams[name]}); err != nil {
			return usagef("--methods: %w", err)
		}
	}
	if len(e.methods) == 0 {
		return usagef("--methods names none")
	}
	for name := range e.methodParams {
		if !seen[name] && name != "line" {
			return usagef("--param: method %q is not among --methods", name)
		}
	}
	return nil
}
