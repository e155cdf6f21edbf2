package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/line"
)

// LINe holds the flags of LINe's parameters.
type LINe struct {
	pA, pW, clip, clipPercentile float64
	clipPerClass                 bool
	without                      []string
	given                        func(flag string) bool // whether a flag is on the command line
}

// Register adds the flags to a command.
func (l *LINe) Register(cmd *cobra.Command) {
	d := line.DefaultOptions()
	f := cmd.Flags()
	f.Float64Var(&l.pA, "p-a", d.ActivationPercentile, "percent of neurons dropped per class (activation pruning)")
	f.Float64Var(&l.pW, "p-w", d.WeightPercentile, "percent of last-layer weights dropped per class (weight pruning)")
	f.Float64Var(&l.clip, "clip", d.Clip, "upper bound of activations (activation clipping)")
	f.Float64Var(&l.clipPercentile, "clip-percentile", 0,
		"clip each neuron at this `PERCENTILE` of its own training activations instead of all at --clip")
	f.BoolVar(&l.clipPerClass, "clip-per-class", false,
		"take --clip-percentile over the training images of each class; an image is clipped as the class that it is "+
			"predicted as before")
	f.StringSliceVar(&l.without, "without", nil,
		"switch `COMPONENTS` off: ac (clipping), ap (activation pruning), wp (weight pruning)")
	l.given = f.Changed
}

// Warn warns a user who has given a fraction for a flag that takes percent.
func (l *LINe) Warn(w io.Writer) {
	for _, f := range []struct {
		flag  string
		value float64
	}{{"--p-a", l.pA}, {"--p-w", l.pW}, {"--clip-percentile", l.clipPercentile}} {
		if f.value > 0 && f.value < 1 {
			fmt.Fprintf(w, "goline: warning: %s %v is in percent; for a share of %v write %s %v\n", f.flag, f.value,
				f.value, f.flag, 100*f.value)
		}
	}
}

// Options returns LINe's parameters. An error is a [UsageError].
func (l *LINe) Options() (line.Options, error) {
	o := line.Options{ActivationPercentile: line.Percent(l.pA), WeightPercentile: line.Percent(l.pW), Clip: l.clip,
		ClipPercentile: l.clipPercentile, ClipPerClass: l.clipPerClass}
	switch {
	case !l.given("clip-percentile"):
	case l.given("clip"):
		return o, Usagef("--clip and --clip-percentile exclude each other")
	case l.clipPercentile == 0:
		return o, Usagef("--clip-percentile: expected a percentile in (0, 100], got 0")
	}
	for _, w := range l.without {
		switch strings.ToLower(strings.TrimSpace(w)) {
		case "ac":
			o.NoClipping = true
		case "ap":
			o.NoActivationPruning = true
		case "wp":
			o.NoWeightPruning = true
		default:
			return o, Usagef("--without %q: expected ac, ap or wp", w)
		}
	}
	if l.clip == 0 && !o.NoClipping {
		return o, Usagef("--clip: expected a positive number, got 0")
	}
	if err := o.Check(); err != nil {
		return o, UsageError{Err: err}
	}
	return o, nil
}

// Params returns the flags as parameters of the registered method. The map holds clip or clip_percentile, whichever was
// given.
func (l *LINe) Params() map[string]float64 {
	p := map[string]float64{"p_a": l.pA, "p_w": l.pW}
	if l.given("clip") {
		p["clip"] = l.clip
	}
	if l.given("clip-percentile") {
		p["clip_percentile"] = l.clipPercentile
	}
	if l.clipPerClass {
		p["clip_per_class"] = 1
	}
	for _, w := range l.without {
		switch w = strings.ToLower(strings.TrimSpace(w)); w {
		case "ac", "ap", "wp":
			p[w] = 0
		}
	}
	return p
}

// Given returns the parameters of Params that the user has fixed by flags, which a search must not change.
func (l *LINe) Given() map[string]float64 {
	p := l.Params()
	for flag, name := range map[string]string{"p-a": "p_a", "p-w": "p_w"} {
		if !l.given(flag) {
			delete(p, name)
		}
	}
	if _, ok := p["clip_percentile"]; ok {
		p["clip"] = line.DefaultOptions().Clip // without effect beside clip_percentile; keeps a search from varying it
	}
	return p
}
