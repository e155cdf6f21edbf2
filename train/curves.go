package train

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/figure"
)

// WriteCurves writes the learning curves to stem.csv ([CurvesCSV]) and stem.png ([CurvesPNG]). Each file appears
// complete or not at all.
func WriteCurves(stem string, curve []Epoch) error {
	if err := atomicfile.Write(stem+".csv", func(w io.Writer) error { return CurvesCSV(w, curve) }); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := atomicfile.Write(stem+".png", func(w io.Writer) error { return CurvesPNG(w, curve) }); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// CurvesCSV writes one line for each epoch: losses are mean cross-entropies, accuracies are in percent.
func CurvesCSV(w io.Writer, curve []Epoch) error {
	c := csv.NewWriter(w)
	f := func(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }
	_ = c.Write([]string{"epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "images_per_second",
		"seconds"})
	for _, e := range curve {
		_ = c.Write([]string{
			strconv.Itoa(e.Epoch), strconv.FormatFloat(e.LearningRate, 'g', 6, 64), f(e.Loss, 6), f(100*e.Accuracy, 3),
			f(e.ValLoss, 6), f(100*e.ValAccuracy, 3), f(e.ImagesPerSec, 1), f(e.Seconds, 1),
		})
	}
	c.Flush()
	return c.Error()
}

// Figure is a finished drawing. It is an [io.WriterTo] of PNG, which notebooks show, and has methods PNG and SVG.
type Figure = figure.Figure

// CurvesPNG writes the figure of [Curves] as PNG, at 144 dots per inch.
func CurvesPNG(w io.Writer, curve []Epoch) error {
	f, err := Curves(curve)
	if err != nil {
		return err
	}
	if _, err := f.WriteTo(w); err != nil {
		return fmt.Errorf("train: curves: %w", err)
	}
	return nil
}

// Curves draws loss and accuracy against epochs, side by side, for training and, where there was any, for validation.
func Curves(curve []Epoch) (*Figure, error) {
	type series struct {
		name   string
		values func(Epoch) float64
	}
	var panels []*plot.Plot
	for _, panel := range []struct {
		label  string
		series []series
	}{
		{"loss", []series{
			{"training", func(e Epoch) float64 { return e.Loss }},
			{"validation", func(e Epoch) float64 { return e.ValLoss }},
		}},
		{"accuracy (%)", []series{
			{"training", func(e Epoch) float64 { return 100 * e.Accuracy }},
			{"validation", func(e Epoch) float64 { return 100 * e.ValAccuracy }},
		}},
	} {
		p := figure.NewPlot("", "epoch", panel.label, 10)
		p.Add(figure.Grid())
		p.Legend.Left, p.Legend.Top = false, len(panels) == 0
		for i, s := range panel.series {
			xy := make(plotter.XYs, len(curve))
			seen := false
			for j, e := range curve {
				xy[j] = plotter.XY{X: float64(e.Epoch), Y: s.values(e)}
				seen = seen || xy[j].Y != 0
			}
			if !seen {
				continue // there were no validation images
			}
			line, points, err := plotter.NewLinePoints(xy)
			if err != nil {
				return nil, fmt.Errorf("train: curves: %w", err)
			}
			line.LineStyle, points.GlyphStyle = figure.Line(i), figure.Glyph(i)
			p.Add(line, points)
			p.Legend.Add(s.name, line, points)
		}
		panels = append(panels, p)
	}
	alt := fmt.Sprintf("Loss and accuracy over %d epochs", len(curve))
	if n := len(curve); n > 0 {
		alt += fmt.Sprintf("; training loss %.3f at the end, accuracy %.1f %%", curve[n-1].Loss,
			100*curve[n-1].Accuracy)
	}
	return &Figure{Alt: alt, Width: 18 * vg.Centimeter, Height: 8 * vg.Centimeter, Draw: func(c draw.Canvas) {
		half := c.Size().X / 2
		for side, p := range panels {
			left := half * vg.Length(side)
			p.Draw(draw.Crop(c, left+vg.Points(4), left-half-vg.Points(4), vg.Points(4), -vg.Points(4)))
		}
	}}, nil
}
