package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Predictions says which classes a network predicts for the samples of one set.
type Predictions struct {
	Set string // the set's name
	N   int    // number of samples
	// Top holds the most frequent classes, the most frequent first.
	Top []ClassCount
}

// ClassCount is a class and the number of samples for which it is predicted.
type ClassCount struct {
	Class int    // its number, from 0
	Name  string // "" if it is not known
	N     int    // samples that are taken for it
}

// ClassLabel returns a class as tables show it: "4 (hammerhead)", or "4" where it has no name. Characters that a
// terminal cannot print are escaped.
func ClassLabel(names []string, class int) string {
	if class < 0 || class >= len(names) || names[class] == "" {
		return fmt.Sprint(class)
	}
	return printable(fmt.Sprintf("%d (%s)", class, names[class]))
}

// CountPredictions counts predicted classes, each at least 0, and keeps the most frequent ones: at most top, ties in
// ascending order of class. names may be nil, or hold fewer names than there are classes.
func CountPredictions(set string, predicted []int, names []string, top int) Predictions {
	count := map[int]int{}
	for _, class := range predicted {
		count[class]++
	}
	p := Predictions{Set: set, N: len(predicted)}
	for class, n := range count {
		c := ClassCount{Class: class, N: n}
		if class < len(names) {
			c.Name = names[class]
		}
		p.Top = append(p.Top, c)
	}
	slices.SortFunc(p.Top, func(a, b ClassCount) int { return cmp.Or(b.N-a.N, a.Class-b.Class) })
	p.Top = p.Top[:min(max(top, 0), len(p.Top))]
	return p
}

// String returns one line: "textures: honeycomb 12.4 %, velvet 8.0 %". Classes without a name appear by their
// numbers.
func (p Predictions) String() string {
	var parts []string
	for _, c := range p.Top {
		parts = append(parts, fmt.Sprintf("%s %s %%", c.label(), p.percent(c)))
	}
	return printable(p.Set) + ": " + strings.Join(parts, ", ")
}

// label is the name of the class, or its number where it has none.
func (c ClassCount) label() string {
	if c.Name == "" {
		return fmt.Sprintf("class %d", c.Class)
	}
	return printable(c.Name)
}

func (p Predictions) percent(c ClassCount) string {
	return fmt.Sprintf("%.1f", 100*float64(c.N)/float64(p.N))
}

// predictionView is one line of the page's table.
type predictionView struct {
	Set, Class, Name string
	N                int
	Percent          string
}

func viewPredictions(all []Predictions) []predictionView {
	var rows []predictionView
	for _, p := range all {
		for _, c := range p.Top {
			rows = append(rows, predictionView{printable(p.Set), fmt.Sprint(c.Class), printable(c.Name), c.N,
				p.percent(c)})
		}
	}
	return rows
}
