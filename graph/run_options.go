package graph

import (
	"fmt"
	"maps"
	"runtime"
	"slices"

	"gorgonia.org/tensor"
)

// Precision is the floating-point format to which the operands of products are rounded.
type Precision string

const (
	// Float32 does not round operands.
	Float32 Precision = "f32"
	// BFloat16 rounds weights and inputs of convolutions to bfloat16, to nearest even, and sums their products in
	// float32. It uses AMX tiles or AVX512_BF16 where the processor has them, and slow portable Go elsewhere. These
	// stay in float32: the first convolution of an image, depthwise convolutions, convolutions of a single pixel,
	// linear layers, everything between layers, gradients, and what a detector adds to a network. With one instruction
	// set the bits depend neither on the batch nor on the workers. AMX and portable Go give the same bits.
	BFloat16 Precision = "bf16"
	// TF32 rounds the operands of convolutions and linear layers, those of a detector included, to TensorFloat-32:
	// float32 with a significand of eleven bits. The tensor cores of a card compute the products exactly and sum them
	// in float32. TF32 needs a card of compute capability 8.0 or later. Depthwise convolutions, attention, gradients
	// and everything between layers stay in float32. On one kind of card the bits depend neither on the batch nor on
	// the workers.
	TF32 Precision = "tf32"
)

// DefaultBatch is the number of small samples that a replica runs at once by default, see [BatchFor]. It is small
// enough for the feature maps of a CIFAR network to stay in a shared cache, and large enough to make the overhead of
// each run of Gorgonia's machine unimportant.
const DefaultBatch = 8

// BatchFor returns the number of samples of the given shape that a replica runs at once by default: DefaultBatch for
// small samples, fewer for larger ones, whose feature maps would take much memory and leave the cache. More would share
// the weights that are read from memory once for all.
func BatchFor(input ...int) int {
	const together = 1 << 20 // elements
	return min(max(together/max(tensor.Shape(input).TotalSize(), 1), 1), DefaultBatch)
}

// The default numbers of samples that a replica on a card runs at once, and of replicas.
const (
	cardBatch   = 64
	cardWorkers = 2
)

// Options says how to compile a model. The zero value is a good choice.
type Options struct {
	// Batch is the number of samples that one replica runs at once; 0 means [BatchFor] its input, a quarter of that in
	// bfloat16, or 64 on a card. Results do not depend on it.
	Batch int
	// Workers is the number of copies of the graph that run side by side, each on one goroutine, all with the same
	// weights; 0 means GOMAXPROCS, or 2 on a card, where one copies while the other computes. Results do not depend on
	// it.
	Workers int
	// Threads is how many goroutines share the operations of one copy: several answer a single image sooner, where
	// more Workers compute more images a second; 0 means 1. Results do not depend on it. What they share is a sample's
	// convolutions and products of matrices in float32 and bfloat16, where the processor has vector code; all else, and
	// everything on a card, runs on one, as does a batch that begins while another copy computes. Behind a batch they
	// look out for the next one for a millisecond, which takes their processors.
	Threads int
	// Fetch names the nodes to return for each batch; nil means the model's Outputs. Only what they need is computed.
	Fetch []string
	// From names the tapped node that batches are fed to; "" means the model's input. What comes before it is not run.
	From string
	// BroadcastInput makes all samples of a batch share one sample of activations at From: the batch's X holds that
	// sample alone. The activations enter the graph as [1, ...] without being copied, and only the hook at From reads
	// them; it returns [batch, ...], as [Mix] does.
	BroadcastInput bool
	// Hooks replaces tapped nodes, by name.
	Hooks map[string]Hook
	// Dtype is the element type of the computation, tensor.Float32 (the default) or tensor.Float64.
	Dtype tensor.Dtype
	// Precision is what convolutions multiply in: Float32 (the default), BFloat16 on the processor, or TF32 on a card.
	Precision Precision
	// Profile measures the time of each kind of operation, for Program.Profile, at a small cost.
	Profile bool
	// Device is CPU (the default), CUDA, or "cuda:N" for card N. On a card Dtype must be float32.
	Device Device

	turnsLeast int // in place of the constant, for tests
}

func (o Options) withDefaults(m Model) (Options, error) {
	_, onCard, err := o.Device.card()
	if err != nil {
		return o, err
	}
	if o.Batch == 0 && onCard {
		o.Batch = cardBatch
	}
	if o.Workers == 0 && onCard {
		o.Workers = cardWorkers
	}
	if o.Batch == 0 {
		if o.Batch = BatchFor(m.InputShape()...); o.Precision == BFloat16 {
			// Products in bfloat16 are so fast that reading feature maps counts, so the maps should stay in a core's
			// own cache.
			o.Batch = max(1, o.Batch/4)
		}
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Fetch == nil {
		o.Fetch = m.Outputs()
	}
	o.Fetch, o.Hooks = slices.Clone(o.Fetch), maps.Clone(o.Hooks)
	if o.Dtype == (tensor.Dtype{}) {
		o.Dtype = tensor.Float32
	}
	if o.Precision == "" {
		o.Precision = Float32
	}
	if o.Device == "" {
		o.Device = CPU
	}
	switch {
	case o.Batch < 0:
		return o, fmt.Errorf("expected a batch of at least 0 samples, got %d", o.Batch)
	case o.Workers < 0:
		return o, fmt.Errorf("expected at least 0 workers, got %d", o.Workers)
	case o.Threads < 0:
		return o, fmt.Errorf("expected at least 0 threads, got %d", o.Threads)
	case len(o.Fetch) == 0:
		return o, fmt.Errorf("expected a node to fetch, got none")
	case o.BroadcastInput && (o.From == "" || o.Hooks[o.From] == nil):
		return o, fmt.Errorf("activations at %q that all samples share need a hook there to read them", o.From)
	case o.Dtype != tensor.Float32 && o.Dtype != tensor.Float64:
		return o, fmt.Errorf("expected element type float32 or float64, got %v", o.Dtype)
	case onCard && o.Dtype != tensor.Float32:
		return o, fmt.Errorf("device %q: expected element type float32, got %v", o.Device, o.Dtype)
	case o.Precision != Float32 && o.Precision != BFloat16 && o.Precision != TF32:
		return o, fmt.Errorf("precision: expected %q, %q or %q, got %q", Float32, BFloat16, TF32, o.Precision)
	case o.Precision == TF32 && !onCard:
		return o, fmt.Errorf("precision %q: expected a card as device, %q or \"cuda:N\", got %q", o.Precision, CUDA,
			o.Device)
	case o.Precision == BFloat16 && o.Dtype != tensor.Float32:
		return o, fmt.Errorf("precision %q: expected element type float32, got %v", o.Precision, o.Dtype)
	case o.Precision == BFloat16 && onCard:
		return o, fmt.Errorf("precision %q: expected the device %q, got %q", o.Precision, CPU, o.Device)
	}
	return o, nil
}
