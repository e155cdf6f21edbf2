package report

import (
	"fmt"
	"math"
	"strings"
)

// ours is the name of the method that a report describes in more detail than the others.
const ours = "line"

// about says in two sentences what the method is, or what is compared if LINe is not among the methods.
func (r Result) about() string {
	if r.index(ours) < 0 {
		return "Each method below turns what a trained classifier computes for a picture, its penultimate features " +
			"and its logits, into a score: " +
			"the higher, the more the picture is like those that the classifier learned. How well that works is " +
			"measured on pictures of the " +
			"classifier's own kind (in-distribution, ID) and on sets of others (out-of-distribution, OOD)."
	}
	return "LINe (Ahn, Park and Kim, CVPR 2023) measures on training pictures how much each penultimate neuron " +
		"contributes to the logit of each " +
		"class, and for a new picture keeps only the neurons and the final weights that matter most for the " +
		"predicted class, with activations " +
		"clipped. The score is the log-sum-exp of the logits that remain: high for pictures like those that the " +
		"network learned " +
		"(in-distribution, ID), low for others (out-of-distribution, OOD)."
}

// standing says how LINe compares with the other methods; "" if there are none, or LINe is not among them.
func (r Result) standing() string {
	i := r.index(ours)
	if i < 0 || len(r.Methods) < 2 {
		return ""
	}
	fpr, auroc := r.ranks(i, func(int) bool { return true })
	s := fmt.Sprintf("Of %d methods, %s is %s by average FPR95 and %s by average AUROC", len(r.Methods), ours,
		ordinal(fpr), ordinal(auroc))
	sets := r.Methods[0].OOD
	if groups := r.Methods[0].Groups(); len(groups) > 1 {
		var parts []string
		for _, g := range groups {
			fpr, auroc := r.ranks(i, func(set int) bool { return sets[set].Group == g.Name })
			parts = append(parts, fmt.Sprintf("%s and %s on %s sets", ordinal(fpr), ordinal(auroc), printable(g.Name)))
		}
		s += "; " + strings.Join(parts, ", ")
	}
	s += "."
	best, worst := -1, -1
	var bestRank, worstRank int
	for set := range sets {
		rank, _ := r.ranks(i, func(other int) bool { return other == set })
		if best < 0 || rank < bestRank {
			best, bestRank = set, rank
		}
		if worst < 0 || rank > worstRank {
			worst, worstRank = set, rank
		}
	}
	if len(sets) > 1 && bestRank != worstRank {
		s += fmt.Sprintf(" By FPR95 on single sets it is strongest on %s (%s) and weakest on %s (%s).",
			printable(sets[best].Name), ordinal(bestRank), printable(sets[worst].Name), ordinal(worstRank))
	}
	return s + r.significance()
}

// significance says how many of the differences from LINe are statistically significant.
func (r Result) significance() string {
	const level = 0.05
	var tested, ahead, behind int
	for _, c := range r.Comparisons {
		d := c.Difference
		switch {
		case c.A == ours:
		case c.B == ours:
			d = -d
		default:
			continue
		}
		tested++
		if c.Adjusted < level && d > 0 {
			ahead++
		} else if c.Adjusted < level && d < 0 {
			behind++
		}
	}
	if tested == 0 {
		return ""
	}
	// The smallest p-value of a two-sided bootstrap is 2/(resamples + 1). The correction multiplies it by the number
	// of tests.
	if b := r.Bootstrap; b != nil && 2*float64(len(r.Comparisons)) >= level*float64(b.Resamples+1) {
		return fmt.Sprintf(" Paired tests of average AUROC say nothing here: %d comparisons need at least %d "+
			"resamples for p < %.2f after correction.",
			len(r.Comparisons), int(math.Ceil(2*float64(len(r.Comparisons))/level)), level)
	}
	return fmt.Sprintf(" In paired tests of average AUROC, corrected for their number, it is ahead of %d of %d "+
		"methods and behind %d at p < %.2f.",
		ahead, tested, behind, level)
}

// index returns the index of the method with that name, -1 if there is none.
func (r Result) index(name string) int {
	for i, m := range r.Methods {
		if m.Name == name {
			return i
		}
	}
	return -1
}

// ranks returns the ranks of method i among all methods by its means over some sets; 1 is the best, and ties share
// the better rank.
func (r Result) ranks(i int, belongs func(set int) bool) (fpr, auroc int) {
	mine := r.Methods[i].mean(belongs)
	fpr, auroc = 1, 1
	for _, m := range r.Methods {
		a := m.mean(belongs)
		if a.FPR95 < mine.FPR95 {
			fpr++
		}
		if a.AUROC > mine.AUROC {
			auroc++
		}
	}
	return fpr, auroc
}

// ordinal writes 1st, 2nd, 3rd, 4th, 11th, 21st.
func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n, suffix)
}

// mean is the mean over those OOD sets of the method for which belongs is true.
func (m Method) mean(belongs func(set int) bool) Average {
	var part []OOD
	for i, o := range m.OOD {
		if belongs(i) {
			part = append(part, o)
		}
	}
	return averageOf(part)
}
