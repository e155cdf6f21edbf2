package cli

import (
	"context"
	"slices"

	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// pictures returns the pictures of every set that LINe, or the first method where LINe is not among them, scores as
// most and as least in-distribution.
func (e *evalCommand) pictures(ctx context.Context, methods []posthoc.Method,
	scores []report.Scores) (out []report.Pictures, err error) {
	chosen, o := 0, eval.ExtremeOptions{}
	for _, m := range methods {
		l, ok := m.(*line.Method)
		at := slices.IndexFunc(scores, func(s report.Scores) bool { return s.Method == m.Name() })
		if !ok || at < 0 {
			continue
		}
		if l.Detector() == nil { // not fitted, because its scores were kept by an earlier run
			if err := l.Fit(ctx, e.Data.Head, e.Data.Fit.Samples); err != nil {
				return nil, err
			}
		}
		chosen, o.Keep = at, l.Detector().ActiveNeurons
		break
	}
	sets, done, err := e.Reopen()
	defer done()
	if err != nil {
		return nil, err
	}
	if o.Classes, err = e.Net.Names(); err != nil {
		return nil, err
	}
	if o.Classes == nil && len(sets[0].Classes()) == e.Network.Classes() {
		o.Classes = sets[0].Classes()
	}
	s := scores[chosen]
	for i, set := range append([]eval.Set{e.Data.ID}, e.Data.OOD...) {
		values := s.ID
		if i > 0 {
			values = s.OOD[i-1].Scores
		}
		p, err := eval.Extremes(set, sets[i], s.Method, values, e.Data.Head, o)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
