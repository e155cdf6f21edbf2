package quantile

import (
	"cmp"
	"math/bits"
	"slices"
)

// Select reorders values so that values[k] is the k-th smallest (k counted from 0), no element before it is larger and
// no element behind it is smaller. It returns values[k]. values must not hold NaN; ±Inf is allowed. The method is
// Hoare's selection with medians of three (of medians for long slices) as pivots, O(n) on average. After too many bad
// pivots it sorts what is left, so the worst case is O(n log n). It panics if k is not an index of values.
func Select[T cmp.Ordered](values []T, k int) T {
	_ = values[k]
	lo, hi := 0, len(values)-1
	for budget := 2 * bits.Len(uint(len(values))); hi-lo > 16; budget-- {
		if budget == 0 {
			slices.Sort(values[lo : hi+1])
			return values[k]
		}
		i, j := partition(values, lo, hi)
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default: // k lies between the parts, where all values equal the pivot
			return values[k]
		}
	}
	for i := lo + 1; i <= hi; i++ {
		v := values[i]
		j := i
		for ; j > lo && v < values[j-1]; j-- {
			values[j] = values[j-1]
		}
		values[j] = v
	}
	return values[k]
}

// partition reorders values[lo:hi+1] around a pivot: afterwards values[lo:j+1] <= pivot <= values[i:hi+1] with j < i,
// and the values between the two parts equal the pivot. Both parts are shorter than the whole.
func partition[T cmp.Ordered](values []T, lo, hi int) (i, j int) {
	mid := lo + (hi-lo)/2
	pivot := median(values[lo], values[mid], values[hi])
	if step := (hi - lo) / 8; step >= 16 {
		pivot = median(
			median(values[lo], values[lo+step], values[lo+2*step]),
			median(values[mid-step], values[mid], values[mid+step]),
			median(values[hi-2*step], values[hi-step], values[hi]),
		)
	}
	i, j = lo, hi
	for i <= j {
		// Stopping at values equal to the pivot keeps the parts balanced when there are many ties.
		for values[i] < pivot {
			i++
		}
		for pivot < values[j] {
			j--
		}
		if i <= j {
			values[i], values[j] = values[j], values[i]
			i++
			j--
		}
	}
	return i, j
}

func median[T cmp.Ordered](a, b, c T) T {
	return max(min(a, b), min(max(a, b), c))
}
