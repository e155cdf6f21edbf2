// Package eval runs whole evaluations, as functions of a context, a network and pictures. It extracts features once
// and keeps them in a folder, fits detectors, scores, compares, and chooses parameters on data that is not the test
// data. The commands, the demo and the downstream study of Shapley estimates are built on it. Package report renders
// its results.
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
// Of this module it imports dataset, graph, line, line/metrics, line/posthoc, line/probe, line/report and nets. It does
// not know flags, nor files other than those in the folder of kept features.
package eval

import _ "github.com/line-ood/goline/line" // registers LINe as a method
