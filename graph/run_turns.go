package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// turns is a stretch of consecutive operations that the samples of a batch run through one after the other, where maps
// are large and weights few: what one operation writes for a sample is read by the next before other samples have
// pushed it out of the cache, and all samples use the same memory for it. Elsewhere each operation does all samples of
// a batch, so that it reads its weights once for all.
//
// Machines run the operations as always, but all wait for the last one, which then runs them all.
type turns struct {
	steps   []*turnStep // in the order in which they run
	samples int
	nothing G.Value // the value of all operations but the last, which only operations of the stretch read
}

// turnStep is an operation of a stretch.
type turnStep struct {
	op   *op
	from []int // for each input the step that computes it, -1 where none does
	in   []G.Value
	// For each input, a view of one sample of a value from outside of the stretch; nil for other inputs, of which
	// parameters are never read.
	views []*planes[float32]
	out   *planes[float32] // the value for one sample
}

// turnsLeast is the number of elements from which the maps of a batch, together with what else is read and written
// meanwhile, cost more than the operations of a stretch gain by doing all samples at once: 256 KiB. turnsWeights is the
// number of elements of weights that stay in the second-level cache beside maps of whatever size: 128 KiB.
const (
	turnsLeast   = 1 << 16
	turnsWeights = 1 << 15
)

// planTurns finds stretches of operations for samples to take turns at, each with a part whose maps have at least the
// given number of elements in a batch. late names readers of a node beyond those that the graph knows; planTurns adds
// to it.
func planTurns(order G.Nodes, late map[*G.Node]G.Nodes, least int) {
	var nodes G.Nodes // those of operations
	at := make(map[*G.Node]int, len(order))
	for _, n := range order {
		if n.Op() != nil {
			at[n] = len(nodes)
			nodes = append(nodes, n)
		}
	}
	last := make([]int, len(nodes)) // the last reader of each value
	for i, n := range nodes {
		for _, c := range children(n) {
			if j, ok := at[c]; ok {
				last[j] = i
			}
		}
	}
	for n, by := range late {
		if j, ok := at[n]; ok {
			for _, r := range by {
				last[j] = max(last[j], at[r])
			}
		}
	}
	for first := 0; first < len(nodes); {
		end, most := stretch(nodes, last, first)
		if end-first > 1 && most >= least {
			takeTurns(nodes[first:end], late)
		}
		first = max(end, first+1)
	}
}

// stretch returns the end of the longest stretch from the given position on. Of a stretch's values only that of its
// last operation is read behind it. It consists of parts that could be stretches by themselves, each of which has few
// weights or more elements in its maps than in its weights; most is how many elements the maps of the largest have in a
// batch. What writes a part of a buffer can only be the last, since the operation that joins the parts, which reads it,
// is in no stretch.
func stretch(nodes G.Nodes, last []int, first int) (end, most int) {
	end = first
	maps, weights, read := 0, 0, first // read is the last reader of the values before the newest
	for i := first; i < len(nodes); i++ {
		m, w, ok := turnSizes(nodes[i])
		if !ok || goesOn(nodes[i]) && !slices.Contains(nodes[first:i], children(nodes[i])[0]) {
			break
		}
		if maps, weights = maps+m, weights+w; read <= i && m > 0 { // only the last operation of a chain writes
			if weights > max(maps, turnsWeights) {
				break
			}
			end, most = i+1, max(most, maps*nodes[i].Shape()[0])
			maps, weights = 0, 0
		}
		read = max(read, last[i])
	}
	return end, most
}

// goesOn tells whether an operation goes on with a chain of convolutions: the last one then reads, by a way that the
// graph does not know, what the first one does.
func goesOn(n *G.Node) bool {
	o, own := n.Op().(*op)
	if !own {
		return false
	}
	switch o.fn.(type) {
	case chainInner, *chainTail:
		return true
	}
	return false
}

// turnSizes returns the elements that an operation writes for a sample, and those of its weights. It returns false for
// operations that cannot be part of a stretch.
func turnSizes(n *G.Node) (maps, weights int, ok bool) {
	o, own := n.Op().(*op)
	if !own || o.dtype != tensor.Float32 || len(o.shape) != 4 || o.shape[0] < 2 {
		return 0, 0, false
	}
	samples := o.shape[0]
	switch f := o.fn.(type) {
	case *poolFn[float32]:
		if f.indexed {
			return 0, 0, false
		}
	case interface{ packed() *packer[float32] }:
		p := f.packed()
		if !p.parts.frozen || p.parts.bf16 || p.back { // gradients read more than turnInputs tells
			return 0, 0, false
		}
		weights = p.geom.WeightLen()
	default:
		return 0, 0, false
	}
	for _, in := range turnInputs(o) {
		if s := o.in[in].Shape(); len(s) != 4 || s[0] != samples {
			return 0, 0, false
		}
	}
	if o.out != nil && o.out.Size() == 0 { // operations in a chain but its last write nothing
		return 0, weights, true
	}
	return o.shape.TotalSize() / samples, weights, true
}

