package conformal

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Adjustment says in what sense a p-value holds: on average over calibrations, or for one calibration with
// probability 1-δ.
type Adjustment int

// The adjustments. Marginal p-values hold on average over calibrations. The others hold for the calibration at hand
// with probability 1-δ: given it, P(p ≤ α) ≤ α for every α at once, or with Pointwise for one α fixed beforehand.
// They follow Bates, Candès, Lei, Romano and Sesia (2023), Testing for outliers with conformal p-values, Annals of
// Statistics 51(1), section 3: let b_1 ≤ … ≤ b_n be bounds for which the ordered values U_(1), …, U_(n) of n uniform
// numbers satisfy P(U_(i) ≤ b_i for all i) ≥ 1-δ. A new score with j calibration scores at or below it has the
// p-value b_(j+1), and 1 for j = n.
const (
	Marginal Adjustment = iota
	// Simes is b_(n+1-i) = 1 - δ^(1/k) ((i⋯(i-k+1)) / (n⋯(n-k+1)))^(1/k) with k = ⌊n/2⌋, by the generalised Simes
	// inequality (Sarkar 2008). It adds least to small p-values.
	Simes
	// DKW is b_i = i/(n+1) + √(log(2/δ)/(2n)), by the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart: wide at
	// small p-values.
	DKW
	// Asymptotic is b_i = i/n + c √(i(n-i))/(n√n), with c so that the probability tends to 1-δ as n grows: by the law
	// of the iterated logarithm for the standardised empirical process (Jaeschke 1979). It needs n ≥ 17.
	Asymptotic
	// MonteCarlo has the shape of Asymptotic, with c from simulation for this n: the ⌈(B+1)(1-δ)⌉-th smallest of the
	// values that B = 10,000 simulated calibrations (with a fixed seed) need. The probability is then at least 1-δ,
	// with the chance in the simulation taken into account. The authors' code instead takes the smaller of this bound
	// and Simes at the same δ. Since Simes alone already fails with probability exactly δ, that minimum fails more
	// often.
	MonteCarlo
	// Pointwise is b_i, the 1-δ quantile of Beta(i, n+1-i), which is the distribution of U_(i). It is the tightest
	// for one α fixed beforehand, as for a threshold. It does not hold for several α at once, which false discovery
	// rates need.
	Pointwise
)

var adjustmentNames = []string{"marginal", "simes", "dkw", "asymptotic", "monte-carlo", "pointwise"}

// String returns the adjustment's name: marginal, simes, dkw, asymptotic, monte-carlo or pointwise.
func (a Adjustment) String() string {
	if a < 0 || int(a) >= len(adjustmentNames) {
		return fmt.Sprintf("Adjustment(%d)", int(a))
	}
	return adjustmentNames[a]
}

// ParseAdjustment returns the adjustment with that name, as [Adjustment.String] returns it.
func ParseAdjustment(name string) (Adjustment, error) {
	i := slices.Index(adjustmentNames, name)
	if i < 0 {
		return 0, fmt.Errorf("conformal: expected an adjustment of %s, got %q", strings.Join(adjustmentNames, ", "),
			name)
	}
	return Adjustment(i), nil
}

// fewestAsymptotic is the smallest n for which the iterated logarithms of the formula are defined and positive.
const fewestAsymptotic = 17

// check returns an error for an unknown adjustment and for a δ outside of (0, 1). Marginal does not use δ.
func (a Adjustment) check(delta float64) error {
	switch {
	case a == Marginal:
		return nil
	case a < 0 || int(a) >= len(adjustmentNames):
		return fmt.Errorf("conformal: unknown adjustment %d", int(a))
	}
	return checkDelta(delta)
}

// Conditional returns the calibration with p-values that hold for these very scores, with probability 1-delta over
// the draw of the scores. Asymptotic with too few scores is an error.
func (c *Calibration) Conditional(a Adjustment, delta float64) (*Calibration, error) {
	levels, err := Levels(len(c.scores), a, delta)
	if err != nil {
		return nil, err
	}
	out := &Calibration{scores: c.scores, levels: levels, adjustment: a, delta: delta}
	if a == Marginal {
		out.levels, out.delta = nil, 0
	}
	return out, nil
}

