package attribution

import (
	"fmt"
	"math"

	"github.com/line-ood/goline/internal/mathx"
)

// ValueFunction is what a game reads off the logits of a network for a class: one of the constants of [Value], or a
// function of the user's own, for instance made by [NewValue]. It must be a pure function, safe for use by several
// goroutines at once. Where options ask for one, nil stands for [Logit].
type ValueFunction interface {
	// String is the function's name.
	String() string
	// Of returns the value of the logits for a class. It neither keeps nor changes the logits.
	//
	// Shapes: logits [classes].
	Of(logits []float64, class int) float64
}

// DifferentiableValue is a value function with a gradient. Games with another value function have no gradients: their
// Gradients return [ErrNotDifferentiable].
type DifferentiableValue interface {
	ValueFunction
	// Gradient writes the derivative of the value with respect to each logit.
	//
	// Shapes: logits [classes], dst [classes].
	Gradient(logits []float64, class int, dst []float64)
}

// NewValue makes a value function from functions that do what [ValueFunction] and [DifferentiableValue] say of Of and
// Gradient. gradient is nil where there is none. It panics when name is empty or of is nil.
func NewValue(name string, of func(logits []float64, class int) float64, gradient func(logits []float64, class int,
	dst []float64)) ValueFunction {
	if name == "" || of == nil {
		panic("attribution: a value function needs a name and a function")
	}
	v := ownValue{name, of}
	if gradient == nil {
		return v
	}
	return ownDifferentiable{v, gradient}
}

type ownValue struct {
	name string
	of   func(logits []float64, class int) float64
}

func (v ownValue) String() string                         { return v.name }
func (v ownValue) Of(logits []float64, class int) float64 { return v.of(logits, class) }

type ownDifferentiable struct {
	ownValue
	gradient func(logits []float64, class int, dst []float64)
}

func (v ownDifferentiable) Gradient(logits []float64, class int, dst []float64) {
	v.gradient(logits, class, dst)
}

// CheckValue returns an error for a value function that is unknown or needs more classes. It accepts nil.
func CheckValue(v ValueFunction, classes int) error {
	if v, ok := v.(Value); ok {
		return v.check(classes)
	}
	return nil
}

// Value is a [ValueFunction] of the logits l for a class c whose formula games know. Some games compute it faster
// than by calling Of, for instance in the graph.
type Value int

var _ DifferentiableValue = Logit

const (
	// Logit is l_c.
	Logit Value = iota
	// Probability is the softmax probability exp(l_c) / Σ_k exp(l_k).
	Probability
	// LogProbability is the logarithm of the softmax probability.
	LogProbability
	// LogSumExp is log Σ_k exp(l_k), the energy score; it does not depend on the class.
	LogSumExp
	// Margin is l_c - max_{k≠c} l_k, positive when c wins. It needs two classes.
	Margin
)

var valueNames = [...]string{"logit", "probability", "log-probability", "log-sum-exp", "margin"}

// String is the value's name, as [ParseValue] reads it.
func (v Value) String() string {
	if v < 0 || int(v) >= len(valueNames) {
		return fmt.Sprintf("Value(%d)", int(v))
	}
	return valueNames[v]
}

// ParseValue reads a value's name: logit, probability, log-probability, log-sum-exp or margin.
func ParseValue(name string) (Value, error) {
	for v, n := range valueNames {
		if n == name {
			return Value(v), nil
		}
	}
	return 0, fmt.Errorf("attribution: expected a value, one of %q, got %q", valueNames, name)
}

// Of returns the value of the logits for a class.
//
// Shapes: logits [classes].
func (v Value) Of(logits []float64, class int) float64 {
	switch v {
	case Logit:
		return logits[class]
	case Probability:
		return math.Exp(logits[class] - mathx.LogSumExp(logits))
	case LogProbability:
		return logits[class] - mathx.LogSumExp(logits)
	case LogSumExp:
		return mathx.LogSumExp(logits)
	case Margin:
		return logits[class] - logits[runnerUp(logits, class)]
	}
	panic("attribution: unknown " + v.String())
}

// Gradient writes the derivative of the value with respect to each logit. At a tie the margin's runner-up is the first
// of the largest logits.
//
// Shapes: logits [classes], dst [classes].
func (v Value) Gradient(logits []float64, class int, dst []float64) {
	switch v {
	case Logit:
		clear(dst)
		dst[class] = 1
	case LogSumExp, LogProbability, Probability:
		lse := mathx.LogSumExp(logits)
		for k, l := range logits {
			dst[k] = math.Exp(l - lse)
		}
		if v == LogSumExp {
			return
		}
		scale := 1.0
		if v == Probability {
			scale = dst[class]
		}
		for k := range dst {
			dst[k] *= -scale
		}
		dst[class] += scale
	case Margin:
		clear(dst)
		dst[class] = 1
		dst[runnerUp(logits, class)] = -1
	default:
		panic("attribution: unknown " + v.String())
	}
}

// check returns an error for an unknown value, and for one that needs more classes.
func (v Value) check(classes int) error {
	if v < 0 || int(v) >= len(valueNames) {
		return fmt.Errorf("attribution: expected one of the constants of Value, got %d", int(v))
	}
	if v == Margin && classes < 2 {
		return fmt.Errorf("attribution: margin: expected at least two classes, got %d", classes)
	}
	return nil
}

// runnerUp is the first of the largest logits among the other classes.
func runnerUp(l []float64, class int) int {
	best := -1
	for k, x := range l {
		if k != class && (best < 0 || x > l[best]) {
			best = k
		}
	}
	return best
}

// Target says which class a game is about. The zero value is [TargetPrediction].
type Target struct{ kind, class int }

const (
	targetPrediction = iota
	targetLabel
	targetClass
)

// TargetPrediction is the class that the network predicts with all players present, the first at a tie.
func TargetPrediction() Target { return Target{kind: targetPrediction} }

// TargetLabel is the sample's label.
func TargetLabel() Target { return Target{kind: targetLabel} }

// TargetClass is the given class whatever the sample.
func TargetClass(class int) Target { return Target{kind: targetClass, class: class} }

// Resolve returns the class for a sample with the given label (-1 where unknown) and logits with all players present.
// It returns an error when the label is needed and unknown, or the class is out of range.
//
// Shapes: logits [classes].
func (t Target) Resolve(logits []float64, label int) (int, error) {
	c := 0
	switch t.kind {
	case targetPrediction:
		return mathx.ArgMax(logits), nil
	case targetLabel:
		c = label
	case targetClass:
		c = t.class
	}
	if c < 0 || c >= len(logits) {
		return 0, fmt.Errorf("attribution: %v: expected a class from 0 to %d, got %d", t, len(logits)-1, c)
	}
	return c, nil
}

// String names the target: prediction, label, or class k.
func (t Target) String() string {
	switch t.kind {
	case targetLabel:
		return "label"
	case targetClass:
		return fmt.Sprintf("class %d", t.class)
	}
	return "prediction"
}
