package graph

import "iter"

// Batch is a stack of samples that enters a program together.
type Batch struct {
	// X holds N samples of the program's input, row-major, for images [batch, channels, height, width],
	// already normalised. The program never writes to it and does not keep it after the batch has run.
	X []float32
	// N is the number of samples, at least 1.
	N int
	// Labels holds one class per sample, -1 where it is unknown. Nil means all unknown.
	Labels []int
}

// Batches is a stream of batches. A non-nil error ends the stream.
type Batches = iter.Seq2[Batch, error]
