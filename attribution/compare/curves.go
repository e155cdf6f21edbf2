package compare

import (
	"context"
	"fmt"
	"math"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/mathx"
)

// Curves are the values of a game while its players are added or removed one after another, the most important first
// (Petsiuk, Das and Saenko 2018, who did it with pixels). In a good order of importance the insertion curve rises
// early and the deletion curve falls early.
type Curves struct {
	// Share is the share of the players that have been added, or removed, at each point [points], from 0 to 1.
	Share []float64
	// Insertion holds the values with these players only, Deletion those with all players but these [points].
	Insertion, Deletion []float64
}

// InsertionDeletion evaluates a game along an order of its players. points is the number of places along the order,
// evenly spread and including both ends, at which the value is taken; 0, or more than there are places, takes it
// after every player.
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

// Areas returns the areas under both curves by the trapezoid rule. Since Share goes from 0 to 1, an area is a mean
// value of the game. A good order has a large insertion area and a small deletion area.
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
