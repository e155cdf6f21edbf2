package report

import (
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// view holds what the page shows, formatted but not escaped; the template escapes.
type view struct {
	Policy          string
	Style           template.CSS
	Script          template.JS
	Net, About      string
	Summary         string
	Standing        string
	Contents        []Section // sections of the page without their bodies
	Overview        overview
	FullSpectrum    *overview // nil where there are no covariate-shifted ID sets
	Methods         []methodView
	Sections        []Section
	Rates           []rateHead
	All             []setView
	AllFolded       bool
	Bootstrap       string
	Checkpoints     int
	TuningRule      string
	ComparisonTest  string
	Curves          []setCharts
	Scores          []scoreCharts
	Coverage, Cost  template.HTML
	Legend          []legendEntry
	Comparisons     []comparisonView
	Tunings         []tuningView
	Pictures        []picturesView
	Predictions     []predictionView
	Facts           []factView
	Tied            bool // whether ties straddle the threshold of any FPR95
	Labelled, Sized bool // whether methods have misclassification rates, and known memory
}

type methodView struct {
	Index                       int
	Name, Class, Params         string
	FitSeconds, MicrosPerSample numberView
	Bytes                       numberView
	AURC, ErrorAUROC            string
}

// numberView is a number as text, and as a key for sorting.
type numberView struct{ Text, Sort string }

func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// formatSmall formats a number of at least 0 with three digits and no exponent, numbers below 0.001 as "< 0.001".
func formatSmall(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.001:
		return "< 0.001"
	}
	digits := 2 - int(math.Floor(math.Log10(v)))
	return strconv.FormatFloat(v, 'f', max(0, min(4, digits)), 64)
}

type setView struct {
	Index       int
	Method, OOD string
	N           int
	Rates       []rateView
}

type rateView struct{ Value, CI string }

// rateHead is the heading of a rate; with Down the highest is sorted first.
type rateHead struct {
	Title  string
	Column int
	Down   bool
}

type factView struct {
	Name, Value string
	Code        bool
}

func (r Result) view(scores []Scores, p Provenance) (*view, error) {
	v := &view{Policy: policy(), Style: template.CSS(style), Script: template.JS(script), Net: printable(r.Net),
		About:   r.about(),
		Summary: r.summary(), Standing: r.standing(), Sections: p.Sections, Checkpoints: r.Checkpoints,
		TuningRule: TuningRule, ComparisonTest: r.comparisonSentence()}
	c, err := newCharts(r, scores)
	if err != nil {
		return nil, err
	}
	r.viewTables(v, c)
	if err := v.draw(r, c, p); err != nil {
		return nil, err
	}
	v.Comparisons, v.Tunings = r.viewComparisons(), r.viewTunings()
	v.Pictures, v.Predictions, v.Facts = viewPictures(p.Pictures), viewPredictions(p.Predictions), r.facts(p)
	v.Contents = v.contents()
	return v, nil
}

// viewTables sets the tables of methods and sets.
func (r Result) viewTables(v *view, c *charts) {
	v.Overview, v.Tied = r.overview("overview", c), r.anyTied()
	if r.FullSpectrum != nil {
		full := r.fullSpectrum().overview("full-spectrum", c)
		full.Caption = full.caption(r)
		v.FullSpectrum = &full
	}
	for i, m := range r.Methods {
		v.Methods = append(v.Methods, viewMethod(i, m, c.class(i)))
		v.Labelled, v.Sized = v.Labelled || m.Misclassification != nil, v.Sized || m.Bytes > 0
		for _, o := range m.OOD {
			v.All = append(v.All, viewSet(i, m.Name, o))
		}
	}
	const most = 60 // most rows shown at once
	v.AllFolded = len(v.All) > most
	for i, f := range rateFields {
		v.Rates = append(v.Rates, rateHead{f.title, i + 3, strings.HasSuffix(f.title, "↑")})
	}
	if b := r.Bootstrap; b != nil {
		v.Bootstrap = fmt.Sprintf("%s %% bootstrap interval over test samples (%d resamples)", formatPercent(b.Level),
			b.Resamples)
	}
}

func viewMethod(i int, m Method, class string) methodView {
	v := methodView{Index: i, Name: printable(m.Name), Class: class, Params: FormatParams(m.Params),
		FitSeconds:      numberView{formatSmall(m.FitSeconds), exact(m.FitSeconds)},
		MicrosPerSample: numberView{formatSmall(m.MicrosPerSample), exact(m.MicrosPerSample)},
		Bytes:           numberView{formatBytes(m.Bytes), strconv.FormatInt(m.Bytes, 10)}}
	if e := m.Misclassification; e != nil {
		v.AURC = fmt.Sprintf("%.2f", 100*e.AURC)
		if !math.IsNaN(e.AUROC) {
			v.ErrorAUROC = fmt.Sprintf("%.2f", 100*e.AUROC)
		}
	}
	return v
}

// draw sets the figures.
func (v *view) draw(r Result, c *charts, p Provenance) error {
	v.Cost = cost(r, c.class)
	if len(c.scores) == 0 {
		return nil
	}
	for i := range c.scores {
		h, err := c.histograms(i)
		if err != nil {
			return err
		}
		v.Scores = append(v.Scores, h)
	}
	for set := range r.Methods[0].OOD {
		curves, err := c.curves(set)
		if err != nil {
			return err
		}
		v.Curves = append(v.Curves, curves)
	}
	for _, e := range v.Curves[0].Legend {
		e.Values = ""
		v.Legend = append(v.Legend, e)
	}
	if p.Outcomes == nil {
		return nil
	}
	var err error
	v.Coverage, err = c.coverage(p.Outcomes)
	return err
}

// FormatParams lists parameters by name, as tables show them: "clip = 1, p_a = 90". Characters that a terminal cannot
// print are escaped.
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
	switch {
	case math.IsNaN(r.ID.Accuracy):
		s += " without labels"
	default:
		s += fmt.Sprintf(" that the network classifies with %.2f %% accuracy", 100*r.ID.Accuracy)
		if ci := r.ID.AccuracyCI; ci != nil {
			s += fmt.Sprintf(" (interval %.2f to %.2f)", 100*ci.Lo, 100*ci.Hi)
		}
	}
	if r.Checkpoints > 1 {
		s += fmt.Sprintf("; rates are means over %d checkpoints of the network", r.Checkpoints)
	}
	return s + "."
}

func viewSet(index int, method string, o OOD) setView {
	s := setView{Index: index, Method: printable(method), OOD: printable(o.Name), N: o.N}
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

// contents lists the page's sections in order.
func (v *view) contents() (list []Section) {
	add := func(shown bool, id, title string) {
		if shown {
			list = append(list, Section{ID: id, Title: title})
		}
	}
	add(true, "overview", "Overview")
	for _, s := range v.Sections {
		add(true, s.ID, s.Title)
	}
	add(v.FullSpectrum != nil, "full-spectrum", "Full spectrum")
	add(true, "methods", "Settings, time and memory")
	add(len(v.Tunings) > 0, "tuning", "How parameters were chosen")
	add(len(v.Comparisons) > 0, "comparisons", "Methods against each other")
	add(len(v.Curves) > 0, "roc", "ROC and precision-recall curves")
	add(v.Coverage != "", "coverage", "Accuracy by coverage")
	add(len(v.Scores) > 0, "scores", "Score distributions")
	add(len(v.Pictures) > 0, "extremes", "Most and least in-distribution pictures")
	add(len(v.Predictions) > 0, "predictions", "What samples are taken for")
	add(true, "all", "All metrics")
	add(true, "provenance", "Provenance")
	return list
}
