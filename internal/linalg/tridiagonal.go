package linalg

import (
	"context"
	"math"

	"github.com/line-ood/goline/internal/kernel"
)

// reflected is a symmetric matrix in tridiagonal form T = Qᵀ A Q, with reflections Q = H(0) H(1) … and H(j) = I -
// tau[j] v vᵀ. v is row j of the matrix v [n, n]; it begins with j+1 zeros and a one.
type reflected struct {
	n               int
	diagonal, below []float64 // of T, [n] and [n-1]
	tau, v          []float64
}

const panelSteps = 32 // number of reflections between two updates of the rest of the matrix

// tridiagonalise follows LAPACK's dsytrd (Dongarra, Hammarling and Sorensen, 1989): the reflections of a panel are
// applied together to the rest of the matrix. a [n, n] is symmetric and is overwritten.
func tridiagonalise(ctx context.Context, a []float64, n, workers int) (*reflected, error) {
	r := &reflected{n: n, diagonal: make([]float64, n), below: make([]float64, max(n-1, 0)), tau: make([]float64, n),
		v: make([]float64, n*n)}
	w := make([]float64, panelSteps*n)
	for first := 0; first < n; first += panelSteps {
		last := min(first+panelSteps, n)
		for j := first; j < last; j++ {
			if err := r.step(ctx, a, w, first, j, workers); err != nil {
				return nil, err
			}
		}
		if err := r.update(ctx, a, w, first, last, workers); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// step eliminates column j and writes row j-first of w: the reflection changes A by -(v wᵀ + w vᵀ).
func (r *reflected) step(ctx context.Context, a, w []float64, first, j, workers int) error {
	n := r.n
	x := a[j*n:][:n]
	for i := first; i < j; i++ {
		v, u := r.v[i*n:][:n], w[(i-first)*n:][:n]
		axpy(x[j:], -u[j], v[j:])
		axpy(x[j:], -v[j], u[j:])
	}
	r.diagonal[j] = x[j]
	if j == n-1 {
		return nil
	}
	v := r.v[j*n+j+1:][:n-j-1]
	r.below[j], r.tau[j] = reflect(v, x[j+1:])
	to := w[(j-first)*n:][:n]
	clear(to)
	if r.tau[j] == 0 {
		return nil
	}
	if err := multiplyVector(ctx, to[j+1:], a[(j+1)*n+j+1:], n, v, workers); err != nil {
		return err
	}
	for i := first; i < j; i++ {
		p, q := r.v[i*n+j+1:][:n-j-1], w[(i-first)*n+j+1:][:n-j-1]
		alpha, beta := dot(q, v), dot(p, v)
		axpy(to[j+1:], -alpha, p)
		axpy(to[j+1:], -beta, q)
	}
	for i := j + 1; i < n; i++ {
		to[i] *= r.tau[j]
	}
	axpy(to[j+1:], -0.5*r.tau[j]*dot(to[j+1:], v), v)
	return nil
}

// update applies the reflections of a panel to the rest of the matrix.
func (r *reflected) update(ctx context.Context, a, w []float64, first, last, workers int) error {
	n, steps := r.n, last-first
	m := n - last
	if m == 0 {
		return nil
	}
	left := make([]float64, m*2*steps) // rows of -[V W]
	right := newPanels(kernel.DoubleColumns, m, 2*steps)
	for i := range steps {
		v, u := r.v[(first+i)*n+last:][:m], w[i*n+last:][:m]
		for l := range m {
			left[l*2*steps+i], left[l*2*steps+steps+i] = -v[l], -u[l]
		}
		right.setTerm(i, u)
		right.setTerm(steps+i, v)
	}
	return multiplyBlocks(ctx, a[last*n+last:], n, m, left, 2*steps, m, right, true, workers)
}

// reflect returns beta and tau, and writes v with v[0] = 1, such that (I - tau v vᵀ) x = beta e₀.
func reflect(v, x []float64) (beta, tau float64) {
	copy(v, x)
	v[0] = 1
	rest := dot(x[1:], x[1:])
	if rest == 0 {
		clear(v[1:])
		return x[0], 0
	}
	beta = -math.Copysign(math.Sqrt(float64(x[0]*x[0])+rest), x[0])
	scale := x[0] - beta // both terms have the same sign, so that nothing cancels
	for i := range v[1:] {
		v[1+i] /= scale
	}
	return beta, -scale / beta
}

// multiplyVector computes dst = a x for the symmetric a [n, n] whose rows are ld apart.
func multiplyVector(ctx context.Context, dst, a []float64, ld int, x []float64, workers int) error {
	const rows = 64
	n := len(x)
	if n <= 2*rows {
		workers = 1
	}
	return forEach(ctx, ceilDiv(n, rows), workers, func() func(int) {
		return func(task int) {
			for i := task * rows; i < min(n, (task+1)*rows); i++ {
				dst[i] = dot(a[i*ld:][:n], x)
			}
		}
	})
}

// dot is the inner product, summed in four lanes whose sums are added in pairs.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += float64(a[0] * b[0])
		s1 += float64(a[1] * b[1])
		s2 += float64(a[2] * b[2])
		s3 += float64(a[3] * b[3])
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += float64(v * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy adds f x to dst.
func axpy(dst []float64, f float64, x []float64) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] += float64(f * v)
	}
}
