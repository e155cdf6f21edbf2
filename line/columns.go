package line

import (
	"math"
	"slices"

	"github.com/line-ood/goline/internal/quantile"
)

// columns finds order statistics of |C[c, i]|·W[j, i] over all j and i, for one class c after another, without
// forming the K·D products of each class. It sorts each column of W once. Multiplying by a non-negative factor keeps
// a column sorted.
type columns struct {
	features, classes int
	sorted            []float32 // [features, classes], each row ascending
}

func newColumns(weight []float32, classes int) *columns {
	d := len(weight) / classes
	c := &columns{features: d, classes: classes, sorted: make([]float32, len(weight))}
	for i := range d {
		col := c.column(i)
		for j := range col {
			col[j] = weight[j*d+i]
		}
		slices.Sort(col)
	}
	return c
}

func (c *columns) column(i int) []float32 { return c.sorted[i*c.classes:][:c.classes] }

// span is the part lo ≤ j < hi of a sorted column.
type span struct{ lo, hi int }

// search narrows the range of two neighbouring order statistics of one class's products. It is for one goroutine.
type search struct {
	*columns
	factor []float32 // |C[c, :]|
	open   []span    // the part of each column that may still hold the two wanted products
	inner  []span    // the part of open between the pivots
	total  int       // number of products in open
	below  int       // number of products smaller than all in open
	sample []float32
}

// sampleSize is the number of products from which a round chooses its pivots, and the number at which the search
// stops and selects directly.
const sampleSize = 4096

func (c *columns) search() *search {
	return &search{columns: c, open: make([]span, c.features), inner: make([]span, c.features)}
}

// pair returns the order statistics k and min(k+1, n-1) of the n = K·D products, counted from 0, for 0 ≤ k < n.
func (s *search) pair(factor []float32, k int) (a, b float32) {
	s.factor, s.total, s.below = factor, s.features*s.classes, 0
	for i := range s.open {
		s.open[i] = span{0, s.classes}
	}
	next := min(k+1, s.total-1)
	for s.total > sampleSize {
		lo, hi := s.pivots(k, next)
		before, upTo := s.split(lo, hi)
		first, last := k-s.below, next-s.below
		was := s.total
		switch {
		case last < before:
			s.keep(0, func(out, in span) span { return span{out.lo, in.lo} })
		case first >= upTo:
			s.keep(upTo, func(out, in span) span { return span{in.hi, out.hi} })
		case first >= before && last < upTo:
			if lo == hi {
				return lo, lo
			}
			s.keep(before, func(_, in span) span { return in })
		case last < upTo: // one below the pivots, the other between them
			s.keep(0, func(out, in span) span { return span{out.lo, in.hi} })
		case first >= before: // one between the pivots, the other above them
			s.keep(before, func(out, in span) span { return span{in.lo, out.hi} })
		}
		if s.total == was { // too many ties: the pivots did not separate any products
			break
		}
	}
	return s.finish(k, next)
}

// pivots returns two products between which order statistics k and next probably lie. It chooses them from evenly
// spaced open products.
func (s *search) pivots(k, next int) (lo, hi float32) {
	s.sample = s.sample[:0]
	step := float64(s.total) / sampleSize
	at := step / 2 // position of the next product to look at, from the start of this column's part
	for i, o := range s.open {
		f, col := s.factor[i], s.column(i)[o.lo:o.hi]
		for ; int(at) < len(col); at += step {
			s.sample = append(s.sample, f*col[int(at)])
		}
		at -= float64(len(col))
	}
	n := len(s.sample)
	margin := math.Sqrt(sampleSize)
	rank := func(k int, margin float64) int {
		r := float64(k-s.below)/step + margin
		return max(0, min(n-1, int(r)))
	}
	lo = quantile.Select(s.sample, rank(k, -margin))
	hi = quantile.Select(s.sample, rank(next, margin))
	return lo, hi
}

// split sets inner to the open products in [lo, hi]. It returns the number of open products before inner (before),
// and that number plus the size of inner (upTo).
func (s *search) split(lo, hi float32) (before, upTo int) {
	for i, o := range s.open {
		f, col := s.factor[i], s.column(i)
		from := o.lo
		for n := o.hi - o.lo; n > 0; { // find the first product ≥ lo
			half := n / 2
			if f*col[from+half] < lo {
				from += half + 1
				n -= half + 1
			} else {
				n = half
			}
		}
		to := from
		for n := o.hi - from; n > 0; { // find the first product > hi
			half := n / 2
			if f*col[to+half] <= hi {
				to += half + 1
				n -= half + 1
			} else {
				n = half
			}
		}
		s.inner[i] = span{from, to}
		before += from - o.lo
		upTo += to - o.lo
	}
	return before, upTo
}

// keep replaces the open part of every column by part of it; dropped is the number of products that this drops below
// it.
func (s *search) keep(dropped int, part func(open, inner span) span) {
	s.below += dropped
	s.total = 0
	for i := range s.open {
		s.open[i] = part(s.open[i], s.inner[i])
		s.total += s.open[i].hi - s.open[i].lo
	}
}

// finish forms the remaining open products and selects the order statistics k and next.
func (s *search) finish(k, next int) (a, b float32) {
	s.sample = slices.Grow(s.sample[:0], s.total)
	for i, o := range s.open {
		f := s.factor[i]
		for _, v := range s.column(i)[o.lo:o.hi] {
			s.sample = append(s.sample, f*v)
		}
	}
	a = quantile.Select(s.sample, k-s.below)
	return a, quantile.Select(s.sample, next-s.below)
}
