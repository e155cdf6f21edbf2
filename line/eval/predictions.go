package eval

import "github.com/line-ood/goline/line/report"

// Predictions says which classes the network predicts for the samples of each OOD set, by the largest logit: for each
// set the most frequent classes, at most top. names are the names of the classes; nil where they are not known.
func (d Data) Predictions(names []string, top int) []report.Predictions {
	var out []report.Predictions
	for _, set := range d.OOD {
		out = append(out, report.CountPredictions(set.Name, set.Samples.Predictions(), names, top))
	}
	return out
}
