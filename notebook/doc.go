// Package notebook shows a program's results: under the cell of a GoNB notebook (Go in Jupyter), or as files in a
// folder when the same program runs outside of a notebook.
//
//	ctx := context.Background()
//	progress := notebook.NewProgress("features")
//	x := notebook.Must(eval.NewExtractor(net, eval.Options{Progress: progress.Update})) // a bar that moves
//	id := notebook.Must(x.Samples(ctx, "id", pictures))
//	…
//	result := notebook.Must(eval.Run(ctx, data, methods, eval.RunOptions{}))
//	notebook.Show(result.Report(net.Name(), report.Weights{}))        // a table
//	notebook.Show(notebook.Must(report.Histograms(result.Scores[0]))) // a figure
//	found := notebook.Must(eval.Extremes(set, pictures, "line", scores, head, eval.ExtremeOptions{}))
//	notebook.Show(notebook.GalleryOf(found)) // the pictures that look most and least known
//
// A cell is a short program. [Show], [Must] and [Check] therefore end the program on an error, which makes the cell
// fail visibly. A program that must continue uses an [Output], whose methods return errors.
//
// [Show] shows figures and other [io.WriterTo] that write PNG, SVG or HTML; any [image.Image], for example a
// dataset.Image; results of evaluations (report.Result); a [Table], a [Gallery], [HTML], [Markdown]; and anything
// else as text.
//
// GoNB runs each cell as a separate program, so that values are lost when a cell ends. Save what took long to compute
// (a detector with Save, features in the folder of an eval.Extractor) and load it in the next cell.
//
// Of this module it imports attribution/compare, line/eval and line/report, and no package imports it.
package notebook
