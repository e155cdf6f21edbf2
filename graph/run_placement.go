package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/cuda"
)

// placement is the part of one replica that lies on a card: a mirror of each value, and a stream that runs the
// replica's operations.
type placement struct {
	card    *accelerator
	stream  *cuda.Stream
	values  map[*G.Node]*mirror
	order   G.Nodes
	ops     []*op // by the number under which kernels report errors
	regions map[any]*region
	scratch region // working memory, used by one operation after the other
	args    cuda.Args
	apart   bool           // each region has an allocation of its own
	pending []func() error // work for the host when the card has finished

	status   region // where kernels report classes and rows that do not exist
	reported []int64
}

// deviceForm says how an operation runs on a card.
type deviceForm struct {
	run  func(c *deviceCall) error
	flat bool // inputs must be contiguous

	table []int // a table for the kernels beside the inputs, nil for none
}

// onCard gives an operation that has just been added its form for cards.
func onCard(run func(c *deviceCall) error) func(*G.Node, error) (*G.Node, error) {
	return attached(&deviceForm{run: run})
}

// onCardFlat is onCard for a form whose inputs must be contiguous.
func onCardFlat(run func(c *deviceCall) error) func(*G.Node, error) (*G.Node, error) {
	return attached(&deviceForm{run: run, flat: true})
}

// onCardTable is onCard for a form whose kernels read a table, see [deviceCall.table].
func onCardTable(table []int, run func(c *deviceCall) error) func(*G.Node, error) (*G.Node, error) {
	return attached(&deviceForm{run: run, table: table})
}

func attached(f *deviceForm) func(*G.Node, error) (*G.Node, error) {
	return func(n *G.Node, err error) (*G.Node, error) {
		if err == nil {
			n.Op().(*op).device = f
		}
		return n, err
	}
}

// placeable is a function that knows its form for cards; nil means that it has none.
type placeable interface{ deviceForm() *deviceForm }

// stateful is a function whose form keeps something on the card between operations, such as the statistics of a norm.
type stateful interface {
	// reserve asks for memory by calling state, and for working memory that all operations use in turn by calling
	// scratch.
	reserve(state func(bytes int) *region, scratch func(bytes int) *region)
}

// fetcher is a function that hands its input to the host.
type fetcher interface {
	function
	fetches()
}

func (*sinkFn[T]) fetches() {}
func (*shardSink) fetches() {}

// newPlacement chooses where the operations of a graph run.
func newPlacement(card *accelerator, order G.Nodes) (*placement, error) {
	p := &placement{card: card, values: make(map[*G.Node]*mirror, len(order)), order: order, regions: map[any]*region{}}
	var err error
	if p.stream, err = card.stream(); err != nil {
		return nil, err
	}
	for _, n := range order {
		m := newMirror(n.Dtype(), n.Shape())
		if o, ok := n.Op().(*op); ok {
			m.host = func() (G.Value, error) { o.restore(); return o.out, nil }
			o.place, o.value, o.number = p, m, len(p.ops)
			p.ops = append(p.ops, o)
			if at, ok := o.out.(*planes[float32]); ok {
				m.stride, m.offset = at.in.size, at.offset
			}
		} else if n.Op() == nil {
			m.host = func() (G.Value, error) { return n.Value(), nil }
		} else {
			m.host = func() (G.Value, error) { return m.given, nil }
		}
		p.values[n] = m
	}
	for _, o := range p.ops {
		o.sources, o.hosts = make([]*mirror, len(o.in)), make([]G.Value, len(o.in))
		for i, in := range o.in {
			o.sources[i] = p.values[in]
		}
		o.form = p.choose(o)
		if o.form == nil {
			continue
		}
		for _, m := range append(o.sources, o.value) {
			p.regionOf(m).wanted = true
		}
	}
	return p, nil
}

// choose returns the form in which the operation runs on the card, nil for an operation that runs on the processor.
func (p *placement) choose(o *op) *deviceForm {
	f := o.device
	if own, ok := o.fn.(placeable); ok && f == nil {
		f = own.deviceForm()
	}
	if f == nil {
		return nil
	}
	const most = 1<<31 - 1 // the most elements that kernels can number
	for _, m := range append(o.sources, o.value) {
		// m.stride counts even where there is one sample: the batch size must not decide where an operation runs.
		if m == nil || !m.known() || f.flat && m.stride != m.size ||
			m.n*m.size > most {
			return nil
		}
	}
	return f
}

// regionOf returns the region that a value lies in.
func (p *placement) regionOf(m *mirror) *region {
	if m.in == nil {
		m.in = &region{bytes: m.bytes()}
	}
	return m.in
}

