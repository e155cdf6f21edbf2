package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/dataset/demo"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/downstream"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets"
)

// demonstration is one run of goline demo.
type demonstration struct {
	command.Common
	line command.LINe
	html string
	out  io.Writer

	options    line.Options
	net        nets.Classifier
	weightsSHA string
	fit, test  demoSet
	ood        []demoSet
	data       eval.Data
	choices    []*eval.Choice // results of the search, for each method with a grid
	found      *eval.Result
	detector   *line.Detector
}

// demoSet is a set of pictures with the network's features and logits.
type demoSet struct {
	*demo.Set
	posthoc.Samples
}

func newDemo() *cobra.Command {
	var d demonstration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show everything in a minute, on pictures that goline brings along",
		Long: `Fit LINe to a small residual network that goline train trained on Fashion-MNIST, tell its test pictures from handwritten
digits, textures, photographs and galaxies, compare with the baselines, compare contributions by gradient with sampled
Shapley values, and write one HTML page about it. Everything needed is in the program.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := command.CheckOutputs(command.Outputs("--report", d.html)); err != nil {
				return err
			}
			d.line.Warn(cmd.ErrOrStderr())
			d.out = cmd.OutOrStdout()
			if d.options, err = d.line.Options(); err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	d.Common.Register(cmd)
	d.line.Register(cmd)
	cmd.Flags().StringVar(&d.html, "report", "goline-demo.html", "HTML `FILE` to write; --html is the same")
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "html" {
			name = "report"
		}
		return pflag.NormalizedName(name)
	})
	return cmd
}

func (d *demonstration) run(ctx context.Context) error {
	start := time.Now()
	if err := d.load(ctx); err != nil {
		return err
	}
	if err := d.evaluate(ctx); err != nil {
		return err
	}
	study, err := d.compareContributions(ctx)
	if err != nil {
		return err
	}
	if err := d.print(study); err != nil {
		return err
	}
	page, err := d.page(ctx, study)
	if err != nil {
		return err
	}
	err = atomicfile.Write(d.html, func(w io.Writer) error {
		_, err := w.Write(page)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.out, "\n%s: the whole story with pictures (%.1f s)\n", d.html, time.Since(start).Seconds())
	return err
}

// load loads the embedded pictures and network, runs the pictures through the network, and chooses parameters.
func (d *demonstration) load(ctx context.Context) (err error) {
	if d.net, d.weightsSHA, err = demo.Network(); err != nil {
		return err
	}
	o, finish := d.EvalOptions()
	defer finish()
	x, err := eval.NewExtractor(d.net, o)
	if err != nil {
		return err
	}
	extract := func(s *demo.Set, err error) (demoSet, error) {
		if err != nil {
			return demoSet{}, err
		}
		samples, err := x.Samples(ctx, s.Name(), s)
		return demoSet{s, samples}, err
	}
	if d.fit, err = extract(demo.Fit()); err != nil {
		return err
	}
	if d.test, err = extract(demo.Test()); err != nil {
		return err
	}
	d.data = eval.Data{
		Head: nets.HeadOf(d.net), Fit: eval.Set{Name: d.fit.Name(), Samples: d.fit.Samples},
		ID: eval.Set{Name: d.test.Name(), Samples: d.test.Samples},
	}
	sets, err := demo.OutOfDistribution()
	if err != nil {
		return err
	}
	for _, s := range sets {
		set, err := extract(s, nil)
		if err != nil {
			return err
		}
		d.ood = append(d.ood, set)
		d.data.OOD = append(d.data.OOD, eval.Set{Name: set.Name(), Samples: set.Samples})
	}
	return d.tune(ctx, x)
}

// tune chooses the parameters of every method that has some, by the rule of [eval.Tune]. It uses no test pictures: a
// quarter of the training pictures is compared with pseudo-OOD pictures made from them, after fitting to the other
// three quarters.
func (d *demonstration) tune(ctx context.Context, x *eval.Extractor) error {
	fit := eval.Set{Name: d.fit.Name(), Samples: d.fit.Samples}
	v, err := x.HeldOut(ctx, d.data.Head, fit, d.fit.Set, nil, nil, true, d.Seed)
	if err != nil {
		return err
	}
	for _, kind := range demoKinds() {
		if !eval.Tunable(kind) {
			continue
		}
		c, _, err := v.Choose(ctx, kind.Name, nil, d.Workers)
		if err != nil {
			return err
		}
		d.choices = append(d.choices, c)
	}
	return nil
}

// demoMethods lists the methods to compare: LINe and those of its paper's comparison that are quick.
var demoMethods = []string{"line", "msp", "maxlogit", "energy", "react", "dice"}

// demoKinds returns the kinds of the methods to compare, LINe first.
func demoKinds() []posthoc.Kind {
	return slices.DeleteFunc(lineFirst(posthoc.Kinds()), func(k posthoc.Kind) bool {
		return !slices.Contains(demoMethods, k.Name)
	})
}

// lineFirst sorts LINe to the front.
func lineFirst(kinds []posthoc.Kind) []posthoc.Kind {
	slices.SortStableFunc(kinds, func(a, b posthoc.Kind) int {
		switch {
		case a.Name == b.Name || a.Name != "line" && b.Name != "line":
			return 0
		case a.Name == "line":
			return -1
		}
		return 1
	})
	return kinds
}

// tuned is a method with parameters that a search has chosen. Its name says so.
type tuned struct{ posthoc.Method }

func (t tuned) Name() string { return t.called(t.Method.Name()) }

// called returns the name of the tuned method.
func (tuned) called(name string) string { return name + ", tuned" }

// evaluate compares all methods with their published defaults, and again those with parameters that the search has
// chosen.
func (d *demonstration) evaluate(ctx context.Context) error {
	paper, err := line.NewMethod(d.options, d.GraphOptions())
	if err != nil {
		return err
	}
	methods := []posthoc.Method{paper}
	for _, kind := range demoKinds()[1:] {
		m, err := posthoc.New(kind.Name, posthoc.Options{Workers: d.Workers})
		if err != nil {
			return err
		}
		methods = append(methods, m)
	}
	for _, c := range d.choices {
		m, err := posthoc.New(c.Method, posthoc.Options{Params: c.Params, Workers: d.Workers})
		if err != nil {
			return err
		}
		methods = append(methods, tuned{m})
	}
	if d.found, err = eval.Run(ctx, d.data, methods, eval.RunOptions{Seed: d.Seed}); err != nil {
		return err
	}
	d.detector = paper.Detector()
	return nil
}

func (d *demonstration) result() report.Result {
	return d.found.Report(d.net.Name(), report.Weights{File: "embedded", SHA256: d.weightsSHA})
}

func (d *demonstration) print(study []contributionRow) error {
	table, err := d.result().Table(report.Text, command.IsTerminal(d.out))
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "in-distribution: %s (%s), %d test pictures; out-of-distribution:\n", d.test.Source,
		d.test.Licence, d.test.N)
	for _, s := range d.ood {
		fmt.Fprintf(d.out, "  %s: %d pictures, %s (%s)\n", s.Name(), s.N, s.Source, s.Licence)
	}
	fmt.Fprintf(d.out, "\n%s\n%s\n\n"+
		"Contributions of the %d neurons to the %d classes, and what LINe (%s) makes of them:\n",
		table, demoRule, d.net.FeatureDim(), d.net.Classes(), report.FormatParams(d.options.Params()))
	for _, row := range study {
		fmt.Fprintf(d.out,
			"  %-44s Spearman %6.3f  largest difference %6.3f  kept alike %5.1f %%  FPR95 %5.2f  AUROC %5.2f  %6.2f "+
				"s\n",
			row.Name, row.Spearman, row.Worst, row.KeptPercent(), row.FPRPercent(), row.AUROCPercent(), row.Seconds)
	}
	return nil
}

// demoRule explains the tuned rows of the table.
const demoRule = `Rows without a mark: published defaults (LINe: --p-a, --p-w, --clip). "tuned": the best mean AUROC over each method's grid, the same rule for all, on a quarter
of the training pictures against pseudo-OOD made of them (patches and pixels shuffled, blends); no test picture was used.`

// contributionRow is a row of the demo's table of contributions.
type contributionRow struct{ downstream.WayResult }

// KeptPercent, FPRPercent and AUROCPercent return values in percent, for the page's template.
func (r contributionRow) KeptPercent() float64  { return 100 * r.Jaccard }
func (r contributionRow) FPRPercent() float64   { return 100 * r.Average.FPR95 }
func (r contributionRow) AUROCPercent() float64 { return 100 * r.Average.AUROC }

// compareContributions runs LINe with contributions by gradient and by sampling, and compares the results.
func (d *demonstration) compareContributions(ctx context.Context) ([]contributionRow, error) {
	sampled := func(v attribution.Value, permutations int) line.Source {
		return line.EstimatedContributions{
			Estimator: estimate.Permutation{Antithetic: true},
			Options:   attribution.Options{Samples: permutations, Seed: d.Seed, Workers: d.Workers},
			Game:      games.PenultimateOptions{Value: v},
		}
	}
	ways := []downstream.Way{
		{Name: "logit, gradient × activation (the paper's)", Source: line.GradientActivation{}},
		{Name: "logit, sampled Shapley, 16 pairs of orders", Source: sampled(attribution.Logit, 16)},
		{Name: "logit, sampled Shapley, 256 pairs", Source: sampled(attribution.Logit, 256)},
		{Name: "logit, sampled Shapley, 4096 pairs", Source: sampled(attribution.Logit, 4096)},
		{Name: "probability, sampled Shapley, 4096 pairs", Source: sampled(attribution.Probability, 4096)},
		{Name: "log-sum-exp, sampled Shapley, 4096 pairs", Source: sampled(attribution.LogSumExp, 4096)},
	}
	results, err := downstream.CompareWays(ctx, d.data, d.detector, d.options, d.GraphOptions(), ways)
	var rows []contributionRow
	for _, r := range results {
		rows = append(rows, contributionRow{r})
	}
	return rows, err
}
