package graph_test

import (
	"math/rand/v2"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	require.TestingT
	graphtest.T
}

func size(shape ...int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// newRand returns a random source for the seed.
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6c696e65)) }

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// must returns the node or fails the test.
func must(t tester, n *G.Node, err error) *G.Node {
	t.Helper()
	require.NoError(t, err)
	return n
}

// gradientOf returns the gradient of Σ seed·y with respect to one node.
func gradientOf(t tester, y, seed, wrt *G.Node) *G.Node {
	t.Helper()
	gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{seed}, G.Nodes{wrt})
	require.NoError(t, err)
	return gs[0]
}
