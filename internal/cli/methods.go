package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	_ "github.com/line-ood/goline/line" // registers LINe
	"github.com/line-ood/goline/line/posthoc"
)

func newMethods() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "methods [METHOD]",
		Short: "List the detectors that --methods takes, with their parameters",
		Long: `List the detectors that --methods takes, what each is fitted on, and its parameters for --param METHOD.NAME=VALUE: default,
range, and in braces the values that a search tries. Names joined by + compose: the shaping of all, and the score of the one
that has a score of its own, as in react+dice, scale+knn, line+react.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return command.Usagef("expected one method, got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds := posthoc.Kinds()
			if len(args) == 1 {
				k, err := posthoc.LookUp(args[0])
				if err != nil {
					return command.Usagef("%w", err)
				}
				kinds = []posthoc.Kind{k}
			}
			if asJSON {
				return command.WriteJSON(cmd.OutOrStdout(), describeKinds(kinds))
			}
			return writeKinds(cmd.OutOrStdout(), kinds)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// kindJSON is a method in JSON.
type kindJSON struct {
	Name     string      `json:"name"`
	Score    string      `json:"score"`
	Source   string      `json:"source"`
	FittedOn string      `json:"fitted_on"`
	Needs    []string    `json:"needs,omitempty"`
	Slow     bool        `json:"on_request,omitempty"`
	Params   []paramJSON `json:"params"`
}

type paramJSON struct {
	Name    string          `json:"name"`
	Default float64         `json:"default"`
	Min     json.RawMessage `json:"min"`
	Max     json.RawMessage `json:"max"`
	Open    bool            `json:"min_excluded,omitempty"`
	Grid    []float64       `json:"grid,omitempty"`
	Doc     string          `json:"doc"`
}

func describeKinds(kinds []posthoc.Kind) []kindJSON {
	bound := func(v float64) json.RawMessage {
		if math.Abs(v) >= math.MaxFloat32 {
			return json.RawMessage("null")
		}
		return json.RawMessage(strconv.FormatFloat(v, 'g', -1, 64))
	}
	out := []kindJSON{}
	for _, k := range kinds {
		d := kindJSON{Name: k.Name, Score: k.Doc, Source: k.Source, FittedOn: k.FittedOn.String(),
			Needs: needsOf(k.Name), Slow: k.Slow, Params: []paramJSON{}}
		for _, p := range k.Params {
			d.Params = append(d.Params, paramJSON{p.Name, p.Default, bound(p.Min), bound(p.Max), p.Open, p.Grid, p.Doc})
		}
		out = append(out, d)
	}
	return out
}

// needsOf returns what a method needs beside features and logits.
func needsOf(name string) []string {
	m, err := posthoc.New(name, posthoc.Options{})
	if err != nil {
		return nil
	}
	if n, ok := m.(posthoc.Needing); ok {
		return n.Needs()
	}
	return nil
}

func writeKinds(w io.Writer, kinds []posthoc.Kind) error {
	for i, k := range kinds {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		notes := "fitted on " + k.FittedOn.String()
		if len(needsOf(k.Name)) > 0 {
			notes += ", runs the network on every picture again"
		}
		if k.Slow {
			notes += ", not among all"
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n  %s; %s\n", k.Name, k.Doc, k.Source, notes); err != nil {
			return err
		}
		for _, p := range k.Params {
			if _, err := fmt.Fprintf(w, "  %s.%s = %v in %s%s: %s\n", k.Name, p.Name, p.Default, rangeOf(p), gridOf(p),
				p.Doc); err != nil {
				return err
			}
		}
	}
	return nil
}

func rangeOf(p posthoc.Parameter) string {
	open, lo, hi := "[", strconv.FormatFloat(p.Min, 'g', -1, 64), strconv.FormatFloat(p.Max, 'g', -1, 64)
	if p.Open {
		open = "("
	}
	if p.Max >= math.MaxFloat32 {
		return open + lo + ", ∞)"
	}
	return open + lo + ", " + hi + "]"
}

func gridOf(p posthoc.Parameter) string {
	if len(p.Grid) == 0 {
		return ""
	}
	var all []string
	for _, v := range p.Grid {
		all = append(all, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return " {" + strings.Join(all, ", ") + "}"
}
