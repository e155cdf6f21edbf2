// Package line detects out-of-distribution inputs of an image classifier by LINe: leveraging important neurons
// (Ahn, Park and Kim, CVPR 2023, arXiv 2303.13995).
//
// [Fit] measures how much each penultimate neuron contributes to the logit of each class on training images, by
// gradient × activation in the network's own graph, and derives from it which neurons and weights matter. The
// [Detector] then scores an image by three steps, each of which can be switched off, and takes the log-sum-exp of the
// remaining logits:
//
//   - activation clipping (AC): z ← min(z, δ), with one δ for all neurons as in the paper, or with a percentile of each
//     neuron's own training activations, over all images or over those of each class ([Options.ClipPercentile]);
//   - activation pruning (AP): only the neurons that are important to the predicted class stay;
//   - weight pruning (WP): only the weights of the last layer that are important to the predicted class stay.
//
// All steps, from pixels to score, are part of one Gorgonia graph, so that every intermediate value can be fetched
// and differentiated. Higher scores mean more in-distribution.
//
//	program, err := graph.Compile(net, graph.Options{}) // any nets.Classifier
//	images := dataset.Batches(ctx, train, net.Preprocessing(), dataset.BatchOptions{})
//	det, err := line.Fit(ctx, program, images, line.Options{})
//	err = det.Save("detector.npz") // line.Load reads it, the network with it
//	result, err := det.ScoreImage(ctx, img)
//	fmt.Println(result.Score, result.Prediction, result.OOD)
//	pipe, err := det.Compile(graph.Options{Fetch: []string{line.Score, line.ScoreInputGradient}})
//
// Of this module it imports attribution, attribution/games, dataset, graph, line/conformal, line/posthoc, nets and
// nets/onnx; eval, downstream and the commands are above it.
package line
