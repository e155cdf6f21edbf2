package onnx_test

import (
	"os"
	"path/filepath"
	"testing"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/line-ood/goline/nets/onnx"
)

// TestExternalFiles: the files of external data are found wherever tensors may stand, without those that lie outside
// the model's folder, and behind weights that are longer than any buffer. Of a file that is cut off the whole list is
// never returned.
func TestExternalFiles(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "m.onnx")
	write := func(m *pb.ModelProto) []byte {
		data, err := proto.Marshal(m)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(at, data, 0o666))
		return data
	}
	write(small())
	files, err := onnx.ExternalFiles(at)
	require.NoError(t, err)
	require.Empty(t, files)

	m := small()
	long := &pb.TensorProto{Name: "long", RawData: make([]byte, 1<<20)}
	m.Graph.Initializer = append([]*pb.TensorProto{long}, m.Graph.Initializer...)
	tensor := func(location string) *pb.TensorProto { return externalTensor("t", location, "offset", "0") }
	m.Graph.Initializer = append(m.Graph.Initializer, tensor("w.bin"), tensor("w.bin"), tensor("../above"),
		tensor("sub/./deep.bin"), tensor("/etc/passwd"), tensor(""))
	holds := func(a *pb.AttributeProto) *pb.NodeProto { return &pb.NodeProto{Attribute: []*pb.AttributeProto{a}} }
	m.Graph.Node = append(m.Graph.Node, holds(&pb.AttributeProto{T: tensor("constant.bin")}),
		holds(&pb.AttributeProto{G: &pb.GraphProto{Node: []*pb.NodeProto{holds(&pb.AttributeProto{
			T: tensor("inner.bin")})}}}))
	m.Functions = []*pb.FunctionProto{{Node: []*pb.NodeProto{holds(&pb.AttributeProto{T: tensor("function.bin")})}}}
	data := write(m)
	files, err = onnx.ExternalFiles(at)
	require.NoError(t, err)
	var want []string
	for _, name := range []string{"constant.bin", "function.bin", "inner.bin", "sub/deep.bin", "w.bin"} {
		want = append(want, filepath.Join(dir, filepath.FromSlash(name)))
	}
	require.Equal(t, want, files)

	for cut := range len(data) {
		if 200 < cut && cut < 1<<20 { // inside the long weights
			continue
		}
		require.NoError(t, os.WriteFile(at, data[:cut], 0o666))
		files, err := onnx.ExternalFiles(at)
		require.True(t, err != nil || len(files) < len(want), "cut at %d: %v", cut, files)
	}
	_, err = onnx.ExternalFiles(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// FuzzExternalFiles: any bytes give a list or an error, and what Read takes for a whole model gives a list.
func FuzzExternalFiles(f *testing.F) {
	for _, m := range models() {
		data, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(data)
	}
	at := filepath.Join(f.TempDir(), "m.onnx")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(at, data, 0o666))
		_, err := onnx.ExternalFiles(at)
		if _, failed := onnx.Read(data, beside, "m", onnx.Options{}); failed == nil {
			require.NoError(t, err)
		}
	})
}
