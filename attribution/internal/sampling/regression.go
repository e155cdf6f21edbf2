package sampling

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/mathx"
)

// Regression is the weighted least squares of targets on centred coalition indicators z̃ = z - |z|/n, with
// coefficients that sum to zero. It is the problem of KernelSHAP after the efficiency constraint has been eliminated.
// A coalition and its complement have opposite z̃, so that a pair is one row whose target is half the difference of
// the pair's targets.
type Regression struct {
	N      int
	Rows   attribution.Coalitions
	Target []float64 // [rows]
	// Weight and Unsampled hold one number for each row; nil stands for ones. Rows of equal weight should be
	// adjacent, which makes Solve faster. Unsampled is the finite-population correction, 1 - the probability that the
	// row was drawn.
	Weight, Unsampled []float64
}

// MinRows is the number of rows below which the coefficients are not unique.
func (q *Regression) MinRows() int { return q.N - 1 }

func (q *Regression) weightOf(r int) float64 {
	if q.Weight == nil {
		return 1
	}
	return q.Weight[r]
}

// Solve returns the coefficients and the diagonal of their sandwich covariance, each squared residual divided by 1
// minus its leverage (HC2 of MacKinnon and White 1985), which makes up for what the fit has taken from it; squaring the
// divisor as the jackknife does (HC3) would make variances too large by 1/(1-p/m) with m rows for p coefficients, three
// times at m = 1.5 p. The covariance is NaN with no more rows than coefficients.
func (q *Regression) Solve(ctx context.Context, workers int) (beta, variance []float64, err error) {
	m := q.Rows.Len()
	if m < q.MinRows() {
		return nil, nil, fmt.Errorf("%w: %d players need %d coalitions or pairs, got %d", attribution.ErrBudget, q.N,
			q.MinRows(), m)
	}
	gram := q.gram(workers)
	ridge := q.centre(gram)
	var chol mat.Cholesky
	if !chol.Factorize(gram) || chol.Cond() > 1e13 {
		return nil, nil, fmt.Errorf("%w: %d coalitions do not determine the values of %d players",
			attribution.ErrBudget, m, q.N)
	}
	moment := mat.NewVecDense(q.N, nil)
	b := moment.RawVector().Data
	members := make([]int, 0, q.N)
	shift := 0.0
	for r := range m {
		wy := q.weightOf(r) * q.Target[r]
		members = q.Rows.Row(r).AppendMembers(members[:0])
		for _, i := range members {
			b[i] += wy
		}
		shift += wy * float64(len(members)) / float64(q.N)
	}
	floats.AddConst(-shift, b)
	solution := mat.NewVecDense(q.N, nil)
	if err := chol.SolveVecTo(solution, moment); err != nil {
		return nil, nil, fmt.Errorf("attribution: kernel regression: %w", err)
	}
	beta = solution.RawVector().Data
	floats.AddConst(-mathx.Mean(beta), beta)
	var inverse mat.SymDense
	if err := chol.InverseTo(&inverse); err != nil {
		return nil, nil, fmt.Errorf("attribution: kernel regression: %w", err)
	}
	variance, err = q.sandwich(ctx, workers, beta, &inverse, ridge)
	return beta, variance, err
}

// gram returns Σ w z zᵀ. It counts bits: the column of player i is the bitset of the rows that hold player i, padded
// to whole words wherever the weight changes.
func (q *Regression) gram(workers int) *mat.SymDense {
	type span struct {
		from, to int // words
		weight   float64
	}
	var spans []span
	word := make([]int, q.Rows.Len()) // word of each row
	bit := make([]uint, q.Rows.Len())
	words, used := 0, uint(64)
	for r := range word {
		if w := q.weightOf(r); len(spans) == 0 || spans[len(spans)-1].weight != w {
			spans = append(spans, span{words, words, w})
			used = 64
		}
		if used == 64 {
			words++
			spans[len(spans)-1].to = words
			used = 0
		}
		word[r], bit[r] = words-1, used
		used++
	}
	columns := make([]uint64, q.N*words)
	members := make([]int, 0, q.N)
	for r := range word {
		members = q.Rows.Row(r).AppendMembers(members[:0])
		for _, i := range members {
			columns[i*words+word[r]] |= 1 << bit[r]
		}
	}
	gram := mat.NewSymDense(q.N, nil)
	inParallel(workers, q.N, func(i int) {
		a := columns[i*words : (i+1)*words]
		for j := i; j < q.N; j++ {
			b := columns[j*words : (j+1)*words]
			total := 0.0
			for _, s := range spans {
				both := 0
				for w := s.from; w < s.to; w++ {
					both += bits.OnesCount64(a[w] & b[w])
				}
				total += s.weight * float64(both)
			}
			gram.SetSym(i, j, total)
		}
	})
	return gram
}

