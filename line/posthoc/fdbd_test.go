package posthoc_test

import "math"

func init() {
	literals["fdbd"] = func(_ map[string]float64, q problem, i int) float64 {
		l, c := row(q.test.Logits, i, q.test.Classes), predicted(q.test, i)
		var sum, n float64
		for k := range l {
			weights := minus(row(q.head.Weight, c, q.head.FeatureDim), row(q.head.Weight, k, q.head.FeatureDim))
			if distance := math.Sqrt(inner(weights, weights)); k != c && distance > 0 {
				sum += math.Abs(l[c]-l[k]) / distance
				n++
			}
		}
		if n == 0 {
			return 0
		}
		return sum / n / power(minus(row(q.test.Features, i, q.test.FeatureDim), meanOf(q.fit, everyone)), 2)
	}
}
