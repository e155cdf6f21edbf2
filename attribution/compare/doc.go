// Package compare measures how close each estimator gets to the true Shapley values, and at what cost.
//
// A [Study] runs estimators with budgets and seeds on games whose [Truth] is known ([FindTruth] finds it) and gives a
// [Comparison]: errors, rank agreement, interval coverage and cost, with bootstrap bands, as tables, JSON and, through
// [ErrorVersusCost], [Scatter] and [Overlap], as figures. The metrics stand alone as well: [Spearman], [KendallTauB],
// [PrecisionAtK], [Coverage].
//
//	truth, err := compare.FindTruth(ctx, game, attribution.Options{})
//	found, err := compare.Compare(ctx, compare.Study{
//		Subjects:   []compare.Subject{{Name: "picture 7", Game: game, Truth: truth}},
//		Estimators: []attribution.Estimator{estimate.Permutation{Antithetic: true}, estimate.KernelSHAP{}},
//		Budgets:    []float64{1000, 10000}, Seeds: []uint64{1, 2, 3}, // in forward-equivalents
//	})
//	err = found.WriteCells(os.Stdout) // one line of CSV for each estimator and budget
//	figure, err := compare.ErrorVersusCost(found, compare.MSE, compare.Equivalents)
//	_, err = figure.WriteTo(file) // PNG
//
// Of this module it imports attribution and attribution/estimate; the games of a study may come from anywhere.
package compare
