package metrics

import (
	"fmt"
	"slices"
)

// ScoreSets holds the scores that one method gives to the samples of an ID set and of one or more OOD sets, in the
// order of the samples. Methods can be compared if they score the same samples in the same order.
type ScoreSets struct {
	ID  []float64   // shape [sample], at least one; higher = more in-distribution
	OOD [][]float64 // shape [set][sample], at least one set, none empty
}

// Difference is the outcome of a paired comparison of two methods on the same samples.
type Difference struct {
	Mean float64  // mean AUROC over the OOD sets of the first method minus that of the second, in [-1, 1]
	CI   Interval // confidence interval of Mean
	P    float64  // two-sided p-value of the hypothesis that there is no difference
}

// placement holds, for each score of one set, its place among the sorted scores of another set: scores before lo are
// lower, scores from hi on are higher, and those between are equal.
type placement struct{ lo, hi []int32 }

// place finds the places of scores among sorted, which is ascending.
func place(scores, sorted []float64) placement {
	p := placement{make([]int32, len(scores)), make([]int32, len(scores))}
	for i, s := range scores {
		lo, found := slices.BinarySearch(sorted, s)
		hi := lo
		if found {
			hi = lo + upper(sorted[lo:], s)
		}
		p.lo[i], p.hi[i] = int32(lo), int32(hi)
	}
	return p
}

// upper returns how many of the sorted scores are at most s.
func upper(sorted []float64, s float64) int {
	lo, hi := 0, len(sorted)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); sorted[mid] > s {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// maxPaired is the largest size of a set that can be compared in pairs.
const maxPaired = 1 << 30

// checkPaired returns an error unless every method has scores, none NaN, of the same number of samples for each set
// and checkpoint.
func checkPaired(methods [][]ScoreSets, pairs [][2]int) error {
	if len(methods) == 0 || len(methods[0]) == 0 {
		return fmt.Errorf("metrics: comparison: expected scores of at least one method, got none")
	}
	first := methods[0][0]
	if len(first.OOD) == 0 {
		return fmt.Errorf("metrics: comparison: expected at least one OOD set, got none")
	}
	for m, checkpoints := range methods {
		if len(checkpoints) != len(methods[0]) {
			return fmt.Errorf("metrics: expected scores of %d checkpoints as of method 0, got %d of method %d",
				len(methods[0]), len(checkpoints), m)
		}
		for _, s := range checkpoints {
			if err := s.check(first); err != nil {
				return fmt.Errorf("metrics: method %d: %w", m, err)
			}
		}
	}
	for _, p := range pairs {
		for _, m := range p {
			if m < 0 || m >= len(methods) {
				return fmt.Errorf("metrics: comparison: expected two of the methods, got %d and %d of %d", p[0], p[1],
					len(methods))
			}
		}
	}
	return nil
}

// check returns an error unless the sets have the sizes of those of the first method.
func (s ScoreSets) check(first ScoreSets) error {
	if len(s.OOD) != len(first.OOD) {
		return fmt.Errorf("expected %d OOD sets as of method 0, got %d", len(first.OOD), len(s.OOD))
	}
	one := func(name string, scores, as []float64) error {
		if len(scores) != len(as) || len(scores) > maxPaired {
			return fmt.Errorf("%s set: expected %d scores as of method 0, got %d", name, len(as), len(scores))
		}
		return check(name, scores)
	}
	if err := one("ID", s.ID, first.ID); err != nil {
		return err
	}
	for k := range s.OOD {
		if err := one(fmt.Sprintf("OOD (number %d)", k), s.OOD[k], first.OOD[k]); err != nil {
			return err
		}
	}
	return nil
}