// centre turns Σ w z zᵀ into Σ w z̃ z̃ᵀ + c 1 1ᵀ in place and returns c. The last term makes the matrix regular and
// does not change solutions that sum to zero.
func (q *Regression) centre(gram *mat.SymDense) (ridge float64) {
	n := q.N
	rowMean := make([]float64, n)
	for i := range n {
		for j := range n {
			rowMean[i] += gram.At(i, j)
		}
		rowMean[i] /= float64(n)
	}
	grand := mathx.Mean(rowMean)
	trace := 0.0
	for i := range n {
		for j := i; j < n; j++ {
			gram.SetSym(i, j, gram.At(i, j)-rowMean[i]-rowMean[j]+grand)
		}
		trace += gram.At(i, i)
	}
	ridge = trace / float64(n) / float64(n)
	for i := range n {
		for j := i; j < n; j++ {
			gram.SetSym(i, j, gram.At(i, j)+ridge)
		}
	}
	return ridge
}

// sandwich returns the diagonal of Σ_r s_r s_rᵀ, s_r = G⁻¹ w z̃_r e_r / √(1 - h_r).
func (q *Regression) sandwich(ctx context.Context, workers int, beta []float64, inverse *mat.SymDense,
	ridge float64) ([]float64, error) {
	n, m := q.N, q.Rows.Len()
	variance := make([]float64, n)
	if m <= q.MinRows() && !(q.Unsampled != nil && floats.Max(q.Unsampled) == 0) {
		for i := range variance {
			variance[i] = math.NaN()
		}
		return variance, nil
	}
	full := mat.NewDense(n, n, nil) // both triangles, so that rows are contiguous
	full.Copy(inverse)
	const rows = 256
	parts := make([][]float64, Slots(workers))
	type scratch struct {
		t       []float64
		members []int
		c       attribution.Coalition
	}
	crew := make([]scratch, workers)
	compute := func(worker, chunk, slot int) error {
		if parts[slot] == nil {
			parts[slot] = make([]float64, n)
		}
		s := &crew[worker]
		if s.t == nil {
			*s = scratch{make([]float64, n), make([]int, 0, n), attribution.NewCoalition(n)}
		}
		clear(parts[slot])
		for r := chunk * rows; r < min((chunk+1)*rows, m); r++ {
			// A coalition and its complement have opposite z̃: use the smaller of the two.
			row, sign := q.Rows.Row(r), 1.0
			if 2*row.Size() > n {
				s.c.Complement(row, n)
				row, sign = s.c, -1
			}
			s.members = row.AppendMembers(s.members[:0])
			share := float64(len(s.members)) / float64(n)
			clear(s.t)
			fitted := 0.0
			for _, i := range s.members {
				floats.Add(s.t, full.RawRowView(i))
				fitted += sign * beta[i] // β sums to zero, so that centring has no effect here
			}
			floats.AddConst(-share/(ridge*float64(n)), s.t) // G⁻¹ 1 = 1/(c n)
			leverage := 0.0
			for _, i := range s.members {
				leverage += s.t[i]
			}
			w := q.weightOf(r)
			residual := w * (q.Target[r] - fitted)
			factor := residual * residual / max(1-w*leverage, 1e-9)
			if q.Unsampled != nil {
				factor *= q.Unsampled[r]
			}
			for i, t := range s.t {
				parts[slot][i] += factor * t * t
			}
		}
		return nil
	}
	merge := func(_, slot int) error {
		floats.Add(variance, parts[slot])
		return nil
	}
	if _, err := InWaves(ctx, workers, 0, (m-1)/rows+1, compute, merge); err != nil {
		return nil, err
	}
	return variance, nil
}

// Append adds rows to a regression without weights.
func (q *Regression) Append(rows attribution.Coalitions, target []float64) {
	q.Rows.Append(rows)
	q.Target = append(q.Target, target...)
}

// Keep reduces the regression to some of its rows, each kept with the given probability.
func (q *Regression) Keep(rows []int, probability float64) {
	rows = slices.Sorted(slices.Values(rows))
	kept := &Regression{N: q.N, Rows: attribution.NewCoalitions(q.N, len(rows))}
	for i, r := range rows {
		copy(kept.Rows.Row(i), q.Rows.Row(r))
		kept.Target = append(kept.Target, q.Target[r])
		kept.Weight = append(kept.Weight, q.Weight[r])
		kept.Unsampled = append(kept.Unsampled, 1-probability*(1-q.Unsampled[r]))
	}
	*q = *kept
}
