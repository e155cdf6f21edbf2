package line

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// wide is a network whose score has two values for each sample.
type wide struct{}

func (wide) InputShape() []int      { return []int{2} }
func (wide) Params() []*graph.Param { return nil }
func (wide) Outputs() []string      { return []string{Score, "prediction"} }

func (wide) Build(b *graph.Builder, x *G.Node) error {
	b.Tap(Score, x)
	class, err := graph.ArgMax(x)
	if err != nil {
		return err
	}
	b.Tap("prediction", class)
	return b.Err()
}

func TestCollectRefusesAWideScore(t *testing.T) {
	prog, err := graph.Compile(wide{}, graph.Options{Fetch: []string{Score, "prediction"}})
	require.NoError(t, err)
	_, err = Collect(context.Background(), prog, func(yield func(graph.Batch, error) bool) {
		yield(graph.Batch{X: []float32{1, 2}, N: 1}, nil)
	})
	require.ErrorContains(t, err, `line: "score": expected one value a sample, got shape [2]`)
}
