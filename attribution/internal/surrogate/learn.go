package surrogate

import (
	"context"
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/line-ood/goline/internal/linalg"
)

const (
	// learnRows is the largest number of rows whose likelihood is maximised.
	learnRows = 512
	// learnSteps is the number of times that the likelihood may be computed.
	learnSteps = 20
	// firstStep and longestStep are the first and the longest step in the logarithm of a scale.
	firstStep, longestStep = 0.2, 1
	// spread is the precision of the prior of the scales' logarithms around their mean. Under this prior scales
	// differ by factors of about six.
	spread = 0.3
	// startTotal is the initial sum of the scales, which is the t of a coalition with itself. mostTotal is the
	// largest sum: above it, different coalitions are all but uncorrelated, as in noise.
	startTotal, mostTotal = 4, 60
)

// learn returns the covariance under which the values are most likely, with a free common factor. The search starts
// from scales in proportion to typical, the typical sizes of the players' values.
func learn(ctx context.Context, d processData, typical []float64, workers int) (diffusion, error) {
	n := len(typical)
	mean := floats.Norm(typical, 1) / float64(n)
	start := make([]float64, n+1)
	total := 0.0
	for i, v := range typical {
		start[i] = math.Abs(v) + 0.3*mean
		if !(mean > 0) {
			start[i] = 1
		}
		total += start[i]
	}
	for i := range n {
		start[i] = math.Log(start[i] / total * startTotal)
	}
	start[n] = math.Log(3)
	l := &likelihood{ctx: ctx, data: d, workers: workers}
	best := l.descend(start)
	return kernelOf(best), l.failed
}

// descend minimises by steps whose lengths depend on the signs of the gradient alone (Rprop, Riedmiller and Braun
// 1993), returning to the best point where the value has grown. It returns the best point.
func (l *likelihood) descend(x []float64) (best []float64) {
	x = slices.Clone(x)
	best = slices.Clone(x)
	steps, last := make([]float64, len(x)), make([]float64, len(x))
	for i := range steps {
		steps[i] = firstStep
	}
	lowest := math.Inf(1)
	for range learnSteps {
		value, gradient := l.at(x)
		if l.failed != nil {
			break
		}
		if !(value < lowest) {
			copy(x, best)
			for i := range steps {
				steps[i] /= 2
				x[i] -= math.Copysign(steps[i], last[i])
			}
			continue
		}
		lowest = value
		copy(best, x)
		for i, g := range gradient {
			switch turned := g * last[i]; {
			case turned > 0:
				steps[i] = min(1.5*steps[i], longestStep)
			case turned < 0:
				steps[i] /= 2
			}
			last[i] = g
			x[i] -= math.Copysign(steps[i], g)
		}
	}
	return best
}

// kernelOf makes the covariance from the logarithms of the scales and of the linear part.
func kernelOf(x []float64) diffusion {
	n := len(x) - 1
	k := diffusion{scales: make([]float64, n), linear: math.Exp(x[n])}
	for i := range n {
		k.scales[i] = math.Exp(x[i])
	}
	return k
}

// likelihood computes the negative logarithm of the density of the values and of the scales' priors, with its
// gradient.
type likelihood struct {
	ctx     context.Context
	data    processData
	workers int
	failed  error
}

// at returns the value and the gradient at a point. The value is +Inf outside the range of scales, and for a game
// without an odd part.
func (l *likelihood) at(x []float64) (value float64, gradient []float64) {
	value, gradient, err := l.compute(x)
	switch {
	case errors.Is(err, linalg.ErrNotPositive):
	case err != nil:
		l.failed = err
	case gradient != nil && !math.IsNaN(value):
		return value, gradient
	}
	return math.Inf(1), nil
}

func (l *likelihood) compute(x []float64) (value float64, gradient []float64, err error) {
	k := kernelOf(x)
	n, m := len(k.scales), len(l.data.y)
	if total := floats.Sum(k.scales); !(total < mostTotal) || !(total > 1e-6) || math.Abs(x[n]) > 12 {
		return 0, nil, nil
	}
	c, err := l.data.covariance(l.ctx, &k, l.workers)
	if err != nil {
		return 0, nil, err
	}
	factor, err := linalg.NewCholesky(l.ctx, c.matrix, m, l.workers)
	if err != nil {
		return 0, nil, err
	}
	inverse, err := factor.Inverse(l.ctx, l.workers)
	if err != nil {
		return 0, nil, err
	}
	alpha := append([]float64(nil), l.data.y...)
	factor.Solve(alpha)
	fit := floats.Dot(alpha, l.data.y) / float64(m)
	if !(fit > 0) {
		return 0, nil, nil // a game without an odd part
	}
	value = float64(m)/2*math.Log(fit) + factor.LogDiagonal()
	// The derivative of the value by the covariance matrix K is (K⁻¹ - α αᵀ/fit)/2. The nuggets are in proportion to
	// the diagonal.
	slope := inverse
	linear := 0.0
	for i := range m {
		for j := range m {
			w := (slope[i*m+j] - alpha[i]*alpha[j]/fit) / 2
			switch {
			case i == m-1 && i == j:
				w *= 1 + exactNugget
			case i == j:
				w *= 1 + nugget
			}
			t := c.t[i*m+j]
			linear += w * t
			slope[i*m+j] = w * k.slope(t)
		}
	}
	columns := make([]float64, n*m)
	for r := range m {
		for i, s := range l.data.signs[r*n:][:n] {
			columns[i*m+r] = s
		}
	}
	product := make([]float64, m*n)
	if err := linalg.MulTransposed(l.ctx, product, slope, columns, m, n, m, l.workers); err != nil {
		return 0, nil, err
	}
	gradient = make([]float64, n+1)
	for at, v := range product {
		gradient[at%n] += v * l.data.signs[at]
	}
	middle := floats.Sum(x[:n]) / float64(n)
	for i := range n {
		gradient[i] = gradient[i]*k.scales[i] + spread*(x[i]-middle)
		value += spread / 2 * (x[i] - middle) * (x[i] - middle)
	}
	gradient[n] = linear * k.linear
	return value, gradient, nil
}
