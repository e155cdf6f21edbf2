package conformal

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// DriftOptions are the parameters of a [Drift].
type DriftOptions struct {
	// Level is the probability of ever raising an alarm while nothing drifts, in (0, 1); 0 means 0.01.
	Level float64 `json:"level"`
	// Betting is how the martingale bets; "" means Both.
	Betting Betting `json:"betting"`
	// Seed chooses the random numbers that break ties.
	Seed uint64 `json:"seed"`
}

func (o DriftOptions) withDefaults() (DriftOptions, error) {
	if o.Level == 0 {
		o.Level = 0.01
	}
	if o.Betting == "" {
		o.Betting = Both
	}
	if !(o.Level > 0 && o.Level < 1) {
		return o, fmt.Errorf("conformal: expected an alarm level between 0 and 1, got %v", o.Level)
	}
	_, err := ParseBetting(string(o.Betting))
	return o, err
}

// Drift watches a stream of scores for a change: does the stream still look like the calibration? It is a conformal
// test martingale (Vovk, Gammerman and Shafer 2005). Each score gets its p-value among the calibration scores and the
// earlier scores of the stream, with ties broken at random. While all these scores are exchangeable, the p-values are
// independent and uniform, unlike p-values of a fixed calibration. A [Martingale] bets against their uniformity. By
// Ville's inequality the probability that it ever raises an alarm is then at most Level; where the stream drifts, the
// capital grows.
//
// A Drift keeps the stream's scores, eight bytes each. It is not safe for concurrent use. Its state can be written
// and read as JSON.
type Drift struct {
	options    DriftOptions
	bag        *bag
	calibrated int
	martingale *Martingale
	highest    float64 // logarithm of the highest capital since the start or the last restart
}

// Evidence is the evidence for drift after a score.
type Evidence struct {
	// P is the score's p-value among all scores before it, in (0, 1].
	P float64
	// Log is the natural logarithm of the capital, Highest that of the highest capital since the start or the last
	// restart.
	Log, Highest float64
	// Alarm reports whether the capital has reached 1/Level since the start or the last [Drift.Restart].
	Alarm bool
}

// Value is the capital. It may overflow to +Inf while Log is finite.
func (e Evidence) Value() float64 { return math.Exp(e.Log) }

// NewDrift starts to watch a stream. The calibration's scores are copied.
func NewDrift(c *Calibration, o DriftOptions) (*Drift, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := NewMartingale(o.Betting)
	if err != nil {
		return nil, err
	}
	return &Drift{options: o, bag: newBag(c.scores), calibrated: c.N(), martingale: m}, nil
}

// Options returns the options with defaults filled in.
func (d *Drift) Options() DriftOptions { return d.options }

// Seen is the number of scores of the stream so far.
func (d *Drift) Seen() int { return d.bag.n - d.calibrated }

// Evidence returns the evidence so far; P is 0 before the first score.
func (d *Drift) Evidence() Evidence {
	return Evidence{Log: d.martingale.Log(), Highest: d.highest, Alarm: d.highest >= -math.Log(d.options.Level)}
}

// Observe adds the next score. NaN is an error and leaves the state unchanged.
func (d *Drift) Observe(score float64) (Evidence, error) {
	if score != score {
		return Evidence{}, fmt.Errorf("conformal: score %d of the stream is NaN", d.Seen())
	}
	below, equal := d.bag.counts(score)
	p := smoothed(below, equal, d.bag.n, Uniform(d.options.Seed, uint64(d.Seen())))
	if err := d.martingale.Update(p); err != nil {
		return Evidence{}, err
	}
	d.bag.add(score)
	d.highest = max(d.highest, d.martingale.Log())
	e := d.Evidence()
	e.P = p
	return e, nil
}

// Restart sets the capital back to 1 and clears the alarm, for use after the cause of an alarm has been dealt with.
// Later scores are still compared with all scores seen.
func (d *Drift) Restart() {
	d.martingale, _ = NewMartingale(d.options.Betting) // the options were checked before
	d.highest = 0
}

// driftState is the JSON form of a Drift. Scores are ascending; infinite scores are stored as counts at either end,
// since JSON has no infinity.
type driftState struct {
	DriftOptions
	Calibrated int       `json:"calibrated"`
	Lowest     int       `json:"minus_infinity,omitempty"`
	Scores     []float64 `json:"scores"`
	Top        int       `json:"plus_infinity,omitempty"`
	Jumper     []float64 `json:"jumper"`
	Power      []float64 `json:"power"`
	Highest    float64   `json:"highest"`
}

// MarshalJSON returns the options and the state. A Drift that is read from them continues as this one would.
func (d *Drift) MarshalJSON() ([]byte, error) {
	s := driftState{
		DriftOptions: d.options, Calibrated: d.calibrated, Scores: d.bag.values(),
		Jumper: d.martingale.jumper, Power: d.martingale.power, Highest: d.highest,
	}
	for len(s.Scores) > 0 && math.IsInf(s.Scores[0], -1) {
		s.Scores, s.Lowest = s.Scores[1:], s.Lowest+1
	}
	for n := len(s.Scores); n > 0 && math.IsInf(s.Scores[n-1], 1); n-- {
		s.Scores, s.Top = s.Scores[:n-1], s.Top+1
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads what [Drift.MarshalJSON] wrote. An invalid state is an error and leaves the Drift unchanged.
func (d *Drift) UnmarshalJSON(data []byte) error {
	var s driftState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("conformal: drift: %w", err)
	}
	o, err := s.DriftOptions.withDefaults()
	if err != nil {
		return err
	}
	m, err := NewMartingale(o.Betting)
	if err != nil {
		return err
	}
	const most = 1 << 20  // bounds the memory that a short text can ask for
	const rounding = 1e-6 // tolerated rounding of a sum of logarithms
	n := len(s.Scores) + s.Lowest + s.Top
	switch {
	case s.Lowest < 0 || s.Top < 0 || s.Lowest > most || s.Top > most:
		return fmt.Errorf("conformal: drift: expected at most %d infinite scores, got %d and %d", most, s.Lowest, s.Top)
	case s.Calibrated < 1 || s.Calibrated > n:
		return fmt.Errorf("conformal: drift: expected at least 1 calibration score and at most all %d scores, got %d",
			n, s.Calibrated)
	case !slices.IsSorted(s.Scores):
		return fmt.Errorf("conformal: drift: expected ascending scores")
	case len(s.Jumper) != len(m.jumper) || len(s.Power) != len(m.power):
		return fmt.Errorf("conformal: drift: expected capital of %d and %d gamblers for betting %q, got %d and %d",
			len(m.jumper), len(m.power), o.Betting, len(s.Jumper), len(s.Power))
	}
	m.jumper, m.power = s.Jumper, s.Power
	m.log = logSum(m.jumper, m.power)
	if capital := m.Log(); capital-capital != 0 || !(s.Highest >= 0 && s.Highest >= capital-rounding) {
		return fmt.Errorf("conformal: drift: highest capital exp(%v) does not go with capital exp(%v)", s.Highest,
			capital)
	}
	scores := slices.Concat(slices.Repeat([]float64{math.Inf(-1)}, s.Lowest), s.Scores,
		slices.Repeat([]float64{math.Inf(1)}, s.Top))
	*d = Drift{options: o, bag: newBag(scores), calibrated: s.Calibrated, martingale: m, highest: s.Highest}
	return nil
}
