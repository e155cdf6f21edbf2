package report

import "github.com/line-ood/goline/internal/figure"

// Figure is a finished drawing. It is an [io.WriterTo] of PNG, with methods PNG and SVG, as the figures of package
// compare (of attribution) have; notebook.Figure is the interface of both.
type Figure = figure.Figure
