package line

import (
	"math"
	"slices"

	"github.com/line-ood/goline/internal/quantile"
)

// columns finds order statistics of |C[c, i]|·W[j, i] over all j and i for one class after another without forming the
// K·D products of each: W's columns are sorted once, and a non-negative factor keeps a column sorted.
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

// search narrows down two neighbouring order statistics of the products for one class. One goroutine uses it.
type search struct {
	*columns
	factor []float32 // |C[c, :]|
	open   []span    // the part of each column that may still hold the two wanted products
	inner  []span    // the part of open between the pivots
	total  int       // products in open
	below  int       // products smaller than all in open
	sample []float32
}

// sampleSize is how many products a round looks at to choose pivots, and how few may remain for the end.
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
		case last < upTo: // below the pivots and between them
			s.keep(0, func(out, in span) span { return span{out.lo, in.hi} })
		case first >= before: // between the pivots and above them
			s.keep(before, func(out, in span) span { return span{in.lo, out.hi} })
		}
		if s.total == was { // pivots that part nothing: too many ties
			break
		}
	}
	return s.finish(k, next)
}

// pivots returns two products between which order statistics k and next probably lie, from every n-th open product.
func (s *search) pivots(k, next int) (lo, hi float32) {
	s.sample = s.sample[:0]
	step := float64(s.total) / sampleSize
	at := step / 2 // where the next product to look at lies, counted from the start of this column's part
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

// split sets inner to the open products in [lo, hi] and returns how many open products lie before inner, and before its
// end.
func (s *search) split(lo, hi float32) (before, upTo int) {
	for i, o := range s.open {
		f, col := s.factor[i], s.column(i)
		from := o.lo
		for n := o.hi - o.lo; n > 0; { // first product ≥ lo
			half := n / 2
			if f*col[from+half] < lo {
				from += half + 1
				n -= half + 1
			} else {
				n = half
			}
		}
		to := from
		for n := o.hi - from; n > 0; { // first product > hi
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

// keep replaces the open part of every column, dropping the given number of products below.
func (s *search) keep(dropped int, part func(open, inner span) span) {
	s.below += dropped
	s.total = 0
	for i := range s.open {
		s.open[i] = part(s.open[i], s.inner[i])
		s.total += s.open[i].hi - s.open[i].lo
	}
}

// finish forms the open products and selects among them.
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
