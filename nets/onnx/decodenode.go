package onnx

import (
	"fmt"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
)

// node is one node of an ONNX graph: an operator with its inputs, outputs and attributes.
type node struct {
	op, domain, name string
	in, out          []string
	attrs            map[string]*attr
	opset            int // of the node's domain
}

// attr is an attribute with its tensor and its graph decoded.
type attr struct {
	*pb.AttributeProto
	t *constant
	g *graphDef
}

// describe returns the node's name and operator, for errors.
func (n *node) describe() string {
	op := n.op
	if n.domain != "" {
		op = n.domain + "." + op
	}
	if n.name == "" && len(n.out) > 0 {
		return fmt.Sprintf("node of output %q (%s)", n.out[0], op)
	}
	return fmt.Sprintf("node %q (%s)", n.name, op)
}

// ordered decodes nodes and sorts them such that each comes after the nodes that it reads. known holds the names that
// exist before, and gets all further names.
func (d *decoder) ordered(nodes []*pb.NodeProto, known map[string]bool, opsets map[string]int,
	depth int) ([]*node, error) {
	if d.nodes += len(nodes); d.nodes > maxNodes {
		return nil, fmt.Errorf("more than %d nodes", maxNodes)
	}
	all := make([]*node, len(nodes))
	producer := map[string]int{}
	for i, p := range nodes {
		n := &node{op: p.GetOpType(), domain: domainOf(p.GetDomain()), name: p.GetName(), in: p.Input, out: p.Output}
		n.opset = opsets[n.domain]
		all[i] = n
		for _, o := range n.out {
			if o == "" {
				continue
			}
			if _, twice := producer[o]; twice || known[o] {
				return nil, fmt.Errorf("%s: its output %q has a value already", n.describe(), o)
			}
			producer[o] = i
		}
	}
	// A node also reads the outer names that its subgraphs read.
	reads := make([][]string, len(nodes))
	for i, p := range nodes {
		reads[i] = append(reads[i], p.Input...)
		for _, a := range p.Attribute {
			if a.GetG() != nil {
				free := map[string]bool{}
				if err := freeNames(a.G, free, depth+1); err != nil {
					return nil, fmt.Errorf("%s: %w", all[i].describe(), err)
				}
				for name := range free {
					if _, ok := producer[name]; ok {
						reads[i] = append(reads[i], name)
					}
				}
			}
		}
	}
	waits, readers, ready := make([]int, len(nodes)), make([][]int, len(nodes)), []int{}
	for i, names := range reads {
		for _, name := range names {
			p, ok := producer[name]
			if !ok && name != "" && !known[name] {
				return nil, fmt.Errorf("%s: its input %q is no initialiser, no input and no node's output",
					all[i].describe(), name)
			}
			if ok {
				waits[i]++
				readers[p] = append(readers[p], i)
			}
		}
		if waits[i] == 0 {
			ready = append(ready, i)
		}
	}
	sorted := make([]*node, 0, len(nodes))
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		if err := d.attributes(all[i], nodes[i].Attribute, known, opsets, depth); err != nil {
			return nil, fmt.Errorf("%s: %w", all[i].describe(), err)
		}
		for _, o := range all[i].out {
			known[o] = true
		}
		sorted = append(sorted, all[i])
		for _, r := range readers[i] {
			if waits[r]--; waits[r] == 0 {
				ready = append(ready, r)
			}
		}
	}
	if len(sorted) < len(all) {
		for i, n := range all {
			if waits[i] > 0 {
				return nil, fmt.Errorf("%s: it is part of a cycle, or reads from one", n.describe())
			}
		}
	}
	return sorted, nil
}

// freeNames adds the names that a graph reads to names.
func freeNames(g *pb.GraphProto, names map[string]bool, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("graphs lie more than %d deep in one another", maxDepth)
	}
	for _, n := range g.Node {
		for _, in := range n.Input {
			names[in] = true
		}
		for _, a := range n.Attribute {
			if a.GetG() != nil {
				if err := freeNames(a.G, names, depth+1); err != nil {
					return err
				}
			}
		}
	}
	for _, o := range g.Output {
		names[o.GetName()] = true
	}
	return nil
}

func (d *decoder) attributes(n *node, attrs []*pb.AttributeProto, known map[string]bool, opsets map[string]int,
	depth int) error {
	n.attrs = make(map[string]*attr, len(attrs))
	for _, p := range attrs {
		if n.attrs[p.GetName()] != nil {
			return fmt.Errorf("two attributes are named %q", p.GetName())
		}
		a := &attr{AttributeProto: p}
		var err error
		if p.GetT() != nil {
			if a.t, err = d.tensor(p.T); err != nil {
				return fmt.Errorf("attribute %q: %w", p.GetName(), err)
			}
		}
		if p.GetG() != nil {
			if a.g, err = d.graph(p.G, known, opsets, depth+1); err != nil {
				return fmt.Errorf("attribute %q: %w", p.GetName(), err)
			}
		}
		n.attrs[p.GetName()] = a
	}
	return nil
}

// int returns an integer attribute, or otherwise if the node does not have it.
func (n *node) int(name string, otherwise int) int {
	if a := n.attrs[name]; a != nil {
		return int(a.GetI())
	}
	return otherwise
}

// float returns a floating-point attribute, or otherwise if the node does not have it.
func (n *node) float(name string, otherwise float64) float64 {
	if a := n.attrs[name]; a != nil {
		return float64(a.GetF())
	}
	return otherwise
}

// str returns a text attribute, or otherwise if the node does not have it.
func (n *node) str(name, otherwise string) string {
	if a := n.attrs[name]; a != nil {
		return string(a.GetS())
	}
	return otherwise
}

// ints returns an attribute that is a list of integers, nil if the node does not have it.
func (n *node) ints(name string) []int {
	a := n.attrs[name]
	if a == nil {
		return nil
	}
	out := make([]int, len(a.GetInts()))
	for i, v := range a.Ints {
		out[i] = int(v)
	}
	return out
}
