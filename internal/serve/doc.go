// Package serve answers requests over HTTP with a detector's results for pictures and tensors. It has an API of its
// own, the Open Inference protocol (KServe v2) with its binary extension, metrics for Prometheus, and a page to try it
// on.
//
// The body of a request is read within a memory budget, decoded, and put in a bounded queue of images. Runners, as many
// as the program has workers, take batches from the queue: all images that wait, up to the number that a worker runs at
// once. Images that do not fit into the queue are refused with 429 before they are decoded. A model can be replaced
// while requests run: each request finishes with the model that it started with.
//
// It depends on packages line, dataset and graph. The command that opens the listener is above it.
package serve
