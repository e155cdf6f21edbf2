package graph

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/cuda"
)

// Device is the place where a program runs: "cpu", "cuda", or "cuda:N" for card N, counted from 0.
type Device string

const (
	// CPU runs goline's kernels for the processor.
	CPU Device = "cpu"
	// CUDA runs goline's kernels for NVIDIA cards on the first of them, in float32. The driver is opened when a program
	// is compiled; nothing else needs to be installed. Values stay on the card between operations. An operation without
	// a kernel for cards runs on the processor: its inputs are copied from the card, and its result is copied back.
	// [Program.Profile] tells which operations those are.
	CUDA Device = "cuda"
)

// Check returns an error for a text that names no device. It does not look whether the machine has the card.
func (d Device) Check() error {
	_, _, err := d.card()
	return err
}

// card returns the index of the card, or false for the processor.
func (d Device) card() (index int, ok bool, err error) {
	if d == CPU || d == "" {
		return 0, false, nil
	}
	name, number, numbered := strings.Cut(string(d), ":")
	if numbered {
		index, err = strconv.Atoi(number)
	}
	if name != string(CUDA) || err != nil || index < 0 {
		return 0, false, fmt.Errorf("device: expected cpu, cuda or cuda:N with the number of a card, got %q", string(d))
	}
	return index, true, nil
}

// accelerator is a card and what a program's replicas keep on it.
type accelerator struct {
	ctx  *cuda.Context
	tf32 bool // convolutions and linear layers run on tensor cores

	mu      sync.Mutex
	blocks  []cuda.Ptr
	pinned  []cuda.Pinned
	streams []*cuda.Stream
	tensors map[*tensor.Dense]*region // values that never change, once for all replicas
	closed  bool
}

// openAccelerator opens the device, nil where it is the processor.
func openAccelerator(d Device) (*accelerator, error) {
	index, ok, err := d.card()
	if err != nil || !ok {
		return nil, err
	}
	driver, err := cuda.Open()
	if err != nil {
		return nil, fmt.Errorf("device %q: %w", d, err)
	}
	ctx, err := driver.NewContext(index)
	if err != nil {
		return nil, fmt.Errorf("device %q: %w", d, err)
	}
	return &accelerator{ctx: ctx, tensors: map[*tensor.Dense]*region{}}, nil
}

// serve prepares the card for a precision, or returns an error where it does not support it. a may be nil.
func (a *accelerator) serve(p Precision) error {
	if p != TF32 {
		return nil
	}
	const generation = 8
	if c := a.ctx.Card(); c.Major < generation {
		return fmt.Errorf("precision %q: device %d, %s: expected compute capability %d.0 or later, got %s", p, c.Index,
			c.Name, generation, c.Capability())
	}
	a.tf32 = true
	return nil
}

func (a *accelerator) alloc(bytes int) (cuda.Ptr, error) {
	p, err := a.ctx.Alloc(bytes)
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.blocks = append(a.blocks, p)
	}
	return p, err
}

func (a *accelerator) allocHost(bytes int) (cuda.Pinned, error) {
	p, err := a.ctx.AllocHost(bytes)
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.pinned = append(a.pinned, p)
	}
	return p, err
}

func (a *accelerator) stream() (*cuda.Stream, error) {
	s, err := a.ctx.NewStream()
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.streams = append(a.streams, s)
	}
	return s, err
}

// close frees everything that was allocated. It may be called again, and on nil.
func (a *accelerator) close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	var errs []error
	for _, s := range a.streams {
		errs = append(errs, s.Close())
	}
	for _, p := range a.blocks {
		errs = append(errs, a.ctx.Free(p))
	}
	for _, p := range a.pinned {
		errs = append(errs, a.ctx.FreeHost(p))
	}
	a.streams, a.blocks, a.pinned, a.tensors = nil, nil, nil, nil
	return errors.Join(append(errs, a.ctx.Close())...)
}

// region is memory on the card. Its address is set once all regions of a replica are known.
type region struct {
	bytes  int
	wanted bool
	at     cuda.Ptr
}
