package posthoc_test

import "math"

// classOrAll is the mean of the fitted features predicted as the class, or of all where none is predicted as it.
func classOrAll(q problem, c int) []float64 {
	if mean := meanOf(q.fit, func(n int) bool { return predicted(q.fit, n) == c }); mean != nil {
		return mean
	}
	return meanOf(q.fit, everyone)
}

func sign(v float64) float64 {
	if v == 0 {
		return 0
	}
	return math.Copysign(1, v)
}

func init() {
	literals["caref"] = func(_ map[string]float64, q problem, i int) float64 {
		z := row(q.test.Features, i, q.test.FeatureDim)
		far := minus(z, classOrAll(q, predicted(q.test, i)))
		var sum float64
		for _, v := range far {
			sum += math.Abs(v)
		}
		return -sum / power(z, 1)
	}
	literals["cadref"] = func(_ map[string]float64, q problem, i int) float64 {
		z, c := row(q.test.Features, i, q.test.FeatureDim), predicted(q.test, i)
		w := row(q.head.Weight, c, q.head.FeatureDim)
		var up, down, energy float64
		for d, v := range minus(z, classOrAll(q, c)) {
			up += math.Max(v*sign(w[d]), 0)
			down += math.Max(-v*sign(w[d]), 0)
		}
		for n := range q.fit.N {
			energy += stableLSE(row(q.fit.Logits, n, q.fit.Classes)) / float64(q.fit.N)
		}
		own := stableLSE(row(q.test.Logits, i, q.test.Classes))
		for _, e := range []*float64{&energy, &own} {
			if math.Abs(*e) < 1e-12 {
				*e = 1e-12
			}
		}
		return -(up/power(z, 1)/own + down/power(z, 1)/energy)
	}
}

func stableLSE(l []float64) float64 {
	top := l[0]
	for _, v := range l {
		top = math.Max(top, v)
	}
	shifted := make([]float64, len(l))
	for k := range l {
		shifted[k] = l[k] - top
	}
	return top + lse(shifted)
}
