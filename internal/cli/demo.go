package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/demo"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets"
)

// demonstration is one run of goline demo.
type demonstration struct {
	common
	line lineFlags
	html string
	out  io.Writer

	options    line.Options
	net        *nets.Network
	weightsSHA string
	head       posthoc.Head
	fit, test  demoSet
	ood        []demoSet
	methods    []demoMethod
	detector   *line.Detector
}

// demoSet is a set of pictures with what the network makes of them.
type demoSet struct {
	*demo.Set
	posthoc.Samples
}

// demoMethod is a method with its scores.
type demoMethod struct {
	report.Method
	id  []float64
	ood [][]float64 // of each set
}

func newDemo() *cobra.Command {
	var d demonstration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show everything in a minute, on pictures that goline brings along",
		Long: `Fit LINe to a small residual network that goline train trained on Fashion-MNIST, tell its test pictures from handwritten
digits, textures, photographs and galaxies, compare with the baselines, compare contributions by gradient with sampled
Shapley values, and write one HTML page about it. Everything needed is in the program.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkOutputs([]file{{"--html", d.html}}); err != nil {
				return err
			}
			d.out = cmd.OutOrStdout()
			if d.options, err = d.line.options(); err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	d.common.register(cmd)
	d.line.register(cmd)
	setDefault(cmd, "p-a", "10")
	setDefault(cmd, "p-w", "10")
	cmd.Flags().StringVar(&d.html, "html", "goline-demo.html", "report to write")
	return cmd
}

// setDefault gives a flag another default than the one it was registered with.
func setDefault(cmd *cobra.Command, name, value string) {
	f := cmd.Flags().Lookup(name)
	f.DefValue = value
	if err := f.Value.Set(value); err != nil {
		panic(err)
	}
}

func (d *demonstration) run(ctx context.Context) error {
	start := time.Now()
	if err := d.load(ctx); err != nil {
		return err
	}
	for _, name := range append([]string{"line"}, posthoc.Names()...) {
		m, err := d.measure(ctx, name)
		if err != nil {
			return err
		}
		d.methods = append(d.methods, m)
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

// load takes pictures and network out of the program and runs the one through the other.
func (d *demonstration) load(ctx context.Context) (err error) {
	if d.net, d.weightsSHA, err = demo.Network(); err != nil {
		return err
	}
	w, b := d.net.Head()
	d.head = posthoc.Head{Classes: d.net.Classes(), Dim: d.net.Dim(), Weight: w.Float32s(), Bias: b.Float32s()}
	program, err := graph.Compile(d.net, d.common.options())
	if err != nil {
		return err
	}
	x := extractor{common: &d.common, net: d.net, program: program}
	extract := func(s *demo.Set, err error) (demoSet, error) {
		if err != nil {
			return demoSet{}, err
		}
		samples, err := x.extract(ctx, s.Name(), s)
		return demoSet{s, samples}, err
	}
	if d.fit, err = extract(demo.Fit()); err != nil {
		return err
	}
	if d.test, err = extract(demo.Test()); err != nil {
		return err
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
	}
	return nil
}

// measure fits a method and scores all sets.
func (d *demonstration) measure(ctx context.Context, name string) (demoMethod, error) {
	var method posthoc.Method
	var err error
	if name == "line" {
		method, err = line.NewMethod(d.net, d.options, d.common.options())
	} else {
		method, err = posthoc.New(name, posthoc.Options{Workers: d.workers})
	}
	if err != nil {
		return demoMethod{}, err
	}
	start := time.Now()
	if err := method.Fit(ctx, d.head, d.fit.Samples); err != nil {
		return demoMethod{}, fmt.Errorf("fit %s: %w", name, err)
	}
	m := demoMethod{Method: report.Method{Name: name, Params: method.Params(), FitSeconds: time.Since(start).Seconds()}}
	if l, ok := method.(*line.Method); ok {
		d.detector = l.Detector()
	}
	return m, d.score(ctx, method, &m)
}

// score fills in a fitted method's scores and metrics.
func (d *demonstration) score(ctx context.Context, method posthoc.Method, m *demoMethod) error {
	start := time.Now()
	m.id = make([]float64, d.test.N)
	if err := method.Score(ctx, d.test.Samples, m.id); err != nil {
		return fmt.Errorf("score with %s: %w", m.Name, err)
	}
	m.MicrosPerSample = time.Since(start).Seconds() * 1e6 / float64(d.test.N)
	for _, set := range d.ood {
		scores := make([]float64, set.N)
		if err := method.Score(ctx, set.Samples, scores); err != nil {
			return fmt.Errorf("score %s with %s: %w", set.Name(), m.Name, err)
		}
		got, err := metrics.Evaluate(m.id, scores)
		if err != nil {
			return fmt.Errorf("%s on %s: %w", m.Name, set.Name(), err)
		}
		m.ood = append(m.ood, scores)
		m.OOD = append(m.OOD, report.OOD{Name: set.Name(), N: set.N, Metrics: got})
	}
	return nil
}

// predictions returns the class of the largest logit of each sample.
func predictions(s posthoc.Samples) []int {
	out := make([]int, s.N)
	for i := range out {
		row := s.Logits[i*s.Classes:][:s.Classes]
		out[i] = slices.Index(row, slices.Max(row))
	}
	return out
}

func (d *demonstration) result() (report.Result, error) {
	accuracy, err := metrics.Accuracy(predictions(d.test.Samples), d.test.Samples.Labels)
	r := report.Result{
		Net: d.net.Name(), Weights: report.Weights{File: "embedded", SHA256: d.weightsSHA}, Seed: d.seed,
		ID: report.ID{N: d.test.N, Accuracy: accuracy},
	}
	for _, m := range d.methods {
		r.Methods = append(r.Methods, m.Method)
	}
	return r, err
}

func (d *demonstration) print(study []contributionRow) error {
	r, err := d.result()
	if err != nil {
		return err
	}
	table, err := r.Table(report.Text, isTerminal(d.out))
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "in-distribution: %s (%s), %d test pictures; out-of-distribution:\n", d.test.Source, d.test.Licence, d.test.N)
	for _, s := range d.ood {
		fmt.Fprintf(d.out, "  %s: %d pictures, %s (%s)\n", s.Name(), s.N, s.Source, s.Licence)
	}
	fmt.Fprintf(d.out, "\n%s\n\nContributions of the %d neurons to the %d classes, and what LINe makes of them:\n", table, d.net.Dim(), d.net.Classes())
	for _, row := range study {
		fmt.Fprintf(d.out, "  %-44s Spearman %6.3f  largest difference %6.3f  kept alike %5.1f %%  FPR95 %5.2f  AUROC %5.2f  %6.2f s\n",
			row.Name, row.Spearman, row.Worst, row.KeptPercent(), row.FPRPercent(), row.AUROCPercent(), row.Seconds)
	}
	return nil
}

// contributionRow is a way to get contributions, compared with gradient × activation.
type contributionRow struct {
	Name     string
	Spearman float64 // rank correlation with gradient × activation, mean over the classes
	Jaccard  float64 // overlap of the neurons that LINe keeps, mean over the classes
	Worst    float64 // largest difference
	Average  report.Average
	Seconds  float64
}

// KeptPercent, FPRPercent and AUROCPercent are for the page.
func (r contributionRow) KeptPercent() float64  { return 100 * r.Jaccard }
func (r contributionRow) FPRPercent() float64   { return 100 * r.Average.FPR95 }
func (r contributionRow) AUROCPercent() float64 { return 100 * r.Average.AUROC }

// compareContributions feeds LINe contributions by gradient and by sampling.
func (d *demonstration) compareContributions(ctx context.Context) ([]contributionRow, error) {
	type way struct {
		name   string
		source line.Source
	}
	sampled := func(v attribution.Value, permutations int) line.Source {
		return line.Estimated{
			Estimator: estimate.Permutation{Antithetic: true},
			Options:   attribution.Options{Samples: permutations, Seed: d.seed, Workers: d.workers},
			Game:      games.PenultimateOptions{Value: v},
		}
	}
	ways := []way{
		{"logit, gradient × activation (the paper's)", line.GradientActivation{}},
		{"logit, sampled Shapley, 16 pairs of orders", sampled(attribution.Logit, 16)},
		{"logit, sampled Shapley, 256 pairs", sampled(attribution.Logit, 256)},
		{"logit, sampled Shapley, 4096 pairs", sampled(attribution.Logit, 4096)},
		{"probability, sampled Shapley, 4096 pairs", sampled(attribution.Probability, 4096)},
		{"log-sum-exp, sampled Shapley, 4096 pairs", sampled(attribution.LogSumExp, 4096)},
	}
	o := d.common.options()
	o.From = nets.Features
	program, err := graph.Compile(d.net, o)
	if err != nil {
		return nil, err
	}
	var rows []contributionRow
	for _, w := range ways {
		start := time.Now()
		options := d.options
		options.Source = w.source
		detector, err := line.Fit(ctx, program, line.FeatureBatches(d.fit.Samples), options)
		if err != nil {
			return nil, fmt.Errorf("contributions by %s: %w", w.name, err)
		}
		row := d.compareWithPaper(detector)
		row.Name, row.Seconds = w.name, time.Since(start).Seconds()
		if row.Average, err = d.averageOf(ctx, detector); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (d *demonstration) compareWithPaper(other *line.Detector) contributionRow {
	var row contributionRow
	k, f := d.net.Classes(), d.net.Dim()
	mine, its := d.detector.Mean(), other.Mean()
	for c := range k {
		a, b := games.Float64s(mine[c*f:][:f]), games.Float64s(its[c*f:][:f])
		row.Spearman += compare.Spearman(a, b) / float64(k)
		row.Jaccard += compare.Jaccard(d.detector.ActiveNeurons(c), other.ActiveNeurons(c)) / float64(k)
		for i := range a {
			row.Worst = max(row.Worst, a[i]-b[i], b[i]-a[i])
		}
	}
	return row
}

// averageOf returns what a detector reaches on average over the out-of-distribution sets.
func (d *demonstration) averageOf(ctx context.Context, detector *line.Detector) (report.Average, error) {
	o := d.common.options()
	o.From = nets.Features
	program, err := detector.Compile(o)
	if err != nil {
		return report.Average{}, err
	}
	id, err := line.Collect(ctx, program, line.FeatureBatches(d.test.Samples))
	if err != nil {
		return report.Average{}, err
	}
	var m report.Method
	for _, set := range d.ood {
		scores, err := line.Collect(ctx, program, line.FeatureBatches(set.Samples))
		if err != nil {
			return report.Average{}, err
		}
		got, err := metrics.Evaluate(id.Score, scores.Score)
		if err != nil {
			return report.Average{}, err
		}
		m.OOD = append(m.OOD, report.OOD{Name: set.Name(), N: set.N, Metrics: got})
	}
	return m.Average(), nil
}
