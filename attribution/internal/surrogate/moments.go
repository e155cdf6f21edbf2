package surrogate

import "math/bits"

// moments computes the means of products of up to four coordinates over coalitions of all players but one, where
// every player is present independently with a probability that is itself uniform in [0, 1].
type moments struct {
	r      int
	degree int // largest number of factors needed: 2 or 4
	// sums[d] [r^d] holds Σ_j of the product of d entries of U_j/2 over all players j, for ascending indices.
	sums [5][]float64
	// mean[d] holds the resulting means for the player that is left out.
	mean [5][]float64
	// cumulant and moment hold the cumulants and moments at one quadrature node.
	cumulant, moment [5][]float64
	lists            [5][][]int // ascending index lists of d factors
}

func newMoments(o *Odd) *moments {
	m := &moments{r: o.coordinates, degree: 2}
	high := 0 // number of coordinates that terms of five factors use
	for _, t := range o.terms {
		if len(t) == 5 {
			m.degree = 4
			high = max(high, t[4]+1)
		}
	}
	size := 1
	for d := 1; d <= m.degree; d++ {
		size *= m.r
		limit := m.r
		if d > 2 {
			limit = high
		}
		m.lists[d] = ascending(limit, d)
		m.sums[d], m.mean[d] = make([]float64, size), make([]float64, size)
		m.cumulant[d], m.moment[d] = make([]float64, size), make([]float64, size)
		for j := range o.players {
			row := o.basis[j*m.r:][:m.r]
			for _, list := range m.lists[d] {
				p := 1.0
				for _, a := range list {
					p *= row[a] / 2
				}
				m.sums[d][m.index(list)] += p
			}
		}
	}
	return m
}

// ascending lists all non-decreasing sequences of d numbers below r.
func ascending(r, d int) [][]int {
	if d == 0 {
		return [][]int{{}}
	}
	var out [][]int
	for _, head := range ascending(r, d-1) {
		first := 0
		if len(head) > 0 {
			first = head[len(head)-1]
		}
		for a := first; a < r; a++ {
			out = append(out, append(append(make([]int, 0, d), head...), a))
		}
	}
	return out
}

func (m *moments) index(list []int) int {
	at := 0
	for _, a := range list {
		at = at*m.r + a
	}
	return at
}

// Nodes and weights of Gauss-Legendre quadrature with three nodes, exact for polynomials of degree five in 2q-1.
// Means of four factors have degree four.
var (
	nodes       = [3]float64{-0.7745966692414834, 0, 0.7745966692414834}
	nodeWeights = [3]float64{5. / 18, 8. / 18, 5. / 18}
)

// without computes the means over coalitions of all players but player i, given h = U_i/2.
func (m *moments) without(h []float64) {
	for d := 1; d <= m.degree; d++ {
		clear(m.mean[d])
	}
	for node, e := range nodes {
		// The cumulants of a variable that is 1 with probability (1+e)/2 and -1 otherwise.
		v := 1 - e*e
		of := [5]float64{0, e, v, -2 * e * v, v * (6*e*e - 2)}
		for d := 1; d <= m.degree; d++ {
			for _, list := range m.lists[d] {
				at := m.index(list)
				m.cumulant[d][at] = of[d] * (m.sums[d][at] - product(h, list, -1))
			}
		}
		for d := 1; d <= m.degree; d++ {
			for _, list := range m.lists[d] {
				at := m.index(list)
				m.moment[d][at] = m.momentOf(list)
				m.mean[d][at] += nodeWeights[node] * m.moment[d][at]
			}
		}
	}
}

// momentOf computes a moment from cumulants: the sum, over the blocks that hold the first factor, of the block's
// cumulant times the moment of the remaining factors.
func (m *moments) momentOf(list []int) float64 {
	var block, rest [4]int
	total := 0.0
	for others := range 1 << (len(list) - 1) {
		block[0] = list[0]
		b, c := 1, 0
		for f, a := range list[1:] {
			if others>>f&1 != 0 {
				block[b] = a
				b++
			} else {
				rest[c] = a
				c++
			}
		}
		p := m.cumulant[b][m.index(block[:b])]
		if c > 0 {
			p *= m.moment[c][m.index(rest[:c])]
		}
		total += p
	}
	return total
}

// marginal is the mean marginal contribution of the left-out player to a term, given h = U_i/2 of that player.
func (m *moments) marginal(h []float64, term []int) float64 {
	var rest [5]int
	total := 0.0
	for own := 1; own < 1<<len(term); own++ {
		if bits.OnesCount(uint(own))%2 == 0 {
			continue
		}
		p, c := 2.0, 0
		for f, a := range term {
			if own>>f&1 != 0 {
				p *= h[a]
			} else {
				rest[c] = a
				c++
			}
		}
		if c > 0 {
			p *= m.mean[c][m.index(rest[:c])]
		}
		total += p
	}
	return total
}
