package estimate

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// sizeStrata is the state of Stratified SVARM: for each player, coalition size and side one mean.
type sizeStrata struct {
	run           *run
	with, without []sampling.Scalar // [n+1 sizes, players]: coalitions of a size that hold the player, and that do not
	// exactEnds: the strata that consist of a single coalition are evaluated once, exactly. Where members are drawn,
	// the value of a single coalition varies as well, and it is sampled.
	exactEnds   bool
	first, last int // sizes that are sampled
	sizes       sampling.SizeTable
}

func newSizeStrata(r *run) *sizeStrata {
	n := r.n
	s := &sizeStrata{run: r, with: make([]sampling.Scalar, (n+1)*n), without: make([]sampling.Scalar, (n+1)*n),
		first: 1, last: n - 1}
	if s.exactEnds = r.sampled == nil; s.exactEnds {
		s.first, s.last = 2, n-2
	}
	if s.exhausted() {
		return s
	}
	var weights []float64
	for size := s.first; size <= s.last; size++ {
		weights = append(weights, 1/float64(min(size, n-size)))
	}
	s.sizes = sampling.NewSizeTable(s.first, weights)
	return s
}

func (s *sizeStrata) perSample() int { return 1 }

// exhausted reports whether the warm-up evaluated all strata: with up to three players, the exact sizes are all
// sizes.
func (s *sizeStrata) exhausted() bool { return s.first > s.last }

// known reports whether the warm-up has evaluated all strata of a size exactly: it lists all coalitions of sizes 1
// and n-1.
func (s *sizeStrata) known(size int) bool {
	return s.exactEnds && (size <= 1 || size >= s.run.n-1)
}

// warmUp lists the coalitions of sizes 1 and n-1, and for every size between them coalitions that hold every player
// once, and coalitions that leave out every player once.
func (s *sizeStrata) warmUp(rng *rand.PCG) []strataUpdate {
	n := s.run.n
	var updates []strataUpdate
	all := attribution.NewCoalition(n)
	all.Fill(n)
	for i := 0; s.exactEnds && i < n; i++ {
		one := attribution.NewCoalition(n)
		one.Add(i)
		updates = append(updates, strataUpdate{one, all})
		if n > 2 {
			rest := attribution.NewCoalition(n)
			rest.Complement(one, n)
			updates = append(updates, strataUpdate{rest, all})
		}
	}
	order := make([]int, n)
	for size := s.first; size <= s.last; size++ {
		sampling.Permute(rng, order)
		updates = append(updates, cover(order, size)...)
		sampling.Permute(rng, order)
		for _, u := range cover(order, n-size) {
			u.coalition.Complement(slices.Clone(u.coalition), n)
			updates = append(updates, u)
		}
	}
	return updates
}

// cover cuts a random order into coalitions of the given size that together hold all players. The last one is filled
// up with the first players of the order, whose means it does not update.
func cover(order []int, size int) []strataUpdate {
	n := len(order)
	var updates []strataUpdate
	for from := 0; from < n; from += size {
		u := strataUpdate{attribution.NewCoalition(n), attribution.NewCoalition(n)}
		for i := from; i < from+size; i++ {
			u.coalition.Add(order[i%n])
			if i < n {
				u.only.Add(order[i])
			}
		}
		updates = append(updates, u)
	}
	return updates
}

func (s *sizeStrata) draw(rng *rand.PCG, rows attribution.Coalitions) {
	sampling.Subset(rng, rows.Row(0), s.run.n, s.sizes.Draw(rng))
}

func (s *sizeStrata) update(_ int, c attribution.Coalition, value float64) {
	n := s.run.n
	size := c.Size()
	for i := range n {
		if c.Has(i) {
			s.with[size*n+i].Add(value)
		} else {
			s.without[size*n+i].Add(value)
		}
	}
}

func (s *sizeStrata) record(u strataUpdate, value float64) {
	n := s.run.n
	size := u.coalition.Size()
	for i := range n {
		switch {
		case !u.only.Has(i):
		case u.coalition.Has(i):
			s.with[size*n+i].Add(value)
		default:
			s.without[size*n+i].Add(value)
		}
	}
}

func (s *sizeStrata) estimate(values, variance, df []float64) {
	n := s.run.n
	with, without := s.pooled(s.with), s.pooled(s.without)
	for i := range values {
		total := s.run.full - s.run.empty // the stratum of N; that of ∅ is zero
		var sum satterthwaite
		for size := 1; size < n; size++ {
			a, b := s.with[size*n+i], s.without[size*n+i]
			total += a.Mean - b.Mean
			if !s.known(size) {
				sum.add(1, a, with[size])
				sum.add(1, b, without[size])
			}
		}
		values[i] = total / float64(n)
		variance[i], df[i] = sum.variance/float64(n)/float64(n), sum.df()
	}
}

// pooled returns for each size the variance within means, pooled over players. A size where no mean has two values
// gets the average of the other sizes, NaN where there is none.
func (s *sizeStrata) pooled(strata []sampling.Scalar) []float64 {
	n := s.run.n
	out := make([]float64, n+1)
	total, sizes := 0.0, 0.0
	for size := 1; size < n; size++ {
		m2, free := 0.0, 0
		for _, x := range strata[size*n : (size+1)*n] {
			m2 += x.M2
			free += max(x.Count-1, 0)
		}
		out[size] = math.NaN()
		if free > 0 && !s.known(size) {
			out[size] = m2 / float64(free)
			total += out[size]
			sizes++
		}
	}
	for size := range out {
		if math.IsNaN(out[size]) {
			out[size] = total / sizes
		}
	}
	return out
}
