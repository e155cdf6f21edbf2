package linalg

import (
	"context"

	"github.com/line-ood/goline/internal/kernel"
)

// transposed returns Qᵀ [n, n]. The reflections of a panel are applied together as I - V S Vᵀ with a triangular S
// (Schreiber and Van Loan, 1989). The last panel comes first, because then only the lower right corner differs from
// the identity.
func (r *reflected) transposed(ctx context.Context, workers int) ([]float64, error) {
	n := r.n
	z := make([]float64, n*n)
	for i := range n {
		z[i*n+i] = 1
	}
	for first := (n - 1) / panelSteps * panelSteps; first >= 0; first -= panelSteps {
		steps := min(panelSteps, n-1-first)
		if steps <= 0 {
			continue
		}
		m := n - first - 1
		v := r.v[first*n+first+1:]
		rows, columns := newPanels(kernel.DoubleColumns, steps, m), newPanels(kernel.DoubleColumns, m, steps)
		for p := range rows.count {
			packPanel(rows, p, v, n, steps)
		}
		for i := range steps {
			columns.setTerm(i, v[i*n:][:m])
		}
		corner := z[(first+1)*n+first+1:]
		y := make([]float64, m*steps) // Z V
		if err := multiplyBlocks(ctx, y, steps, steps, corner, n, m, rows, false, workers); err != nil {
			return nil, err
		}
		s := r.triangle(first, steps)
		for i := range m { // -Z V Sᵀ
			row := y[i*steps:][:steps]
			for j := range row {
				sum := 0.0
				for l := j; l < steps; l++ {
					sum -= float64(s[j*steps+l] * row[l])
				}
				row[j] = sum
			}
		}
		if err := multiplyBlocks(ctx, corner, n, m, y, steps, m, columns, true, workers); err != nil {
			return nil, err
		}
	}
	return z, nil
}

// triangle returns the S [steps, steps] of the reflections from first on: H(first) H(first+1) … = I - V S Vᵀ.
func (r *reflected) triangle(first, steps int) []float64 {
	n := r.n
	s := make([]float64, steps*steps)
	inner := make([]float64, steps)
	for j := range steps {
		at := first + j
		v := r.v[at*n+at+1:][:n-at-1]
		for i := range j {
			inner[i] = dot(r.v[(first+i)*n+at+1:][:n-at-1], v)
		}
		for i := range j {
			s[i*steps+j] = -r.tau[at] * dot(s[i*steps+i:][:j-i], inner[i:j])
		}
		s[j*steps+j] = r.tau[at]
	}
	return s
}
