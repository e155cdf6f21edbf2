package conformal

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Procedure is a procedure that controls the false discovery rate over a stream of p-values.
type Procedure string

// The procedures, each with what it requires of the p-values. P-values of one shared calibration are not independent.
// Adjusted by [Calibration.Conditional] with any adjustment but Pointwise, they are independent given the
// calibration, and valid with probability 1-δ over the calibration. The rate of every procedure is then at most alpha
// with probability 1-δ.
const (
	// LOND tests at alpha γ_t (D+1), D the discoveries so far (Javanmard and Montanari 2015). Valid under positive
	// dependence (PRDS), so also for marginal p-values of one shared calibration without ties (Zrnic, Ramdas and Jordan
	// 2021).
	LOND Procedure = "lond"
	// LONDDependent is LOND with γ_t over 1 + 1/2 + … + 1/t: valid under any dependence.
	LONDDependent Procedure = "lond-dep"
	// LORD is LORD++ (Ramdas, Yang, Wainwright and Jordan 2017): every discovery raises the levels of later tests.
	// Valid for independent p-values.
	LORD Procedure = "lord++"
	// LORDDependent tests at ξ_t times the wealth after the latest discovery (Javanmard and Montanari 2018): valid
	// under any dependence.
	LORDDependent Procedure = "lord-dep"
	// SAFFRON is LORD++ that spends no level on p-values above λ; true nulls leave enough such p-values (Ramdas,
	// Zrnic, Wainwright and Jordan 2018). Valid for independent p-values.
	SAFFRON Procedure = "saffron"
	// ADDIS is SAFFRON that skips p-values above τ, of which conservative nulls have many (Tian and Ramdas 2019).
	// Valid for independent p-values that stay super-uniform below τ. Conformal p-values, which lie on the grid
	// k/(n+1), do so where τ is on the grid: see [GridPoint].
	ADDIS Procedure = "addis"
)

// Procedures lists the procedures.
func Procedures() []Procedure {
	return []Procedure{LOND, LONDDependent, LORD, LORDDependent, SAFFRON, ADDIS}
}

// AnyDependence reports whether the procedure holds under any dependence between the p-values.
func (p Procedure) AnyDependence() bool { return p == LONDDependent || p == LORDDependent }

// SharedCalibration reports whether the procedure holds for marginal p-values of one shared calibration.
func (p Procedure) SharedCalibration() bool { return p == LOND || p.AnyDependence() }

// OnlineOptions are the options of a procedure. Fields that are zero take the values that the authors of the
// procedure chose.
type OnlineOptions struct {
	// Procedure is the rule by which levels are spent, one of [Procedures]; it has no default.
	Procedure Procedure `json:"procedure"`
	// Alpha is the largest acceptable false discovery rate, in (0, 1).
	Alpha float64 `json:"alpha"`
	// Wealth is w_0, the initial level, in (0, Alpha]; by default Alpha/10 for LORD++ and LORDDependent, Alpha/2 for
	// SAFFRON and ADDIS. LOND and LONDDependent have none. For LORDDependent it is at most Alpha/2, and a discovery
	// earns Alpha - Wealth.
	Wealth float64 `json:"wealth,omitempty"`
	// Lambda is λ, in (0, 1); by default 0.5 for SAFFRON and 0.25 for ADDIS, where it must be below Tau.
	Lambda float64 `json:"lambda,omitempty"`
	// Tau is the τ of ADDIS, in (0, 1]; by default 0.5.
	Tau float64 `json:"tau,omitempty"`
}

