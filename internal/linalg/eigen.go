package linalg

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/line-ood/goline/internal/mathx"
)

// Eigen returns the eigenvalues of a symmetric matrix a [n, n] in ascending order, and its eigenvectors, orthonormal,
// as the rows of vectors [n, n]. It reads the diagonal of a and the elements above it, and does not change a. Errors
// of the results are of the size of the rounding errors of a's largest eigenvalue.
//
// The matrix is brought to tridiagonal form by reflections and then diagonalised by the implicit QL method (Golub and
// Van Loan, Matrix Computations, 4th edition, 8.3). It takes O(n³) time and memory for 4 more matrices.
func Eigen(ctx context.Context, a []float64, n, workers int) (values, vectors []float64, err error) {
	if len(a) != n*n {
		return nil, nil, fmt.Errorf("linalg: eigenvalues: expected a matrix [%d, %d], got %d elements", n, n, len(a))
	}
	if n == 0 {
		return nil, nil, ctx.Err()
	}
	t := make([]float64, n*n)
	most := 0.0
	for i := range n {
		row := a[i*n+i : (i+1)*n]
		if l := mathx.FirstNotFinite(row); l >= 0 {
			return nil, nil, fmt.Errorf("linalg: eigenvalues: expected finite elements, got %v in row %d, column %d",
				row[l], i, i+l)
		}
		for l, v := range row {
			most = max(most, math.Abs(v))
			t[i*n+i+l], t[(i+l)*n+i] = v, v
		}
	}
	// The matrix is scaled so that its largest element is near one. Then nothing overflows, and underflow is
	// negligible.
	_, exponent := math.Frexp(most)
	for i, v := range t {
		t[i] = math.Ldexp(v, -exponent)
	}
	values, s, err := diagonalise(ctx, t, n, workers)
	if err != nil {
		return nil, nil, err
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	sorted := make([]float64, n)
	vectors = t
	for i, at := range order {
		sorted[i] = math.Ldexp(values[at], exponent)
		s.row(vectors[i*n:(i+1)*n], at)
	}
	return sorted, vectors, nil
}

// diagonalise returns the eigenvalues of t, which it overwrites, and the eigenvectors as the rows of the second result.
func diagonalise(ctx context.Context, t []float64, n, workers int) ([]float64, *strips, error) {
	r, err := tridiagonalise(ctx, t, n, workers)
	if err != nil {
		return nil, nil, err
	}
	z, err := r.transposed(ctx, workers)
	if err != nil {
		return nil, nil, err
	}
	s := newStrips(z, n)
	g := &diagonaliser{d: r.diagonal, e: r.below, most: 128 * n, apply: func(sweeps []sweep) error {
		return s.apply(ctx, sweeps, workers)
	}}
	if err := g.run(); err != nil {
		return nil, nil, err
	}
	return r.diagonal, s, nil
}
