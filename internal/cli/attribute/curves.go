package attribute

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/cli/command"
)

// curvesCommand is one "attribute curves" command line.
type curvesCommand struct {
	command.Common
	gameFlags
	stopping
	estimators        []string
	points, resamples int
	outDir            string
	stdout            io.Writer
	parsed            []attribution.Estimator
	options           attribution.Options
	plan              plan
}

func newCurves() *cobra.Command {
	var c curvesCommand
	cmd := &cobra.Command{
		Use:   "curves --net NAME --weights FILE --data DATA --out-dir DIR",
		Short: "Insertion and deletion curves of neurons",
		Long: `Let the neurons of images come one after another, the one with the largest estimate first, and go in the same order, and see what
becomes of the value. An order that knows what matters rises early on insertion and falls early on deletion; no true values are needed
to see it. Areas under the curves are in units of the value's whole change, with 95 % bootstrap bands over the games. Written are
  curves.csv, curves.json              every curve of every game
  areas.csv                            areas by estimator
  insertion.png, .svg, deletion.*      mean curves

` + estimatorHelp,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.stdout = cmd.OutOrStdout()
			if err := c.check(cmd.Flags().Changed("images")); err != nil {
				return err
			}
			return c.run(cmd.Context())
		},
	}
	c.Common.Register(cmd)
	c.gameFlags.register(cmd, 10)
	c.stopping.register(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&c.estimators, "estimators", []string{"recommended", "gradient-activation", "integrated-gradients",
		"antithetic"}, "estimators whose orders are compared, by name")
	f.IntVar(&c.points, "points", 0, "points of each curve, at least 2; 0 for one after each neuron")
	f.IntVar(&c.resamples, "bootstrap", 1000, "resamples behind the bands")
	f.StringVar(&c.outDir, "out-dir", "", "`FOLDER` to write to")
	return cmd
}

func (c *curvesCommand) check(imagesGiven bool) (err error) {
	if err := command.Required("--out-dir", c.outDir); err != nil {
		return err
	}
	if c.parsed, err = parseEstimators(c.estimators); err != nil {
		return err
	}
	if c.options, err = c.stopping.options(&c.Common); err != nil {
		return err
	}
	switch {
	case c.points < 0 || c.points == 1:
		return command.Usagef("--points %d: expected at least 2, or 0 for all", c.points)
	case c.resamples < 1 || c.resamples > command.MaxResamples:
		return command.Usagef("--bootstrap %d: expected 1 to %d", c.resamples, command.MaxResamples)
	}
	c.plan, err = c.gameFlags.check(imagesGiven)
	c.plan.path = wantsPath(c.parsed)
	return err
}

// curveFiles lists the names of all files that the command may write.
var curveFiles = []string{"curves.csv", "curves.json", "areas.csv", "insertion.png", "insertion.svg", "deletion.png",
	"deletion.svg"}

func (c *curvesCommand) run(ctx context.Context) error {
	if err := command.MakeFolder("--out-dir", c.outDir); err != nil {
		return err
	}
	var outputs []string
	for _, name := range curveFiles {
		outputs = append(outputs, "--out-dir", filepath.Join(c.outDir, name), "--out-dir",
			filepath.Join(c.outDir, partialName(name)))
	}
	if err := command.CheckOutputs(command.Outputs(outputs...), c.plan.inputs()...); err != nil {
		return err
	}
	s, err := newStage(&c.Common, c.plan)
	if err != nil {
		return err
	}
	subjects, err := s.subjects(ctx)
	if err != nil {
		return err
	}
	study := compare.CurveStudy{Estimators: forPlayers(c.parsed, subjects[0].Game.Players()), Points: c.points,
		Options: c.options, Level: intervalLevel, Resamples: c.resamples}
	for _, sub := range subjects {
		study.Subjects = append(study.Subjects, compare.Subject{Name: sub.Name, Game: sub.Game})
	}
	b := c.Counter("curves", 0)
	defer b.Finish()
	study.Progress = b.Set
	found, stopped := compare.CompareCurves(ctx, study)
	if stopped != nil && (found == nil || !command.Interrupted(ctx, stopped)) {
		return stopped
	}
	r := curvesReport{stage: s, found: found, partial: stopped != nil}
	return errors.Join(r.write(c.outDir), r.print(c.stdout), stopped)
}

// curvesReport writes the results of "attribute curves".
type curvesReport struct {
	stage   *stage
	found   *compare.CurveComparison
	partial bool
}

