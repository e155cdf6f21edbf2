// Package graphtest tests operations: functions from nodes to a node, those of package graph, stock ones of Gorgonia,
// or your own. [Op] says what an operation must compute by a naive reference in float64, and [Op.Check] compares:
//
//	func TestSquare(t *testing.T) {
//		r := rand.New(rand.NewPCG(1, 2))
//		graphtest.Op{
//			In:    []graphtest.Input{graphtest.Variable(graphtest.Normal(r, 3, 4)).Batched()},
//			Build: func(in G.Nodes) (*G.Node, error) { return graph.Mul(in[0], in[0]) },
//			Want: func(in []graphtest.Input) graphtest.Array {
//				return graphtest.Map(in[0].Shape, func(i []int) float64 { return in[0].At(i...) * in[0].At(i...) })
//			},
//		}.Check(t, 1)
//	}
//
// [Session] runs nodes on a tape machine for tests that look closer. Graphs share registries of Gorgonia's, so tests
// that use this package must not run in parallel.
//
// Of this module it imports graph; only tests import it.
package graphtest
