package surrogate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/attribution"
)

// randomOdd is a polynomial with terms of one, three and five factors.
func randomOdd(players, cubic, quintic int, seed uint64) *Odd {
	rng := rand.New(rand.NewPCG(seed, 7))
	numbers := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		return x
	}
	o := &Odd{players: players, coordinates: cubic, linear: numbers(players), basis: numbers(players * cubic)}
	o.terms = append(append(ascending(cubic, 1), ascending(cubic, 3)...), ascending(quintic, 5)...)
	o.coefficients = numbers(len(o.terms))
	return o
}

// at is the polynomial at presences α, written out from the definition.
func (o *Odd) at(alpha []float64) float64 {
	x := make([]float64, o.coordinates)
	v := 0.0
	for i, a := range alpha {
		v += o.linear[i] * (2*a - 1) / 2
		for c := range x {
			x[c] += o.basis[i*o.coordinates+c] * (2*a - 1) / 2
		}
	}
	for t, term := range o.terms {
		p := o.coefficients[t]
		for _, c := range term {
			p *= x[c]
		}
		v += p
	}
	return v
}

func presence(players, bits int) (alpha []float64, s attribution.Coalition) {
	alpha, s = make([]float64, players), attribution.NewCoalition(players)
	for i := range players {
		if bits>>i&1 != 0 {
			alpha[i] = 1
			s.Add(i)
		}
	}
	return alpha, s
}

// TestShapleyIsThatOfTheDefinition compares the closed form with the definition of the Shapley value over all
// coalitions.
func TestShapleyIsThatOfTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "players")
		cubic := rapid.IntRange(1, 4).Draw(t, "cubic")
		o := randomOdd(n, cubic, rapid.IntRange(0, cubic).Draw(t, "quintic"), rapid.Uint64().Draw(t, "seed"))
		factorial := []float64{1, 1, 2, 6, 24, 120, 720, 5040}
		want := make([]float64, n)
		for bits := range 1 << n {
			alpha, s := presence(n, bits)
			for i := range n {
				if s.Has(i) {
					continue
				}
				without := o.at(alpha)
				alpha[i] = 1
				want[i] += factorial[s.Size()] * factorial[n-1-s.Size()] / factorial[n] * (o.at(alpha) - without)
				alpha[i] = 0
			}
		}
		got := o.Shapley()
		for i := range want {
			if d := got[i] - want[i]; d > 1e-8*(1+floats.Norm(want, 2)) || d < -1e-8*(1+floats.Norm(want, 2)) {
				t.Fatalf("player %d: got %v, want %v", i, got[i], want[i])
			}
		}
	})
}

// TestGradientAndBend compares Gradient and Bend with differences of the polynomial.
func TestGradientAndBend(t *testing.T) {
	const n = 6
	o := randomOdd(n, 4, 3, 3)
	slope := func(alpha []float64, i int) float64 {
		const h = 1e-4
		p := append([]float64(nil), alpha...)
		p[i] += h
		up := o.at(p)
		p[i] -= 2 * h
		return (up - o.at(p)) / (2 * h)
	}
	for _, bits := range []int{0, 13, 42, 63} {
		alpha, s := presence(n, bits)
		g := make([]float64, n)
		o.Gradient(s, g)
		for i := range n {
			assert.InDelta(t, slope(alpha, i), g[i], 1e-4*(1+math.Abs(g[i])), "gradient %d at %b", i, bits)
			with, _ := presence(n, bits|1<<i)
			without, lo := presence(n, bits&^(1<<i))
			_, hi := presence(n, bits|1<<i)
			up, down := make([]float64, n), make([]float64, n)
			o.Gradient(hi, up)
			o.Gradient(lo, down)
			assert.InDelta(t, o.at(with)-o.at(without)-(up[i]+down[i])/2, o.Bend(s, i), 1e-9, "bend %d at %b", i, bits)
		}
	}
}

// A fit to a polynomial of its own form finds it: it has the same gradients and Shapley values.
func TestFitFindsAnOddPolynomial(t *testing.T) {
	const n = 12
	rng := rand.New(rand.NewPCG(5, 5))
	o := randomOdd(n, 2, 0, 9)
	d := Data{Players: n}
	row := func() (attribution.Coalition, []float64) {
		_, s := presence(n, int(rng.Uint64()&(1<<n-1)))
		g := make([]float64, n)
		o.Gradient(s, g)
		return s, g
	}
	for range 400 {
		s, g := row()
		d.Coalitions, d.Gradients, d.Weights = append(d.Coalitions, s), append(d.Gradients, g), append(d.Weights, 1)
	}
	f := Fit(d, Sizes{Cubic: 4, Quintic: 2})
	require.Equal(t, 2, f.coordinates, "the gradients vary in two directions")
	want, got := o.Shapley(), f.Shapley()
	assert.Less(t, floats.Distance(want, got, 2), 0.01*floats.Norm(want, 2)) // the tolerance allows for shrinkage
	s, g := row()
	fitted := make([]float64, n)
	f.Gradient(s, fitted)
	assert.Less(t, floats.Distance(g, fitted, 2), 0.01*floats.Norm(g, 2))
}

// With one row, with rows that do not vary, and without rows, there is nothing to fit but the mean.
func TestFitWithLittleData(t *testing.T) {
	_, s := presence(3, 5)
	g := []float64{1, 2, 3}
	for name, d := range map[string]Data{
		"one row": {Players: 3, Coalitions: []attribution.Coalition{s}, Gradients: [][]float64{g},
			Weights: []float64{2}},
		"no variation": {Players: 3, Coalitions: []attribution.Coalition{s, s, s, s}, Gradients: [][]float64{g, g, g,
			g}, Weights: []float64{1, 2, 3, 4}},
	} {
		assert.InDeltaSlice(t, g, Fit(d, Sizes{Cubic: 2, Quintic: 2}).Shapley(), 1e-12, name)
	}
	assert.Equal(t, make([]float64, 3), Fit(Data{Players: 3}, Sizes{Cubic: 2}).Shapley())
}

// Values at coalitions are those of the definition, and change their sign at the complement.
func TestOddValue(t *testing.T) {
	o := randomOdd(6, 3, 2, 4)
	for bits := range 1 << 6 {
		alpha, s := presence(6, bits)
		_, rest := presence(6, 1<<6-1-bits)
		assert.InDelta(t, o.at(alpha), o.Value(s), 1e-9)
		assert.InDelta(t, -o.Value(s), o.Value(rest), 1e-9)
	}
}
