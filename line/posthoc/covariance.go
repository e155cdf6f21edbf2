package posthoc

import (
	"context"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/line-ood/goline/internal/linalg"
)

const epsilon = 0x1p-52

// noise is the amount by which rounding alone can change eigenvalues of a matrix [n, n]: max(n, 64) epsilon times the
// largest eigenvalue.
func noise(n int, largest float64) float64 { return float64(max(n, 64)) * epsilon * largest }

// secondMoments returns the mean of x x' over n rows, shape [dim, dim]. row writes row i to x, shape [dim].
func secondMoments(ctx context.Context, n, dim int, row func(i int, x []float64), workers int) ([]float64, error) {
	s := linalg.NewScatter(dim)
	if err := s.AddRows(ctx, n, row, workers); err != nil {
		return nil, err
	}
	out := make([]float64, dim*dim)
	return out, s.Matrix(out, float64(n))
}

// whitening returns A, shape [rank, dim], for which A'A is the pseudo-inverse of a covariance, shape [dim, dim].
// Eigenvalues that do not exceed noise count as zero. Where there are none, A comes from the Cholesky factor of the
// correlations, which is accurate even if the variances of features differ much.
func whitening(ctx context.Context, covariance []float64, dim, workers int) ([]float64, error) {
	if a := inverseFactor(covariance, dim); a != nil {
		return a, ctx.Err()
	}
	values, vectors, err := linalg.Eigen(ctx, covariance, dim, workers)
	if err != nil {
		return nil, err
	}
	least := noise(dim, values[dim-1])
	var out []float64
	for i, v := range values {
		if v > least {
			for _, x := range vectors[i*dim : (i+1)*dim] {
				out = append(out, x/math.Sqrt(v))
			}
		}
	}
	return out, nil
}

// principal splits the eigenvectors of a covariance, shape [dim, dim]. main spans the count largest ones, shape
// [count, dim], rest the others, shape [dim-count, dim]. Where the split would separate eigenvalues that differ by
// noise alone, count is reduced.
func principal(ctx context.Context, covariance []float64, dim, count, workers int) (main, rest []float64, err error) {
	values, vectors, err := linalg.Eigen(ctx, covariance, dim, workers)
	if err != nil {
		return nil, nil, err
	}
	at := dim - min(count, dim) // eigenvalues ascend
	if at > 0 {
		for least := noise(dim, values[dim-1]); at < dim && values[at]-values[at-1] <= least; at++ {
		}
	}
	return vectors[at*dim:], vectors[:at*dim], nil
}

// inverseFactor returns A, lower triangular, for which A'A is the inverse of a covariance, shape [dim, dim]. It
// returns nil unless it is certain that all eigenvalues exceed noise.
func inverseFactor(covariance []float64, dim int) []float64 {
	deviation := make([]float64, dim)
	var trace float64 // an upper bound of the largest eigenvalue
	for i := range deviation {
		v := covariance[i*dim+i]
		if !(v > 0) {
			return nil
		}
		deviation[i] = math.Sqrt(v)
		trace += v
	}
	correlation := mat.NewSymDense(dim, nil)
	for i := range dim {
		for j := i; j < dim; j++ {
			correlation.SetSym(i, j, covariance[i*dim+j]/deviation[i]/deviation[j])
		}
	}
	var factor mat.Cholesky
	if !factor.Factorize(correlation) {
		return nil
	}
	var lower, inverse mat.TriDense
	factor.LTo(&lower)
	if inverse.InverseTri(&lower) != nil {
		return nil
	}
	out := make([]float64, dim*dim)
	var size float64 // trace of the inverse, an upper bound of its largest eigenvalue
	for i := range dim {
		for j := range i + 1 {
			v := inverse.At(i, j) / deviation[j]
			out[i*dim+j] = v
			size += float64(v * v)
		}
	}
	if !(1/size > 4*noise(dim, trace)) {
		return nil
	}
	return out
}