// turnInputs returns which inputs of an operation that can be part of a stretch have one value for each sample.
func turnInputs(o *op) []int {
	in := []int{0}
	if f, ok := o.fn.(interface{ packed() *packer[float32] }); ok {
		if r := f.packed().at.residual; r >= 0 {
			in = append(in, r)
		}
	}
	return in
}

func (k *packer[T]) packed() *packer[T] { return k }

// takeTurns makes a stretch of operations.
func takeTurns(nodes G.Nodes, late map[*G.Node]G.Nodes) {
	t := &turns{
		samples: nodes[0].Shape()[0],
		nothing: &planes[float32]{in: &buffer[float32]{}, shape: tensor.Shape{0, 0, 0, 0}},
	}
	tail := nodes[len(nodes)-1]
	for _, n := range nodes {
		o := n.Op().(*op)
		s := &turnStep{op: o, in: make([]G.Value, len(o.in)), views: make([]*planes[float32], len(o.in))}
		for _, c := range o.in {
			s.from = append(s.from, slices.Index(nodes, c))
		}
		for _, i := range turnInputs(o) {
			if c := o.in[i]; s.from[i] < 0 {
				s.views[i] = &planes[float32]{in: &buffer[float32]{}, shape: oneOf(c.Shape())}
				if c.Op() != nil {
					late[c] = append(late[c], tail)
				}
			}
		}
		s.out = &planes[float32]{in: &buffer[float32]{n: 1, size: o.shape.TotalSize() / t.samples},
			shape: oneOf(o.shape)}
		t.steps = append(t.steps, s)
		o.turns = t
	}
}

// oneOf returns the shape of one sample of a batch, as a batch of one.
func oneOf(batch tensor.Shape) tensor.Shape {
	s := batch.Clone()
	s[0] = 1
	return s
}

// inner tells whether the operation's value is one that samples take turns to use.
func (t *turns) inner(o *op) bool { return t != nil && t.steps[len(t.steps)-1].op != o }

// size returns the elements of the memory that an operation's value takes.
func (o *op) size() int {
	if n := o.shape.TotalSize(); !o.turns.inner(o) {
		return n
	}
	return o.shape.TotalSize() / o.turns.samples
}

// do notes what an operation of the stretch reads. The last one runs the stretch.
func (t *turns) do(o *op, in []G.Value) (G.Value, error) {
	at := slices.IndexFunc(t.steps, func(s *turnStep) bool { return s.op == o })
	s := t.steps[at]
	copy(s.in, in)
	if at < len(t.steps)-1 {
		return t.nothing, nil
	}
	o.restore()
	if err := t.run(); err != nil {
		return nil, err
	}
	return o.readable()
}

func (t *turns) run() error {
	tail := t.steps[len(t.steps)-1]
	out, err := arrayOf[float32](tail.op.out)
	if err != nil {
		return err
	}
	tail.out.in.data = out.data
	for _, s := range t.steps {
		if s != tail && s.op.slab != nil && s.out.in.data == nil {
			s.out.in.data = cut[float32](s.op.slab, s.op.size())
		}
		for i, v := range s.views {
			if v == nil {
				continue
			}
			a, err := arrayOf[float32](s.in[i])
			if err != nil {
				return fmt.Errorf("%s: input %d: %w", s.op.name, i, err)
			}
			v.in.data, v.in.n, v.in.size = a.data, 1, a.stride
		}
	}
	for sample := range t.samples {
		tail.out.offset = sample * out.stride
		for _, s := range t.steps {
			for i, v := range s.views {
				switch {
				case v != nil:
					v.offset = sample * v.in.size
					s.in[i] = v
				case s.from[i] >= 0:
					s.in[i] = t.steps[s.from[i]].out
				}
			}
			stop := s.op.clock.part(tail.op.clock)
			if err := s.op.fn.forward(s.out, s.in); err != nil {
				return fmt.Errorf("%s: %w", s.op.name, err)
			}
			stop()
		}
	}
	return nil
}
