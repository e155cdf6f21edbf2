package conformal

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Betting is the way in which a [Martingale] bets against the hypothesis that p-values are uniform.
type Betting string

// The ways to bet.
const (
	// Jumper is the Simple Jumper (Vovk, Petej, Nouretdinov, Ahlberg, Carlsson and Gammerman 2021, Retrain or not
	// retrain). Three gamblers with ε = -1, 0, 1 multiply their capital by 1 + ε(p - ½) at each p-value, and before
	// it share a hundredth of their capital equally. Its capital grows under a drift in either direction, by a factor
	// of at most 1.5 a step, and recovers quickly when the direction changes.
	Jumper Betting = "jumper"
	// Power is the simple mixture (Vovk, Nouretdinov and Gammerman 2003, Testing exchangeability on-line) of power
	// martingales: capital grows by ε p^(ε-1), averaged over ε = 0.01, 0.02, …, 1. Small p-values make it rise steeply.
	Power Betting = "power"
	// Both starts half of the capital on each.
	Both Betting = "both"
)

// Bettings lists the ways to bet.
func Bettings() []Betting { return []Betting{Jumper, Power, Both} }

// ParseBetting returns the way to bet of that name.
func ParseBetting(name string) (Betting, error) {
	b := Betting(name)
	if !slices.Contains(Bettings(), b) {
		names := make([]string, 0, len(Bettings()))
		for _, b := range Bettings() {
			names = append(names, string(b))
		}
		return "", fmt.Errorf("conformal: expected a way to bet of %s, got %q", strings.Join(names, ", "), name)
	}
	return b, nil
}

// Martingale is a gambler's capital that starts at 1 and whose expectation does not grow while p-values are
// independent and uniform. By Ville's inequality the probability that it ever reaches 1/a is then at most a. It keeps
// logarithms and does not overflow.
type Martingale struct {
	betting Betting
	// jumper and power hold the logarithms of the gamblers' capital, and are empty where the way to bet does not use
	// them.
	jumper, power []float64
	log           float64 // logarithm of the total capital
}

const (
	jumperPool = 0.01 // J, the share of capital that is shared
	powerSteps = 100
)

// NewMartingale makes a martingale with capital 1.
func NewMartingale(b Betting) (*Martingale, error) {
	if _, err := ParseBetting(string(b)); err != nil {
		return nil, err
	}
	m, share := &Martingale{betting: b}, 0.0
	if b == Both {
		share = -math.Ln2
	}
	if b != Power {
		m.jumper = slices.Repeat([]float64{share - math.Log(3)}, 3)
	}
	if b != Jumper {
		m.power = slices.Repeat([]float64{share - math.Log(powerSteps)}, powerSteps)
	}
	return m, nil
}

// Log is the natural logarithm of the total capital.
func (m *Martingale) Log() float64 { return m.log }

// Update bets on a p-value in (0, 1]. Another number is an error and leaves the capital unchanged.
func (m *Martingale) Update(p float64) error {
	if !(p > 0 && p <= 1) {
		return fmt.Errorf("conformal: martingale: expected a p-value in (0, 1], got %v", p)
	}
	if len(m.jumper) > 0 {
		pool := math.Log(jumperPool/3) + logSum(m.jumper, nil)
		for i, c := range m.jumper {
			m.jumper[i] = logAdd(math.Log1p(-jumperPool)+c, pool) + math.Log1p(float64(float64(i-1)*(p-0.5)))
		}
	}
	log := math.Log(p)
	for i := range m.power {
		e := float64(i+1) / powerSteps
		m.power[i] += math.Log(e) + float64((e-1)*log)
	}
	m.log = logSum(m.jumper, m.power)
	return nil
}

// logSum is the logarithm of the sum of exp over the entries of both slices.
func logSum(a, b []float64) float64 {
	top := math.Inf(-1)
	for _, v := range a {
		top = max(top, v)
	}
	for _, v := range b {
		top = max(top, v)
	}
	const negligible = -40 // e^-40 does not change a sum of at least 1 in float64
	sum := 0.0
	for _, v := range a {
		sum += math.Exp(v - top)
	}
	for _, v := range b {
		if v -= top; v > negligible {
			sum += math.Exp(v)
		}
	}
	return top + math.Log(sum)
}

// logAdd is log(exp a + exp b).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	return a + math.Log1p(math.Exp(b-a))
}
