package compare

import (
	"context"
	"fmt"
	"math"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/mathx"
)

// Curves are the values of a game while its players come and go in an order, the most important first (Petsiuk, Das and
// Saenko 2018, of pixels). An order that knows what matters rises early on insertion and falls early on deletion.
type Curves struct {
	// Share is the share of the players that have come, or gone [points], from 0 to 1.
	Share []float64
	// Insertion and Deletion are the values with these players only, and without them [points].
	Insertion, Deletion []float64
}

// InsertionDeletion evaluates a game along an order of its players. points is the number of places along the order at
// which the value is taken, evenly spread with both ends; 0, or more than there are, is after every player.
//
// Shapes: order [players], a permutation. Cost: two values a point.
func InsertionDeletion(ctx context.Context, g attribution.Game, order []int, points int) (Curves, error) {
	if err := attribution.CheckGame(g); err != nil {
		return Curves{}, err
	}
	n := g.Players()
	seen := make([]bool, n)
	for _, p := range order {
		if p < 0 || p >= n || seen[p] || len(order) != n {
			return Curves{},
				fmt.Errorf("attribution: insertion and deletion: expected a permutation of %d players, got %d "+
					"entries with %d", n, len(order), p)
		}
		seen[p] = true
	}
	if len(order) != n {
		return Curves{},
			fmt.Errorf("attribution: insertion and deletion: expected a permutation of %d players, got no entries", n)
	}
	if points == 0 || points > n+1 {
		points = n + 1
	}
	if points < 2 {
		return Curves{}, fmt.Errorf("attribution: insertion and deletion: expected at least 2 points, got %d", points)
	}
	s := attribution.NewCoalitions(n, 2*points)
	come := attribution.NewCoalition(n)
	c := Curves{Share: make([]float64, points)}
	at := 0
	for k := range points {
		until := int(math.Round(float64(k) * float64(n) / float64(points-1)))
		for ; at < until; at++ {
			come.Add(order[at])
		}
		c.Share[k] = float64(until) / float64(n)
		copy(s.Row(k), come)
		s.Row(points+k).Complement(come, n)
	}
	v := make([]float64, 2*points)
	if err := g.Values(ctx, s, v); err != nil {
		return Curves{}, fmt.Errorf("attribution: insertion and deletion: %w", err)
	}
	if i := mathx.FirstNotFinite(v); i >= 0 {
		return Curves{}, fmt.Errorf("%w: %v along an order of %d players", attribution.ErrNotFinite, v[i], n)
	}
	c.Insertion, c.Deletion = v[:points:points], v[points:]
	return c, nil
}

// Shares returns the curves in units of v(N) - v(∅), 0 at v(∅) and 1 at v(N); NaN where both are the same.
func (c Curves) Shares() Curves {
	empty, full := c.Insertion[0], c.Deletion[0]
	scaled := func(v []float64) []float64 {
		out := make([]float64, len(v))
		for i, x := range v {
			out[i] = (x - empty) / (full - empty)
		}
		return out
	}
	return Curves{c.Share, scaled(c.Insertion), scaled(c.Deletion)}
}

// Areas are those under the curves by the trapezoid rule, which are mean values of the game: high on insertion and low
// on deletion for a good order.
func (c Curves) Areas() (insertion, deletion float64) {
	return area(c.Share, c.Insertion), area(c.Share, c.Deletion)
}

func area(x, y []float64) float64 {
	total := 0.0
	for i := 1; i < len(x); i++ {
		total += (x[i] - x[i-1]) * (y[i] + y[i-1]) / 2
	}
	return total
}
