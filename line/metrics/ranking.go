package metrics

import (
	"fmt"
	"slices"
)

// ranking holds all that the metrics of two sets of scores depend on: the number of samples of each set with each
// distinct score. It is computed by one sort; each metric is then a single pass over the distinct scores.
type ranking struct {
	score     []float64 // distinct scores, descending
	id, ood   []int     // numbers of samples with that score; never both 0
	nID, nOOD int
}

// rank validates both sets and ranks them. O(n log n).
func rank(id, ood []float64) (ranking, error) {
	if err := check("ID", id); err != nil {
		return ranking{}, err
	}
	if err := check("OOD", ood); err != nil {
		return ranking{}, err
	}
	a, b := descending(id), descending(ood)
	r := ranking{nID: len(id), nOOD: len(ood)}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		var s float64
		if j == len(b) || i < len(a) && a[i] > b[j] {
			s = a[i]
		} else {
			s = b[j]
		}
		p, q := i, j
		for ; i < len(a) && a[i] == s; i++ {
		}
		for ; j < len(b) && b[j] == s; j++ {
		}
		r.score = append(r.score, s)
		r.id = append(r.id, i-p)
		r.ood = append(r.ood, j-q)
	}
	return r, nil
}

func descending(scores []float64) []float64 {
	s := slices.Clone(scores)
	slices.Sort(s)
	slices.Reverse(s)
	return s
}

// check returns an error if the set is empty or holds a NaN.
func check(set string, scores []float64) error {
	if len(scores) == 0 {
		return fmt.Errorf("metrics: expected scores of the %s set, got none", set)
	}
	for i, s := range scores {
		if s != s {
			return fmt.Errorf("metrics: %s score %d of %d is NaN", set, i, len(scores))
		}
	}
	return nil
}
