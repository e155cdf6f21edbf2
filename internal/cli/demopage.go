package cli

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/dataset/demo"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/report"
)

//go:embed demo.html.tmpl
var demoTemplate string

// page returns the report of the evaluation, with further sections of the demo.
func (d *demonstration) page(ctx context.Context, study []contributionRow) ([]byte, error) {
	p := report.Provenance{Command: "goline demo", Outcomes: d.data.Outcomes(),
		Facts: []report.Fact{{Name: "In-distribution", Value: fmt.Sprintf("%s, %s", d.test.Source, d.test.Licence)}}}
	for _, s := range d.ood {
		p.Facts = append(p.Facts, report.Fact{Name: s.Name(), Value: fmt.Sprintf("%s, %s", s.Source, s.Licence)})
	}
	v, err := d.view(ctx, study)
	if err != nil {
		return nil, err
	}
	if p.Sections, err = sections(v); err != nil {
		return nil, err
	}
	if p.Pictures, err = d.extremes(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := d.result().WriteHTML(&out, d.found.Scores, p); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// sections returns the demo's sections of the page.
func sections(v *demoView) (out []report.Section, err error) {
	t, err := template.New("demo").Parse(demoTemplate)
	if err != nil {
		return nil, fmt.Errorf("demo page: %w", err)
	}
	for _, s := range []report.Section{
		{ID: "pictures", Title: "Pictures"},
		{ID: "contributions", Title: "What each neuron contributes to each class"},
		{ID: "sampled", Title: "Contributions by gradient and by sampling"},
	} {
		var body bytes.Buffer
		if err := t.ExecuteTemplate(&body, s.ID, v); err != nil {
			return nil, fmt.Errorf("demo page: %w", err)
		}
		s.Body = template.HTML(body.String())
		out = append(out, s)
	}
	return out, nil
}

// demoView holds what the demo's sections show.
type demoView struct {
	Rule      string
	Sets      []setStrip
	Map       template.HTML
	Features  int
	Rows      []contributionRow
	ErrorPlot template.HTML
}

// setStrip is a row of pictures of a set.
type setStrip struct {
	Name, Source, Licence string
	N                     int
	Picture               template.URL
}

func (d *demonstration) view(ctx context.Context, study []contributionRow) (*demoView, error) {
	v := &demoView{Rule: demoRule, Features: d.net.FeatureDim(), Rows: study, Map: d.contributionMap()}
	for _, s := range append([]demoSet{d.test}, d.ood...) {
		const shown = 16
		strip := image.NewGray(image.Rect(0, 0, 28*shown, 28))
		for i := range shown {
			paint(strip, 28*i, s.Grey(i*s.N/shown))
		}
		url, err := pictureURL(strip)
		if err != nil {
			return nil, err
		}
		v.Sets = append(v.Sets, setStrip{s.Name(), s.Source, s.Licence, s.N, url})
	}
	var err error
	v.ErrorPlot, err = d.errorPlot(ctx)
	return v, err
}

// paint copies a grey picture of 28×28 pixels to column x of an image.
func paint(dst *image.Gray, x int, grey []uint8) {
	for y := range 28 {
		copy(dst.Pix[y*dst.Stride+x:][:28], grey[y*28:])
	}
}

// pictureURL returns a data URL that contains the image.
func pictureURL(img image.Image) (template.URL, error) {
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		return "", fmt.Errorf("demo page: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(buf.Bytes())), nil
}

// contributionMap draws the mean contribution of each neuron to each class. Neurons that LINe keeps have a frame.
func (d *demonstration) contributionMap() template.HTML {
	const left, top, w, h = 90, 22, 9, 18
	k, f := d.net.Classes(), d.net.FeatureDim()
	mean := d.detector.Mean()
	most := 0.0
	for _, c := range mean {
		most = math.Max(most, math.Abs(float64(c)))
	}
	var b strings.Builder
	fmt.Fprintf(&b,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" fill="currentColor" `+
			`font-family="sans-serif" font-size="11">`, left+f*w+4, top+k*h+4)
	fmt.Fprintf(&b, `<title>Mean contribution of %d neurons to %d classes</title>`, f, k)
	for i := 0; i < f; i += 8 {
		fmt.Fprintf(&b, `<text x="%d" y="14">%d</text>`, left+i*w, i)
	}
	for c, name := range demo.Classes() {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-6, top+c*h+h*3/4,
			template.HTMLEscapeString(name))
		keep := d.detector.ActiveNeurons(c)
		for i := range f {
			value := float64(mean[c*f+i])
			stroke := "none"
			if keep[i] {
				stroke = "#333"
			}
			fmt.Fprintf(&b,
				`<rect x="%d" y="%d" width="%d" height="%d" fill="%s" stroke="%s" stroke-width=".6"><title>%s, `+
					`neuron %d: %.3f</title></rect>`,
				left+i*w, top+c*h, w-1, h-1, diverging(value/most), stroke, template.HTMLEscapeString(name), i, value)
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// diverging returns a colour: blue for -1, white for 0, red for 1. A square root makes small values visible.
func diverging(v float64) string {
	t := math.Sqrt(math.Min(math.Abs(v), 1))
	end := color.RGBA{178, 24, 43, 255}
	if v < 0 {
		end = color.RGBA{33, 102, 172, 255}
	}
	part := func(c uint8) int { return int(math.Round(255 + t*(float64(c)-255))) }
	return fmt.Sprintf("#%02x%02x%02x", part(end.R), part(end.G), part(end.B))
}

// errorPlot draws how fast estimators of Shapley values approach the exact values, on some pictures.
func (d *demonstration) errorPlot(ctx context.Context) (template.HTML, error) {
	head, err := games.NewReadout(d.data.Head)
	if err != nil {
		return "", err
	}
	s := compare.Study{
		Estimators: []attribution.Estimator{
			estimate.GradientActivation{}, estimate.Permutation{}, estimate.Permutation{Antithetic: true},
			estimate.KernelSHAP{},
		},
		Budgets: []float64{400, 800, 1600, 3200, 6400}, Seeds: []uint64{1, 2, 3, 4, 5, 6}, Resamples: 200, Seed: d.Seed,
		Workers: d.Workers,
	}
	for _, i := range []int{0, d.test.N / 3, 2 * d.test.N / 3} {
		z := mathx.Float64s(d.test.Features[i*d.test.FeatureDim:][:d.test.FeatureDim])
		game, err := games.NewPenultimate(head, z, d.test.Samples.Labels[i],
			games.PenultimateOptions{Value: attribution.Probability, Target: attribution.TargetLabel()})
		if err != nil {
			return "", err
		}
		truth, err := estimate.Permutation{Antithetic: true}.Estimate(ctx, game, attribution.Options{Samples: 4000,
			Seed: d.Seed + 1, Workers: d.Workers})
		if err != nil {
			return "", err
		}
		s.Subjects = append(s.Subjects, compare.Subject{
			Name: d.test.ID(i), Game: game,
			Truth: compare.Truth{Values: truth.Values, StdErr: truth.StdErr, Method: "4000 antithetic permutations"},
		})
	}
	c, err := compare.Compare(ctx, s)
	if err != nil {
		return "", err
	}
	figure, err := compare.ErrorVersusCost(c, compare.MSE, compare.Equivalents)
	if err != nil {
		return "", err
	}
	svg, err := figure.Titled(d.net.Name() + ", penultimate neurons: Shapley values of the probability").Element()
	return template.HTML(svg), err
}

// extremes returns the pictures of each set with the highest and the lowest LINe scores.
func (d *demonstration) extremes() (out []report.Pictures, err error) {
	scores := d.found.Scores[0]
	o := eval.ExtremeOptions{Pictures: 6, Classes: demo.Classes(), Keep: d.detector.ActiveNeurons}
	add := func(set eval.Set, pictures dataset.Dataset, scores []float64) {
		if err != nil {
			return
		}
		var p report.Pictures
		if p, err = eval.Extremes(set, pictures, "line", scores, d.data.Head, o); err == nil {
			out = append(out, p)
		}
	}
	add(d.data.ID, d.test.Set, scores.ID)
	for i, set := range d.data.OOD {
		add(set, d.ood[i].Set, scores.OOD[i].Scores)
	}
	return out, err
}
