package linalg

import (
	"context"
	"math"
)

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

// Whitening returns a matrix [rank, n] whose product with a vector x has the length √(xᵀ A⁺ x), where A⁺ is the
// pseudo-inverse of the matrix A with these eigenvalues and eigenvectors; see Eigen. Eigenvalues that count as zero
// (see Null) have no row. If A is a covariance, that length is the Mahalanobis distance.
func Whitening(values, vectors []float64, n int) []float64 {
	null := Null(values)
	out := make([]float64, (n-null)*n)
	for i := range n - null {
		f := 1 / math.Sqrt(values[null+i])
		for l, v := range vectors[(null+i)*n:][:n] {
			out[i*n+l] = f * v
		}
	}
	return out
}

// PseudoInverse returns the pseudo-inverse [n, n] of the matrix with these eigenvalues and eigenvectors, see Eigen.
// Eigenvalues that count as zero, see Null, are left out.
func PseudoInverse(ctx context.Context, values, vectors []float64, n, workers int) ([]float64, error) {
	null := Null(values)
	rank := n - null
	left, right := make([]float64, n*rank), make([]float64, n*rank) // [n, rank]
	for i := range rank {
		for l, v := range vectors[(null+i)*n:][:n] {
			left[l*rank+i], right[l*rank+i] = v/values[null+i], v
		}
	}
	out := make([]float64, n*n)
	return out, MulTransposed(ctx, out, left, right, n, n, rank, workers)
}
