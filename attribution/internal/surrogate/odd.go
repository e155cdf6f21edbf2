package surrogate

import (
	"slices"

	"github.com/line-ood/goline/attribution"
)

// Odd is the game
//
//	v(S) = Σ_i b_i σ_i/2 + Σ_t c_t Π_{a∈t} x_a,   x = Uᵀσ/2,
//
// where σ_i is 1 for a present player and -1 for an absent one, and every term t has 1, 3 or 5 factors out of the
// coordinates x. For the complement of a coalition only the sign of v changes. The even part of a game, which Odd
// lacks, does not change Shapley values. For partly present players, α in [0,1], σ = 2α - 1.
type Odd struct {
	players, coordinates int
	linear               []float64 // b [players]
	basis                []float64 // U [players, coordinates]
	terms                [][]int   // coordinates in ascending order
	coefficients         []float64 // c [terms]
}

// coordinatesOf writes the coordinates x of a coalition.
//
// Shapes: dst [coordinates].
func (o *Odd) coordinatesOf(s attribution.Coalition, dst []float64) {
	clear(dst)
	for i := range o.players {
		row := o.basis[i*o.coordinates:][:len(dst)]
		if s.Has(i) {
			for a, u := range row {
				dst[a] += u / 2
			}
		} else {
			for a, u := range row {
				dst[a] -= u / 2
			}
		}
	}
}

// Value is the value at a coalition; that at its complement is its negative.
func (o *Odd) Value(s attribution.Coalition) float64 {
	x := make([]float64, o.coordinates)
	o.coordinatesOf(s, x)
	total := 0.0
	for i, b := range o.linear {
		if s.Has(i) {
			total += b / 2
		} else {
			total -= b / 2
		}
	}
	for t, term := range o.terms {
		total += o.coefficients[t] * product(x, term, -1)
	}
	return total
}

// Gradient writes the gradient with respect to α at a coalition.
//
// Shapes: dst [players].
func (o *Odd) Gradient(s attribution.Coalition, dst []float64) {
	x := make([]float64, o.coordinates)
	o.coordinatesOf(s, x)
	slope := make([]float64, o.coordinates)
	o.slope(x, slope)
	for i := range dst {
		dst[i] = o.linear[i]
		for a, u := range o.basis[i*o.coordinates:][:o.coordinates] {
			dst[i] += u * slope[a]
		}
	}
}

// slope writes the gradient of the terms with respect to x.
func (o *Odd) slope(x, dst []float64) {
	clear(dst)
	for t, term := range o.terms {
		for skip, a := range term {
			dst[a] += o.coefficients[t] * product(x, term, skip)
		}
	}
}

// product multiplies the coordinates of a term, all but the factor at index skip; -1 skips none.
func product(x []float64, term []int, skip int) float64 {
	p := 1.0
	for f, a := range term {
		if f != skip {
			p *= x[a]
		}
	}
	return p
}

// Bend returns v(S ∪ {i}) - v(S \ {i}) minus the mean of the i-th entries of the gradient at both coalitions.
func (o *Odd) Bend(s attribution.Coalition, i int) float64 {
	with, without := slices.Clone(s), slices.Clone(s)
	with.Add(i)
	without.Remove(i)
	hi, lo := make([]float64, o.coordinates), make([]float64, o.coordinates)
	o.coordinatesOf(with, hi)
	o.coordinatesOf(without, lo)
	up, down := make([]float64, o.coordinates), make([]float64, o.coordinates)
	o.slope(hi, up)
	o.slope(lo, down)
	bend := 0.0
	for t, term := range o.terms {
		bend += o.coefficients[t] * (product(hi, term, -1) - product(lo, term, -1))
	}
	for a, u := range o.basis[i*o.coordinates:][:o.coordinates] {
		bend -= u * (up[a] + down[a]) / 2
	}
	return bend
}

// Shapley returns the Shapley values in closed form. With h = U_i/2, the marginal contribution of player i to a term
// is a sum over the odd subsets P of its factors: 2 Π_P h times the product of the other coordinates without i. The
// mean of that product over coalitions that hold every player with the same probability, uniform in [0, 1], comes
// from moments.
//
// Shapes: result [players].
func (o *Odd) Shapley() []float64 {
	values := slices.Clone(o.linear)
	m := newMoments(o)
	h := make([]float64, o.coordinates)
	for i := range values {
		for a, u := range o.basis[i*o.coordinates:][:o.coordinates] {
			h[a] = u / 2
		}
		m.without(h)
		for t, term := range o.terms {
			values[i] += o.coefficients[t] * m.marginal(h, term)
		}
	}
	return values
}
