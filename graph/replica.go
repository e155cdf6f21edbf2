package graph

import (
	"fmt"
	"sync"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// building serialises what touches Gorgonia's global registries.
var building sync.Mutex

// replica is one copy of a program's graph with its machine.
type replica struct {
	b       *Builder
	vm      G.VM
	fetches []fetch
	nodes   G.Nodes // the fetched ones
}

// fetch is where a replica puts the rows of one fetched node.
type fetch struct {
	name  string
	dtype tensor.Dtype
	shape []int
	sink  sink
}

// sink is a function that copies its input to where the replica wants it.
type sink interface {
	function
	aim(f *field, row, n int)
}

type sinkFn[T float32 | float64 | int] struct {
	leaf
	dst []T
	n   int
}

func (s *sinkFn[T]) aim(f *field, row, n int) {
	s.n = n
	switch dst := any(&s.dst).(type) {
	case *[]float32:
		*dst = f.f32[row*f.size:][:n*f.size]
	case *[]float64:
		*dst = f.f64[row*f.size:][:n*f.size]
	case *[]int:
		*dst = f.ints[row*f.size:][:n*f.size]
	}
}

func (s *sinkFn[T]) forward(_ G.Value, in []G.Value) error {
	size := len(s.dst) / s.n
	switch src := any(in[0]).(type) {
	case interface{ array() array[T] }:
		a := src.array()
		for i := range s.n {
			copy(s.dst[i*size:][:size], a.sample(i))
		}
	default:
		data, err := sliceOf[T](in[0])
		if err != nil {
			return err
		}
		copy(s.dst, data)
	}
	return nil
}

func newSink(n *G.Node) (*G.Node, sink, error) {
	var s sink
	switch n.Dtype() {
	case tensor.Float32:
		s = &sinkFn[float32]{}
	case tensor.Float64:
		s = &sinkFn[float64]{}
	case tensor.Int:
		s = &sinkFn[int]{}
	default:
		return nil, nil, fmt.Errorf("element type %v cannot be fetched", n.Dtype())
	}
	node, err := apply("Fetch", s, n.Dtype(), n.Shape(), n)
	if err != nil {
		return nil, nil, err
	}
	node.Op().(*op).out = &planes[float32]{in: &buffer[float32]{}, shape: tensor.Shape{0, 0, 0, 0}} // nothing reads it
	return node, s, nil
}

func newReplica(m Model, o Options, shared *store) (*replica, error) {
	building.Lock()
	defer building.Unlock()
	b := newBuilder(m, o, shared)
	x := b.inputNode("input", o.Dtype, m.InputShape()...)
	b.input = x
	if b.err == nil {
		if err := m.Build(b, x); err != nil {
			return nil, err
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	if o.From != "" && b.input == x {
		return nil, fmt.Errorf("no node is named %q to start from; there are %q", o.From, b.names)
	}
	for name := range o.Hooks {
		if _, ok := b.nodes[name]; !ok {
			return nil, fmt.Errorf("no node is named %q to hook; there are %q", name, b.names)
		}
	}
	r := &replica{b: b}
	var sinks G.Nodes
	for _, name := range o.Fetch {
		n, err := b.Node(name)
		if err == nil {
			err = b.err
		}
		if err != nil {
			return nil, err
		}
		if n.Dims() == 0 || n.Shape()[0] != o.Batch {
			return nil, fmt.Errorf("%s has shape %v, expected %d samples first", name, n.Shape(), o.Batch)
		}
		sn, s, err := newSink(n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		sinks = append(sinks, sn)
		r.nodes = append(r.nodes, n)
		r.fetches = append(r.fetches, fetch{name, n.Dtype(), n.Shape()[1:], s})
	}
	var inputs G.Nodes
	reached := map[*G.Node]bool{}
	for _, n := range ancestry(sinks) {
		if n.Op() == nil {
			inputs = append(inputs, n)
			reached[n] = true
		}
	}
	if o.From != "" && reached[x] {
		return nil, fmt.Errorf("%q cannot be computed from %q alone", o.Fetch, o.From)
	}
	prog, locations, err := G.CompileFunction(b.g, inputs, sinks)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	opts := []G.VMOpt{G.WithPrecompiled(prog, locations)}
	if o.Device == CUDA {
		opts = append(opts, G.UseCudaFor())
	}
	r.vm = G.NewTapeMachine(b.g, opts...)
	return r, nil
}

// run computes samples lo to hi of the batch, at most as many as the graph takes, into the same rows of the outputs.
func (r *replica) run(batch Batch, lo, hi int, out *Outputs) error {
	n := hi - lo
	fill(r.b.input, batch.X, batch.N, lo, n)
	for name, node := range r.b.extra {
		fill(node, batch.Inputs[name], batch.N, lo, n)
	}
	if r.b.labels != nil {
		labels := r.b.labels.Value().Data().([]int)
		for i := range labels {
			labels[i] = -1
		}
		copy(labels, out.Labels[lo:hi])
	}
	for _, f := range r.fetches {
		f.sink.aim(out.fields[f.name], lo, n)
	}
	err := r.vm.RunAll()
	r.vm.Reset()
	return err
}

// fill copies n samples from the lo-th on into an input node, and zeros behind them.
func fill(node *G.Node, src []float32, samples, lo, n int) {
	size := len(src) / samples
	src = src[lo*size:][:n*size]
	switch dst := node.Value().Data().(type) {
	case []float32:
		clear(dst[copy(dst, src):])
	case []float64:
		clear(dst[len(src):])
		for i, v := range src {
			dst[i] = float64(v)
		}
	}
}