// Levels returns the p-values [n+1] of new scores: entry k is that of a score with k of the n calibration scores at
// or below it. They are ascending and at most 1.
func Levels(n int, a Adjustment, delta float64) ([]float64, error) {
	if n < 1 {
		return nil, fmt.Errorf("conformal: expected at least one calibration score, got %d", n)
	}
	if err := a.check(delta); err != nil {
		return nil, err
	}
	if a == Asymptotic && n < fewestAsymptotic {
		return nil,
			fmt.Errorf("conformal: expected at least %d calibration samples for the asymptotic adjustment, got %d",
				fewestAsymptotic, n)
	}
	b := make([]float64, n+1)
	level := a.at(n, delta)
	for i := range n {
		b[i] = min(1, level(i+1))
		if i > 0 {
			b[i] = max(b[i], b[i-1]) // b is ascending, up to rounding
		}
	}
	b[n] = 1
	return b, nil
}

// at returns the function i → b_i for i in 1..n.
func (a Adjustment) at(n int, delta float64) func(i int) float64 {
	size := float64(n)
	switch a {
	case Simes:
		k := simesDepth(n)
		lead := math.Log(delta) - fallingLog(n, k)
		return func(i int) float64 {
			if j := n + 1 - i; j >= k {
				return -math.Expm1((lead + fallingLog(j, k)) / float64(k))
			}
			return 1
		}
	case DKW:
		eps := math.Sqrt(math.Log(2/delta) / (2 * size))
		return func(i int) float64 { return float64(i)/(size+1) + eps }
	case Asymptotic:
		return shape(n, iteratedLogConstant(n, delta))
	case MonteCarlo:
		return shape(n, simulatedConstant(n, delta))
	case Pointwise:
		return func(i int) float64 { return betaQuantile(1-delta, i, n+1-i) }
	}
	return func(i int) float64 { return float64(i) / (size + 1) }
}

// lowest is b_1. For MonteCarlo, whose b_1 would need a simulation, it is the b_1 of Simes.
func (a Adjustment) lowest(n int, delta float64) float64 {
	switch {
	case a == Asymptotic && n < fewestAsymptotic:
		return 1
	case a == MonteCarlo, a == Simes:
		return -math.Expm1(math.Log(delta) / float64(simesDepth(n)))
	case a == Pointwise:
		return -math.Expm1(math.Log(delta) / float64(n))
	}
	return a.at(n, delta)(1)
}

// simesDepth is the k of the Simes adjustment.
func simesDepth(n int) int { return max(1, n/2) }

// fallingLog is log(i (i-1) ⋯ (i-k+1)).
func fallingLog(i, k int) float64 {
	top, _ := math.Lgamma(float64(i + 1))
	bottom, _ := math.Lgamma(float64(i - k + 1))
	return top - bottom
}

// shape returns the function i → i/n + c √(i(n-i))/(n√n); c may be infinite.
func shape(n int, c float64) func(i int) float64 {
	size := float64(n)
	return func(i int) float64 {
		if i == n {
			return 1
		}
		x := float64(i)
		return x/size + float64(c*spread(x, size))
	}
}

// spread is √(i(n-i))/(n√n), the standard deviation of an empirical share of n.
func spread(i, n float64) float64 { return math.Sqrt(i*(n-i)) / (n * math.Sqrt(n)) }

// iteratedLogConstant is the c of the asymptotic adjustment.
func iteratedLogConstant(n int, delta float64) float64 {
	ll := math.Log(math.Log(float64(n)))
	return (-math.Log(-math.Log1p(-delta)) + 2*ll + math.Log(ll)/2 - math.Log(math.Pi)/2) / math.Sqrt(2*ll)
}
