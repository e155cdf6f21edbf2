package posthoc

import "math"

var energyParams = []Parameter{{
	Name: "temperature", Default: 1, Min: 0, Max: math.MaxFloat32, Open: true, Grid: []float64{1, 10, 100, 1000}, Doc: "T of T log sum exp(l/T)",
}}

// newEnergy makes the energy score of Liu et al. (NeurIPS 2020): T log sum_k exp(l_k / T), the negated free energy.
func newEnergy(params map[string]float64, workers int) Method {
	t := params["temperature"]
	return logitMethod(base{"energy", params, workers}, func(logits []float32) float64 {
		return logSumExp(logits, t)
	})
}
