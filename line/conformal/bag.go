package conformal

import (
	"slices"
	"sort"
)

// bag is a growing sorted multiset of numbers. It consists of short runs, so that counting and adding take about
// O(√n).
type bag struct {
	runs [][]float64 // ascending, none empty
	n    int
}

// longestRun is the length at which a run is cut in two.
const longestRun = 2048

// newBag makes a bag of numbers that are in ascending order.
func newBag(sorted []float64) *bag {
	b := &bag{n: len(sorted)}
	for run := range slices.Chunk(sorted, longestRun/2) {
		b.runs = append(b.runs, slices.Clone(run))
	}
	return b
}

// counts returns how many numbers are below v, and how many equal it.
func (b *bag) counts(v float64) (below, equal int) {
	for _, r := range b.runs {
		switch {
		case r[len(r)-1] < v:
			below += len(r)
			continue
		case r[0] > v:
			return below, equal
		}
		lo := sort.Search(len(r), func(i int) bool { return r[i] >= v })
		hi := sort.Search(len(r), func(i int) bool { return r[i] > v })
		below += lo
		equal += hi - lo
	}
	return below, equal
}

func (b *bag) add(v float64) {
	b.n++
	if len(b.runs) == 0 {
		b.runs = [][]float64{{v}}
		return
	}
	i := min(len(b.runs)-1, sort.Search(len(b.runs), func(i int) bool { r := b.runs[i]; return r[len(r)-1] >= v }))
	r := b.runs[i]
	at, _ := slices.BinarySearch(r, v)
	r = slices.Insert(r, at, v)
	b.runs[i] = r
	if len(r) > longestRun {
		half := len(r) / 2
		b.runs = slices.Insert(b.runs, i+1, slices.Clone(r[half:]))
		b.runs[i] = r[:half]
	}
}

// values returns all numbers in ascending order.
func (b *bag) values() []float64 { return slices.Concat(b.runs...) }
