package graphtest_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// swish is a self-made operation, built of one of package graph and a stock one: x · sigmoid(x).
func swish(x *G.Node) (*G.Node, error) {
	gate, err := G.Sigmoid(x)
	if err != nil {
		return nil, err
	}
	return graph.Mul(x, gate)
}

func ExampleOp_Check() {
	var t testing.T // in a test, the one that the test function is given
	r := rand.New(rand.NewPCG(1, 2))
	graphtest.Op{
		In:    []graphtest.Input{graphtest.Variable(graphtest.Spread(r, 3, 4)).Batched()},
		Build: func(in G.Nodes) (*G.Node, error) { return swish(in[0]) },
		Want: func(in []graphtest.Input) graphtest.Array {
			return graphtest.Map(in[0].Shape, func(i []int) float64 {
				x := in[0].At(i...)
				return x / (1 + math.Exp(-x))
			})
		},
	}.Check(&t, 1)
	fmt.Println("failed:", t.Failed())
	// Output: failed: false
}
