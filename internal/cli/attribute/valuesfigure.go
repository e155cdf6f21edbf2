package attribute

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets"
)

// mostDrawn is the largest number of neurons whose rows fit on a page.
const mostDrawn = 50

// checkFigure fails where the flags ask for a figure that cannot be drawn.
func (v *valuesCommand) checkFigure() error {
	if v.figure == "" {
		return nil
	}
	if ext := strings.ToLower(filepath.Ext(v.figure)); ext != ".png" && ext != ".svg" {
		return command.Usagef("--figure %s: expected the ending .png or .svg, got %q", v.figure, ext)
	}
	if v.top < 1 {
		return command.Usagef("--figure: expected --top of at least 1, got %d", v.top)
	}
	return nil
}

// draw writes the figure of the first game, in the format of the file name's ending. If an interruption left nothing to
// draw, it writes no file.
func (r *valuesReport) draw(path string, top int) error {
	if path == "" || len(r.found) == 0 {
		return nil
	}
	first := r.found[0].subject
	var estimates []attribution.Estimate
	for _, f := range r.found {
		if f.subject == first {
			estimates = append(estimates, f.estimate)
		}
	}
	top = min(top, mostDrawn, len(estimates[0].Values))
	f, err := compare.LargestValues(estimates, top, intervalLevel, r.weights(first))
	if err != nil {
		return fmt.Errorf("--figure %s: %w", path, err)
	}
	f.Titled(r.figureTitle(first))
	drawing := f.PNG()
	if strings.EqualFold(filepath.Ext(path), ".svg") {
		drawing = f.SVG()
	}
	return command.Write(path, func(w io.Writer) error {
		_, err := drawing.WriteTo(w)
		return err
	})
}

// figureTitle returns the title of the figure.
func (r *valuesReport) figureTitle(s *subject) string {
	set := r.stage.setting(1)
	title := fmt.Sprintf("%s, %s, %s: Shapley values of %s for %s", set.Net, set.Layer, set.Players, set.Value, s.Name)
	if s.Class >= 0 {
		title += ", class " + report.ClassLabel(r.stage.names, s.Class)
	}
	if r.partial {
		title += " (partial)"
	}
	return title
}

// weights returns the weights from the neurons to the class of the game, or to its label where the class differs
// between images. There are none for groups of neurons and for other layers.
func (r *valuesReport) weights(s *subject) compare.Weights {
	class := s.Class
	if class < 0 {
		class = s.Label
	}
	if r.stage.layer != nets.Features || r.stage.groups > 0 || class < 0 {
		return compare.Weights{}
	}
	head := nets.HeadOf(r.stage.network)
	w := compare.Weights{Label: "weight to class " + report.ClassLabel(r.stage.names, class),
		Values: make([]float64, head.FeatureDim)}
	for i := range w.Values {
		w.Values[i] = float64(head.Weight[class*head.FeatureDim+i])
	}
	return w
}
