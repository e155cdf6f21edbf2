package conformal

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/line-ood/goline/internal/splitmix"
)

// Calibration holds the scores of held-out in-distribution samples. It is immutable and safe for concurrent use.
type Calibration struct {
	scores []float64 // ascending
	// levels[k] is the p-value of a new score with k of the n calibration scores at or below it, for k = 0..n,
	// ascending; nil stands for the marginal p-value (k+1)/(n+1).
	levels     []float64
	adjustment Adjustment
	delta      float64
}

// New makes a calibration of scores [n], in any order, n at least 1. The scores are copied. A score that is NaN is an
// error that gives its index.
func New(scores []float64) (*Calibration, error) {
	if len(scores) == 0 {
		return nil, fmt.Errorf("conformal: expected at least one calibration score, got none")
	}
	for i, v := range scores {
		if v != v {
			return nil, fmt.Errorf("conformal: calibration score %d is NaN", i)
		}
	}
	s := slices.Clone(scores)
	slices.Sort(s)
	return &Calibration{scores: s}, nil
}

// N is the number of calibration scores.
func (c *Calibration) N() int { return len(c.scores) }

// Scores returns the calibration scores, ascending.
func (c *Calibration) Scores() []float64 { return slices.Clone(c.scores) }

// Adjustment returns the adjustment and the δ with which [Calibration.Conditional] made this calibration, or
// [Marginal] and 0 for a calibration that was not adjusted.
func (c *Calibration) Adjustment() (a Adjustment, delta float64) { return c.adjustment, c.delta }

// atOrBelow counts the calibration scores that are at least as extreme as s, ties included. For NaN the count is 0.
func (c *Calibration) atOrBelow(s float64) int {
	return sort.Search(len(c.scores), func(i int) bool { return !(c.scores[i] <= s) })
}

// below counts the calibration scores that are more extreme than s.
func (c *Calibration) below(s float64) int {
	return sort.Search(len(c.scores), func(i int) bool { return !(c.scores[i] < s) })
}

// level is the p-value of a score that has count calibration scores at or below it.
func (c *Calibration) level(count int) float64 {
	if c.levels != nil {
		return c.levels[count]
	}
	return float64(count+1) / float64(len(c.scores)+1)
}

// PValue returns the conformal p-value of a new score: (1 + #{calibration scores ≤ score}) / (n+1), in [1/(n+1), 1]
// (Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random World). A tie counts as at least as extreme, which
// is the conservative side: for a sample exchangeable with those of the calibration, P(p ≤ α) ≤ α for every α, on
// average over calibrations, with equality on the grid k/(n+1) where scores do not tie. After [Calibration.Conditional]
// it is the adjusted p-value.
func (c *Calibration) PValue(score float64) float64 { return c.level(c.atOrBelow(score)) }

// PValues returns the p-values [m] of scores [m].
func (c *Calibration) PValues(scores []float64) []float64 {
	p := make([]float64, len(scores))
	for i, s := range scores {
		p[i] = c.PValue(s)
	}
	return p
}

// RandomisedPValue breaks ties at random, the tie of the new score with itself included: (#{calibration scores <
// score} + u·(1 + #{calibration scores = score})) / (n+1). With u uniform on (0, 1] the p-value is exactly uniform
// for a sample that is exchangeable with those of the calibration, however scores tie. [Uniform] gives a u for each
// sample. Adjustments do not apply: this is always the marginal p-value.
func (c *Calibration) RandomisedPValue(score, u float64) float64 {
	lo, hi := c.below(score), c.atOrBelow(score)
	return smoothed(lo, hi-lo, len(c.scores), u)
}

// smoothed is the randomised p-value of a score among n others, of which below are below it and ties are equal to it.
func smoothed(below, ties, n int, u float64) float64 {
	return (float64(below) + float64(u*float64(1+ties))) / float64(n+1)
}

// Uniform returns a number in (0, 1] that depends on seed and index alone. A sample's number is thus the same however
// samples are divided into batches.
func Uniform(seed, index uint64) float64 {
	const bits = 53
	return math.Ldexp(float64(splitmix.Combine(splitmix.Mix(seed+splitmix.Golden), index)>>(64-bits))+1, -bits)
}
