// Package invariant helps to find uses of memory that has been released. In builds with the tag invariants, released
// memory is filled with values that show in results. Without the tag nothing happens, and the compiler removes the
// calls.
package invariant

import (
	"fmt"
	"math"
)

// poisonInt is a value that no class, count or index has.
const poisonInt = math.MinInt / 3

// Poison fills memory that nobody may read any more: floats become NaN, integers far below zero.
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

// Check panics if holds is false, which it must never be. Without the tag it does nothing.
func Check(holds bool, format string, args ...any) {
	if On && !holds {
		panic("invariant: " + fmt.Sprintf(format, args...))
	}
}

// Sum returns a checksum of values that must not change while somebody holds them, 0 without the tag.
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
