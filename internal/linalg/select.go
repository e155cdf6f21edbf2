package linalg

import "slices"

// candidate is a row that may be among the k best of a query, with a lower and an upper bound of its value.
type candidate struct {
	row    int32
	lo, hi float64
}

// shortlist collects the rows that may be among the k with the largest values.
type shortlist struct {
	k     int
	least []float64 // heap, smallest first, of the k largest lower bounds
	rows  []candidate
	limit int // number of rows at which those that can no longer be among the k best are dropped
}

func newShortlist(k int) *shortlist { return &shortlist{k: k, limit: 4*k + 1024} }

// bound returns the value that a row's upper bound must reach so that the row can be among the k best; false where
// fewer than k rows have been offered.
func (s *shortlist) bound() (float64, bool) {
	if len(s.least) < s.k {
		return 0, false
	}
	return s.least[0], true
}

// offer adds a row if it can be among the k best.
func (s *shortlist) offer(c candidate) {
	switch {
	case len(s.least) < s.k:
		s.least = append(s.least, c.lo)
		for i := len(s.least) - 1; i > 0; {
			parent := (i - 1) / 2
			if s.least[parent] <= s.least[i] {
				break
			}
			s.least[parent], s.least[i] = s.least[i], s.least[parent]
			i = parent
		}
	case c.hi < s.least[0]:
		return
	case c.lo > s.least[0]:
		s.replaceLeast(c.lo)
	}
	s.rows = append(s.rows, c)
	if len(s.rows) >= s.limit {
		s.drop()
		s.limit = max(s.limit, 2*len(s.rows))
	}
}

// replaceLeast replaces the heap's smallest number by v.
func (s *shortlist) replaceLeast(v float64) {
	h, i := s.least, 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if v <= h[child] {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = v
}

// drop removes the rows whose upper bound is below the k-th largest lower bound.
func (s *shortlist) drop() {
	if bound, ok := s.bound(); ok {
		s.rows = slices.DeleteFunc(s.rows, func(c candidate) bool { return c.hi < bound })
	}
}

// merge adds the rows of another shortlist.
func (s *shortlist) merge(o *shortlist) {
	for _, c := range o.rows {
		s.offer(c)
	}
}
