package posthoc

import "math"

// energy is the energy score of Liu et al. (NeurIPS 2020): T log sum_k exp(l_k / T), the negated free energy.
var energy = Kind{
	Name: "energy", Doc: "T log sum exp(l/T)", Source: "Liu et al., NeurIPS 2020",
	Params: []Parameter{{
		Name: "temperature", Alias: "t", Default: 1, Min: 0, Max: math.MaxFloat32, Open: true,
		Grid: []float64{1, 10, 100, 1000}, Doc: "T",
	}},
	Part: func(p map[string]float64, _ int) (Part, error) {
		return Part{Score: energyScore(p["temperature"])}, nil
	},
}

// energyScore returns the scorer T log sum_k exp(l_k / T) with temperature t.
func energyScore(t float64) Scorer {
	return scoreEach{score: func(_, logits []float64) float64 { return logSumExp(logits, t) }}
}
