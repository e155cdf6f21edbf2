package posthoc_test

func init() {
	literals["she"] = func(_ map[string]float64, q problem, i int) float64 {
		c := predicted(q.test, i)
		pattern := meanOf(q.fit, func(n int) bool { return q.fit.Labels[n] == c && predicted(q.fit, n) == c })
		if pattern == nil {
			pattern = meanOf(q.fit, func(n int) bool { return q.fit.Labels[n] == c })
		}
		if pattern == nil {
			return 0
		}
		return inner(row(q.test.Features, i, q.test.FeatureDim), pattern)
	}
}
