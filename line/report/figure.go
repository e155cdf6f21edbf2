package report

import "github.com/line-ood/goline/internal/figure"

// Figure is a finished drawing: an [io.WriterTo] of PNG with methods PNG and SVG, the same type as the figures of
// comparisons of Shapley estimators.
type Figure = figure.Figure
