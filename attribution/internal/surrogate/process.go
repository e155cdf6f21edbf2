package surrogate

import (
	"context"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/linalg"
)

// Process is the posterior of a Gaussian process on the odd part of a game, on which alone Shapley values depend,
// given half of the differences between coalitions and their complements. The features of its covariance are the sets
// of all odd numbers of players, weighted by a scale for each player. The scales are those under which the values are
// most likely.
type Process struct {
	kernel diffusion
	rows   []float64 // signs [rows, players], the grand coalition last
	alpha  []float64 // [rows]: K⁻¹ y
	factor *linalg.Cholesky
	scale  float64 // factor of all covariances
}

const (
	// nugget is the variance of a value that the process leaves unexplained, in units of the mean prior variance. It
	// accounts for rounding and for what the covariance cannot describe.
	nugget = 1e-3
	// exactNugget is the nugget of v(N) - v(∅), to which the Shapley values must sum.
	exactNugget = 1e-9
)

// NewProcess returns the posterior given y_r = (v(S_r) - v(N \ S_r))/2 and gap = v(N) - v(∅). typical is a first guess
// of the size of each player's values.
//
// Shapes: rows [rows], y [rows], typical [players].
func NewProcess(ctx context.Context, rows []attribution.Coalition, y []float64, gap float64, typical []float64,
	workers int) (*Process, error) {
	players := len(typical)
	all := attribution.NewCoalition(players)
	all.Fill(players)
	data := processData{y: append(append(make([]float64, 0, len(y)+1), y...), gap/2)}
	data.signs = signs(append(append(make([]attribution.Coalition, 0, len(rows)+1), rows...), all), players)
	kernel, err := learn(ctx, data.thinned(learnRows, players), typical, workers)
	if err != nil {
		return nil, err
	}
	p := &Process{kernel: kernel, rows: data.signs, alpha: append([]float64(nil), data.y...)}
	k, err := data.covariance(ctx, &p.kernel, workers)
	if err != nil {
		return nil, err
	}
	if p.factor, err = linalg.NewCholesky(ctx, k.matrix, len(data.y), workers); err != nil {
		return nil, err
	}
	p.factor.Solve(p.alpha)
	p.scale, err = p.leftOut(ctx, workers)
	return p, err
}

// leftOutRows is the most rows that the scale of all variances is measured at.
const leftOutRows = 256

// leftOut returns the factor of all variances under which errors at rows that are left out are as large as they say, on
// average over rows spread evenly, the grand coalition aside. The likelihood's own factor, y·K⁻¹y over the rows, would
// be the same for a game that the prior describes, and is too large for one that is smoother, too small for a rougher
// one. The error at row r is α_r/K⁻¹_rr, its variance 1/K⁻¹_rr (Rasmussen and Williams 2006, equation 5.12).
func (p *Process) leftOut(ctx context.Context, workers int) (float64, error) {
	m := len(p.alpha)
	count := min(m-1, leftOutRows)
	units := make([]float64, count*m)
	for k := range count {
		units[k*m+k*(m-1)/count] = 1
	}
	if err := p.factor.Forward(ctx, units, count, workers); err != nil {
		return 0, err
	}
	scale := 0.0
	for k := range count {
		own := 0.0 // K⁻¹_rr
		for _, v := range units[k*m:][:m] {
			own += float64(v * v)
		}
		a := p.alpha[k*(m-1)/count]
		scale += a * a / own / float64(count)
	}
	return scale, nil
}

// processData holds the rows that a process is conditioned on, the grand coalition last.
type processData struct{ signs, y []float64 }

// thinned keeps at most most rows, evenly spread, and the last row.
func (d processData) thinned(most, players int) processData {
	if len(d.y) <= most {
		return d
	}
	out := processData{}
	for k := range most {
		at := k * (len(d.y) - 1) / (most - 1)
		out.y = append(out.y, d.y[at])
		out.signs = append(out.signs, d.signs[at*players:][:players]...)
	}
	return out
}

// covariances holds t of all pairs of rows, and the matrix k(t) with the nuggets on its diagonal.
type covariances struct{ t, matrix []float64 }

func (d processData) covariance(ctx context.Context, k *diffusion, workers int) (covariances, error) {
	m := len(d.y)
	t, err := k.inner(ctx, d.signs, d.signs, workers)
	if err != nil {
		return covariances{}, err
	}
	c := covariances{t: t, matrix: make([]float64, m*m)}
	for i := range m {
		for j := range i {
			v := k.of(t[i*m+j])
			c.matrix[i*m+j], c.matrix[j*m+i] = v, v
		}
	}
	own := k.of(t[0]) // k of a coalition with itself is the same for every row
	for i := range m {
		c.matrix[i*m+i] = own * (1 + nugget)
	}
	c.matrix[m*m-1] = own * (1 + exactNugget)
	return c, nil
}

// Shapley returns the posterior means of the Shapley values and their variances.
//
// Shapes: values [players], variance [players].
func (p *Process) Shapley(ctx context.Context, workers int) (values, variance []float64, err error) {
	players, m := len(p.kernel.scales), len(p.alpha)
	sections, err := p.kernel.shapley(ctx, p.rows, workers)
	if err != nil {
		return nil, nil, err
	}
	values = make([]float64, players)
	for i := range values {
		for r, v := range sections[i*m:][:m] {
			values[i] += v * p.alpha[r]
		}
	}
	if err := p.factor.Forward(ctx, sections, players, workers); err != nil {
		return nil, nil, err
	}
	variance = p.kernel.variance()
	for i := range variance {
		for _, v := range sections[i*m:][:m] {
			variance[i] -= v * v
		}
		variance[i] = max(variance[i], 0) * p.scale
	}
	return values, variance, nil
}

// At returns the posterior means of the odd part at coalitions.
//
// Shapes: result [len(rows)].
func (p *Process) At(ctx context.Context, rows []attribution.Coalition, workers int) ([]float64, error) {
	m := len(p.alpha)
	out := make([]float64, len(rows))
	const block = 512 // bounds the memory for covariances
	for from := 0; from < len(rows); from += block {
		part := rows[from:min(from+block, len(rows))]
		t, err := p.kernel.inner(ctx, signs(part, len(p.kernel.scales)), p.rows, workers)
		if err != nil {
			return nil, err
		}
		for r := range part {
			for j, v := range t[r*m:][:m] {
				out[from+r] += p.kernel.of(v) * p.alpha[j]
			}
		}
	}
	return out, nil
}
