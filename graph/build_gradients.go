package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// children returns the inputs of a node in the order of its operation's arguments.
func children(n *G.Node) G.Nodes {
	if o, ok := n.Op().(*op); ok {
		return o.in
	}
	if n.Graph() == nil {
		return nil
	}
	it := n.Graph().From(n.ID())
	if it == nil {
		return nil
	}
	var out G.Nodes
	for it.Next() {
		out = append(out, it.Node().(*G.Node))
	}
	return out
}

// ancestry lists the nodes that the roots are computed from, each after its inputs.
func ancestry(roots G.Nodes) G.Nodes {
	var order G.Nodes
	seen := map[*G.Node]bool{}
	var visit func(n *G.Node)
	visit = func(n *G.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, c := range children(n) {
			visit(c)
		}
		order = append(order, n)
	}
	for _, r := range roots {
		visit(r)
	}
	return order
}

// Gradients adds to the graph the nodes of d(Σ seeds·outputs)/d wrt, one for each node of wrt and of its shape.
//
// seeds[i] has the shape of outputs[i] and counts as a constant. wrt may be any nodes of the graph, inputs or not.
// Unlike Gorgonia's Backpropagate it leaves no traces in the nodes, so it can be called again for another objective
// over the same nodes.
//
// It is an error when no output depends on a node of wrt, or only through operations without a gradient (an argmax,
// say). Stock operations of Gorgonia differentiate by their own rules, mistakes in those rules included.
func Gradients(outputs, seeds, wrt G.Nodes) (G.Nodes, error) {
	return gradients(outputs, seeds, wrt, false)
}

// gradients is Gradients. With plus, input gradients of convolutions add what their input's gradient has already; a
// program for a card has no such operation.
func gradients(outputs, seeds, wrt G.Nodes, plus bool) (G.Nodes, error) {
	if err := checkObjective(outputs, seeds, wrt); err != nil {
		return nil, fmt.Errorf("gradients: %w", err)
	}
	order := ancestry(outputs)
	b := &backprop{wanted: dependents(order, wrt), total: make(map[*G.Node]*G.Node, len(order)), plus: plus}
	for i, y := range outputs {
		if err := b.receive(y, inGraph(y.Graph(), seeds[i]), Add); err != nil {
			return nil, fmt.Errorf("gradients: %w", err)
		}
	}
	for _, n := range slices.Backward(order) {
		if b.total[n] == nil || !b.wanted[n] {
			continue
		}
		if err := b.spread(n); err != nil {
			return nil, fmt.Errorf("gradients: through %s: %w", n.Name(), err)
		}
	}
	out := make(G.Nodes, len(wrt))
	for i, n := range wrt {
		if out[i] = b.total[n]; out[i] == nil {
			return nil, fmt.Errorf("gradients: no output depends differentiably on %s", n.Name())
		}
	}
	return out, nil
}

func checkObjective(outputs, seeds, wrt G.Nodes) error {
	if len(outputs) == 0 || len(outputs) != len(seeds) {
		return fmt.Errorf("expected a seed for each of %d outputs, got %d", len(outputs), len(seeds))
	}
	for _, ns := range []struct {
		what  string
		nodes G.Nodes
	}{{"output", outputs}, {"seed", seeds}, {"node to differentiate by", wrt}} {
		for i, n := range ns.nodes {
			switch {
			case n == nil:
				return fmt.Errorf("%s %d: expected a node, got nil", ns.what, i)
			case inGraph(outputs[0].Graph(), n).Graph() != outputs[0].Graph():
				return fmt.Errorf("%s %d (%s) is not in the graph of output 0", ns.what, i, n.Name())
			}
		}
	}
	for i, y := range outputs {
		s := seeds[i]
		if !sameShape(y.Shape(), s.Shape()) || y.Dtype() != s.Dtype() {
			return fmt.Errorf("output %d (%s) is of shape %v and %v, its seed of shape %v and %v", i, y.Name(),
				y.Shape(), y.Dtype(), s.Shape(), s.Dtype())
		}
	}
	return nil
}

// dependents returns the nodes of wrt and those whose value depends on them through differentiable inputs.
func dependents(order, wrt G.Nodes) map[*G.Node]bool {
	wanted := make(map[*G.Node]bool, len(order))
	for _, n := range wrt {
		wanted[n] = true
	}
	for _, n := range order {
		if slices.Contains(neededInputs(n, wanted), true) {
			wanted[n] = true
		}
	}
	return wanted
}

// neededInputs tells which inputs of a node are wanted and have a gradient.
func neededInputs(n *G.Node, wanted map[*G.Node]bool) []bool {
	sd, ok := n.Op().(G.SDOp)
	if !ok {
		return nil
	}
	in := children(n)
	need := make([]bool, len(in))
	if !slices.ContainsFunc(in, func(c *G.Node) bool { return wanted[c] }) {
		return need
	}
	copy(need, diffWRT(sd, len(in)))
	for i, c := range in {
		need[i] = need[i] && wanted[c]
	}
	return need
}

// diffWRT asks an operation for which inputs it has a gradient. Some stock operations panic where it has none.
func diffWRT(sd G.SDOp, inputs int) (diff []bool) {
	defer func() {
		if recover() != nil {
			diff = nil
		}
	}()
	return sd.DiffWRT(inputs)
}

// backprop is one pass backward through a graph.
type backprop struct {
	wanted map[*G.Node]bool
	total  map[*G.Node]*G.Node // gradient of each node, complete once all its readers were visited
	plus   bool                // see gradients
}

// receive adds a contribution to the gradient of a node.
func (b *backprop) receive(n, g *G.Node, add func(have, g *G.Node) (*G.Node, error)) error {
	if !sameShape(g.Shape(), n.Shape()) {
		return fmt.Errorf("gradient for %s: expected shape %v, got %v", n.Name(), n.Shape(), g.Shape())
	}
	if have, ok := b.total[n]; ok {
		sum, err := add(have, g)
		if err != nil {
			return err
		}
		g = sum
	}
	b.total[n] = g
	return nil
}

// spread hands the gradient of a node on to its inputs.
func (b *backprop) spread(n *G.Node) error {
	need := neededInputs(n, b.wanted)
	if !slices.Contains(need, true) {
		return nil
	}
	in := children(n)
	gs, err := inputGradients(n, in, b.total[n], need)
	if err != nil {
		return err
	}
	add := Add
	if o, ok := n.Op().(*op); ok && b.plus {
		if f, ok := o.fn.(interface {
			addGradient(have, g *G.Node) (*G.Node, error)
		}); ok {
			add = f.addGradient
		}
	}
	for i, c := range in {
		if !need[i] {
			continue
		}
		if i >= len(gs) || gs[i] == nil {
			return fmt.Errorf("%v returned no gradient for input %d", n.Op(), i)
		}
		if err := b.receive(c, gs[i], add); err != nil {
			return err
		}
	}
	return nil
}

// inputGradients asks an operation, goline's own or a stock one, for the gradients of its inputs.
func inputGradients(n *G.Node, in G.Nodes, grad *G.Node, need []bool) (gs G.Nodes, err error) {
	if o, ok := n.Op().(*op); ok {
		return o.fn.backward(in, n, grad, need)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return n.Op().(G.SDOp).SymDiff(in, n, grad)
}
