package linalg

// Null returns how many of the ascending eigenvalues of a positive semidefinite matrix count as zero: those that do
// not exceed n·2⁻⁵² times the largest one, where n is their number.
func Null(values []float64) int {
	n := len(values)
	if n == 0 {
		return 0
	}
	cut := max(0, float64(n)*0x1p-52*values[n-1])
	for i, v := range values {
		if v > cut {
			return i
		}
	}
	return n
}
