package posthoc_test

func init() {
	literals["nci"] = func(params map[string]float64, q problem, i int) float64 {
		z := row(q.test.Features, i, q.test.FeatureDim)
		centred := minus(z, meanOf(q.fit, everyone))
		w := row(q.head.Weight, predicted(q.test, i), q.head.FeatureDim)
		var size float64
		for _, v := range z {
			size += max(v, -v)
		}
		return inner(w, centred)/power(centred, 2) + params["a"]*size
	}
}
