package posthoc

import (
	"fmt"
	"reflect"
)

// Sizer is implemented by methods that report the memory of what they learned, and by parts that hold more than their
// State.
type Sizer interface {
	// Bytes is the memory in bytes: of a method all that it learned, of a part what it derives beside its State.
	Bytes() int64
}

// Bytes is the memory that the fitted parts hold, in bytes: their states, and what parts that are a [Sizer] derive
// from them. The network's own head is not counted.
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

// State returns what a fitted method learned, by name "PART.Field". Values are float64, int, []float64, []float32,
// []int32 or []int, and are not copied. The method must be one that [New] made of parts, of this package or
// registered with [Kind.Part]. Parts that implement [Stateful] have a state, with which line.FitMethod saves them. It
// is an error for a method of another type, and before a needed Fit.
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

// Restore gives a method the state that [State] returned for a method with the same name and parameters, and for the
// same network. The method then gives the same scores as that one. A value that is missing or has another type is an
// error, after which m is not fitted.
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

// Deriver is implemented by stateful parts that compute something from their state and the head, or check lengths that
// come from a file.
type Deriver interface {
	// Derive is called by [Restore] once the state has been set; head is that of the network. An error refuses the
	// state.
	Derive(head Head) error
}

// eachState calls visit for the fields of all states in order.
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
