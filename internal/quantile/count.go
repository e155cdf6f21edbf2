package quantile

import (
	"math"
	"unsafe"
)

// countedPair returns the order statistics k and k+1 of values (twice the first if t is 0), without copying or
// reordering values. It maps each value to an unsigned integer with the same order. Then it determines the digits of
// the result, of 16 bits each, from the highest down. Each pass counts the values that share the digits found so far.
func countedPair[T Float](values []T, k int, t float64) [2]float64 {
	lower, notAbove := countedSelect(values, k)
	upper := lower
	// With ties the next order statistic is the same value, otherwise the smallest value above it.
	if t > 0 && notAbove <= k+1 {
		upper = math.Inf(1)
		for _, v := range values {
			if w := float64(v); w > lower {
				upper = min(upper, w)
			}
		}
	}
	return [2]float64{lower, upper}
}

// countedSelect returns the k-th smallest value and the number of values that are not above it.
func countedSelect[T Float](values []T, k int) (value float64, notAbove int) {
	const digit = 1 << 16
	var zero T
	width := 8 * int(unsafe.Sizeof(zero))
	counts := make([]int, digit)
	var prefix uint64
	rank, below, equal := k, 0, 0
	for shift := width - 16; shift >= 0; shift -= 16 {
		clear(counts)
		want := prefix >> (shift + 16) // the digits found so far
		for _, v := range values {
			key := orderedBits(v)
			if key>>(shift+16) == want {
				counts[key>>shift&(digit-1)]++
			}
		}
		d := 0
		for ; rank >= counts[d]; d++ {
			rank -= counts[d]
			below += counts[d]
		}
		equal = counts[d]
		prefix |= uint64(d) << shift
	}
	return fromOrderedBits[T](prefix), below + equal
}

// orderedBits maps v to an integer such that v < w implies orderedBits(v) < orderedBits(w). Both zeros have one image.
func orderedBits[T Float](v T) uint64 {
	v += 0 // -0 becomes +0
	if unsafe.Sizeof(v) == 4 {
		b := math.Float32bits(float32(v))
		return uint64(b ^ (uint32(int32(b)>>31) | 1<<31))
	}
	b := math.Float64bits(float64(v))
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

func fromOrderedBits[T Float](key uint64) float64 {
	var zero T
	if unsafe.Sizeof(zero) == 4 {
		b := uint32(key)
		return float64(math.Float32frombits(b ^ (uint32(int32(^b)>>31) | 1<<31)))
	}
	return math.Float64frombits(key ^ (uint64(int64(^key)>>63) | 1<<63))
}
