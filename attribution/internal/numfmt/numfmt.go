// Package numfmt writes numbers into the tables and the JSON of package attribution and of the packages below it.
// Undefined numbers are empty in tables and null in JSON.
package numfmt

import (
	"encoding/json"
	"math"
	"strconv"
)

// Text formats a number in the fewest digits that read back as the same number, and NaN as the empty string.
func Text(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// JSON is a number that JSON can hold: NaN and ±Inf become null.
type JSON float64

func (n JSON) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// JSONs converts a slice; nil stays nil.
func JSONs(x []float64) []JSON {
	if x == nil {
		return nil
	}
	out := make([]JSON, len(x))
	for i, v := range x {
		out[i] = JSON(v)
	}
	return out
}
