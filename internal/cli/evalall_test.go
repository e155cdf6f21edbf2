package cli

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// TestEvalAll: all the methods run in one command, and each has its rates in the JSON.
func TestEvalAll(t *testing.T) {
	w := newWorld(t)
	must(t, w.eval("--methods", "all", "--json", w.path("out.json"))...)
	var r evalFile
	readJSON(t, w.path("out.json"), &r)
	for _, k := range posthoc.Kinds() {
		if k.Slow {
			continue
		}
		require.Contains(t, r.Methods, k.Name)
		require.Len(t, r.Methods[k.Name].OOD, 2)
	}
}

// TestEvalLeavesOut: of "all" methods, those that need what the network does not have are left out with a note. Where a
// user names such a method it is not left out.
func TestEvalLeavesOut(t *testing.T) {
	net, err := nets.Define(nets.Definition{Name: "flat", Classes: 3, Input: []int{3, 32, 32},
		Build: func(b *graph.Builder, x *G.Node) *G.Node {
			return b.Do(func() (*G.Node, error) { return graph.Flatten(x) })
		}})
	require.NoError(t, err)
	var said bytes.Buffer
	e := evalCommand{methods: []string{"all"}}
	e.Stderr = &said
	e.expandAll()
	require.NoError(t, e.leaveOut(net))
	require.Equal(t,
		"goline: note: without rankfeat, davis, davis-max: flat has no feature map that its features average\n",
		said.String())
	require.Contains(t, e.methods, "odin")
	require.NotContains(t, e.methods, "davis")
	require.Equal(t, "line", e.methods[0])

	said.Reset()
	pooled := evalCommand{methods: []string{"all"}}
	pooled.Stderr = &said
	pooled.expandAll()
	require.NoError(t, pooled.leaveOut(nettest.DenseNetBC(t, 10, 4, 3, 5)))
	require.Empty(t, said.String())
	require.Contains(t, pooled.methods, "davis")

	named := evalCommand{methods: []string{"davis"}}
	named.expandAll()
	require.NoError(t, named.leaveOut(net))
	require.Equal(t, []string{"davis"}, named.methods)
}
