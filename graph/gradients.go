package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// children returns the inputs of a node in the order of its operation's arguments.
func children(n *G.Node) G.Nodes {
	if o, ok := n.Op().(*op); ok {
		return o.in
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
// seeds[i] has the shape of outputs[i]. wrt may be any nodes of the graph, inputs or not. Unlike Gorgonia's Backpropagate it
// leaves no traces in the nodes, so it can be called again for another objective over the same nodes.
//
// It is an error when an output does not depend on a node of wrt, or only through an operation without a gradient
// (an argmax, say).
func Gradients(outputs, seeds, wrt G.Nodes) (G.Nodes, error) {
	if len(outputs) == 0 || len(outputs) != len(seeds) {
		return nil, fmt.Errorf("gradients: %d outputs with %d seeds", len(outputs), len(seeds))
	}
	order := ancestry(outputs)
	// A node is worth differentiating when its value depends on wrt through differentiable inputs.
	wanted := make(map[*G.Node]bool, len(order))
	for _, n := range wrt {
		wanted[n] = true
	}
	for _, n := range order {
		if wanted[n] {
			continue
		}
		sd, ok := n.Op().(G.SDOp)
		if !ok {
			continue
		}
		in := children(n)
		diff := sd.DiffWRT(len(in))
		for i, c := range in {
			if diff[i] && wanted[c] {
				wanted[n] = true
				break
			}
		}
	}
	total := make(map[*G.Node]*G.Node, len(order))
	receive := func(n, g *G.Node) error {
		have, ok := total[n]
		if !ok {
			total[n] = g
			return nil
		}
		sum, err := Add(have, g)
		total[n] = sum
		return err
	}
	for i, y := range outputs {
		if !y.Shape().Eq(seeds[i].Shape()) {
			return nil, fmt.Errorf("gradients: output %d has shape %v, its seed %v", i, y.Shape(), seeds[i].Shape())
		}
		if err := receive(y, seeds[i]); err != nil {
			return nil, err
		}
	}
	isWRT := make(map[*G.Node]bool, len(wrt))
	for _, n := range wrt {
		isWRT[n] = true
	}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		g := total[n]
		if g == nil || !wanted[n] {
			continue
		}
		in := children(n)
		need := make([]bool, len(in))
		any := false
		if sd, ok := n.Op().(G.SDOp); ok {
			diff := sd.DiffWRT(len(in))
			for j, c := range in {
				need[j] = diff[j] && wanted[c]
				any = any || need[j]
			}
		}
		if !any {
			continue
		}
		gs, err := inputGradients(n, in, g, need)
		if err != nil {
			return nil, fmt.Errorf("gradient of %s (%s): %w", n.Name(), n.Op(), err)
		}
		for j, c := range in {
			if need[j] {
				if err := receive(c, gs[j]); err != nil {
					return nil, fmt.Errorf("gradient of %s: %w", c.Name(), err)
				}
			}
		}
	}
	out := make(G.Nodes, len(wrt))
	for i, n := range wrt {
		if total[n] == nil {
			return nil, fmt.Errorf("gradients: no output depends differentiably on %s", n.Name())
		}
		out[i] = total[n]
	}
	return out, nil
}

// inputGradients asks an operation, ours or a stock one, for the gradients of its inputs.
func inputGradients(n *G.Node, in G.Nodes, grad *G.Node, need []bool) (G.Nodes, error) {
	if o, ok := n.Op().(*op); ok {
		return o.fn.backward(in, n, grad, need)
	}
	return n.Op().(G.SDOp).SymDiff(in, n, grad)
}
