package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Provenance says how a result came about, for whoever reads the report later.
type Provenance struct {
	Command string // the command line; empty to leave it out
	Facts   []Fact // such as versions and data sets, in the order in which they are shown
	// Predictions says what the network takes the samples of sets for; nil to leave it out.
	Predictions []Predictions
}

// Fact is one line of provenance.
type Fact struct{ Name, Value string }

// WriteHTML writes the result as one HTML file that needs nothing else: the table, ROC curves of all methods on each
// OOD set, histograms of each method's scores, all metrics with their intervals, what samples are taken for, and where the result
// comes from.
// scores may hold some of the methods, each with all OOD sets, or be nil for a report without figures. Nothing is
// written unless the whole report could be made.
// It errors if the result is not valid, or scores name a method or OOD sets that the result does not have, are empty,
// hold a NaN, or nothing finite.
func (r Result) WriteHTML(w io.Writer, scores []Scores, p Provenance) error {
	if err := r.Validate(); err != nil {
		return err
	}
	v := r.view(p)
	var err error
	if v.ROCs, v.Histograms, err = r.figures(scores); err != nil {
		return err
	}
	t, err := template.New("report").Parse(page)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = out.WriteTo(w)
	return err
}

//go:embed report.html.tmpl
var page string

// view is what the page shows, formatted but not escaped: the template does that.
type view struct {
	Net, Summary     string
	Columns          []string // OOD sets and average
	Rows             []row
	Methods          []methodView
	Rates            []string
	All              []setView
	Bootstrap        string
	ROCs, Histograms []template.HTML
	Facts            []factView
	Predictions      []predictionView
}

type row struct {
	Method, Params string
	Cells          []cell
}

type methodView struct{ Name, Params, FitSeconds, MicrosPerSample string }

type setView struct {
	Method, OOD string
	N           int
	Rates       []rateView
}

type rateView struct{ Value, CI string }

type factView struct {
	Name, Value string
	Code        bool
}

func (r Result) view(p Provenance) view {
	v := view{Net: printable(r.Net), Summary: r.summary()}
	for _, o := range r.Methods[0].OOD {
		v.Columns = append(v.Columns, printable(o.Name))
	}
	v.Columns = append(v.Columns, "Average")
	columns := r.cells()
	for i, m := range r.Methods {
		line := row{Method: printable(m.Name), Params: FormatParams(m.Params)}
		for _, column := range columns {
			line.Cells = append(line.Cells, column[i])
		}
		v.Rows = append(v.Rows, line)

		v.Methods = append(v.Methods, methodView{printable(m.Name), FormatParams(m.Params),
			strconv.FormatFloat(m.FitSeconds, 'g', 3, 64), strconv.FormatFloat(m.MicrosPerSample, 'g', 3, 64)})
		for _, o := range m.OOD {
			v.All = append(v.All, viewSet(m.Name, o))
		}
	}
	for _, f := range rateFields {
		v.Rates = append(v.Rates, f.title)
	}
	if b := r.Bootstrap; b != nil {
		v.Bootstrap = fmt.Sprintf("%s %% bootstrap interval over test samples (%d resamples)",
			formatPercent(b.Level), b.Resamples)
	}
	v.Facts, v.Predictions = r.facts(p), viewPredictions(p.Predictions)
	return v
}

// FormatParams lists parameters by name, as tables show them: "clip = 1, p_a = 90". What a terminal cannot print is escaped.
func FormatParams(params map[string]any) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		out = append(out, printable(fmt.Sprintf("%s = %v", name, params[name])))
	}
	return strings.Join(out, ", ")
}

func (r Result) summary() string {
	s := fmt.Sprintf("%d methods on %d out-of-distribution (OOD) sets, against %d in-distribution (ID) samples",
		len(r.Methods), len(r.Methods[0].OOD), r.ID.N)
	if math.IsNaN(r.ID.Accuracy) {
		return s + " without labels."
	}
	s += fmt.Sprintf(" that the network classifies with %.2f %% accuracy", 100*r.ID.Accuracy)
	if ci := r.ID.AccuracyCI; ci != nil {
		s += fmt.Sprintf(" (interval %.2f to %.2f)", 100*ci.Lo, 100*ci.Hi)
	}
	return s + "."
}

func viewSet(method string, o OOD) setView {
	s := setView{Method: printable(method), OOD: printable(o.Name), N: o.N}
	for _, f := range rateFields {
		rate := rateView{Value: fmt.Sprintf("%.2f", 100**f.value(&o.Metrics))}
		if o.CI != nil {
			ci := f.interval(o.CI)
			rate.CI = fmt.Sprintf("%.2f to %.2f", 100*ci.Lo, 100*ci.Hi)
		}
		s.Rates = append(s.Rates, rate)
	}
	return s
}

func (r Result) facts(p Provenance) []factView {
	var facts []factView
	add := func(name, value string, code bool) {
		if value != "" {
			facts = append(facts, factView{printable(name), printable(value), code})
		}
	}
	add("Command", p.Command, true)
	add("Network", r.Net, false)
	add("Weights", r.Weights.File, true)
	add("Weights SHA-256", r.Weights.SHA256, true)
	add("Seed", strconv.FormatUint(r.Seed, 10), false)
	for _, f := range p.Facts {
		add(f.Name, f.Value, false)
	}
	return facts
}

// figures draws the ROC curves of each OOD set and the histograms of each method.
func (r Result) figures(scores []Scores) (rocs, histograms []template.HTML, err error) {
	if len(scores) == 0 {
		return nil, nil, nil
	}
	if err := unique("scores of method", len(scores), func(i int) string { return scores[i].Method }); err != nil {
		return nil, nil, err
	}
	for _, s := range scores {
		i := slices.IndexFunc(r.Methods, func(m Method) bool { return m.Name == s.Method })
		if i < 0 {
			return nil, nil, fmt.Errorf("report: scores of method %q, which the result does not have", s.Method)
		}
		if !slices.EqualFunc(s.OOD, r.Methods[i].OOD, func(a NamedScores, b OOD) bool { return a.Name == b.Name }) {
			return nil, nil, fmt.Errorf("report: the OOD sets in the scores of method %q are not %q", s.Method, names(r.Methods[i]))
		}
		f, err := Histograms(s)
		if err != nil {
			return nil, nil, err
		}
		if histograms, err = appendSVG(histograms, f); err != nil {
			return nil, nil, err
		}
	}
	for set, o := range r.Methods[0].OOD {
		var curves []Curve
		for _, s := range scores {
			curves = append(curves, Curve{Name: s.Method, ID: s.ID, OOD: s.OOD[set].Scores})
		}
		f, err := ROC(o.Name, curves)
		if err != nil {
			return nil, nil, err
		}
		if rocs, err = appendSVG(rocs, f); err != nil {
			return nil, nil, err
		}
	}
	return rocs, histograms, nil
}

// appendSVG trusts the figure's own markup, in which svg has escaped all names.
func appendSVG(to []template.HTML, f *Figure) ([]template.HTML, error) {
	svg, err := f.Element()
	return append(to, template.HTML(svg)), err
}
