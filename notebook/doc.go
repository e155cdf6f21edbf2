// Package notebook shows what a program finds where people look at it: under the cell of a GoNB notebook (Go in
// Jupyter), or as files of a folder where the same program runs by itself.
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
// A cell is a short program, so [Show], [Must] and [Check] end it with the error where there is one: the cell then
// fails, and whoever runs the notebook sees it. A program that must go on uses an [Output], whose methods return
// errors.
//
// What [Show] can show: figures and other [io.WriterTo] that write PNG, SVG or HTML; [image.Image], dataset.Image among
// them; results of evaluations (report.Result); a [Table], a [Gallery], [HTML], [Markdown]; anything else as text.
//
// GoNB runs each cell as a program of its own, so values do not live on in the next cell: save what took long (a
// detector with Save, features in the folder of an eval.Extractor) and load it there.
//
// It builds on everything below the commands, and nothing builds on it.
package notebook
