package train

import (
	"math"
)

// Names of schedules for [ScheduleConfig].
const (
	Constant  = "constant"
	StepDecay = "step"     // the rate is multiplied by Gamma after each Every epochs
	Cosine    = "cosine"   // half a cosine down to Final (Loshchilov & Hutter, ICLR 2017, one period)
	OneCycle  = "onecycle" // up and down along cosines (Smith & Topin 2018), as in PyTorch's OneCycleLR
)

// ScheduleConfig says how the learning rate changes from step to step.
type ScheduleConfig struct {
	Name         string  // Constant, StepDecay, Cosine or OneCycle; "" stands for Constant
	LearningRate float64 `json:"Rate"` // the highest learning rate, above 0
	// Warmup is the number of epochs, possibly fractional, during which the rate rises to LearningRate: linearly from
	// 0, for OneCycle along a cosine from LearningRate/25.
	Warmup float64
	Every  float64 // epochs between the steps of StepDecay, for which it must be above 0
	Gamma  float64 // factor of each step of StepDecay, in (0, 1]; 0 stands for 0.1
	// Final is the share of LearningRate at the end of Cosine, in [0, 1], and of OneCycle, where 0 stands for 1/250000.
	Final float64
}

// Schedule returns the learning rate of a step, counted from 0.
type Schedule func(step int) float64

// NewSchedule returns the schedule for a run of epochs epochs with stepsPerEpoch steps each, both at least 1.
// Settings outside of the ranges that [ScheduleConfig] states, and a warm-up as long as the run, are errors. The
// rates of steps 0 to epochs·stepsPerEpoch-1 are between 0 and LearningRate.
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
		return nil, configf("schedule: expected at least 1 epoch of at least 1 step, got %d of %d", epochs,
			stepsPerEpoch)
	case !(c.LearningRate > 0) || math.IsInf(c.LearningRate, 0):
		return nil, configf("learning rate: expected a positive number, got %v", c.LearningRate)
	case !(warm >= 0 && warm < total):
		return nil, configf("warm-up: expected 0 epochs or more, but less than the run's %d, got %v", epochs, c.Warmup)
	case c.Name == StepDecay && !(c.Every > 0):
		return nil, configf("epochs between steps: expected a positive number, got %v", c.Every)
	case !(c.Every >= 0) || math.IsInf(c.Every, 0):
		return nil, configf("epochs between steps: expected a finite number of at least 0, got %v", c.Every)
	case !(c.Gamma > 0 && c.Gamma <= 1):
		return nil, configf("gamma: expected a factor in (0, 1], got %v", c.Gamma)
	case !(c.Final >= 0 && c.Final <= 1):
		return nil, configf("final share of the learning rate: expected a number in [0, 1], got %v", c.Final)
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
		return nil, configf("schedule: expected %s, %s, %s or %s, got %q", Constant, StepDecay, Cosine, OneCycle,
			c.Name)
	}
	return func(step int) float64 {
		if s := float64(step); s < warm {
			return c.LearningRate * math.Min(1, (s+1)/warm)
		}
		return after(float64(step))
	}, nil
}

// oneCycle has its turning points at the same steps as PyTorch: the peak one step before the warm-up ends, the end at
// the last step.
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

// anneal returns a value between from and to, along half a cosine while t goes from 0 to 1.
func anneal(from, to, t float64) float64 {
	return to + (from-to)/2*(1+math.Cos(math.Pi*t))
}
