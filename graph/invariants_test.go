//go:build invariants

package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
)

// TestKeptOutputsShow: outputs that a reader keeps beyond the next batch turn to NaN, and a batch that is changed while
// the program holds it is noticed.
func TestKeptOutputsShow(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 2)
	prog, err := graph.Compile(net, graph.Options{Workers: 1})
	require.NoError(t, err)
	batch := nettest.Batch(2, net.InputShape(), 3, 1)
	var kept []float32
	for out, err := range prog.Run(t.Context(), nettest.Stream(batch, batch)) {
		require.NoError(t, err)
		if kept == nil {
			kept = out.Float32("logits")
			require.False(t, kept[0] != kept[0])
		}
	}
	require.True(t, kept[0] != kept[0])

	shared := nettest.Batch(2, net.InputShape(), 3, 1)
	require.Panics(t, func() {
		for _, err := range prog.Run(t.Context(), func(yield func(graph.Batch, error) bool) {
			yield(shared, nil)
			shared.X[0]++ // before the batch has been released
		}) {
			require.NoError(t, err)
		}
	})
}
