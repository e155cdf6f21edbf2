package nets_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/peertest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// exportedFile returns the ONNX file of a network.
func exportedFile(t *testing.T, net graph.Model, outputs ...string) []byte {
	t.Helper()
	var data bytes.Buffer
	require.NoError(t, onnx.Export(&data, net, onnx.ExportOptions{Outputs: outputs}))
	return data.Bytes()
}

// TestFamiliesComeBackFromONNX: a network that is exported and imported again is the same network.
func TestFamiliesComeBackFromONNX(t *testing.T) {
	eachVariant(t, func(t *testing.T, net *nets.Network) {
		back, err := onnx.Read(exportedFile(t, net, nets.Logits), nil, "back", onnx.Options{})
		require.NoError(t, err)
		require.Equal(t, net.FeatureDim(), back.FeatureDim())
		require.NoError(t, back.NeedHead())
		batch := nettest.Batch(7, net.InputShape(), 0, 4)
		want, got := runAll(t, net, graph.Options{Batch: 4}, batch), runAll(t, back, graph.Options{Batch: 4}, batch)
		for _, name := range []string{nets.Features, nets.Logits} {
			require.Less(t, relative(want[name], got[name]), 1e-5, name)
		}
	})
}

// TestFamiliesRunInONNXRuntime: ONNX Runtime gives the results of goline for a network of each family, with batches of
// five and two.
func TestFamiliesRunInONNXRuntime(t *testing.T) {
	python := peertest.Python(t, "numpy", "onnx", "onnxruntime")
	var runs []*nettest.ONNXRun
	var want []map[string][]float64
	names := []string{nets.Features, nets.Logits, nets.Prediction}
	eachVariant(t, func(t *testing.T, net *nets.Network) {
		batch := nettest.Batch(7, net.InputShape(), 0, 4)
		runs = append(runs, &nettest.ONNXRun{File: exportedFile(t, net, names...), Input: net.InputShape(),
			Batch: batch})
		want = append(want, runAll(t, net, graph.Options{Fetch: names[:2]}, batch))
	})
	nettest.RunONNX(t, python, 5, runs...)
	for i, d := range nets.SmallVariants() {
		t.Run(d.Name+" there", func(t *testing.T) {
			require.NoError(t, runs[i].Err)
			for _, name := range names[:2] {
				got, err := runs[i].Outputs.Float64(name, 7, -1)
				require.NoError(t, err)
				require.Less(t, relative(want[i][name], got), 1e-4, name)
			}
			classes, err := runs[i].Outputs.Ints(nets.Prediction, 7)
			require.NoError(t, err)
			for n, k := range classes {
				logits := want[i][nets.Logits][n*d.Classes:][:d.Classes]
				for _, l := range logits {
					require.LessOrEqual(t, l, logits[k]+1e-5)
				}
			}
		})
	}
}
