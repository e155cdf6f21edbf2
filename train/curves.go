package train

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image/color"
	"io"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/line-ood/goline/internal/atomicfile"
)

// WriteCurves writes the learning curves to stem.csv ([CurvesCSV]) and stem.png ([CurvesPNG]), each whole or not at all.
func WriteCurves(stem string, curve []Epoch) error {
	if err := atomicfile.Write(stem+".csv", func(w io.Writer) error { return CurvesCSV(w, curve) }); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := atomicfile.Write(stem+".png", func(w io.Writer) error { return CurvesPNG(w, curve) }); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// CurvesCSV writes one line per epoch: losses are mean cross-entropies, accuracies are in percent.
func CurvesCSV(w io.Writer, curve []Epoch) error {
	c := csv.NewWriter(w)
	f := func(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }
	_ = c.Write([]string{"epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "images_per_second", "seconds"})
	for _, e := range curve {
		_ = c.Write([]string{
			strconv.Itoa(e.Epoch), strconv.FormatFloat(e.LearningRate, 'g', 6, 64), f(e.Loss, 6), f(100*e.Accuracy, 3),
			f(e.ValLoss, 6), f(100*e.ValAccuracy, 3), f(e.ImagesPerSec, 1), f(e.Seconds, 1),
		})
	}
	c.Flush()
	return c.Error()
}

// CurvesPNG draws loss and accuracy over the epochs.
func CurvesPNG(w io.Writer, curve []Epoch) error {
	img := vgimg.New(18*vg.Centimeter, 8*vg.Centimeter)
	dc := draw.New(img)
	half := dc.Max.X / 2
	type series struct {
		name   string
		color  color.Color
		values func(Epoch) float64
	}
	blue, orange := color.RGBA{31, 119, 180, 255}, color.RGBA{255, 127, 14, 255}
	for side, panel := range []struct {
		label  string
		series []series
	}{
		{"loss", []series{
			{"training", blue, func(e Epoch) float64 { return e.Loss }},
			{"validation", orange, func(e Epoch) float64 { return e.ValLoss }},
		}},
		{"accuracy / %", []series{
			{"training", blue, func(e Epoch) float64 { return 100 * e.Accuracy }},
			{"validation", orange, func(e Epoch) float64 { return 100 * e.ValAccuracy }},
		}},
	} {
		p := plot.New()
		p.X.Label.Text, p.Y.Label.Text = "epoch", panel.label
		p.Legend.Top = side == 0
		for _, s := range panel.series {
			xy := make(plotter.XYs, len(curve))
			seen := false
			for i, e := range curve {
				xy[i] = plotter.XY{X: float64(e.Epoch), Y: s.values(e)}
				seen = seen || xy[i].Y != 0
			}
			if !seen {
				continue // no validation images
			}
			line, points, err := plotter.NewLinePoints(xy)
			if err != nil {
				return fmt.Errorf("train: curves: %w", err)
			}
			line.Color, points.Color = s.color, s.color
			points.Shape = draw.CircleGlyph{}
			p.Add(line, points)
			p.Legend.Add(s.name, line)
		}
		left := half * vg.Length(side)
		p.Draw(draw.Crop(dc, left, left-half, 0, 0))
	}
	var buf bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&buf); err != nil {
		return fmt.Errorf("train: curves: %w", err)
	}
	_, err := w.Write(buf.Bytes())
	return err
}