// allocate allocates all regions, once it is known which values share one, and uploads the values that never change.
func (p *placement) allocate(fixed func(*G.Node) bool) error {
	var all []*region
	seen := map[*region]bool{}
	add := func(r *region) {
		if r.wanted && !seen[r] {
			seen[r] = true
			all = append(all, r)
		}
	}
	for _, n := range p.order {
		m := p.values[n]
		if m.in == nil || !m.in.wanted {
			continue
		}
		if o, ok := n.Op().(*op); ok {
			p.share(o, m)
		} else if n.Op() == nil && fixed(n) {
			if err := p.uploadFixed(n, m); err != nil {
				return fmt.Errorf("%s: %w", n.Name(), err)
			}
			continue
		}
		add(m.in)
	}
	for _, o := range p.ops {
		if o.form != nil && o.scratch > 0 {
			p.scratch.bytes, p.scratch.wanted = max(p.scratch.bytes, o.scratch), true
		}
		if o.form != nil && o.form.table != nil {
			o.table = &region{bytes: 8 * len(o.form.table), wanted: true}
			add(o.table)
		}
		if s, ok := o.fn.(stateful); ok && o.form != nil {
			s.reserve(func(bytes int) *region {
				r := &region{bytes: bytes, wanted: true}
				add(r)
				return r
			}, func(bytes int) *region {
				p.scratch.bytes, p.scratch.wanted = max(p.scratch.bytes, bytes), true
				return &p.scratch
			})
		}
	}
	add(&p.scratch)
	p.status = region{bytes: 4 * 8, wanted: true}
	add(&p.status)
	if err := p.lay(all); err != nil {
		return err
	}
	for _, o := range p.ops {
		if err := o.uploadTable(p.stream); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	raw, err := p.card.allocHost(p.status.bytes)
	if err != nil {
		return err
	}
	p.reported = cuda.Slice[int64](raw, 4)
	if err := p.stream.Zero(p.status.at, p.status.bytes); err != nil {
		return err
	}
	return p.stream.Sync()
}

// uploadTable queues the copy of the operation's table to the card.
func (o *op) uploadTable(s *cuda.Stream) error {
	if o.table == nil {
		return nil
	}
	return cuda.Upload(s, o.table.at, o.form.table)
}

// lay gives regions their addresses: all in one allocation or, where that helps to find mistakes, each in its own.
func (p *placement) lay(all []*region) error {
	const align = 256
	total := 0
	for _, r := range all {
		total += (r.bytes + align - 1) / align * align
		if p.apart {
			var err error
			if r.at, err = p.card.alloc(r.bytes); err != nil {
				return err
			}
		}
	}
	if p.apart {
		return nil
	}
	base, err := p.card.alloc(total)
	if err != nil {
		return err
	}
	for _, r := range all {
		r.at = base
		base = base.Add((r.bytes + align - 1) / align * align)
	}
	return nil
}

// share puts values that share a slab or a dense block's buffer on the processor into one region.
func (p *placement) share(o *op, m *mirror) {
	var (
		key   any
		bytes int
	)
	switch at, ok := o.out.(*planes[float32]); {
	case ok:
		key, bytes = at.in, 4*at.in.n*at.in.size
	case o.slab != nil:
		key, bytes = o.slab, 4*o.slab.size
	default:
		return
	}
	r := p.regions[key]
	if r == nil {
		r = &region{bytes: bytes, wanted: true}
		p.regions[key] = r
	}
	m.in = r
}

// uploadFixed copies a tensor that never changes to the card, once for all replicas.
func (p *placement) uploadFixed(n *G.Node, m *mirror) error {
	key, ok := n.Value().(*tensor.Dense)
	if !ok {
		return fmt.Errorf("fixed value: expected a tensor, got %T", n.Value())
	}
	m.fixed, m.onHost = true, true
	if r := p.card.tensors[key]; r != nil {
		m.in, m.onCard = r, true
		return nil
	}
	at, err := p.card.alloc(m.bytes())
	if err != nil {
		return err
	}
	m.in.at = at
	if err := m.upload(p.stream); err != nil {
		return err
	}
	p.card.tensors[key] = m.in
	return p.stream.Sync()
}

// pin puts the value of an input that each run fills into pinned memory.
func (p *placement) pin(n *G.Node) error {
	v, raw, err := p.pinned(n.Dtype(), n.Shape())
	if err != nil || v == nil {
		return err
	}
	p.values[n].raw = raw
	return G.Let(n, v)
}

// pinned returns a tensor in pinned memory, nil for an element type that cards do not support.
func (p *placement) pinned(dtype tensor.Dtype, shape tensor.Shape) (*tensor.Dense, cuda.Pinned, error) {
	m := newMirror(dtype, shape)
	if !m.known() {
		return nil, cuda.Pinned{}, nil
	}
	raw, err := p.card.allocHost(m.bytes())
	if err != nil {
		return nil, raw, err
	}
	var backing any
	switch dtype {
	case tensor.Int:
		backing = cuda.Slice[int](raw, m.n*m.size)
	case tensor.Uint64:
		backing = cuda.Slice[uint64](raw, m.n*m.size)
	default:
		backing = cuda.Slice[float32](raw, m.n*m.size)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing)), raw, nil
}
