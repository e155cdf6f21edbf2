package posthoc

import (
	"context"
	"math"

	"github.com/line-ood/goline/internal/linalg"
)

const epsilon = 0x1p-52

// noise is what eigenvalues of a matrix [n, n] may differ by from rounding alone: n epsilon times the largest, of at least 64 rows.
func noise(n int, largest float64) float64 { return float64(max(n, 64)) * epsilon * largest }

// secondMoments returns the mean of x x' over n rows, shape [dim, dim]. row writes a row to x, shape [dim].
func secondMoments(ctx context.Context, n, dim int, row func(i int, x []float64), workers int) ([]float64, error) {
	s := linalg.NewScatter(dim)
	if err := s.AddRows(ctx, n, row, workers); err != nil {
		return nil, err
	}
	out := make([]float64, dim*dim)
	return out, s.Matrix(out, float64(n))
}

// whitening returns A, shape [rank, dim], with A'A the pseudo-inverse of a covariance, shape [dim, dim]. Eigenvalues that are noise
// count as zero.
func whitening(ctx context.Context, covariance []float64, dim, workers int) ([]float64, error) {
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

// principal splits the eigenvectors of a covariance, shape [dim, dim], after the largest count of them: rest spans the others, shape
// [dim-count, dim], and main those, shape [count, dim]. A cut between eigenvalues that only noise tells apart is moved, to fewer.
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
