package train

import (
	"math"
)

// Courses of the learning rate that [ScheduleConfig] names.
const (
	Constant  = "constant"
	StepDecay = "step"     // times Gamma after each of Every epochs
	Cosine    = "cosine"   // half a cosine down to Final (Loshchilov & Hutter, ICLR 2017, one period)
	OneCycle  = "onecycle" // up and down along cosines (Smith & Topin 2018), as PyTorch's OneCycleLR
)

// ScheduleConfig says how the learning rate changes from step to step.
type ScheduleConfig struct {
	Name         string  // Constant, StepDecay, Cosine or OneCycle; "" means Constant
	LearningRate float64 `json:"Rate"` // the highest learning rate, above 0
	// Warmup is the number of epochs, fractions allowed, in which the rate rises to its highest: linearly from 0, for
	// OneCycle along a cosine from LearningRate/25.
	Warmup float64
	Every  float64 // epochs between the steps of StepDecay, above 0 there
	Gamma  float64 // factor of each step of StepDecay, in (0, 1]; 0 means 0.1
	Final  float64 // share of LearningRate that Cosine ends with, in [0, 1]; OneCycle's default 0 means 1/250000
}

// Schedule gives the learning rate of each step, counted from 0.
type Schedule func(step int) float64

// NewSchedule returns the schedule for a run of so many epochs of so many steps, at least one each. It errors for
// settings out of the ranges that [ScheduleConfig] states, and for a warm-up as long as the run. Steps from 0 to
// epochs·stepsPerEpoch-1 have a rate between 0 and LearningRate.
func NewSchedule(c ScheduleConfig, epochs, stepsPerEpoch int) (Schedule, error) {
	if c.Name == "" {
		c.Name = Constant
	}
	if c.Gamma == 0 {
		c.Gamma = 0.1
	}
	total := float64(epochs * stepsPerEpoch)
	warm := c.Warmup * float64(stepsPerEpoch)
	switch {
	case epochs < 1 || stepsPerEpoch < 1:
		return nil, configf("schedule over %d epochs of %d steps, expected at least 1 each", epochs, stepsPerEpoch)
	case !(c.LearningRate > 0) || math.IsInf(c.LearningRate, 0):
		return nil, configf("learning rate %v, expected a positive number", c.LearningRate)
	case !(warm >= 0 && warm < total):
		return nil, configf("warm-up of %v epochs, expected 0 or more, but less than the run of %d", c.Warmup, epochs)
	case c.Name == StepDecay && !(c.Every > 0):
		return nil, configf("steps every %v epochs, expected a positive number", c.Every)
	case !(c.Every >= 0) || math.IsInf(c.Every, 0):
		return nil, configf("steps every %v epochs, expected a number, 0 or more", c.Every)
	case !(c.Gamma > 0 && c.Gamma <= 1):
		return nil, configf("gamma %v, expected a factor in (0, 1]", c.Gamma)
	case !(c.Final >= 0 && c.Final <= 1):
		return nil, configf("final share %v of the learning rate, expected one in [0, 1]", c.Final)
	}
	var after func(step float64) float64
	switch c.Name {
	case Constant:
		after = func(float64) float64 { return c.LearningRate }
	case StepDecay:
		after = func(step float64) float64 {
			return c.LearningRate * math.Pow(c.Gamma, math.Floor(step/(c.Every*float64(stepsPerEpoch))))
		}
	case Cosine:
		after = func(step float64) float64 {
			return anneal(c.LearningRate, c.Final*c.LearningRate, (step-warm)/(total-warm))
		}
	case OneCycle:
		return oneCycle(c, total, warm), nil
	default:
		return nil, configf("schedule %q, expected %s, %s, %s or %s", c.Name, Constant, StepDecay, Cosine, OneCycle)
	}
	return func(step int) float64 {
		if s := float64(step); s < warm {
			return c.LearningRate * math.Min(1, (s+1)/warm)
		}
		return after(float64(step))
	}, nil
}

// oneCycle has its turning points where PyTorch has them: the peak one step before the warm-up ends, the end at the
// last step.
func oneCycle(c ScheduleConfig, total, warm float64) Schedule {
	start, final := c.LearningRate/25, c.Final*c.LearningRate
	if c.Final == 0 {
		final = start / 1e4
	}
	up, down := max(warm-1, 0), max(total-1, 1)
	return func(step int) float64 {
		s := math.Min(float64(step), down)
		if s < up {
			return anneal(start, c.LearningRate, s/up)
		}
		return anneal(c.LearningRate, final, (s-up)/max(down-up, 1))
	}
}

// anneal goes from one value to another along half a cosine as t goes from 0 to 1.
func anneal(from, to, t float64) float64 {
	return to + (from-to)/2*(1+math.Cos(math.Pi*t))
}
