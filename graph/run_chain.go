package graph

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// chainHead stands for the first convolution of a chain (see chainConvs). It passes its input on, and the last
// convolution runs the whole chain.
type chainHead struct {
	*convFn[float32]
	link *chainLink
}

// chainInner stands for a convolution in the middle of a chain.
type chainInner struct{ *convFn[float32] }

// chainTail is the last convolution of a chain, which runs all of it.
type chainTail struct {
	*convFn[float32]
	link *chainLink
	work int // floating-point operations of all convolutions for one sample
	name string
	in   []G.Value
}

// chainLink is shared by the convolutions of a chain.
type chainLink struct {
	chain *kernel.Chain[float32]
	x     G.Value // the input of the first convolution
}

func (h chainHead) forward(_ G.Value, in []G.Value) error {
	h.link.x = in[0]
	return nil
}

func (chainInner) forward(G.Value, []G.Value) error { return nil }

func (t *chainTail) forward(out G.Value, in []G.Value) error {
	t.in = append(t.in[:0], in...)
	t.in[0] = t.link.x
	return t.convFn.forward(out, t.in)
}

func (t *chainTail) runAll(c *call[float32]) error {
	var residual array[float32]
	if r := t.at.residual; r >= 0 {
		residual = c.in[r]
	}
	chain := t.link.chain
	work := take[float32](t.parts.scratch, chain.TeamScratchLen(t.team))
	chain.ForwardTeam(t.team, c.out.data, c.in[0].data, residual.data, c.out.n, c.out.stride, c.in[0].stride,
		residual.stride, work)
	return nil
}

// chainConvs finds chains: the pointwise, depthwise and pointwise convolutions of an inverted residual, or up to three
// convolutions in bfloat16, where nothing else reads the values in between. One operation then runs the whole chain, so
// that these values stay in the processor's cache. chainConvs returns, for each node that a chain reads, the nodes that
// read it later than the edges of the graph tell.
func chainConvs(order G.Nodes) map[*G.Node]G.Nodes {
	readers := make(map[*G.Node]int, len(order))
	for _, n := range order {
		for _, c := range children(n) {
			readers[c]++
		}
	}
	// conv returns the convolution of a node that can be part of a chain, or nil. With inner it must have one reader
	// only, no residual, and no place in a buffer.
	conv := func(n *G.Node, inner bool) *convFn[float32] {
		o, ok := n.Op().(*op)
		if !ok {
			return nil
		}
		f, ok := o.fn.(*convFn[float32])
		if !ok || !f.parts.frozen || f.conv == nil || f.parts.scratch == nil || inner &&
			(readers[n] != 1 || f.at.residual >= 0 || o.out != nil) {
			return nil
		}
		return f
	}
	late := map[*G.Node]G.Nodes{}
	for _, last := range slices.Backward(order) {
		f := conv(last, false)
		if f == nil {
			continue
		}
		nodes, fns := G.Nodes{last}, []*convFn[float32]{f}
		for len(nodes) < 3 {
			before := children(nodes[0])[0]
			f := conv(before, true)
			if f == nil {
				break
			}
			nodes, fns = slices.Insert(nodes, 0, before), slices.Insert(fns, 0, f)
		}
		for ; len(nodes) > 1; nodes, fns = nodes[1:], fns[1:] {
			x := children(nodes[0])[0]
			if _, own := x.Op().(*op); !own && x.Op() != nil {
				continue // its memory belongs to a stock operation
			}
			var convs []*kernel.Conv[float32]
			for _, f := range fns {
				convs = append(convs, f.conv)
			}
			chain, faster := kernel.NewChain(convs...)
			if !faster {
				continue
			}
			link(nodes, fns, chain)
			late[x] = append(late[x], last)
			break
		}
	}
	return late
}

// link makes the convolutions of the nodes into a chain.
func link(nodes G.Nodes, fns []*convFn[float32], chain *kernel.Chain[float32]) {
	l := &chainLink{chain: chain}
	last := len(nodes) - 1
	tail := &chainTail{convFn: fns[last], link: l, name: "Conv2D"}
	for i, n := range nodes {
		o := n.Op().(*op)
		tail.work += fns[i].flops()
		if i == 0 {
			tail.name += " " + fns[i].window()
		} else {
			tail.name += "→" + fns[i].window()
		}
		switch i {
		case 0:
			o.fn = chainHead{fns[i], l}
		case last:
			tail.floatFn.run = tail.runAll
			o.fn = tail
			continue
		default:
			o.fn = chainInner{fns[i]}
		}
		// an empty value, because nothing reads it
		o.out, o.clock = &planes[float32]{in: &buffer[float32]{}, shape: tensor.Shape{0, 0, 0, 0}}, nil
	}
}
