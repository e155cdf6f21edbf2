package conformal

import "fmt"

// PerClass holds a calibration for each predicted class (Mondrian conformal prediction: Vovk, Gammerman and Shafer
// 2005), so that false alarms do not concentrate in a few classes. A class with at least the asked number of
// calibration samples has its own calibration, and its rates hold for the samples predicted as that class. Smaller
// classes share one calibration, of the samples predicted as any of them; its rates hold over these classes together,
// not for each. Where even these samples are too few, the small classes use the calibration of all samples.
type PerClass struct {
	groups []*Calibration // [classes]
	of     []Group        // [classes]
}

// Group is the group of calibration samples that samples predicted as a class are compared with.
type Group int

// The groups.
const (
	OwnClass     Group = iota // samples predicted as the same class
	SmallClasses              // samples predicted as any class that has too few samples of its own
	AllClasses                // all samples
)

// String returns "own class", "small classes" or "all classes".
func (g Group) String() string {
	return [...]string{"own class", "small classes", "all classes"}[g]
}

// NewPerClass makes a calibration for each class from scores [n] of samples and the classes predicted for them [n],
// each in 0 to classes-1. A class with fewer than least samples does not get its own calibration. Errors are those of
// [New], and one for a prediction out of range.
func NewPerClass(scores []float64, predicted []int, classes, least int) (*PerClass, error) {
	switch {
	case len(scores) != len(predicted):
		return nil, fmt.Errorf("conformal: expected a predicted class for each of %d scores, got %d", len(scores),
			len(predicted))
	case classes < 1:
		return nil, fmt.Errorf("conformal: expected at least one class, got %d", classes)
	case least < 1:
		return nil, fmt.Errorf("conformal: expected at least one calibration sample a class, got %d", least)
	}
	all, err := New(scores)
	if err != nil {
		return nil, err
	}
	byClass := make([][]float64, classes)
	for i, k := range predicted {
		if k < 0 || k >= classes {
			return nil, fmt.Errorf("conformal: calibration sample %d: expected a predicted class from 0 to %d, got %d",
				i, classes-1, k)
		}
		byClass[k] = append(byClass[k], scores[i])
	}
	m := &PerClass{groups: make([]*Calibration, classes), of: make([]Group, classes)}
	var small []float64
	for _, s := range byClass {
		if len(s) < least {
			small = append(small, s...)
		}
	}
	shared, group := all, AllClasses
	if len(small) >= least {
		if shared, err = New(small); err != nil {
			return nil, err
		}
		group = SmallClasses
	}
	for k, s := range byClass {
		m.groups[k], m.of[k] = shared, group
		if len(s) >= least {
			if m.groups[k], err = New(s); err != nil {
				return nil, err
			}
			m.of[k] = OwnClass
		}
	}
	return m, nil
}

// Classes is the number of classes.
func (m *PerClass) Classes() int { return len(m.groups) }

// For returns the calibration for samples predicted as a class, and the group of samples that it is made of.
func (m *PerClass) For(class int) (*Calibration, Group) { return m.groups[class], m.of[class] }

// Conditional applies [Calibration.Conditional] to each calibration. Each holds with probability 1-delta; for all K
// classes to hold at once with probability 1-delta, pass delta/K.
func (m *PerClass) Conditional(a Adjustment, delta float64) (*PerClass, error) {
	out := &PerClass{groups: make([]*Calibration, len(m.groups)), of: m.of}
	done := map[*Calibration]*Calibration{}
	for k, c := range m.groups {
		if done[c] == nil {
			adjusted, err := c.Conditional(a, delta)
			if err != nil {
				return nil, fmt.Errorf("predicted class %d: %w", k, err)
			}
			done[c] = adjusted
		}
		out.groups[k] = done[c]
	}
	return out, nil
}

// Threshold is [Calibration.Threshold] for a class. A [TooFewError] names the class where the calibration is the
// class's own.
func (m *PerClass) Threshold(class int, alpha float64) (Threshold, error) {
	t, err := m.groups[class].Threshold(alpha)
	if e, ok := err.(*TooFewError); ok && m.of[class] == OwnClass {
		e.Class = class
	}
	return t, err
}
