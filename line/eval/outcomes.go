package eval

import "github.com/line-ood/goline/line/report"

// Outcomes says for each sample of the ID set whether its largest logit is that of its label. The result is nil where
// no label is known.
func (d Data) Outcomes() []report.Outcome {
	known := false
	out := make([]report.Outcome, d.ID.N)
	for i, class := range d.ID.Samples.Predictions() {
		switch {
		case d.ID.Labels == nil || d.ID.Labels[i] < 0:
			continue
		case d.ID.Labels[i] == class:
			out[i] = report.Right
		default:
			out[i] = report.Wrong
		}
		known = true
	}
	if !known {
		return nil
	}
	return out
}
