package surrogate

import (
	"context"
	"math"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/linalg"
)

// diffusion is the covariance of two coalitions under the prior of [Process],
//
//	k(S, S') = linear t + (sinh t - t),   t = Σ_i scales_i σ_i σ'_i,
//
// with σ_i = 1 for a present player and -1 for an absent one. sinh t is, up to a factor, the odd part of the diffusion
// kernel of the hypercube (Kondor and Lafferty 2002) with a rate for each player: it gives the Fourier coefficient of
// every set T of an odd number of players a variance in proportion to Π_{i∈T} tanh scales_i.
type diffusion struct {
	scales []float64 // [players], positive
	linear float64
}

// signs are coalitions as rows of 1 and -1, [rows, players].
func signs(rows []attribution.Coalition, players int) []float64 {
	out := make([]float64, len(rows)*players)
	for r, s := range rows {
		row := out[r*players:][:players]
		for i := range row {
			row[i] = -1
			if s.Has(i) {
				row[i] = 1
			}
		}
	}
	return out
}

// inner computes t for every row of a with every row of b, both signs.
//
// Shapes: a [n, players], b [m, players], result [n, m].
func (k *diffusion) inner(ctx context.Context, a, b []float64, workers int) ([]float64, error) {
	players := len(k.scales)
	n, m := len(a)/players, len(b)/players
	scaled := make([]float64, len(a))
	for at, v := range a {
		scaled[at] = float64(v * k.scales[at%players])
	}
	t := make([]float64, n*m)
	return t, linalg.MulTransposed(ctx, t, scaled, b, n, m, players, workers)
}

// of is the covariance at t.
func (k *diffusion) of(t float64) float64 { return math.Sinh(t) + (k.linear-1)*t }

// slope is the derivative of the covariance with respect to t.
func (k *diffusion) slope(t float64) float64 { return math.Cosh(t) + (k.linear - 1) }

// Positive nodes and weights of Gauss-Legendre quadrature with 12 nodes on [-1, 1].
var (
	legendreNodes = [6]float64{0.1252334085114689, 0.3678314989981802, 0.5873179542866175, 0.7699026741943047,
		0.9041172563704749, 0.9815606342467192}
	legendreMass = [6]float64{0.2491470458134028, 0.2334925365383548, 0.2031674267230659, 0.1600783285433462,
		0.1069393259953184, 0.04717533638651183}
)

// node returns quadrature node k of 12, and its weight in the integral over q = (1+e)/2 in [0, 1].
func node(k int) (e, mass float64) {
	if k < 6 {
		return -legendreNodes[k], legendreMass[k] / 2
	}
	return legendreNodes[k-6], legendreMass[k-6] / 2
}

const nodeCount = 12

// shapley returns the Shapley values of S ↦ k(S, S') for each row S' of signs. Player i's marginal contribution to sinh
// t is 2 sinh(u_i) cosh(Σ_{j≠i} u_j σ_j) with u = scales σ'; its mean over coalitions that hold every player with
// probability (1+e)/2 is 2 sinh(u_i) Π_{j≠i} (cosh u_j + e sinh u_j), which is integrated over e.
//
// Shapes: rows [n, players], result [players, n].
func (k *diffusion) shapley(ctx context.Context, rows []float64, workers int) ([]float64, error) {
	players := len(k.scales)
	n := len(rows) / players
	// log Π_j (cosh u_j + e sinh u_j) = Σ_j log cosh scales_j + ½ log(1 - e²θ_j²) + σ'_j atanh(e θ_j), θ = tanh scales
	constant := [nodeCount]float64{}
	odd := make([]float64, nodeCount*players)
	with, without := make([]float64, players*nodeCount), make([]float64, players*nodeCount)
	for i, s := range k.scales {
		theta := math.Tanh(s)
		for q := range nodeCount {
			e, mass := node(q)
			constant[q] += logCosh(s) + math.Log1p(-e*e*theta*theta)/2
			odd[q*players+i] = math.Atanh(e * theta)
			with[i*nodeCount+q] = 2 * theta * mass / (1 + e*theta) // 2 sinh over cosh + e sinh, for a present player
			without[i*nodeCount+q] = -2 * theta * mass / (1 - e*theta)
		}
	}
	sums := make([]float64, n*nodeCount)
	if err := linalg.MulTransposed(ctx, sums, rows, odd, n, nodeCount, players, workers); err != nil {
		return nil, err
	}
	for at, s := range sums {
		sums[at] = math.Exp(s + constant[at%nodeCount])
	}
	out := make([]float64, players*n)
	for r := range n {
		products := (*[nodeCount]float64)(sums[r*nodeCount:])
		for i, sign := range rows[r*players:][:players] {
			factors := (*[nodeCount]float64)(with[i*nodeCount:])
			if sign < 0 {
				factors = (*[nodeCount]float64)(without[i*nodeCount:])
			}
			total := 2 * (k.linear - 1) * k.scales[i] * sign
			for q, p := range products {
				total += float64(p * factors[q])
			}
			out[i*n+r] = total
		}
	}
	return out, nil
}

// variance returns the prior variances of the Shapley values.
//
// Shapes: result [players].
func (k *diffusion) variance() []float64 {
	players := len(k.scales)
	out := make([]float64, players)
	for p := range nodeCount {
		e, mass := node(p)
		for q := range nodeCount {
			f, share := node(q)
			total := 0.0
			for _, s := range k.scales {
				total += logCosh(s) + math.Log1p(e*f*math.Tanh(s))
			}
			for i, s := range k.scales {
				theta := math.Tanh(s)
				out[i] += mass * share * 4 * theta / (1 + e*f*theta) * math.Exp(total)
			}
		}
	}
	for i, s := range k.scales {
		out[i] += 4 * (k.linear - 1) * s
	}
	return out
}

// logCosh is the logarithm of the hyperbolic cosine, also where that overflows.
func logCosh(x float64) float64 {
	x = math.Abs(x)
	return x + math.Log1p(math.Exp(-2*x)) - math.Ln2
}
