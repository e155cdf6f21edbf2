package graph

import "iter"

// Batch is a stack of samples that enters a program together.
type Batch struct {
	// X holds N samples of the program's input, row-major, for images [batch, channels, height, width],
	// already normalised. The program only reads it. With [Options].BroadcastInput it is one sample for all N.
	X []float32
	// N is the number of samples, at least 1.
	N int
	// Labels holds one class per sample, -1 where it is unknown. Nil means all unknown.
	Labels []int
	// Inputs holds N samples of each further input that the model declared with [Builder.Input], and the one value of
	// an input declared with [Builder.SharedInput].
	Inputs map[string][]float32
	// Bits holds, for each input of n bits that the Builder declared with [Builder.BitInput], N rows of ⌈n/64⌉ words.
	Bits map[string][]uint64
	// Release, if not nil, is called once when the receiver has no further use for X, Labels, Inputs and Bits, so that
	// the producer can fill them again. It may be called from another goroutine. A receiver that never calls it costs
	// only memory; [Program.Run] calls it for every batch that it was given, even where Run fails or its loop ends
	// early.
	Release func()
}

// Batches is a stream of batches. A non-nil error ends the stream.
type Batches = iter.Seq2[Batch, error]
