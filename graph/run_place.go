package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// Placed is a graph that its user built, rather than a [Program], whose operations run on a device.
type Placed struct {
	card  *accelerator
	place *placement
}

// Place makes the operations of package graph run on a device in a finished graph that has no machine yet. Stock
// operations run on the processor as ever. The graph must be of float32 and int. From then until Close, only
// [Placed.Run] may run the graph.
func Place(g *G.ExprGraph, d Device) (*Placed, error) {
	card, err := openAccelerator(d)
	if err != nil || card == nil {
		return &Placed{}, err
	}
	p := &Placed{card: card}
	if p.place, err = newPlacement(card, ownAndRead(g)); err == nil {
		p.place.apart = true
		err = p.place.allocate(func(*G.Node) bool { return false })
	}
	if err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("graph: %w", err)
	}
	return p, nil
}

// Run runs a machine of the graph once. The caller resets it.
func (p *Placed) Run(vm G.VM) error {
	if p.place == nil {
		return vm.RunAll()
	}
	p.place.begin()
	return p.place.finish(vm.RunAll())
}

// Close takes the operations off the device and gives back what they had there.
func (p *Placed) Close() error {
	if p.place != nil {
		for _, o := range p.place.ops {
			o.place = nil
		}
	}
	return p.card.close()
}

// ownAndRead returns the nodes of goline's operations and those that they read.
func ownAndRead(g *G.ExprGraph) G.Nodes {
	var nodes G.Nodes
	seen := map[*G.Node]bool{}
	add := func(n *G.Node) {
		if !seen[n] {
			seen[n] = true
			nodes = append(nodes, n)
		}
	}
	for _, n := range g.AllNodes() {
		if _, ok := n.Op().(*op); !ok {
			continue
		}
		for _, in := range children(n) {
			add(in)
		}
		add(n)
	}
	return nodes
}
