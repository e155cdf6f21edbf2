package posthoc

import "math"

// scale is SCALE of Xu et al. (ICLR 2024): the energy of z exp(s1/s2), with s1 the sum of all features and s2 the sum
// of the k = n - round(n p/100) largest, at least one. No feature is set to 0. Where s1 = s2, for example where all
// features are zero, s1/s2 is 1.
var scale = keepKind("scale", "z times exp(s1/s2), s2 the sum of its largest (100-p) %; energy", "Xu et al., ICLR 2024",
	keepParameter(85, "percentage of features that s2 leaves out"), func(k *keeper, z []float64) {
		_, _, all, kept := k.threshold(z)
		factor := math.Exp(ratio(all, kept))
		for i := range z {
			z[i] *= factor
		}
	})
