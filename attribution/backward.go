package attribution

import (
	"context"
	"math"

	"github.com/line-ood/goline/internal/mathx"
)

// Rescaled is a game that can split the change of its value over the players by DeepLIFT's rescale rule (Shrikumar,
// Greenside and Kundaje 2017). The rule gives a nonlinear function of one number the slope of the straight line
// between its values with all players removed and with all present, and a linear function its own slope. The parts
// sum to v(N) - v(∅).
type Rescaled interface {
	Game
	// Rescale writes the players' parts. The error is [ErrNotDifferentiable] where the rule does not cover the value.
	//
	// Shapes: dst [players].
	Rescale(ctx context.Context, dst []float64) error
}

// Traced is a game that knows the path of its players' activations while the network's input goes in a straight line
// from a baseline to the sample.
type Traced interface {
	Game
	// Conductance writes, for each player, the sum over the steps of the path of the value's slope by the player's
	// activation times the change of that activation. It returns the number of points of the path, each of which is a
	// pass through the network, or 0 where the path is not known.
	//
	// Shapes: dst [players].
	Conductance(ctx context.Context, dst []float64) (points int, err error)
}

// RescaledValue is a value function to which DeepLIFT's rescale rule applies.
type RescaledValue interface {
	ValueFunction
	// Multipliers writes m with Σ_k m_k (to_k - from_k) = Of(to) - Of(from) by the rescale rule; from and to are
	// logits. It returns ok = false where the rule does not cover the function.
	//
	// Shapes: from, to, dst [classes].
	Multipliers(from, to []float64, class int, dst []float64) (ok bool)
}

// Multipliers implements [RescaledValue]. The log-sum-exp is a logarithm of a sum of exponentials, each with the slope
// of its own straight line; the log-probability is a logit less a log-sum-exp, and the probability its exponential. A
// margin, whose runner-up may change, has no rule.
func (v Value) Multipliers(from, to []float64, class int, dst []float64) bool {
	if v == Margin {
		return false
	}
	if v == Logit {
		clear(dst)
		dst[class] = 1
		return true
	}
	before, after := mathx.LogSumExp(from), mathx.LogSumExp(to)
	shift := max(before, after)                 // no exponential below is larger than 1
	slope := 1 / expSlope(shift, before, after) // slope of the logarithm
	for k := range dst {
		dst[k] = slope * expSlope(shift, from[k], to[k])
	}
	if v == LogSumExp {
		return true
	}
	scale := 1.0
	if v == Probability {
		scale = expSlope(0, from[class]-before, to[class]-after)
	}
	for k := range dst {
		dst[k] *= -scale
	}
	dst[class] += scale
	return true
}

// expSlope is (exp(b - shift) - exp(a - shift)) / (b - a), which for a = b is exp(a - shift).
func expSlope(shift, a, b float64) float64 {
	d := b - a
	if math.Abs(d) < 1e-9 { // so close that the derivative in the middle equals the slope to float64's precision
		return math.Exp((a+b)/2 - shift)
	}
	if d > 0 { // start from the larger end, so that Expm1 gets a negative argument and cannot overflow
		a, d = b, -d
	}
	return math.Exp(a-shift) * (math.Expm1(d) / d)
}
