package posthoc

import "math"

// ASH of Djurisic et al. (Extremely Simple Activation Shaping, ICLR 2023) keeps the k = n - round(n p/100) largest
// features of each sample (among equal values those with the lowest indices) and sets the others to 0. The score is
// the energy. ASH-P leaves the kept features as they are, ASH-B sets them to s1/k, and ASH-S multiplies them by
// exp(s1/s2), with s1 the sum of all features and s2 the sum of the kept ones. At least one feature is kept. Where s1
// = s2, for example where all features are zero, s1/s2 is 1.
const ashSource = "Djurisic et al., ICLR 2023"

var ashP = keepKind("ash-p", "the largest (100-p) % of each z kept; energy", ashSource,
	keepParameter(90, "percentage of features set to 0"), func(k *keeper, z []float64) {
		least, equals, _, _ := k.threshold(z)
		prune(z, least, equals, func(v float64) float64 { return v })
	})

var ashB = keepKind("ash-b", "the largest (100-p) % of each z set to their share of sum z; energy", ashSource,
	keepParameter(90, "percentage of features set to 0"), func(k *keeper, z []float64) {
		least, equals, all, _ := k.threshold(z)
		fill := all / float64(k.count(len(z)))
		prune(z, least, equals, func(float64) float64 { return fill })
	})

var ashS = keepKind("ash-s", "the largest (100-p) % of each z kept, times exp(s1/s2); energy", ashSource,
	keepParameter(90, "percentage of features set to 0 (the authors' CIFAR: 95)"), func(k *keeper, z []float64) {
		least, equals, all, kept := k.threshold(z)
		factor := math.Exp(ratio(all, kept))
		prune(z, least, equals, func(v float64) float64 { return v * factor })
	})
