package graph

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	G "gorgonia.org/gorgonia"
)

// writeDOT draws the nodes that the roots are computed from. Parameters are drawn small, the roots carry their names.
func writeDOT(w io.Writer, roots G.Nodes, names []string) error {
	named := map[*G.Node]string{}
	for i, n := range roots {
		if named[n] != "" {
			named[n] += ", "
		}
		named[n] += names[i]
	}
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "digraph goline {\n  rankdir=TB;\n  node [fontname=\"Helvetica\", fontsize=11, shape=box, style=\"rounded,filled\", fillcolor=white];\n")
	for _, n := range ancestry(roots) {
		attrs := ""
		label := ""
		switch {
		case n.Op() != nil:
			label = n.Op().String()
		case n.Value() != nil && isBatchInput(n):
			label, attrs = n.Name(), ", fillcolor=lightblue"
		default:
			label, attrs = n.Name(), ", shape=plaintext, style=solid, fontsize=9"
		}
		label += "\n" + strings.ReplaceAll(strings.Trim(fmt.Sprint(n.Shape()), "()"), ", ", "×")
		if name := named[n]; name != "" {
			label = name + "\n" + label
			attrs = ", fillcolor=lightyellow, penwidth=2"
		}
		fmt.Fprintf(out, "  n%d [label=%q%s];\n", n.ID(), label, attrs)
	}
	for _, n := range ancestry(roots) {
		for _, c := range children(n) {
			fmt.Fprintf(out, "  n%d -> n%d;\n", c.ID(), n.ID())
		}
	}
	fmt.Fprint(out, "}\n")
	return out.Flush()
}

// isBatchInput tells the inputs that batches are copied into from parameters.
func isBatchInput(n *G.Node) bool {
	name := n.Name()
	return name == "input" || name == "labels" || strings.HasPrefix(name, "input:")
}
