// Package compare finds out which estimator gets how close to the Shapley values at what cost.
//
// A [Study] runs estimators with budgets and seeds on games whose [Truth] is known ([FindTruth] finds it) and gives a
// [Comparison]: errors, rank agreement, interval coverage and cost, with bootstrap bands, as tables, JSON and, through
// [ErrorVersusCost], [Scatter] and [Overlap], as figures. The metrics stand alone as well: [Spearman], [KendallTauB],
// [PrecisionAtK], [Coverage].
//
// It builds on packages attribution and estimate; the games of a study may be anybody's.
package compare
