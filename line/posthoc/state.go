package posthoc

import (
	"fmt"
	"reflect"
)

// Sizer is implemented by methods that tell how much memory what they learned takes, and by parts that hold more than
// their State.
type Sizer interface {
	// Bytes is the memory in bytes: of a method all that it learned, of a part what it derives beside its State.
	Bytes() int64
}

// Bytes is the memory that the fitted parts hold: their states and what those that are a [Sizer] derive from it,
// without the network's own head.
func (m *composed) Bytes() int64 {
	var sum int64
	for _, p := range m.parts() {
		if s, ok := p.part.(Sizer); ok {
			sum += s.Bytes()
		}
	}
	_ = m.eachState(func(_ string, field reflect.Value) error {
		size := int64(field.Type().Size())
		if field.Kind() == reflect.Slice {
			size = int64(field.Len()) * int64(field.Type().Elem().Size())
		}
		sum += size
		return nil
	})
	return sum
}

// State returns what a fitted method learned, by name, "PART.Field": float64, int, []float64, []float32, []int32 or
// []int, not copied. The method is one that [New] made of parts, be they of this package or registered ones whose
// [Kind.Part] is set; their parts tell by [Stateful] what they learned, so that line.FitMethod can save them. It errors
// for a method of a type of one's own, and before a needed Fit.
func State(m Method) (map[string]any, error) {
	c, ok := m.(*composed)
	if !ok {
		return nil, fmt.Errorf("posthoc: %s: expected a method made of parts, got a %T", m.Name(), m)
	}
	if !c.fitted && c.learns {
		return nil, c.errorf("%w", ErrNotFitted)
	}
	state := map[string]any{}
	err := c.eachState(func(name string, field reflect.Value) error {
		state[name] = field.Interface()
		return nil
	})
	return state, err
}

// Restore gives a method the state that [State] returned of one of the same name and parameters, for the same network:
// the method then scores as that one did. It errors for a value that is missing or of another type; m is then not
// fitted.
func Restore(m Method, head Head, state map[string]any) error {
	c, ok := m.(*composed)
	if !ok {
		return fmt.Errorf("posthoc: %s: expected a method made of parts, got a %T", m.Name(), m)
	}
	if err := head.Validate(); err != nil {
		return c.errorf("%w", err)
	}
	c.fitted = false
	err := c.eachState(func(name string, field reflect.Value) error {
		v, ok := state[name]
		if !ok {
			return c.errorf("state lacks %s", name)
		}
		if reflect.TypeOf(v) != field.Type() {
			return c.errorf("state %s: expected %s, got %T", name, field.Type(), v)
		}
		field.Set(reflect.ValueOf(v))
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range c.parts() {
		if r, ok := p.part.(Deriver); ok {
			if err := r.Derive(head); err != nil {
				return c.partError(p.name, err)
			}
		}
	}
	c.head, c.classes, c.dim, c.fitted = newDense(head), head.Classes, head.FeatureDim, true
	return nil
}

// Deriver is implemented by stateful parts that derive something from their state and head, or check the lengths of
// what a file gave.
type Deriver interface {
	// Derive is called by [Restore] once the state has been set; head is that of the network. An error refuses the
	// state.
	Derive(head Head) error
}

// eachState visits the fields of all states in their order.
func (m *composed) eachState(visit func(name string, field reflect.Value) error) error {
	for _, p := range m.parts() {
		s, ok := p.part.(Stateful)
		if !ok {
			continue
		}
		v := reflect.ValueOf(s.State()).Elem()
		for i := range v.NumField() {
			if err := visit(p.name+"."+v.Type().Field(i).Name, v.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}
