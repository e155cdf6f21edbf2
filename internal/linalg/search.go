package linalg

import (
	"context"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/line-ood/goline/internal/kernel"
)

const (
	// largest number of queries multiplied with a panel before the next panel, so that their codes stay in L2
	queryRows  = 96
	pairsBlock = 256 // largest number of pairs of features multiplied at a time, so that a panel of them stays in L1
)

// search finds, for each of queries [n, dim], a shortlist of the rows with the k largest values, and passes it to
// finish, from several goroutines at once. The value of row x for query q is <q, x>, or with nearest <q, x> - ‖x‖²/2,
// which orders rows by distance.
func (b *Bank) search(ctx context.Context, queries []float32, k int, nearest bool, workers int,
	finish func(query int, s *shortlist)) error {
	n := len(queries) / b.dim
	if n == 0 {
		return ctx.Err()
	}
	workers = max(workers, 1)
	blocks := ceilDiv(n, queryRows)
	blocks = ceilDiv(blocks, workers) * workers // a multiple of workers, so that all workers finish at the same time
	size := ceilDiv(ceilDiv(n, blocks), kernel.PanelRows) * kernel.PanelRows
	blocks = ceilDiv(n, size)
	segments := min(ceilDiv(workers, blocks), len(b.chunk)) // with few queries the bank is divided among the workers
	lists := make([]*shortlist, n*segments)
	err := forEach(ctx, blocks*segments, workers, func() func(int) {
		s := newSearcher(b, size, nearest)
		return func(task int) {
			block, segment := task/segments, task%segments
			q0, q1 := block*size, min(n, (block+1)*size)
			s.load(queries[q0*b.dim:q1*b.dim], k)
			for c := segment * len(b.chunk) / segments; c < (segment+1)*len(b.chunk)/segments && ctx.Err() == nil; c++ {
				s.pass(c)
			}
			for i, l := range s.lists {
				lists[(q0+i)*segments+segment] = l
			}
			if segments == 1 && ctx.Err() == nil {
				for i := q0; i < q1; i++ {
					finish(i, lists[i])
					lists[i] = nil
				}
			}
		}
	})
	if err != nil || segments == 1 {
		return err
	}
	return forEach(ctx, n, workers, func() func(int) {
		return func(i int) {
			all := newShortlist(k)
			for _, l := range lists[i*segments : (i+1)*segments] {
				all.merge(l)
			}
			finish(i, all)
		}
	})
}

// searcher compares some queries with one chunk of a bank after another.
type searcher struct {
	b        *Bank
	nearest  bool
	shift    []float32
	left     []int16 // [tile of queries][pair][row][2]
	queries  []codes
	lists    []*shortlist
	products []int32 // [query, chunkColumns]
	marks    [chunkColumns / 8]uint8
}

func newSearcher(b *Bank, rows int, nearest bool) *searcher {
	s := &searcher{b: b, nearest: nearest, shift: b.zero}
	if nearest {
		s.shift = b.half
	}
	s.left, s.products = make([]int16, rows*b.pairs*2), make([]int32, rows*chunkColumns)
	return s
}

// load sets the queries to search for.
func (s *searcher) load(queries []float32, k int) {
	dim := s.b.dim
	rows := len(queries) / dim
	s.queries, s.lists = make([]codes, rows), make([]*shortlist, rows)
	clear(s.left)
	for i := range rows {
		tile := i / kernel.PanelRows * kernel.PanelRows
		high := min(kernel.PanelRows, rows-tile)
		s.queries[i] = encode(s.left[tile*s.b.pairs*2+2*(i-tile):], 2*high, queries[i*dim:][:dim])
		s.lists[i] = newShortlist(k)
	}
}

// pass multiplies the queries with a chunk and offers its rows to their shortlists.
func (s *searcher) pass(chunk int) {
	b := s.b
	first := chunk * chunkPanels
	panels := min(chunkPanels, len(b.gain)/kernel.ShortColumns-first)
	for p := range panels {
		panel := b.panels[(first+p)*b.panelLen():][:b.panelLen()]
		for at := 0; at < b.pairs; at += pairsBlock {
			pairs := min(pairsBlock, b.pairs-at)
			right := panel[at*kernel.ShortColumns*2:]
			for row := 0; row < len(s.queries); row += kernel.PanelRows {
				high := min(kernel.PanelRows, len(s.queries)-row)
				left := s.left[row*b.pairs*2+at*high*2:]
				kernel.ShortPanel(s.products[row*chunkColumns+p*kernel.ShortColumns:], chunkColumns, left, right, high,
					pairs, at > 0)
			}
		}
	}
	columns := panels * kernel.ShortColumns
	for i := range s.queries {
		s.look(i, chunk, s.products[i*chunkColumns:][:columns])
	}
}

// look offers those rows of a chunk to a query's shortlist whose products with the query are large enough.
func (s *searcher) look(query, chunk int, products []int32) {
	b, q, list := s.b, &s.queries[query], s.lists[query]
	first := chunk * chunkColumns
	bound, ok := list.bound()
	least, scale := float32(math.Inf(-1)), float32(q.gain*b.unit)
	if ok && !math.IsInf(float64(scale), 0) {
		least = s.least(q, &b.chunk[chunk], bound)
	}
	gain, shift := b.gain[first:][:len(products)], s.shift[first:][:len(products)]
	kernel.NotBelow(s.marks[:len(products)/8], products, gain, shift, scale, least)
	clear(s.marks[len(products)/8:])
	for w := 0; w < len(s.marks); w += 8 {
		for m := binary.LittleEndian.Uint64(s.marks[w:]); m != 0; m &= m - 1 {
			j := first + 8*w + bits.TrailingZeros64(m)
			if j < b.n {
				list.offer(s.bounds(q, j, products[j-first]))
			}
		}
	}
}

// least returns the float32 product with the query below which no row of a chunk can have a value of bound or more.
func (s *searcher) least(q *codes, e *extent, bound float64) float32 {
	err := errorOf(q, e.norm, e.off, s.b.dim)
	// Products in float32 are rounded five times, with the sizes included, and codes lengthen a row by less than a
	// tenth. Numbers below the normal range of float32 have an error of at most 2^-150, which the product of codes
	// multiplies.
	size := 1.2*q.norm*e.norm + e.norm*e.norm
	v := (bound-err-0x1p-20*size)*s.b.unit*s.b.unit - 0x1p-118*(1+q.gain*s.b.unit)
	return math.Nextafter32(float32(v), float32(math.Inf(-1)))
}

// bounds returns row j with bounds of its value.
func (s *searcher) bounds(q *codes, j int, product int32) candidate {
	c := &s.b.codes[j]
	v := float64(product) * (q.gain * c.gain)
	if s.nearest {
		v -= float64(0.5 * c.norm * c.norm)
	}
	err := errorOf(q, c.norm, c.off, s.b.dim)
	return candidate{int32(j), v - err, v + err}
}

// errorOf bounds the difference between a value computed from codes and the value in float64. With x = x' + e and y =
// y' + f, |<x, y> - <x', y'>| <= ‖e‖‖y‖ + ‖x'‖‖f‖; rounding of sums is added.
func errorOf(q *codes, norm, off float64, dim int) float64 {
	return q.off*norm + (q.norm+q.off)*off + rounding(dim)*(q.norm+norm)*(q.norm+norm)
}
