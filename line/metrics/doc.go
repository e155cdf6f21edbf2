// Package metrics measures how well scores tell in-distribution (ID) from out-of-distribution (OOD) samples.
//
// Every score is oriented higher = more in-distribution. The scores of the two sets are []float64 of shapes [id] and
// [ood], in any order. Scores of -Inf and +Inf are allowed and ordered; -0 and +0 are the same score. A set that is
// empty or holds a NaN is an error, which names the set and the index of the first NaN. Functions never write to
// their inputs.
//
//	m, err := metrics.Evaluate(id, ood) // all rates at once
//	fmt.Println(m.FPR95, m.AUROC)
//	low, err := metrics.Bootstrap(ctx, id, ood, 1000, 0.95, 1) // 95 % intervals of 1000 resamples, seed 1
//
// Rates are fractions in [0, 1].
//
// Two different false positive rates are called FPR95 in the field, and each has its own function. FPR95 takes ID as
// the positive class, as the code published with LINe, DICE and ReAct does; FPR95OpenOOD takes OOD, as OpenOOD does.
//
// Of this module it imports no public package.
package metrics
