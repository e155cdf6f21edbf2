package graph

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/invariant"
	"github.com/line-ood/goline/internal/kernel"
)

// building lets one goroutine at a time use Gorgonia's global registries.
var building sync.Mutex

// replica is one copy of a program's graph with its machine.
type replica struct {
	b       *Builder
	vm      G.VM
	fetches []fetch
	nodes   G.Nodes // the fetched nodes
	order   G.Nodes // all nodes that run, inputs first
	place   *placement
	team    *kernel.Team  // nil for one goroutine
	busy    *atomic.Int32 // replicas of the program that run
}

// fetch is the destination of the rows of one fetched node.
type fetch struct {
	name  string
	dtype tensor.Dtype
	shape []int
	sink  sink
}

// sink is a function that copies its input to the outputs of the replica's batch.
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

func newReplica(m Model, o Options, shared *store, card *accelerator) (*replica, error) {
	building.Lock()
	defer building.Unlock()
	b := newBuilder(m.Params(), o, shared)
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
		return nil, fmt.Errorf("%w %q to start from; there are %q", errNotTapped, o.From, b.tapped())
	}
	for name := range o.Hooks {
		if b.taps[name] == nil {
			return nil, fmt.Errorf("no tapped node is named %q to hook; there are %q", name, b.tapped())
		}
	}
	r := &replica{b: b}
	var (
		sinks G.Nodes
		err   error
	)
	for _, name := range o.Fetch {
		n, err := b.Node(name)
		if err != nil {
			return nil, err
		}
		if n.Dims() == 0 || n.Shape()[0] != o.Batch {
			return nil, fmt.Errorf("%s: expected the %d samples of the batch first, got shape %v", name, o.Batch,
				n.Shape())
		}
		sn, s, err := newSink(n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		sinks = append(sinks, sn)
		r.nodes = append(r.nodes, n)
		r.fetches = append(r.fetches, fetch{name, n.Dtype(), n.Shape()[1:], s})
	}
	r.order = ancestry(sinks)
	if o.From != "" && slices.Contains(r.order, x) {
		return nil, fmt.Errorf("%q cannot be computed from %q alone", o.Fetch, o.From)
	}
	for _, inputs := range []map[string]*G.Node{b.extra, b.bits} {
		for name, n := range inputs {
			if !slices.Contains(r.order, n) {
				delete(inputs, name) // batches need not bring it
			}
		}
	}
	if err := b.settle(r.order); err != nil {
		return nil, err
	}
	if card != nil {
		if r.place, err = newPlacement(card, r.order); err != nil {
			return nil, err
		}
	}
	if err := r.takeParams(); err != nil {
		return nil, err
	}
	shared.pack()
	return r, r.compile(o, sinks)
}

// takeParams makes the replica independent of later changes of the model's parameters: operations that can pack their
// parameters do so, and parameters that other operations read are copied.
func (r *replica) takeParams() error {
	fixed := make(map[*G.Node]bool, len(r.b.fixed))
	for _, n := range r.b.fixed {
		fixed[n] = true
	}
	isFixed := func(n *G.Node) bool { return fixed[n] }
	for _, n := range r.order {
		if o, ok := n.Op().(*op); ok {
			if o.form != nil {
				continue // its inputs are copied to the card
			}
			if f, ok := o.fn.(freezer); ok {
				if done, err := f.freeze(o.in, isFixed, r.b.shared); err != nil {
					return fmt.Errorf("%s: %w", o.name, err)
				} else if done {
					continue
				}
			}
		}
		for _, in := range children(n) {
			if p := r.b.paramOf[in]; p != nil && in.Value() == p.Value {
				if err := r.copyParam(in, p); err != nil {
					return fmt.Errorf("parameter %s: %w", p, err)
				}
			}
		}
	}
	return nil
}

// copyParam gives the node of a parameter a copy of its value, which all replicas share.
func (r *replica) copyParam(n *G.Node, p *Param) error {
	t, err := r.b.shared.tensor(fixedKey{"copy", p.Name}, func() (*tensor.Dense, error) {
		return p.Value.Clone().(*tensor.Dense), nil
	})
	if err != nil {
		return err
	}
	return G.Let(n, t)
}

// compile makes the machine that runs the operations up to the sinks.
func (r *replica) compile(o Options, sinks G.Nodes) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("compile: panic: %v", p)
		}
	}()
	var inputs G.Nodes
	hashes := make(map[uint32]*G.Node, len(r.order))
	for _, n := range r.order {
		if n.Op() == nil {
			inputs = append(inputs, n)
		}
		// The hashes of this package's operations are unique when they are added, but a stock operation that is added
		// later can have the same hash as one of them.
		if twin := hashes[n.Hashcode()]; twin != nil {
			return fmt.Errorf("compile: %s and %s have the same hash, so Gorgonia would merge them; rename an input",
				twin.Name(), n.Name())
		}
		hashes[n.Hashcode()] = n
	}
	if len(inputs) == 0 {
		return fmt.Errorf("%q depend on no input", o.Fetch)
	}
	prog, locations, err := G.CompileFunction(r.b.g, inputs, sinks)
	if err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	opts := []G.VMOpt{G.WithPrecompiled(prog, locations)}
	if o.Profile {
		for _, n := range r.order {
			if own, ok := n.Op().(*op); ok {
				own.clock = &clock{}
			}
		}
	}
	var late map[*G.Node]G.Nodes
	if r.place == nil {
		late = chainConvs(r.order)
		planTurns(r.order, late, cmp.Or(o.turnsLeast, turnsLeast))
	}
	planMemory(r.order, late)
	if r.place != nil {
		if err := r.moveIn(); err != nil {
			return err
		}
	}
	if r.crew(o.Threads); r.team != nil && r.place == nil {
		if l := newLoop(r.order); l != nil {
			r.vm = l
			return nil
		}
	}
	r.vm = G.NewTapeMachine(r.b.g, opts...)
	return nil
}

