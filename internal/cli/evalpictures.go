package cli

import (
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// pictures shows what the first method, or LINe where it is among them, finds most and least in-distribution in every set.
func (e *evalCommand) pictures(methods []posthoc.Method, scores []report.Scores) (out []report.Pictures, err error) {
	chosen, o := 0, eval.ExtremeOptions{}
	for i, m := range methods {
		if l, ok := m.(*line.Method); ok && l.Detector() != nil {
			chosen, o.Keep = i, l.Detector().ActiveNeurons
			break
		}
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
