package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/line-ood/goline/internal/mathx"
)

// Spearman is the rank correlation coefficient of two vectors, Pearson's correlation of their ranks, ties given their
// mean rank. It is NaN when a vector is constant or holds NaN. It panics when the lengths differ.
func Spearman(x, y []float64) float64 {
	mustMatch(x, y)
	if hasNaN(x) || hasNaN(y) {
		return math.NaN()
	}
	return pearson(meanRanks(x), meanRanks(y))
}

// KendallTauB is Kendall's rank correlation of the values of two vectors with the correction for ties (Kendall 1945),
//
//	τ_b = (P - Q) / sqrt((P + Q + X)(P + Q + Y)),
//
// P and Q the numbers of concordant and discordant pairs, X and Y those of pairs tied in x only and in y only, in
// O(n log n) (Knight 1966). It is NaN when a vector is constant or holds NaN. It panics when the lengths differ.
func KendallTauB(x, y []float64) float64 {
	mustMatch(x, y)
	if hasNaN(x) || hasNaN(y) {
		return math.NaN()
	}
	n := len(x)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := cmp.Compare(x[a], x[b]); c != 0 {
			return c
		}
		return cmp.Compare(y[a], y[b])
	})
	pairs := n * (n - 1) / 2
	tiedX := tiedPairs(n, func(i, j int) bool { return x[order[i]] == x[order[j]] })
	tiedBoth := tiedPairs(n, func(i, j int) bool { return x[order[i]] == x[order[j]] && y[order[i]] == y[order[j]] })
	ys := make([]float64, n)
	for i, o := range order {
		ys[i] = y[o]
	}
	// Sorted by x and then y, a pair is discordant exactly when its ys are out of order.
	discordant := sortCountingInversions(ys, make([]float64, n))
	tiedY := tiedPairs(n, func(i, j int) bool { return ys[i] == ys[j] })
	concordant := pairs - tiedX - tiedY + tiedBoth - discordant
	a, b := float64(pairs-tiedX), float64(pairs-tiedY)
	if a == 0 || b == 0 {
		return math.NaN()
	}
	return float64(concordant-discordant) / math.Sqrt(a*b)
}

// tiedPairs counts the pairs in runs of neighbours that are the same.
func tiedPairs(n int, same func(i, j int) bool) int {
	total := 0
	for from := 0; from < n; {
		to := from + 1
		for to < n && same(from, to) {
			to++
		}
		total += (to - from) * (to - from - 1) / 2
		from = to
	}
	return total
}

// sortCountingInversions sorts x and returns the number of pairs i < j with x[i] > x[j].
func sortCountingInversions(x, scratch []float64) int {
	if len(x) < 2 {
		return 0
	}
	mid := len(x) / 2
	count := sortCountingInversions(x[:mid], scratch) + sortCountingInversions(x[mid:], scratch)
	merged := scratch[:0]
	i, j := 0, mid
	for i < mid && j < len(x) {
		if x[j] < x[i] {
			merged = append(merged, x[j])
			count += mid - i
			j++
		} else {
			merged = append(merged, x[i])
			i++
		}
	}
	merged = append(merged, x[i:mid]...)
	merged = append(merged, x[j:]...)
	copy(x, merged)
	return count
}

// meanRanks returns the ranks from 1, ties sharing the mean of theirs.
func meanRanks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return x[order[a]] < x[order[b]] })
	ranks := make([]float64, len(x))
	for from := 0; from < len(x); {
		to := from + 1
		for to < len(x) && x[order[to]] == x[order[from]] {
			to++
		}
		for _, o := range order[from:to] {
			ranks[o] = float64(from+1+to) / 2
		}
		from = to
	}
	return ranks
}

// pearson is the correlation of two vectors, NaN when one is constant.
func pearson(x, y []float64) float64 {
	mx, my := mathx.Mean(x), mathx.Mean(y)
	var sxy, sxx, syy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		sxy += dx * dy
		sxx += dx * dx
		syy += dy * dy
	}
	if sxx == 0 || syy == 0 {
		return math.NaN()
	}
	return min(max(sxy/math.Sqrt(sxx*syy), -1), 1)
}

func hasNaN(x []float64) bool { return slices.ContainsFunc(x, math.IsNaN) }

func mustMatch(x, y []float64) {
	if len(x) != len(y) {
		panic(fmt.Sprintf("attribution: vectors of %d and %d values", len(x), len(y)))
	}
}
