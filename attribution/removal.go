package attribution

import (
	"fmt"

	"github.com/line-ood/goline/internal/mathx"
)

// Removal says what a neuron's activation becomes when the neuron is not in the coalition.
// The zero value removes to zero.
type Removal struct {
	kind removalKind
	rows [][]float64
}

type removalKind int

const (
	removeToZero removalKind = iota
	removeToBaseline
	removeToClassMean
	removeByResampling
)

// RemoveToZero sets removed neurons to zero, as the masks of pruning detectors do.
func RemoveToZero() Removal { return Removal{} }

// RemoveTo sets removed neurons to a baseline, for example the mean over the data.
//
// Shapes: baseline [neurons].
func RemoveTo(baseline []float64) Removal {
	return Removal{kind: removeToBaseline, rows: [][]float64{baseline}}
}

// RemoveToClassMean sets removed neurons to the mean of the class that the game is about.
//
// Shapes: means [classes][neurons].
func RemoveToClassMean(means [][]float64) Removal {
	return Removal{kind: removeToClassMean, rows: means}
}

// RemoveByResampling replaces all removed neurons by those of one background row; the game's value is the mean over
// the rows (the marginal, or interventional, expectation of Lundberg and Lee 2017). The game is [Sampled].
//
// Shapes: background [rows][neurons], at least one row.
func RemoveByResampling(background [][]float64) Removal {
	return Removal{kind: removeByResampling, rows: background}
}

// String names the removal: zero, baseline, class-mean or resample.
func (r Removal) String() string {
	return [...]string{"zero", "baseline", "class-mean", "resample"}[r.kind]
}

// Check returns an error for rows that do not fit a layer with that many neurons in a network with that many classes.
func (r Removal) Check(classes, neurons int) error {
	expected := len(r.rows)
	switch r.kind {
	case removeToClassMean:
		expected = classes
	case removeByResampling:
		expected = max(1, expected)
	}
	if len(r.rows) != expected {
		return fmt.Errorf("attribution: removal %v: expected %d rows, got %d", r, expected, len(r.rows))
	}
	for i, row := range r.rows {
		if len(row) != neurons {
			return fmt.Errorf("attribution: removal %v: row %d: expected %d neurons, got %d", r, i, neurons, len(row))
		}
		if j := mathx.FirstNotFinite(row); j >= 0 {
			return fmt.Errorf("attribution: removal %v: row %d, neuron %d is %v", r, i, j, row[j])
		}
	}
	return nil
}

// Rows returns the rows of activations that may replace removed neurons. The caller must not change them.
//
// Shapes: result [rows][neurons], at least one row.
func (r Removal) Rows(neurons int) [][]float64 {
	if r.kind == removeToZero {
		return [][]float64{make([]float64, neurons)}
	}
	return r.rows
}

// InClass says which of Rows replace removed neurons in a game about the given class: count rows from first on. There
// are several for [RemoveByResampling], otherwise one.
func (r Removal) InClass(class int) (first, count int) {
	switch r.kind {
	case removeToClassMean:
		return class, 1
	case removeByResampling:
		return 0, len(r.rows)
	}
	return 0, 1
}

// MeanRow returns the mean of the rows, for [RemoveTo]. It returns an error when there are none or their lengths
// differ.
//
// Shapes: rows [n][neurons], result [neurons].
func MeanRow(rows [][]float64) ([]float64, error) {
	if len(rows) == 0 {
		return nil, fmt.Errorf("attribution: mean: expected at least one row, got none")
	}
	mean := make([]float64, len(rows[0]))
	for i, row := range rows {
		if len(row) != len(mean) {
			return nil, fmt.Errorf("attribution: row %d: expected %d neurons as in row 0, got %d", i, len(mean),
				len(row))
		}
		for j, x := range row {
			mean[j] += x
		}
	}
	for j := range mean {
		mean[j] /= float64(len(rows))
	}
	return mean, nil
}

// ClassMeans returns the mean row of every class, for [RemoveToClassMean]. Rows labelled -1 are left out. It returns
// an error when a label is out of range or a class has no row.
//
// Shapes: rows [n][neurons], labels [n], result [classes][neurons].
func ClassMeans(rows [][]float64, labels []int, classes int) ([][]float64, error) {
	if len(rows) != len(labels) {
		return nil, fmt.Errorf("attribution: expected a label for each of %d rows, got %d", len(rows), len(labels))
	}
	byClass := make([][][]float64, classes)
	for i, c := range labels {
		if c < -1 || c >= classes {
			return nil, fmt.Errorf("attribution: label of row %d: expected a class from 0 to %d, or -1, got %d", i,
				classes-1, c)
		}
		if c >= 0 {
			byClass[c] = append(byClass[c], rows[i])
		}
	}
	means := make([][]float64, classes)
	for c, members := range byClass {
		mean, err := MeanRow(members)
		if err != nil {
			return nil, fmt.Errorf("class %d: %w", c, err)
		}
		means[c] = mean
	}
	return means, nil
}
