package sampling

import (
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/splitmix"
)

// Domains separate the random streams of different purposes under one seed.
const (
	DomainUnit uint64 = iota + 1
	DomainStrata
	DomainLeverage
	DomainBootstrap
	DomainWarmUp
	DomainGame
	DomainGradient
)

// SeedStream sets the generator to the start of one item's stream, so that items can be computed in any order.
func SeedStream(p *rand.PCG, seed, domain, index uint64) {
	a := splitmix.Mix(seed + splitmix.Golden*domain)
	p.Seed(splitmix.Mix(a+splitmix.Golden*(2*index+1)), splitmix.Mix(a^splitmix.Mix(splitmix.Golden*(2*index+2))))
}

// Below returns a uniform number in [0, n) (Lemire 2019, without bias). n must be positive.
func Below(p *rand.PCG, n int) int {
	bound := uint64(n)
	hi, lo := bits.Mul64(p.Uint64(), bound)
	if lo < bound {
		for reject := -bound % bound; lo < reject; {
			hi, lo = bits.Mul64(p.Uint64(), bound)
		}
	}
	return int(hi)
}

// Unit returns a uniform number in [0, 1).
func Unit(p *rand.PCG) float64 { return float64(p.Uint64()>>11) / (1 << 53) }

// Permute writes a uniformly random permutation of 0..len(order)-1 (Fisher and Yates, inside out).
func Permute(p *rand.PCG, order []int) {
	for i := range order {
		j := Below(p, i+1)
		order[i] = order[j]
		order[j] = i
	}
}

// Subset makes c a uniformly random coalition of the given size, by Floyd's algorithm (Bentley 1987) on the smaller of
// the coalition and its complement.
func Subset(p *rand.PCG, c attribution.Coalition, players, size int) {
	flip := 2*size > players
	if flip {
		size = players - size
	}
	c.Clear()
	for j := players - size; j < players; j++ {
		if t := Below(p, j+1); c.Has(t) {
			c.Add(j)
		} else {
			c.Add(t)
		}
	}
	if flip {
		c.Complement(slices.Clone(c), players)
	}
}

// Bernoulli makes c a coalition that holds every player independently with probability q.
func Bernoulli(p *rand.PCG, c attribution.Coalition, players int, q float64) {
	c.Clear()
	for i := range players {
		if Unit(p) < q {
			c.Add(i)
		}
	}
}

// SizeTable draws coalition sizes with given weights.
type SizeTable struct {
	first      int
	cumulative []float64
}

// NewSizeTable returns a table that draws size first+i with a probability proportional to weights[i].
func NewSizeTable(first int, weights []float64) SizeTable {
	t := SizeTable{first: first, cumulative: make([]float64, len(weights))}
	total := 0.0
	for i, w := range weights {
		total += w
		t.cumulative[i] = total
	}
	for i := range t.cumulative {
		t.cumulative[i] /= total
	}
	return t
}

func (t SizeTable) Draw(p *rand.PCG) int {
	u := Unit(p)
	lo, hi := 0, len(t.cumulative)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if u < t.cumulative[mid] {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return t.first + lo
}

// Probability returns the probability of drawing a size.
func (t SizeTable) Probability(size int) float64 {
	i := size - t.first
	if i == 0 {
		return t.cumulative[0]
	}
	return t.cumulative[i] - t.cumulative[i-1]
}
