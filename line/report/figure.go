package report

import "github.com/line-ood/goline/internal/figure"

// Figure is a finished drawing. It is an [io.WriterTo] of PNG, with methods PNG and SVG. The figures of package
// compare (of attribution) have the same type.
type Figure = figure.Figure
