// Package invariant helps to find uses of memory that has been given back, in builds with the tag invariants: what is
// given back is filled with values that show. Without the tag nothing happens, and the compiler removes the calls.
package invariant

import (
	"fmt"
	"math"
)

// poisonInt is a class, count or index that there never is.
const poisonInt = math.MinInt / 3

// Poison fills memory that nobody may read any more: numbers become NaN, integers far below zero.
func Poison(memory any) {
	if !On {
		return
	}
	switch m := memory.(type) {
	case []float32:
		for i := range m {
			m[i] = float32(math.NaN())
		}
	case []float64:
		for i := range m {
			m[i] = math.NaN()
		}
	case []int:
		for i := range m {
			m[i] = poisonInt
		}
	}
}

// Check panics where a condition that always holds does not.
func Check(holds bool, format string, args ...any) {
	if On && !holds {
		panic("invariant: " + fmt.Sprintf(format, args...))
	}
}

// Sum is a checksum of values that must not change while somebody holds them, 0 without the tag.
func Sum(values []float32) uint64 {
	if !On {
		return 0
	}
	h := uint64(14695981039346656037) // FNV-1a
	for _, v := range values {
		h = (h ^ uint64(math.Float32bits(v))) * 1099511628211
	}
	return h
}
