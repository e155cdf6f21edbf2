package attribute

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/line-ood/goline/attribution/interactions"
	"github.com/line-ood/goline/internal/cli/command"
)

// interactionsReport writes the results of "attribute interactions".
type interactionsReport struct {
	stage   *stage
	found   []interactionsFound
	partial bool
}

// print writes a table of the largest pairs of each game, and what the estimate cost.
func (r *interactionsReport) print(w io.Writer, top int) error {
	v := valuesReport{stage: r.stage}
	for i := range r.found {
		f := &r.found[i]
		e := &f.estimate
		fmt.Fprintf(w, "%s: %s of %s, %s of pairs among %d of %d players\n", v.heading(f.subject),
			r.stage.plan.gameFlags.value, r.stage.layer, e.Index,
			len(e.Players), f.subject.Game.Players())
		if f.chosenBy != "" {
			fmt.Fprintf(w, "players chosen by %s for %s forward-equivalents\n", f.chosenBy,
				figure(f.choosing.Equivalents))
		}
		if top > 0 {
			t := command.NewTable(2, "neuron", "and", "interaction", "standard error", "95 % from", "to")
			for _, p := range e.Largest(top) {
				if e.DF == 0 { // exact
					t.AppendRow([]any{e.Names[p.I], e.Names[p.J], figure(p.Value), "–", "–", "–"})
					continue
				}
				lo, hi := e.Interval(p, intervalLevel)
				t.AppendRow([]any{e.Names[p.I], e.Names[p.J], figure(p.Value), figure(p.StdErr), figure(lo),
					figure(hi)})
			}
			fmt.Fprintln(w, t.Render())
		}
		size := 0.0
		for _, x := range e.Pairs {
			size += math.Abs(x)
		}
		fmt.Fprintf(w,
			"%d samples, %s forward-equivalents, %s s; sizes of all pairs sum to %s where the value changes by %s; "+
				"%s\n",
			e.Samples, figure(e.Equivalents), figure(e.Seconds), figure(size), figure(e.Full-e.Empty),
			stopText[e.Stopped])
		if e.TooFew() {
			fmt.Fprintf(w, "no intervals: too few samples, %d of the %d that they need\n", e.Samples, e.LeastSamples)
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

// writeCSV writes one line for each pair, and one for each single neuron, of each game.
func (r *interactionsReport) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"subject", "image", "class", "index", "estimator", "player", "name", "other", "other_name",
		"value", "std_err", "lo", "hi", "stopped", "partial"}
	_ = out.Write(header) // the writer keeps its errors until Error
	for i := range r.found {
		f := &r.found[i]
		e, image, class := &f.estimate, "", ""
		if f.subject.Image >= 0 {
			image = strconv.Itoa(f.subject.Image)
		}
		if f.subject.Class >= 0 {
			class = strconv.Itoa(f.subject.Class)
		}
		line := func(player, other int, otherName string, p interactions.Pair) {
			lo, hi := e.Interval(p, intervalLevel)
			second := ""
			if other >= 0 {
				second = strconv.Itoa(other)
			}
			_ = out.Write([]string{f.subject.Name, image, class, e.Index.String(), e.Method, strconv.Itoa(player),
				e.Names[player], second, otherName,
				exactly(p.Value), exactly(p.StdErr), exactly(lo), exactly(hi), string(e.Stopped),
				strconv.FormatBool(r.partial)})
		}
		for a, player := range e.Players {
			line(player, -1, "", interactions.Pair{Value: e.Singles[a], StdErr: e.SinglesStdErr[a]})
		}
		for _, p := range e.All() {
			line(p.I, p.J, e.Names[p.J], p)
		}
	}
	out.Flush()
	return out.Error()
}

// writeJSON writes the settings and the interactions.
func (r *interactionsReport) writeJSON(w io.Writer) error {
	type found struct {
		Subject       string       `json:"subject"`
		Image         int          `json:"image"`
		Class         int          `json:"class"`
		Estimator     string       `json:"estimator"`
		Index         string       `json:"index"`
		ChosenBy      string       `json:"players_chosen_by,omitempty"`
		Players       []int        `json:"players"`
		Names         []string     `json:"names"`
		Singles       []jsonNumber `json:"singles"`
		SinglesStdErr []jsonNumber `json:"singles_std_err"`
		Pairs         []jsonNumber `json:"pairs"`
		PairsStdErr   []jsonNumber `json:"pairs_std_err"`
		Samples       int          `json:"samples"`
		LeastSamples  int          `json:"least_samples"`
		Evaluations   int64        `json:"evaluations"`
		Equivalents   jsonNumber   `json:"forward_equivalents"`
		Seconds       jsonNumber   `json:"seconds"`
		Empty         jsonNumber   `json:"empty"`
		Full          jsonNumber   `json:"full"`
		Residual      jsonNumber   `json:"efficiency_residual"`
		Stopped       string       `json:"stopped"`
	}
	all := []found{}
	for i := range r.found {
		f := &r.found[i]
		e := &f.estimate
		names := make([]string, len(e.Players))
		for a, p := range e.Players {
			names[a] = e.Names[p]
		}
		all = append(all, found{f.subject.Name, f.subject.Image, f.subject.Class, e.Method, e.Index.String(),
			f.chosenBy, e.Players, names,
			jsonNumbers(e.Singles), jsonNumbers(e.SinglesStdErr), jsonNumbers(e.Pairs), jsonNumbers(e.PairsStdErr),
			e.Samples, e.LeastSamples, e.Evaluations,
			jsonNumber(e.Equivalents), jsonNumber(e.Seconds), jsonNumber(e.Empty), jsonNumber(e.Full),
			jsonNumber(e.Residual), string(e.Stopped)})
	}
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	return out.Encode(struct {
		Setting setting `json:"setting"`
		Partial bool    `json:"partial"`
		Found   []found `json:"found"`
	}{r.stage.setting(len(r.found)), r.partial, all})
}

func jsonNumbers(x []float64) []jsonNumber {
	out := make([]jsonNumber, len(x))
	for i, v := range x {
		out[i] = jsonNumber(v)
	}
	return out
}
