//go:build cuda

package graph

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/cuda"
)

// CUDAMachine is a copy of a graph on Gorgonia's own CUDA machine, which exists in builds with the tag cuda. Stock
// operations run on device 0: by Gorgonia's kernels, where [G.AddToStdLib] has been given their PTX, and by cuBLAS.
// Between them goline's operations run by goline's kernels for cards, in the memory of Gorgonia's arena. Operations
// without a kernel run on the processor. [Options].Device needs nothing of this and is faster; docs/cuda.md names the
// faults of Gorgonia's machine. A CUDAMachine is not safe for concurrent use, and nothing else may run the original
// graph meanwhile.
type CUDAMachine struct {
	vm      G.VM
	inputs  map[*G.Node]*G.Node // inputs of the copy, by those of the original
	values  []G.Value           // values of the fetched nodes
	place   *placement          // set when the first of goline's operations runs on the card
	ops     []*op
	context *cuda.Context
	blocks  []cuda.Ptr
	pinned  cuda.Pinned
}

// NewCUDAMachine copies the part of a graph that computes the nodes to fetch, of float32 and int, onto Gorgonia's
// machine. The inputs must have values of their shapes when the machine runs. It is an error if there is no card, or if
// the graph has no operation for a card, because Gorgonia's machine fails on such a graph.
func NewCUDAMachine(fetch ...*G.Node) (m *CUDAMachine, err error) {
	driver, err := cuda.Open()
	if err != nil {
		return nil, fmt.Errorf("graph: Gorgonia's CUDA machine: %w", err)
	}
	if cards, err := driver.Cards(); err != nil || len(cards) == 0 {
		return nil, fmt.Errorf("graph: Gorgonia's CUDA machine: %w: the driver finds no card",
			errors.Join(cuda.ErrUnavailable, err))
	}
	building.Lock()
	defer building.Unlock()
	m = &CUDAMachine{inputs: map[*G.Node]*G.Node{}, values: make([]G.Value, len(fetch)), place: &placement{}}
	defer func() {
		if r := recover(); r != nil { // Gorgonia panics where a device or a library does not work
			m, err = nil, fmt.Errorf("graph: Gorgonia's CUDA machine: panic: %v", r)
		}
	}()
	g := G.NewGraph()
	if err := m.copy(g, fetch); err != nil {
		return nil, fmt.Errorf("graph: Gorgonia's CUDA machine: %w", err)
	}
	// The CUDA context that the machine makes current is current on this thread only, and is needed until the kernels
	// are loaded.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m.vm = G.NewTapeMachine(g)
	return m, nil
}

// copy adds to g copies of the fetched nodes and of all nodes that they are computed from, and reads the former.
func (m *CUDAMachine) copy(g *G.ExprGraph, fetch G.Nodes) error {
	copies := map[*G.Node]*G.Node{}
	mirrors := map[*G.Node]*mirror{}
	onCard := 0
	for _, n := range ancestry(fetch) {
		var in G.Nodes
		for _, c := range children(n) {
			in = append(in, copies[c])
		}
		var err error
		own, isOwn := n.Op().(*op)
		switch {
		case isOwn:
			copies[n], err = m.copyOp(own, in, mirrors)
		case n.Op() == nil:
			copies[n] = G.NewTensor(g, n.Dtype(), n.Dims(), G.WithShape(n.Shape()...), G.WithName(n.Name()))
			m.inputs[n] = copies[n]
		case len(in) == 0:
			copies[n] = g.AddNode(G.NewConstant(n.Value(), G.WithName(n.Name())))
		default:
			copies[n], err = G.ApplyOp(n.Op(), in...)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", n.Name(), err)
		}
		if mirrors[copies[n]] == nil {
			mirrors[copies[n]] = newMirror(n.Dtype(), n.Shape())
		}
		if _, ok := copies[n].Op().(G.CUDADoer); ok {
			onCard++
		}
	}
	if onCard == 0 {
		return errors.New("no operation of the graph has a kernel for cards")
	}
	for i, n := range fetch {
		G.Read(copies[n], &m.values[i])
	}
	return nil
}

// copyOp adds a copy of one of goline's operations to the graph of its inputs, in the form for cards if it has one.
func (m *CUDAMachine) copyOp(from *op, in G.Nodes, mirrors map[*G.Node]*mirror) (*G.Node, error) {
	o := &op{
		name: from.name, shape: slices.Clone(from.shape), dtype: from.dtype, in: in, fn: from.fn, kind: from.kind,
		attributes: from.attributes,
		device:     from.device, scratch: from.scratch, value: newMirror(from.dtype, from.shape),
	}
	for _, n := range in {
		o.sources = append(o.sources, mirrors[n])
	}
	o.takeID(in[0].Graph())
	var (
		n   *G.Node
		err error
	)
	if o.form = m.place.choose(o); o.form == nil || len(o.shape) == 0 {
		n, err = G.ApplyOp(o, slices.Clone(in)...)
	} else {
		o.number = len(m.ops)
		m.ops = append(m.ops, o)
		n, err = G.ApplyOp(cudaOp{o, m}, slices.Clone(in)...)
	}
	if err == nil {
		o.node = n
		mirrors[n] = o.value
	}
	return n, err
}

// OnCard returns the names of goline's operations that run on the card, in the order of the graph.
func (m *CUDAMachine) OnCard() []string {
	names := make([]string, len(m.ops))
	for i, o := range m.ops {
		names[i] = o.name
	}
	return names
}

// Run runs the machine once, on the present values of the original graph's inputs, and returns the values of the
// fetched nodes, in the order of [NewCUDAMachine]. The values are valid until the next run.
func (m *CUDAMachine) Run(ctx context.Context) ([]G.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for from, to := range m.inputs {
		v := from.Value()
		if v == nil {
			return nil, fmt.Errorf("graph: input %s has no value", from.Name())
		}
		if err := G.Let(to, v); err != nil {
			return nil, fmt.Errorf("graph: input %s: %w", from.Name(), err)
		}
	}
	defer m.vm.Reset()
	err := m.vm.RunAll()
	if m.context != nil {
		if e := m.place.readStatus(); err == nil && e != nil {
			err = e
		}
	}
	if err != nil {
		return nil, fmt.Errorf("graph: Gorgonia's CUDA machine: %w", err)
	}
	return m.values, nil
}

// Close frees what goline's operations have on the card, then Gorgonia's machine.
func (m *CUDAMachine) Close() error {
	var errs []error
	if m.context != nil {
		for _, p := range m.blocks {
			errs = append(errs, m.context.Free(p))
		}
		errs = append(errs, m.context.FreeHost(m.pinned), m.context.Close())
		m.context, m.blocks = nil, nil
	}
	return errors.Join(append(errs, m.vm.Close())...)
}
