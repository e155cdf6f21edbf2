package graph

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	G "gorgonia.org/gorgonia"
)

// writeDOT draws the roots and the nodes that they are computed from. Parameters are drawn small; roots are labelled
// with their names.
func writeDOT(w io.Writer, roots G.Nodes, names []string, isBatchInput func(*G.Node) bool) error {
	named := map[*G.Node]string{}
	for i, n := range roots {
		if named[n] != "" {
			named[n] += ", "
		}
		named[n] += names[i]
	}
	out := bufio.NewWriter(w)
	fmt.Fprint(out,
		"digraph goline {\n  rankdir=TB;\n  node [fontname=\"Helvetica\", fontsize=11, shape=box, "+
			"style=\"rounded,filled\", fillcolor=white];\n")
	order := ancestry(roots)
	for _, n := range order {
		var label, attrs string
		switch {
		case n.Op() != nil:
			label = fmt.Sprint(n.Op())
		case isBatchInput(n):
			label, attrs = n.Name(), ", fillcolor=lightblue"
		default:
			label, attrs = n.Name(), ", shape=plaintext, style=solid, fontsize=9"
		}
		if shape := n.Shape(); len(shape) > 0 {
			label += "\n" + strings.ReplaceAll(strings.Trim(fmt.Sprint([]int(shape)), "[]"), " ", "×")
		}
		if name := named[n]; name != "" {
			label = name + "\n" + label
			attrs = ", fillcolor=lightyellow, penwidth=2"
		}
		fmt.Fprintf(out, "  n%d [label=%s%s];\n", n.ID(), quote(label), attrs)
	}
	for _, n := range order {
		for _, c := range children(n) {
			fmt.Fprintf(out, "  n%d -> n%d;\n", c.ID(), n.ID())
		}
	}
	fmt.Fprint(out, "}\n")
	return out.Flush()
}

// quote returns s as a quoted string of Graphviz, in which only the quote, the backslash and the line break have a
// meaning.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", ``, "\x00",
		``).Replace(strings.ToValidUTF8(s, "\uFFFD")) + `"`
}

// isBatchInput tells whether batches are copied into the node, in contrast to a parameter.
func (b *Builder) isBatchInput(n *G.Node) bool {
	if n == b.input || n == b.labels {
		return true
	}
	for _, inputs := range []map[string]*G.Node{b.extra, b.bits} {
		for _, x := range inputs {
			if n == x {
				return true
			}
		}
	}
	return false
}
