package report

import (
	"encoding/json"
	"fmt"
)

// object returns the ID set with its accuracy; several says that the accuracy is a mean over checkpoints.
func (id ID) object(several bool) object {
	o := object{{"n", id.N}, {"accuracy", percent(id.Accuracy)}}
	if several {
		o = append(o, member{"accuracy_sd", percent(id.AccuracySpread)})
	}
	if id.AccuracyCI != nil {
		o = append(o, member{"accuracy_ci", percents(*id.AccuracyCI)})
	}
	return o
}

// object returns a method with all its results; several says that the rates are means over checkpoints.
func (m Method) object(several bool) (object, error) {
	params := m.Params
	if params == nil {
		params = map[string]any{}
	}
	encoded, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	o := object{
		{"params", json.RawMessage(encoded)},
		{"fit_seconds", m.FitSeconds},
		{"us_per_sample", m.MicrosPerSample},
		{"bytes", m.Bytes},
	}
	if m.Tuning != nil {
		o = append(o, member{"tuning", m.Tuning.object()})
	}
	var spread, groups []Average
	var average *Average
	if several {
		spread, average, groups = m.Spread, &m.AverageSpread, m.GroupSpread
	}
	o = append(o, setObjects(m.OOD, spread, average, groups)...)
	if e := m.Misclassification; e != nil {
		o = append(o, member{"misclassification", object{{"aurc", percent(e.AURC)}, {"auroc", percent(e.AUROC)}}})
	}
	if len(m.FullSpectrum) > 0 {
		o = append(o, member{"full_spectrum", setObjects(m.FullSpectrum, nil, nil, nil)})
	}
	return o, nil
}

// setObjects returns the members for OOD sets, their average, and their groups if there are any. spread, average and
// groups are the standard deviations of each; nil stands for none.
func setObjects(sets []OOD, spread []Average, average *Average, groups []Average) object {
	ood := object{}
	for i, o := range sets {
		set := object{{"n", o.N}}
		if o.Group != "" {
			set = append(set, member{"group", o.Group})
		}
		for _, f := range rateFields {
			set = append(set, member{f.key, percent(*f.value(&o.Metrics))})
		}
		if o.TieAware != nil {
			set = append(set, member{"fpr95_tie_aware", percent(*o.TieAware)})
		}
		if o.CI != nil {
			for _, f := range rateFields {
				set = append(set, member{f.key + "_ci", percents(*f.interval(o.CI))})
			}
		}
		if spread != nil {
			set = append(set, spread[i].members("_sd")...)
		}
		ood = append(ood, member{o.Name, set})
	}
	with := func(a Average, sd *Average) object {
		if sd == nil {
			return a.members("")
		}
		return append(a.members(""), sd.members("_sd")...)
	}
	out := object{{"ood", ood}, {"average", with(averageOf(sets), average)}}
	named := object{}
	for i, g := range groupsOf(sets) {
		var sd *Average
		if groups != nil {
			sd = &groups[i]
		}
		named = append(named, member{g.Name, with(g.Average, sd)})
	}
	if len(named) > 0 {
		out = append(out, member{"groups", named})
	}
	return out
}

// members returns the rates of an average, with ending appended to their names.
func (a Average) members(ending string) object {
	return object{
		{"fpr95" + ending, percent(a.FPR95)}, {"auroc" + ending, percent(a.AUROC)},
		{"fpr95_openood" + ending, percent(a.FPR95OpenOOD)},
	}
}

func (t *Tuning) object() object {
	trials := []object{}
	for _, trial := range t.Trials {
		params := trial.Params
		if params == nil {
			params = map[string]float64{}
		}
		trials = append(trials, object{{"params", params}, {"auroc", percent(trial.AUROC)},
			{"fpr95", percent(trial.FPR95)}})
	}
	ood := t.OOD
	if ood == nil {
		ood = []string{}
	}
	return object{{"id", t.ID}, {"ood", ood}, {"pseudo", t.Pseudo}, {"rule", TuningRule}, {"trials", trials}}
}

func comparisonObjects(all []Comparison) []object {
	var out []object
	for _, c := range all {
		out = append(out, object{
			{"a", c.A}, {"b", c.B}, {"difference", percent(c.Difference)}, {"difference_ci", percents(c.CI)},
			{"p", c.P}, {"p_adjusted", c.Adjusted},
		})
	}
	return out
}
