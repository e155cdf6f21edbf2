package report

import (
	"fmt"
	"strings"
)

// overview is the table of methods by sets, with the averages first.
type overview struct {
	ID, Caption string
	Checkpoints int
	Columns     []columnView
	Rows        []row
}

type columnView struct {
	Title, Class string
	FPR95, AUROC int // indices among the cells of a row, in which the method's name is 0
}

type row struct {
	Index         int
	Method, Class string
	Params        string
	Cells         []cell
}

func (r Result) overview(id string, c *charts) overview {
	out := overview{ID: id, Checkpoints: r.Checkpoints}
	columns, classes := r.averagesFirst()
	for i, column := range columns {
		out.Columns = append(out.Columns, columnView{printable(column.title), classes[i], 2*i + 1, 2*i + 2})
	}
	for i, m := range r.Methods {
		line := row{Index: i, Method: printable(m.Name), Class: c.class(i), Params: FormatParams(m.Params)}
		for _, column := range columns {
			line.Cells = append(line.Cells, column.cells[i])
		}
		out.Rows = append(out.Rows, line)
	}
	return out
}

// averagesFirst returns the table's columns in another order: the average over all sets, the averages of groups, the
// sets. It also returns the kind of each: "overall", "group" or "set".
func (r Result) averagesFirst() (columns []column, classes []string) {
	all := r.columns(LINeFPR)
	sets, last := len(r.Methods[0].OOD), len(all)-1
	for i, c := range append([]column{all[last]}, append(all[sets:last:last], all[:sets]...)...) {
		class := "set"
		switch {
		case i == 0:
			class = "overall"
		case i <= last-sets:
			class = "group"
		}
		columns, classes = append(columns, c), append(classes, class)
	}
	return columns, classes
}

// caption explains the full-spectrum rates.
func (overview) caption(r Result) string {
	var shifted []string
	for _, c := range r.CSID {
		s := fmt.Sprintf("%s (%d samples", printable(c.Name), c.N)
		if c.Accuracy == c.Accuracy {
			s += fmt.Sprintf(", accuracy %.2f %%", 100*c.Accuracy)
		}
		shifted = append(shifted, s+")")
	}
	return "The same with covariate-shifted sets counted as in-distribution: " + strings.Join(shifted, ", ") + "."
}
