package onnx_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets/onnx"
)

// TestLight: the nine classic networks that ONNX ships with constant weights give ONNX's outputs, up to their softmax,
// which goline leaves off.
func TestLight(t *testing.T) {
	if testing.Short() {
		t.Skip("networks of up to 144 million weights")
	}
	files, err := filepath.Glob(filepath.Join(sharedtest.Path(t, "onnx", "light"), "*.onnx"))
	require.NoError(t, err)
	require.Len(t, files, 9)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".onnx")
		t.Run(name, func(t *testing.T) {
			net, err := onnx.Open(file, onnx.Options{})
			require.NoError(t, err)
			for _, note := range net.Notes() {
				t.Log(note)
			}
			raw, err := os.ReadFile(strings.TrimSuffix(file, ".onnx") + "_output_0.pb")
			require.NoError(t, err)
			values, err := onnx.DecodeTensor(raw)
			require.NoError(t, err)
			n := product(net.InputShape()...)
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(i) / float32(n)
			}
			got := outputs(t, net, graph.Options{Batch: 1, Workers: 1}, graph.Batch{N: 1, X: x})["logits"]
			if name != "light_densenet121" {
				got = softmax(got)
			}
			requireNear(t, values, got, 1e-4, "output")
		})
	}
}

func softmax(x []float64) []float64 {
	sum, most := 0.0, slices.Max(x)
	for _, v := range x {
		sum += math.Exp(v - most)
	}
	for i, v := range x {
		x[i] = math.Exp(v-most) / sum
	}
	return x
}
