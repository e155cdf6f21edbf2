package attribute

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/report"
)

// valuesReport writes the results of "attribute values".
type valuesReport struct {
	stage   *stage
	options attribution.Options
	found   []finding
	partial bool
}

// print writes a table of the largest values of each estimate, and what the estimate cost.
func (r *valuesReport) print(w io.Writer, top int) error {
	for _, f := range r.found {
		e := &f.estimate
		fmt.Fprintf(w, "%s: %s of %s by %s\n", r.heading(f.subject), r.stage.plan.gameFlags.value, r.stage.layer,
			e.Method)
		if top > 0 {
			t := command.NewTable(1, "neuron", "value", "standard error", "95 % from", "to")
			for _, i := range estimate.Largest(e.Values, min(top, len(e.Values))) {
				row := table.Row{e.Names[i], figure(e.Values[i])}
				if e.DF == nil { // no sampling, so no sampling error
					t.AppendRow(append(row, "–", "–", "–"))
					continue
				}
				lo, hi := e.Interval(i, intervalLevel)
				t.AppendRow(append(row, figure(e.StdErr[i]), figure(lo), figure(hi)))
			}
			fmt.Fprintln(w, t.Render())
		}
		fmt.Fprintf(w,
			"%d samples, %s forwards and %s backwards = %s forward-equivalents, %s s; efficiency residual %s of %s; "+
				"%s\n",
			e.Samples, figure(e.Forwards), figure(e.Backwards), figure(e.Equivalents), figure(e.Seconds),
			figure(e.Residual),
			figure(e.Full-e.Empty), stopText[e.Stopped])
		if e.TooFew() {
			fmt.Fprintln(w, noIntervals(e))
		}
		if f.ranking != nil {
			fmt.Fprintf(w, "the %d largest are settled but for %d undecided neurons\n", len(f.ranking.Kept),
				len(f.ranking.Undecided))
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	if r.partial {
		_, err := fmt.Fprintln(w, "partial: interrupted before all estimates were done")
		return err
	}
	return nil
}

// stopText says in words why an estimate ended.
var stopText = map[attribution.Stop]string{
	attribution.StopSamples: "all samples taken", attribution.StopBudget: "budget used",
	attribution.StopTarget:  "target standard error reached",
	attribution.StopDecided: "all neurons decided", attribution.StopExact: "nothing left to compute",
	attribution.StopInterrupted: "interrupted",
}

// noIntervals says why an estimate by sampling has no confidence intervals.
func noIntervals(e *attribution.Estimate) string {
	if e.LeastSamples == math.MaxInt {
		return "no intervals: " + e.Method + " has a bias that standard errors say nothing of"
	}
	return fmt.Sprintf("no intervals: too few samples, %d of the %d that they need", e.Samples, e.LeastSamples)
}

func (r *valuesReport) heading(s *subject) string {
	facts := []string{}
	if s.Image >= 0 {
		facts = append(facts, s.ID)
	} else {
		facts = append(facts, fmt.Sprintf("mean over %d images", s.Images))
	}
	if s.Label >= 0 {
		facts = append(facts, "label "+report.ClassLabel(r.stage.names, s.Label))
	}
	if s.Class >= 0 {
		facts = append(facts, "value of class "+report.ClassLabel(r.stage.names, s.Class))
	}
	return fmt.Sprintf("%s (%s)", s.Name, strings.Join(facts, ", "))
}

// writeCSV writes one line for each neuron of each estimate.
func (r *valuesReport) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"subject", "image", "label", "class", "estimator", "player", "name", "value", "std_err", "lo",
		"hi", "stopped", "partial"}
	_ = out.Write(header) // the writer keeps its errors until Error
	known := func(i int) string {
		if i < 0 {
			return ""
		}
		return strconv.Itoa(i)
	}
	for _, f := range r.found {
		e, s := &f.estimate, f.subject
		for i, v := range e.Values {
			lo, hi := e.Interval(i, intervalLevel)
			row := []string{s.Name, known(s.Image), known(s.Label), known(s.Class), e.Method, strconv.Itoa(i),
				e.Names[i],
				exactly(v), exactly(e.StdErr[i]), exactly(lo), exactly(hi), string(e.Stopped),
				strconv.FormatBool(r.partial)}
			_ = out.Write(row)
		}
	}
	out.Flush()
	return out.Error()
}

// setting holds the settings of the games for JSON files.
type setting struct {
	Net       string `json:"net"`
	Weights   string `json:"weights_sha256"`
	Data      string `json:"data"`
	Fit       string `json:"fit,omitempty"`
	Layer     string `json:"layer"`
	Players   string `json:"players"`
	Value     string `json:"value"`
	Target    string `json:"target"`
	Removal   string `json:"removal"`
	Scope     string `json:"scope"`
	Seed      uint64 `json:"seed"`
	Detector  string `json:"detector,omitempty"`
	NumImages int    `json:"images"`
}

func (s *stage) setting(subjects int) setting {
	players := "neurons"
	if s.channels {
		players = "channels"
	}
	if s.groups > 0 {
		players = fmt.Sprintf("%d groups of neighbouring %s", s.groups, players)
	}
	return setting{s.network.Name(), s.weightsSHA, s.data, s.fit, s.layer, players, s.gameFlags.value,
		s.plan.target.String(), s.removal,
		s.scope, s.Seed, s.detector, subjects}
}

// findingJSON is an estimate in JSON, with stable keys.
type findingJSON struct {
	Subject   string               `json:"subject"`
	Image     *int                 `json:"image"`
	ID        string               `json:"id"`
	Label     *int                 `json:"label"`
	Class     *int                 `json:"class"`
	Images    int                  `json:"images"`
	Estimate  attribution.Estimate `json:"estimate"`
	Level     float64              `json:"level"`
	Lo        []jsonNumber         `json:"lo"`
	Hi        []jsonNumber         `json:"hi"`
	Kept      []int                `json:"kept,omitempty"`
	Undecided []int                `json:"undecided,omitempty"`
}

// writeJSON writes the settings and every estimate.
func (r *valuesReport) writeJSON(w io.Writer) error {
	known := func(i int) *int {
		if i < 0 {
			return nil
		}
		return &i
	}
	found, subjects := []findingJSON{}, map[string]bool{}
	for _, f := range r.found {
		e, s := f.estimate, f.subject
		subjects[s.Name] = true
		j := findingJSON{Subject: s.Name, Image: known(s.Image), ID: s.ID, Label: known(s.Label), Class: known(s.Class),
			Images:   s.Images,
			Estimate: e, Level: intervalLevel, Lo: make([]jsonNumber, len(e.Values)),
			Hi: make([]jsonNumber, len(e.Values))}
		for i := range e.Values {
			lo, hi := e.Interval(i, intervalLevel)
			j.Lo[i], j.Hi[i] = jsonNumber(lo), jsonNumber(hi)
		}
		if f.ranking != nil {
			j.Kept, j.Undecided = f.ranking.Kept, f.ranking.Undecided
		}
		found = append(found, j)
	}
	return command.WriteJSON(w, struct {
		Setting   setting       `json:"setting"`
		Partial   bool          `json:"partial"`
		Estimates []findingJSON `json:"estimates"`
	}{r.stage.setting(len(subjects)), r.partial, found})
}
