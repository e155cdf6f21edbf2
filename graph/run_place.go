package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// Placed is a graph whose operations run on a device, and which its user built without a [Program].
type Placed struct {
	card  *accelerator
	place *placement
}

// Place makes the operations of package graph run on a device, in a finished graph that has no machine yet. Stock
// operations still run on the processor. The graph must be of float32 and int. From then until Close, only [Placed.Run]
// may run the graph.
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

// Run runs a machine of the graph once. The caller must reset the machine.
func (p *Placed) Run(vm G.VM) error {
	if p.place == nil {
		return vm.RunAll()
	}
	p.place.begin()
	return p.place.finish(vm.RunAll())
}

// Close returns the operations to the processor and frees what they had on the device.
func (p *Placed) Close() error {
	if p.place != nil {
		for _, o := range p.place.ops {
			o.place = nil
		}
	}
	return p.card.close()
}

// ownAndRead returns the nodes of goline's operations and the nodes that these read.
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
