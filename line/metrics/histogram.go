package metrics

import (
	"fmt"
	"math"
	"slices"

	"github.com/line-ood/goline/internal/quantile"
)

// Histogram counts the scores of both sets in common bins.
type Histogram struct {
	// Edges bound the bins, ascending and equally far apart, shape [bins+1]. Bin i reaches from Edges[i], included,
	// to Edges[i+1], excluded. The first bin also counts every lower score, the last bin every higher one.
	Edges []float64
	// ID and OOD count the samples of each set, shape [bins]; each sums to the size of its set.
	ID, OOD []int
}

// NewHistogram counts scores in the given number of bins. The bins span the scores of both sets from the tail-th to
// the (100-tail)-th percentile. tail 0 spans minimum to maximum; a small tail such as 0.5 prevents a few outliers
// from squeezing all other scores into one bin. Infinite scores do not widen the span. If all finite scores are equal
// the bins span a short interval around them. Besides the errors that the package comment names, it is an error if
// bins < 1, if tail is outside [0, 50), or if a set has no finite score.
func NewHistogram(id, ood []float64, bins int, tail float64) (Histogram, error) {
	if err := check("ID", id); err != nil {
		return Histogram{}, err
	}
	if err := check("OOD", ood); err != nil {
		return Histogram{}, err
	}
	edges, err := BinEdges(bins, tail, id, ood)
	if err != nil {
		return Histogram{}, err
	}
	return Histogram{Edges: edges, ID: BinCounts(id, edges), OOD: BinCounts(ood, edges)}, nil
}

// BinEdges returns the edges, shape [bins+1], that NewHistogram would use, for any number of sets of scores, each of
// shape [sample]. The bins span every set from its tail-th to its (100-tail)-th percentile. It is an error if bins <
// 1, if tail is outside [0, 50), if there is no set, or if a set is empty, holds a NaN or has no finite score.
func BinEdges(bins int, tail float64, sets ...[]float64) ([]float64, error) {
	if bins < 1 {
		return nil, fmt.Errorf("metrics: expected at least 1 histogram bin, got %d", bins)
	}
	if !(tail >= 0 && tail < 50) {
		return nil, fmt.Errorf("metrics: expected a histogram tail in [0, 50) %%, got %v", tail)
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("metrics: expected scores to bin, got none")
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i, scores := range sets {
		from, to, err := span(scores, tail)
		if err != nil {
			return nil, fmt.Errorf("metrics: set %d: %w", i, err)
		}
		low, high = min(low, from), max(high, to)
	}
	if low == high {
		pad := max(0.5, math.Abs(low)*1e-6)
		low, high = low-pad, high+pad
	}
	edges := make([]float64, bins+1)
	for i := range edges {
		f := float64(i) / float64(bins)
		edges[i] = float64(low*(1-f)) + float64(high*f)
	}
	return edges, nil
}

// span returns the percentiles tail and 100-tail of the finite scores.
func span(scores []float64, tail float64) (low, high float64, err error) {
	finite := slices.DeleteFunc(slices.Clone(scores), func(s float64) bool { return math.IsInf(s, 0) })
	if len(finite) == 0 {
		return 0, 0, fmt.Errorf("none of %d scores is finite", len(scores))
	}
	if low, err = quantile.PercentileInPlace(finite, tail); err != nil {
		return 0, 0, err
	}
	high, err = quantile.PercentileInPlace(finite, 100-tail)
	return low, high, err
}

// BinCounts counts scores, shape [sample], none NaN, in the bins between ascending edges, shape [bins+1]. The result
// has shape [bins]. As in Histogram, the first and the last bin are unbounded on their outer side.
func BinCounts(scores, edges []float64) []int {
	counts := make([]int, len(edges)-1)
	for _, s := range scores {
		i, onEdge := slices.BinarySearch(edges, s)
		if !onEdge {
			i--
		}
		counts[min(max(i, 0), len(counts)-1)]++
	}
	return counts
}
