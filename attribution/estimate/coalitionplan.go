package estimate

import "github.com/line-ood/goline/attribution"

const (
	// togglePeriod is the period of samples that measure the error of the trapezoid rule, where not all do. It is odd,
	// so that both halves do.
	togglePeriod = 3
	// allToggle is the number of samples a player from which all samples measure it: with so many, what is not
	// measured is more of the error than sampling is. It was chosen on training images; see
	// docs/attribution-estimators.md.
	allToggle = 4
)

// planned returns the estimator with the period and the plan for the options of the run.
func (c CoalitionGradients) planned(r *run) (CoalitionGradients, plan, error) {
	with := func(period int) (CoalitionGradients, plan, error) {
		c.period = period
		p, err := r.plan(2*r.workCost(0, 1), gradientPoints(period)*r.workCost(0, 1), fewestSamples)
		return c, p, err
	}
	switch {
	case c.Unbiased:
		return with(1)
	case c.period > 0:
		return with(c.period)
	}
	few, p, err := with(togglePeriod)
	if err == nil && p.samples >= allToggle*r.n {
		if all, more, err := with(1); err == nil {
			return all, more, nil
		}
	}
	return few, p, err
}

// fullSamples is the number of samples from which each half determines a polynomial of all of [surrogateSizes], whose
// Shapley values take the same time for any number of samples: for each of the four equations that one of its 184
// unknowns asks for, each half's rows hold eight, and it has a row for each sample.
const fullSamples = 92

// forPilots implements [piloted].
func (c CoalitionGradients) forPilots(r *run) (attribution.Estimator, int) {
	planned, p, err := c.planned(r)
	if err != nil {
		return c, 0
	}
	return planned, max(min(fullSamples, p.samples/2), fewestSamples)
}