func (r *curvesReport) title() string {
	s := r.stage.setting(0)
	return fmt.Sprintf("%s, %s, %s: %s", s.Net, s.Layer, s.Players, s.Value)
}

func (r *curvesReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s; areas under the mean curves with 95 %% bands, in units of the value's whole change\n",
		r.title())
	t := command.NewTable(1, "order by", "games", "insertion (high is good)", "deletion (low is good)", "difference",
		"spent", "seconds")
	text := func(b compare.Band) string {
		return fmt.Sprintf("%s [%s, %s]", figure(b.Mean), figure(b.Lo), figure(b.Hi))
	}
	for _, c := range r.found.Cells {
		if c.Runs > 0 {
			t.AppendRow([]any{c.Estimator, c.Runs, text(c.Insertion), text(c.Deletion), text(c.Difference),
				figure(c.Equivalents), figure(c.Seconds)})
		}
	}
	_, err := fmt.Fprintln(w, t.Render())
	if r.partial && err == nil {
		_, err = fmt.Fprintln(w, "partial: interrupted before all curves were done")
	}
	return err
}

func (r *curvesReport) write(dir string) error {
	name := func(file string) string {
		if r.partial {
			file = partialName(file)
		}
		return filepath.Join(dir, file)
	}
	errs := []error{
		atomicfile.Write(name("curves.csv"), r.writeCurves),
		atomicfile.Write(name("areas.csv"), r.writeAreas),
		atomicfile.Write(name("curves.json"), r.writeJSON),
	}
	for _, kind := range []string{"insertion", "deletion"} {
		f, err := compare.MeanCurves(r.found, kind == "deletion")
		if err != nil {
			continue // nothing to draw
		}
		f.Titled(r.title() + ", " + kind)
		for ext, drawing := range map[string]io.WriterTo{".png": f.PNG(), ".svg": f.SVG()} {
			errs = append(errs, atomicfile.Write(name(kind+ext), func(w io.Writer) error {
				_, err := drawing.WriteTo(w)
				return err
			}))
		}
	}
	return errors.Join(errs...)
}

// writeCurves writes one line for each point of each curve.
func (r *curvesReport) writeCurves(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"subject", "estimator", "share", "insertion", "deletion"}) // errors are kept until Error
	for _, run := range r.found.Runs {
		for k, share := range run.Share {
			_ = out.Write([]string{run.Subject, run.Estimator, exactly(share), exactly(run.Insertion[k]),
				exactly(run.Deletion[k])})
		}
	}
	out.Flush()
	return out.Error()
}

// writeAreas writes one line for each estimator.
func (r *curvesReport) writeAreas(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"estimator", "games", "forward_equivalents", "seconds"}
	for _, kind := range []string{"insertion", "deletion", "difference"} {
		header = append(header, kind, kind+"_lo", kind+"_hi")
	}
	_ = out.Write(header)
	for _, c := range r.found.Cells {
		line := []string{c.Estimator, strconv.Itoa(c.Runs), exactly(c.Equivalents), exactly(c.Seconds)}
		for _, b := range []compare.Band{c.Insertion, c.Deletion, c.Difference} {
			line = append(line, exactly(b.Mean), exactly(b.Lo), exactly(b.Hi))
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}

// curveJSON is a curve in JSON, with stable keys.
type curveJSON struct {
	Subject     string       `json:"subject"`
	Estimator   string       `json:"estimator"`
	Share       []jsonNumber `json:"share"`
	Insertion   []jsonNumber `json:"insertion"`
	Deletion    []jsonNumber `json:"deletion"`
	Areas       []jsonNumber `json:"areas"`
	Equivalents jsonNumber   `json:"forward_equivalents"`
	Skipped     string       `json:"skipped,omitempty"`
}

func (r *curvesReport) writeJSON(w io.Writer) error {
	curves := []curveJSON{}
	for _, run := range r.found.Runs {
		c := curveJSON{run.Subject, run.Estimator, jsonNumbers(run.Share), jsonNumbers(run.Insertion),
			jsonNumbers(run.Deletion), nil, jsonNumber(run.Equivalents), run.Skipped}
		if run.Skipped == "" {
			in, out := run.Areas()
			c.Areas = []jsonNumber{jsonNumber(in), jsonNumber(out)}
		}
		curves = append(curves, c)
	}
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	return out.Encode(struct {
		Setting setting     `json:"setting"`
		Partial bool        `json:"partial"`
		Curves  []curveJSON `json:"curves"`
	}{r.stage.setting(len(r.found.Runs) / max(1, len(r.found.Cells))), r.partial, curves})
}
