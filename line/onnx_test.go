package line_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// onnxFile writes a small network as an ONNX file.
func onnxFile(t *testing.T) string {
	t.Helper()
	net, err := nets.New("resnet-cifar-8-4", 3)
	require.NoError(t, err)
	nettest.Fill(net.Params(), 5)
	var data bytes.Buffer
	require.NoError(t, onnx.Export(&data, net, onnx.ExportOptions{Outputs: []string{nets.Logits}}))
	path := filepath.Join(t.TempDir(), "small.onnx")
	require.NoError(t, os.WriteFile(path, data.Bytes(), 0o644))
	return path
}

// TestDetectorsHoldTheirONNXFile: a saved detector contains its ONNX file and the parameters that were changed after
// it was read, and does not need the original file.
func TestDetectorsHoldTheirONNXFile(t *testing.T) {
	path := onnxFile(t)
	net, err := onnx.Open(path, onnx.Options{Preprocessing: nets.CIFAR()})
	require.NoError(t, err)
	for i := range 2 {
		if i == 1 { // change a parameter, as fine-tuning does
			net.Params()[0].Float32s()[3] += 0.25
		}
		prog, err := graph.Compile(net, graph.Options{})
		require.NoError(t, err)
		train := nettest.Batch(12, net.InputShape(), net.Classes(), 7)
		det, err := line.Fit(t.Context(), prog, nettest.Stream(train), line.Options{})
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "det.npz")
		require.NoError(t, det.Save(file))

		a, err := npyz.ReadNpz(file)
		require.NoError(t, err)
		held := 0
		for _, p := range net.Params() {
			if a.Has("param/" + p.Name) {
				held++
			}
		}
		require.Equal(t, i, held, "of the parameters only those that are not in the file")

		again, err := line.Load(file)
		require.NoError(t, err)
		require.Equal(t, nets.CIFAR(), again.Preprocessing())
		batch := nettest.Batch(5, net.InputShape(), 0, 8)
		want, err := det.Score(t.Context(), nettest.Stream(batch))
		require.NoError(t, err)
		got, err := again.Score(t.Context(), nettest.Stream(batch))
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = line.LoadFor(file, net)
		require.NoError(t, err)

		var first, second bytes.Buffer
		_, err = det.WriteTo(&first)
		require.NoError(t, err)
		_, err = again.WriteTo(&second)
		require.NoError(t, err)
		require.Equal(t, first.Bytes(), second.Bytes())
	}
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	det, err := line.Fit(t.Context(), prog, nettest.Stream(nettest.Batch(12, net.InputShape(), net.Classes(), 7)),
		line.Options{})
	require.NoError(t, err)
	require.ErrorContains(t, det.Save(filepath.Join(t.TempDir(), "det.npz")),
		"small.onnx has changed since it was read")
}
