package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// teamed is a function whose work on one sample several goroutines can share.
type teamed interface{ join(t *kernel.Team) }

// crew lets the operations of a replica share their work.
func (r *replica) crew(threads int) {
	if r.team = kernel.NewTeam(threads); r.team == nil {
		return
	}
	for _, n := range r.order {
		if o, ok := n.Op().(*op); ok {
			if f, ok := o.fn.(teamed); ok {
				f.join(r.team)
			}
		}
	}
}

func (k *packer[T]) join(t *kernel.Team) { k.team = t }

func (f *linearFn[T]) join(t *kernel.Team) { f.team = t }

// loop is a Gorgonia machine for a graph whose operations are all this package's: it runs the order that the graph was
// compiled in and does nothing else. Gorgonia's tape machine looks up a node and binds a value for each instruction,
// runs on a goroutine of its own and waits for it, which takes a tenth of the time of a single small image.
type loop struct {
	steps []loopStep
	value []G.Value // of each node of the order
}

// loopStep is one operation: its node's place in the order and those of its inputs.
type loopStep struct {
	op   *op
	node int
	from []int
	in   []G.Value
}

var _ G.VM = (*loop)(nil)

// newLoop returns nil where an operation is not this package's.
func newLoop(order G.Nodes) *loop {
	l := &loop{value: make([]G.Value, len(order))}
	at := make(map[*G.Node]int, len(order))
	for i, n := range order {
		at[n] = i
		if n.Op() == nil {
			continue
		}
		o, own := n.Op().(*op)
		if !own {
			return nil
		}
		s := loopStep{op: o, node: i}
		for _, c := range children(n) {
			s.from = append(s.from, at[c])
		}
		s.in = make([]G.Value, len(s.from))
		l.steps = append(l.steps, s)
	}
	for i, n := range order {
		if n.Op() == nil {
			l.value[i] = n.Value()
		}
	}
	return l
}

// RunAll runs every operation once.
func (l *loop) RunAll() error {
	for i := range l.steps {
		s := &l.steps[i]
		for j, from := range s.from {
			s.in[j] = l.value[from]
		}
		v, err := s.op.Do(s.in...)
		if err != nil {
			return err
		}
		l.value[s.node] = v
	}
	return nil
}

// Reset does nothing: every run begins anew.
func (*loop) Reset() {}

// Close does nothing.
func (*loop) Close() error { return nil }