// withDefaults fills in defaults and returns an error for options out of range.
func (o OnlineOptions) withDefaults() (OnlineOptions, error) {
	if !slices.Contains(Procedures(), o.Procedure) {
		names := make([]string, 0, len(Procedures()))
		for _, p := range Procedures() {
			names = append(names, string(p))
		}
		return o, fmt.Errorf("conformal: expected a procedure of %s, got %q", strings.Join(names, ", "), o.Procedure)
	}
	if err := checkAlpha(o.Alpha); err != nil {
		return o, err
	}
	fill := func(v *float64, usual float64) {
		if *v == 0 {
			*v = usual
		}
	}
	most := o.Alpha
	switch o.Procedure {
	case LOND, LONDDependent:
		o.Wealth, o.Lambda, o.Tau = 0, 0, 0
		return o, nil
	case LORD, LORDDependent:
		fill(&o.Wealth, o.Alpha/10)
		o.Lambda, o.Tau = 0, 0
		if o.Procedure == LORDDependent {
			most = o.Alpha / 2
		}
	case SAFFRON:
		fill(&o.Wealth, o.Alpha/2)
		fill(&o.Lambda, 0.5)
		o.Tau = 0
		if !(o.Lambda > 0 && o.Lambda < 1) {
			return o, fmt.Errorf("conformal: expected λ between 0 and 1, got %v", o.Lambda)
		}
	case ADDIS:
		fill(&o.Wealth, o.Alpha/2)
		fill(&o.Lambda, 0.25)
		fill(&o.Tau, 0.5)
		if !(o.Tau > 0 && o.Tau <= 1 && o.Lambda > 0 && o.Lambda < o.Tau) {
			return o, fmt.Errorf("conformal: expected 0 < λ < τ ≤ 1, got λ = %v and τ = %v", o.Lambda, o.Tau)
		}
	}
	if !(o.Wealth > 0 && o.Wealth <= most) {
		return o, fmt.Errorf("conformal: expected an initial wealth above 0 and at most %v, got %v", most, o.Wealth)
	}
	return o, nil
}

// GridPoint returns the largest p-value k/(n+1), k ≥ 1, of a calibration of n samples that is not above x, or 1/(n+1)
// where all are above x. As λ or τ it separates the same p-values as x does.
func GridPoint(x float64, n int) float64 {
	k := searchRank(n, x, func(count int) float64 { return float64(count+1) / float64(n+1) })
	return float64(max(1, k)) / float64(n+1)
}

// Decision is the outcome of the test of one p-value.
type Decision struct {
	// Level is the level that the p-value was compared with.
	Level float64
	// Reject reports whether the p-value is at most Level; the sample is then called out-of-distribution.
	Reject bool
}

// Online tests hypotheses one after another. It decides on each p-value before it sees the next, and keeps the false
// discovery rate at most alpha at any time. It is not safe for concurrent use. Its state can be written and read as
// JSON.
type Online struct {
	options OnlineOptions
	rule    rule
	tested  int
}

// rule computes the level of the next test, and is told the outcome of each test.
type rule interface {
	level() float64
	update(p, level float64, reject bool)
	// check returns an error for a state that cannot result from that many tests.
	check(tested int) error
}

// NewOnline makes a procedure that has not tested anything yet.
func NewOnline(o OnlineOptions) (*Online, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Online{options: o, rule: newRule(o)}, nil
}

func newRule(o OnlineOptions) rule {
	switch o.Procedure {
	case LOND, LONDDependent:
		return &lond{alpha: o.Alpha, dependent: o.Procedure == LONDDependent}
	case LORDDependent:
		return &lordDependent{alpha: o.Alpha, earned: o.Alpha - o.Wealth, Wealth: o.Wealth, AtLast: o.Wealth}
	}
	return newClocked(o)
}

// Options returns the options with defaults filled in.
func (o *Online) Options() OnlineOptions { return o.options }

// Tested is the number of p-values tested so far.
func (o *Online) Tested() int { return o.tested }

// Test decides on the next p-value. A number outside of [0, 1] is an error and leaves the state unchanged.
func (o *Online) Test(p float64) (Decision, error) {
	if err := checkPValue(p); err != nil {
		return Decision{}, fmt.Errorf("conformal: %s: test %d: %w", o.options.Procedure, o.tested+1, err)
	}
	level := o.rule.level()
	d := Decision{Level: level, Reject: p <= level}
	o.rule.update(p, level, d.Reject)
	o.tested++
	return d, nil
}

// The sequences γ divide the level over time; each sums to at most 1.

// lordGamma is the γ_t of LORD and LOND (Javanmard and Montanari 2018): 0.07720838 log(max(t, 2)) / (t exp √log t).
func lordGamma(t int) float64 {
	x := float64(t)
	return 0.07720838 * math.Log(max(x, 2)) / (x * math.Exp(math.Sqrt(math.Log(x))))
}

// saffronGamma is the γ_t of SAFFRON and ADDIS: 0.4374901658 / t^1.6.
func saffronGamma(t int) float64 { return 0.4374901658 / math.Pow(float64(t), 1.6) }
