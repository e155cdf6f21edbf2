package report

import (
	"cmp"
	"fmt"
	"slices"
)

// Outcome says whether the network classifies a labelled sample correctly.
type Outcome int8

// The outcomes of a classification.
const (
	Unlabelled Outcome = iota
	Wrong
	Right
)

// Coverage is a point of an accuracy-coverage curve, both fractions: Coverage of all samples that are answered,
// Accuracy among those.
type Coverage struct{ Coverage, Accuracy float64 }

// AccuracyCoverage returns the network's accuracy on the labelled samples with the highest scores, against the share
// of labelled samples that these are. It has one point for each distinct score, from the highest down, the last with
// all samples. Samples with equal scores are accepted together. It is an error if no sample is labelled, the lengths
// differ, or a score is NaN.
func AccuracyCoverage(scores []float64, outcomes []Outcome) ([]Coverage, error) {
	if len(scores) != len(outcomes) {
		return nil, fmt.Errorf("report: accuracy by coverage: expected an outcome for each of %d scores, got %d",
			len(scores), len(outcomes))
	}
	var order []int
	for i, o := range outcomes {
		if scores[i] != scores[i] {
			return nil, fmt.Errorf("report: accuracy by coverage: score %d is NaN", i)
		}
		if o != Unlabelled {
			order = append(order, i)
		}
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("report: accuracy by coverage: no sample is labelled")
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var out []Coverage
	right := 0
	for n, i := range order {
		if outcomes[i] == Right {
			right++
		}
		if n+1 < len(order) && scores[order[n+1]] == scores[i] {
			continue
		}
		out = append(out, Coverage{float64(n+1) / float64(len(order)), float64(right) / float64(n+1)})
	}
	return out, nil
}
