// Package serve answers over HTTP what a detector says of pictures and tensors: an API of its own, the Open Inference
// protocol (KServe v2) with its binary extension, metrics for Prometheus, and one page to try it on.
//
// A request is read within a budget of memory, decoded, and put in a bounded queue of images, from which as many
// runners as the program has workers take batches: as many images as wait, up to what one worker runs at once. What
// does not fit is refused with 429 before it costs anything. A model is replaced while requests run: each finishes with
// the one it began with.
//
// It depends on packages line, dataset and graph; the command that listens is above it.
package serve
