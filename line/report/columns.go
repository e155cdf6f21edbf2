package report

import (
	"fmt"
	"math"
)

// column is one pair of rates of all methods, as tables show it.
type column struct {
	title string
	kind  columnKind
	cells []cell // by method
	// sd holds, by method, standard deviations over checkpoints in percent, with one decimal; nil where there are none.
	sd []deviation
}

type columnKind int

const (
	overall columnKind = iota // the mean over all OOD sets
	grouped                   // the mean over the sets of one group
	single                    // one set
)

type deviation struct{ FPR95, AUROC string }

// columns returns the table by columns: the average over all OOD sets first, then that of each group in the order in which sets
// name them, then the sets.
func (r Result) columns() []column {
	out := []column{r.column("Average", overall, func(int) bool { return true })}
	sets := r.Methods[0].OOD
	for _, group := range r.groups() {
		out = append(out, r.column("Average, "+group, grouped, func(set int) bool { return sets[set].Group == group }))
	}
	for i, o := range sets {
		c := r.column(o.Name, single, func(set int) bool { return set == i })
		c.sd = r.deviations(i)
		out = append(out, c)
	}
	return out
}

// groups lists the groups of OOD sets in the order in which sets name them.
func (r Result) groups() (names []string) {
	seen := map[string]bool{"": true}
	for _, o := range r.Methods[0].OOD {
		if !seen[o.Group] {
			seen[o.Group] = true
			names = append(names, o.Group)
		}
	}
	return names
}

// column averages over the sets that belong to it.
func (r Result) column(title string, kind columnKind, belongs func(set int) bool) column {
	c := column{title: printable(title), kind: kind, cells: make([]cell, len(r.Methods))}
	for i, m := range r.Methods {
		a := m.mean(belongs)
		c.cells[i] = cell{FPR95: fmt.Sprintf("%.2f", 100*a.FPR95), AUROC: fmt.Sprintf("%.2f", 100*a.AUROC)}
	}
	markBest(c.cells)
	return c
}

// mean is that over some of the method's OOD sets.
func (m Method) mean(belongs func(set int) bool) Average {
	var part Method
	for i, o := range m.OOD {
		if belongs(i) {
			part.OOD = append(part.OOD, o)
		}
	}
	return part.Average()
}

// deviations returns the standard deviations of one set, nil if no method has them.
func (r Result) deviations(set int) []deviation {
	out := make([]deviation, len(r.Methods))
	found := false
	write := func(v float64) string {
		if math.IsNaN(v) {
			return ""
		}
		return fmt.Sprintf("%.1f", 100*v)
	}
	for i, m := range r.Methods {
		if set < len(m.Spread) {
			out[i], found = deviation{write(m.Spread[set].FPR95), write(m.Spread[set].AUROC)}, true
		}
	}
	if !found {
		return nil
	}
	return out
}
