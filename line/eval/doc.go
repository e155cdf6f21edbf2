// Package eval does the whole job of an evaluation as functions of a context, a network and pictures: extract features
// once, keep them in a folder, fit detectors, score, compare, and choose parameters on data that is not the test data.
// The commands, the demo and the downstream study of Shapley estimates run through it; package report renders what it
// returns.
//
//	x, err := eval.NewExtractor(net, eval.Options{})
//	fit, err := x.Samples(ctx, "fit", fitPictures)
//	id, err := x.Samples(ctx, "id", testPictures)
//	ood, err := x.Samples(ctx, "svhn", otherPictures)
//	line, err := posthoc.New("line", posthoc.Options{})
//	r, err := eval.Run(ctx, eval.Data{
//		Head: nets.HeadOf(net), Fit: eval.Set{Samples: fit}, ID: eval.Set{Samples: id},
//		OOD: []eval.Set{{Name: "svhn", Samples: ood}},
//	}, []posthoc.Method{line}, eval.RunOptions{})
//	table, err := r.Report(net.Name(), report.Weights{}).Table(report.Text, false)
//
// It may call everything below it (line, posthoc, metrics, report, dataset, nets, graph), and knows nothing of flags or
// files but the folder of kept features.
package eval

import _ "github.com/line-ood/goline/line" // registers LINe as a method
