package graph

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// slabs returns the number of operations whose values lie in a slab, and the number of slabs.
func slabs(order G.Nodes) (operations, memories int) {
	seen := map[*slab]bool{}
	for _, n := range order {
		if o, ok := n.Op().(*op); ok && o.slab != nil {
			operations++
			seen[o.slab] = true
		}
	}
	return operations, len(seen)
}

// TestMemoryOfAChain: two slabs are enough for any number of operations that follow one another.
func TestMemoryOfAChain(t *testing.T) {
	x := vector(G.NewGraph(), "x", 1, 2, 3)
	y := x
	for range 10 {
		y = times(t, "times", y, 2)
	}
	order := ancestry(G.Nodes{y})
	planMemory(order, nil)
	operations, memories := slabs(order)
	require.Equal(t, []int{10, 2}, []int{operations, memories})
}

// TestMemoryThatIsStillRead: values of branches that may run in any order, and values that a stock operation reads,
// share no slab.
func TestMemoryThatIsStillRead(t *testing.T) {
	x := vector(G.NewGraph(), "x", 1, 2, 3)
	a, b := times(t, "a", x, 2), times(t, "b", x, 3)
	a2, b2 := times(t, "a2", a, 2), times(t, "b2", b, 3)
	sum, err := Add(a2, b2)
	require.NoError(t, err)
	order := ancestry(G.Nodes{sum})
	planMemory(order, nil)
	operations, memories := slabs(order)
	require.Equal(t, []int{5, 4}, []int{operations, memories}) // all readers must run before the sum alone

	stock := G.Must(G.Tanh(times(t, "c", x, 2)))
	order = ancestry(G.Nodes{times(t, "d", stock, 2)})
	planMemory(order, nil)
	operations, _ = slabs(order)
	require.Equal(t, 1, operations, "the value that tanh reads keeps its memory")
}
