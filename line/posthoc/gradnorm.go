package posthoc

import "math"

// gradNorm is GradNorm of Huang, Geng and Li (NeurIPS 2021): the L1 norm of the gradient, with respect to the last
// layer's weights, of the cross-entropy between the predicted probabilities and a target of 1 for each of the K
// classes. The gradient's entry for class k and feature i is (K p_k - 1) z_i, so that the norm is ‖z‖_1 sum_k |K p_k -
// 1|.
var gradNorm = Kind{
	Name: "gradnorm", Doc: "‖z‖_1 sum |K p - 1|", Source: "Huang, Geng and Li, NeurIPS 2021",
	Part: always(Part{Score: scoreEach{score: func(z, logits []float64) float64 {
		var norm, sum float64
		for _, v := range z {
			norm += math.Abs(v)
		}
		s, classes := softmaxOf(logits), float64(len(logits))
		for _, l := range logits {
			sum += math.Abs(float64(classes*math.Exp(s.logP(l))) - 1)
		}
		return norm * sum
	}}}),
}
