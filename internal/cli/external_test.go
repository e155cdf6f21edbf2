package cli

import (
	"fmt"
	"os"
	"testing"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// writeExternal writes ext.onnx, a network for the world's images whose larger weights are in ext.data.
func (w world) writeExternal(t testing.TB) {
	t.Helper()
	must(t, "export", "--detector", w.fit(t), "--out", w.path("inline.onnx"), "--outputs", "logits")
	m := &pb.ModelProto{}
	require.NoError(t, proto.Unmarshal([]byte(contents(t, w.path("inline.onnx"))), m))
	var data []byte
	for _, x := range m.Graph.Initializer {
		if len(x.RawData) < 64 {
			continue
		}
		x.ExternalData = []*pb.StringStringEntryProto{{Key: "location", Value: "ext.data"},
			{Key: "offset", Value: fmt.Sprint(len(data))}, {Key: "length", Value: fmt.Sprint(len(x.RawData))}}
		data = append(data, x.RawData...)
		x.RawData, x.DataLocation = nil, pb.TensorProto_EXTERNAL
	}
	require.NotEmpty(t, data)
	file, err := proto.Marshal(m)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(w.path("ext.onnx"), file, 0o666))
	require.NoError(t, os.WriteFile(w.path("ext.data"), data, 0o666))
	require.NoError(t, os.Remove(w.path("inline.onnx")))
}

// TestExternalDataIsAnInput: the file with the weights of an ONNX network is kept as the network's file itself is, also
// where an output leads to it through a link.
func TestExternalDataIsAnInput(t *testing.T) {
	w := newWorld(t)
	w.writeExternal(t)
	require.NoError(t, os.Symlink("ext.data", w.path("link.json")))
	require.NoError(t, os.Link(w.path("ext.data"), w.path("hard.csv")))
	net := []string{"--net", w.path("ext.onnx"), "--preprocess", "cifar10"}
	require.Contains(t, must(t, "inspect", w.path("ext.data")), "external data of "+w.path("ext.onnx"))
	before := w.hashes(t)
	for _, args := range [][]string{
		join([]string{"features", "--data", w.path("noise.npy"), "--out", w.path("ext.data")}, net),
		join([]string{"bench", "--images", "1", "--runs", "1", "--json", w.path("link.json")}, net),
		join([]string{"attribute", "values", "--data", w.path("test.npz"), "--csv", w.path("hard.csv")}, net),
	} {
		code, _, stderr := runGoline(args...)
		require.Equal(t, exitUsage, code, "%q: %s", args, stderr)
		require.Contains(t, stderr, "would replace the file of --net, "+w.path("ext.data"))
		require.Equal(t, before, w.hashes(t), "%q", args)
	}
	// The network with its external data can be read.
	code, _, stderr := runGoline(join([]string{"features", "--data", w.path("noise.npy"), "--out", w.path("f.npz")},
		net)...)
	require.Equal(t, exitDone, code, stderr)
}
