package onnx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// TestDenseNetEqualsTheCheckpoint: the network read from ONNX equals the one read from its PyTorch checkpoint.
func TestDenseNetEqualsTheCheckpoint(t *testing.T) {
	imported, err := onnx.Open(sharedtest.Path(t, "onnx", "cifar10_densenet_bc_100_12.onnx"), onnx.Options{})
	require.NoError(t, err)
	native, err := nets.Open("densenet-bc-100-12", sharedtest.Path(t, "checkpoints",
		"cifar10_densenet_bc_100_12.pth.tar"))
	require.NoError(t, err)
	require.Equal(t, native.InputShape(), imported.InputShape())
	require.Equal(t, native.FeatureDim(), imported.FeatureDim())
	batch := nettest.Batch(3, native.InputShape(), 0, 1)
	want, got := outputs(t, native, graph.Options{}, batch), outputs(t, imported, graph.Options{}, batch)
	for _, name := range native.Outputs() {
		values := make([]float32, len(want[name]))
		for i, v := range want[name] {
			values[i] = float32(v)
		}
		requireNear(t, values, got[name], 1e-5, name)
	}
}

// TestRealNetworksLoad reads published networks and checks their sizes.
func TestRealNetworksLoad(t *testing.T) {
	for _, c := range []struct {
		file         string
		classes, dim int
		input        []int
	}{
		{"efficientnet_lite0.onnx", 1000, 1280, []int{3, 224, 224}},
		{"cifar10_resnet20.onnx", 10, 64, []int{3, 32, 32}},
	} {
		net, err := onnx.Open(sharedtest.Path(t, "onnx", c.file), onnx.Options{})
		require.NoError(t, err)
		require.Equal(t, []any{c.classes, c.dim, c.input, c.file}, []any{net.Classes(), net.FeatureDim(),
			net.InputShape(), net.Name()})
		require.NoError(t, net.NeedHead())
		w, b := net.Head()
		require.Equal(t, []int{c.classes, c.dim}, w.Shape())
		require.Equal(t, []int{c.classes}, b.Shape())
		p, err := graph.Compile(net, graph.Options{Workers: 1, Batch: 1})
		require.NoError(t, err)
		t.Log(p.FLOPs(), net.Notes())
	}
}
