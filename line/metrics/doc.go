// Package metrics measures how well scores tell in-distribution (ID) from out-of-distribution (OOD) samples.
//
// Every score is oriented higher = more in-distribution. Scores of the two sets come as []float64, shapes [id] and
// [ood], in any order. Scores of -Inf and +Inf are allowed and ordered; -0 and +0 are one score. A function errors if
// a set is empty or holds a NaN, and then names the set and the index of the first one. Inputs are never written to.
//
//	m, err := metrics.Evaluate(id, ood) // all rates at once
//	fmt.Println(m.FPR95, m.AUROC)
//	low, err := metrics.Bootstrap(ctx, id, ood, 1000, 0.95, 1) // 95 % intervals of 1000 resamples, seed 1
//
// Rates are fractions in [0, 1].
//
// The two false positive rates that go by the name FPR95 in the field have a function each: FPR95 takes ID as the
// positive class, as the code published with LINe, DICE and ReAct does; FPR95OpenOOD takes OOD, as OpenOOD does.
//
// It builds on no other package of the module.
package metrics
