package conformal

import (
	"encoding/json"
	"fmt"
)

// onlineState is the JSON form of an Online.
type onlineState struct {
	OnlineOptions
	Tested int             `json:"tested"`
	State  json.RawMessage `json:"state"`
}

// MarshalJSON returns the options and the state. An Online that is read from them decides as this one would.
func (o *Online) MarshalJSON() ([]byte, error) {
	state, err := json.Marshal(o.rule)
	if err != nil {
		return nil, fmt.Errorf("conformal: %s: %w", o.options.Procedure, err)
	}
	return json.Marshal(onlineState{OnlineOptions: o.options, Tested: o.tested, State: state})
}

// UnmarshalJSON reads what [Online.MarshalJSON] wrote. A state that no p-values can lead to is an error and leaves
// the Online unchanged.
func (o *Online) UnmarshalJSON(data []byte) error {
	var s onlineState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("conformal: online procedure: %w", err)
	}
	fresh, err := NewOnline(s.OnlineOptions)
	if err != nil {
		return err
	}
	if s.Tested < 0 {
		return fmt.Errorf("conformal: %s: expected a number of tests, got %d", s.Procedure, s.Tested)
	}
	if err := json.Unmarshal(s.State, fresh.rule); err != nil {
		return fmt.Errorf("conformal: %s: state: %w", s.Procedure, err)
	}
	if err := fresh.rule.check(s.Tested); err != nil {
		return fmt.Errorf("conformal: %s: state: %w", s.Procedure, err)
	}
	fresh.tested = s.Tested
	*o = *fresh
	return nil
}

func (l *lond) check(tested int) error {
	if l.Tests != tested || l.Found < 0 || l.Found > tested || !(l.Harmonic >= 0) || l.Harmonic > float64(tested) {
		return fmt.Errorf("%d discoveries in %d tests do not go with %d tests", l.Found, l.Tests, tested)
	}
	return nil
}

func (l *lordDependent) check(tested int) error {
	most := l.alpha * float64(1+tested)
	least := l.AtLast * (1 - l.spent())
	if l.Tests != tested || !(l.AtLast >= 0 && l.AtLast <= most && l.Wealth >= least && l.Wealth <= most) {
		return fmt.Errorf("wealth %v and %v after %d tests does not go with %d tests", l.Wealth, l.AtLast, l.Tests,
			tested)
	}
	return nil
}

func (c *clocked) check(tested int) error {
	if c.Clock < 1 || c.Clock > tested+1 || c.First < -1 || c.First >= c.Clock || len(c.Times) != len(c.Counts) {
		return fmt.Errorf("clock at %d and first discovery at %d do not go with %d tests", c.Clock, c.First, tested)
	}
	found, last := 0, c.First-1
	if c.First >= 0 {
		found = 1
	}
	for i, t := range c.Times {
		n := c.Counts[i]
		if found == 0 || t < c.First || t <= last || t >= c.Clock || n < 1 || n > tested-found {
			return fmt.Errorf("%d discoveries at %d do not go with clock %d and %d tests", n, t, c.Clock, tested)
		}
		found, last = found+n, t
	}
	return nil
}