// run computes samples lo to hi of the batch, at most as many as the graph takes, into the same rows of the outputs.
func (r *replica) run(batch Batch, lo, hi int, out *Outputs) error {
	n := hi - lo
	defer r.busy.Add(-1)
	if r.busy.Add(1) == 1 { // other samples under way keep the processors busy
		r.team.Start() // helpers wake while the inputs are copied
		defer r.team.End()
	}
	if err := r.feed(r.b.input, batch.X, batch.N, lo, n); err != nil {
		return err
	}
	for name, node := range r.b.extra {
		if err := r.feed(node, batch.Inputs[name], batch.N, lo, n); err != nil {
			return err
		}
	}
	for name, node := range r.b.bits {
		dst, per := node.Value().Data().([]uint64), node.Shape()[1]
		repeatLast(dst, copy(dst, batch.Bits[name][lo*per:hi*per]), per)
	}
	if r.b.labels != nil {
		labels := r.b.labels.Value().Data().([]int)
		repeatLast(labels, copy(labels, out.Labels[lo:hi]), 1)
	}
	for _, f := range r.fetches {
		f.sink.aim(out.fields[f.name], lo, n)
	}
	if err := r.runAll(); err != nil {
		return fmt.Errorf("samples %d to %d: %w", lo, hi-1, err)
	}
	return nil
}

// runAll runs all operations once.
func (r *replica) runAll() error {
	if r.place != nil {
		r.place.begin()
	}
	r.poison()
	err := r.vm.RunAll()
	r.vm.Reset()
	if err != nil {
		err = r.cause(err)
	}
	if r.place != nil {
		err = r.place.finish(err)
	}
	return err
}

// moveIn allocates the replica's memory on the card.
func (r *replica) moveIn() error {
	fixed := make(map[*G.Node]bool, len(r.b.fixed))
	for _, n := range r.b.fixed {
		fixed[n] = r.b.training == nil || r.b.paramOf[n] == nil // training changes parameters
	}
	if err := r.place.allocate(func(n *G.Node) bool { return fixed[n] }); err != nil {
		return err
	}
	for _, n := range r.order {
		if m := r.place.values[n]; n.Op() == nil && r.b.isBatchInput(n) && r.b.shareds[n] == nil && m.in != nil &&
			m.in.wanted {
			if err := r.place.pin(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// poison overwrites the memory that operations share, in builds that check invariants, so that an operation which reads
// what none has written in this run is noticed.
func (r *replica) poison() {
	if !invariant.On {
		return
	}
	for _, n := range r.order {
		if o, ok := n.Op().(*op); ok && o.slab != nil {
			invariant.Poison(o.slab.memory)
		}
	}
	invariant.Poison(r.b.scratch.f32)
	invariant.Poison(r.b.scratch.f64)
}

// cause returns the error of this package's operation that failed, if one did: the machine's error err holds it only as
// text.
func (r *replica) cause(err error) error {
	for _, n := range r.order {
		if o, ok := n.Op().(*op); ok && o.fail != nil {
			err, o.fail = o.fail, nil
			return err
		}
	}
	return err
}

// feed gives an input node its values for n samples, from sample lo on, or the one value that all samples share.
func (r *replica) feed(node *G.Node, src []float32, samples, lo, n int) error {
	if s := r.b.shareds[node]; s != nil {
		return s.take(src)
	}
	fill(node, src, samples, lo, n)
	return nil
}

// fill copies n samples, from sample lo on, into an input node. Where the node takes more samples the last one is
// repeated, so that the padding is as valid as the samples are (finite values, known classes).
func fill(node *G.Node, src []float32, samples, lo, n int) {
	size := len(src) / samples
	src = src[lo*size:][:n*size]
	switch dst := node.Value().Data().(type) {
	case []float32:
		repeatLast(dst, copy(dst, src), size)
	case []float64:
		for i, v := range src {
			dst[i] = float64(v)
		}
		repeatLast(dst, len(src), size)
	}
}

// repeatLast fills dst from the given position on with repetitions of the size elements before it.
func repeatLast[T any](dst []T, from, size int) {
	for ; from < len(dst); from += size {
		copy(dst[from:], dst[from-size:from])
	}
}
