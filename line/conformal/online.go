package conformal

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Procedure is a way to control the false discovery rate over a stream of p-values.
type Procedure string

// The procedures. What each asks of the p-values is said beside it. P-values of one shared calibration are not
// independent; adjusted by [Calibration.Conditional] with any adjustment but Pointwise they are, given the calibration,
// with probability 1-δ valid: then the rate of every procedure is at most alpha with probability 1-δ over the
// calibration.
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
	// SAFFRON is LORD++ that spends nothing on p-values above λ, since true nulls leave enough of those (Ramdas, Zrnic,
	// Wainwright and Jordan 2018). Valid for independent p-values.
	SAFFRON Procedure = "saffron"
	// ADDIS is SAFFRON that passes over p-values above τ, which conservative nulls have (Tian and Ramdas 2019). Valid
	// for independent p-values that stay super-uniform below τ; conformal ones, on the grid k/(n+1), do where τ is on
	// it: see [GridPoint].
	ADDIS Procedure = "addis"
)

// Procedures lists the procedures.
func Procedures() []Procedure {
	return []Procedure{LOND, LONDDependent, LORD, LORDDependent, SAFFRON, ADDIS}
}

// AnyDependence tells whether the procedure holds whatever the dependence of the p-values.
func (p Procedure) AnyDependence() bool { return p == LONDDependent || p == LORDDependent }

// SharedCalibration tells whether the procedure holds for marginal p-values of one shared calibration.
func (p Procedure) SharedCalibration() bool { return p == LOND || p.AnyDependence() }

// OnlineOptions are the parameters of a procedure. Those that are zero take the authors' values.
type OnlineOptions struct {
	// Procedure is the rule by which levels are spent, one of [Procedures]; it has no default.
	Procedure Procedure `json:"procedure"`
	// Alpha is the false discovery rate that is not to be exceeded, in (0, 1).
	Alpha float64 `json:"alpha"`
	// Wealth is w_0, the level to begin with, in (0, Alpha]: Alpha/10 for LORD++ and LORDDependent, Alpha/2 for SAFFRON
	// and ADDIS. LOND has none. For LORDDependent it is at most Alpha/2; what a discovery earns is Alpha - Wealth.
	Wealth float64 `json:"wealth,omitempty"`
	// Lambda is λ: 0.5 for SAFFRON, 0.25 for ADDIS, where it is below Tau. In (0, 1).
	Lambda float64 `json:"lambda,omitempty"`
	// Tau is τ of ADDIS, 0.5. In (0, 1].
	Tau float64 `json:"tau,omitempty"`
}

// withDefaults fills in zeros and refuses what is out of range.
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

// GridPoint returns the largest value k/(n+1) not above x, or 1/(n+1) where there is none: the p-values of a
// calibration of n samples that x separates.
func GridPoint(x float64, n int) float64 {
	k := searchRank(n, x, func(count int) float64 { return float64(count+1) / float64(n+1) })
	return float64(max(1, k)) / float64(n+1)
}

// Decision is what a procedure makes of one p-value.
type Decision struct {
	// Level is what the p-value was compared with.
	Level float64
	// Reject tells that the p-value is at most Level: the sample is called out-of-distribution.
	Reject bool
}

// Online tests hypotheses one after another, each decision before the next p-value is known, with the expected share of
// false discoveries at most alpha at any time. It is not safe for concurrent use. Its state can be written and read as
// JSON.
type Online struct {
	options OnlineOptions
	rule    rule
	tested  int
}

// rule gives the level of the next test, and is told the test's outcome.
type rule interface {
	level() float64
	update(p, level float64, reject bool)
	// check refuses a state that cannot result from so many tests.
	check(tested int) error
}

// NewOnline makes a procedure at its start.
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

// Options returns the parameters, defaults filled in.
func (o *Online) Options() OnlineOptions { return o.options }

// Tested is the number of p-values so far.
func (o *Online) Tested() int { return o.tested }

// Test decides on the next p-value. One outside of [0, 1] is an error, after which the procedure is as it was.
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

// The sequences γ that share the level out over time sum to at most 1.

// lordGamma is that of LORD and LOND (Javanmard and Montanari 2018): 0.07720838 log(max(t, 2)) / (t exp √log t).
func lordGamma(t int) float64 {
	x := float64(t)
	return 0.07720838 * math.Log(max(x, 2)) / (x * math.Exp(math.Sqrt(math.Log(x))))
}

// saffronGamma is that of SAFFRON and ADDIS: 0.4374901658 / t^1.6.
func saffronGamma(t int) float64 { return 0.4374901658 / math.Pow(float64(t), 1.6) }
