package onnx_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets/onnx"
)

// floats returns an initialiser of float32.
func floats(name string, values []float32, shape ...int64) *pb.TensorProto {
	return &pb.TensorProto{Name: name, DataType: 1, Dims: shape, FloatData: values}
}

func ints(name string, values ...int64) *pb.TensorProto {
	return &pb.TensorProto{Name: name, DataType: 7, Dims: []int64{int64(len(values))}, Int64Data: values}
}

func node(op, name string, in, out []string, attrs ...*pb.AttributeProto) *pb.NodeProto {
	return &pb.NodeProto{OpType: op, Name: name, Input: in, Output: out, Attribute: attrs}
}

func list(names ...string) []string { return names }

func info(name string, shape ...int64) *pb.ValueInfoProto {
	dims := make([]*pb.TensorShapeProto_Dimension, len(shape))
	for i, d := range shape {
		dims[i] = &pb.TensorShapeProto_Dimension{}
		if d != 0 {
			dims[i].Value = &pb.TensorShapeProto_Dimension_DimValue{DimValue: d}
		}
	}
	return &pb.ValueInfoProto{Name: name,
		Type: &pb.TypeProto{Value: &pb.TypeProto_TensorType{TensorType: &pb.TypeProto_Tensor{
			ElemType: 1, Shape: &pb.TensorShapeProto{Dim: dims},
		}}}}
}

// ramp returns n small numbers.
func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%7-3) / 8
	}
	return x
}

// small returns a network of a convolution, a ReLU, pooling and a linear layer.
func small() *pb.ModelProto {
	return &pb.ModelProto{
		IrVersion: 8, OpsetImport: []*pb.OperatorSetIdProto{{Version: 17}},
		Graph: &pb.GraphProto{
			Name:  "small",
			Input: []*pb.ValueInfoProto{info("x", 0, 2, 6, 5)}, Output: []*pb.ValueInfoProto{info("y", 0, 3)},
			Initializer: []*pb.TensorProto{
				floats("conv.weight", ramp(4*2*3*3), 4, 2, 3, 3), floats("conv.bias", ramp(4), 4),
				floats("fc.weight", ramp(3*4), 3, 4), floats("fc.bias", ramp(3), 3),
			},
			Node: []*pb.NodeProto{
				node("Conv", "conv", list("x", "conv.weight", "conv.bias"), list("c")),
				node("Relu", "relu", list("c"), list("r")),
				node("GlobalAveragePool", "pool", list("r"), list("p")),
				node("Flatten", "flatten", list("p"), list("f")),
				node("Gemm", "fc", list("f", "fc.weight", "fc.bias"), list("y"), &pb.AttributeProto{Name: "transB",
					Type: pb.AttributeProto_INT, I: 1}),
			},
		},
	}
}

func marshal(t testing.TB, m *pb.ModelProto) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return data
}

func externalTensor(name, location string, extra ...string) *pb.TensorProto {
	x := &pb.TensorProto{Name: name, DataType: 1, Dims: []int64{4}, DataLocation: pb.TensorProto_EXTERNAL}
	x.ExternalData = []*pb.StringStringEntryProto{{Key: "location", Value: location}}
	for i := 0; i < len(extra); i += 2 {
		x.ExternalData = append(x.ExternalData, &pb.StringStringEntryProto{Key: extra[i], Value: extra[i+1]})
	}
	return x
}

// TestHostileFiles: each file is refused with one clear error that names the file.
func TestHostileFiles(t *testing.T) {
	folder := fstest.MapFS{"w.bin": {Data: make([]byte, 20)}}
	initializer := func(i int, x *pb.TensorProto) func(*pb.GraphProto) {
		return func(g *pb.GraphProto) { g.Initializer[i] = x }
	}
	before := func(nodes ...*pb.NodeProto) func(*pb.GraphProto) { // inserts nodes between the pooling and the rest
		return func(g *pb.GraphProto) {
			g.Node = append(g.Node, nodes...)
			g.Node[3].Input[0] = nodes[len(nodes)-1].Output[0]
		}
	}
	for want, change := range map[string]func(*pb.GraphProto){
		`node "conv" (Conv): it is part of a cycle, or reads from one`: func(g *pb.GraphProto) {
			g.Node[0].Input[0] = "r"
		},
		`node "fc" (Gemm): its input "fc.bias" is no init`: func(g *pb.GraphProto) {
			g.Initializer = g.Initializer[:3]
		},
		`node "relu" (Relu): its input "nothing" is no i`: func(g *pb.GraphProto) { g.Node[1].Input[0] = "nothing" },
		`its output "c" has a value already`:              func(g *pb.GraphProto) { g.Node[1].Output[0] = "c" },
		`two initialisers are named "conv.bias"`:          initializer(3, floats("conv.bias", nil, 0)),
		`nothing computes output "z"`:                     func(g *pb.GraphProto) { g.Output[0].Name = "z" },
		`the graph has no output`:                         func(g *pb.GraphProto) { g.Output = nil },
		`axis 0: expected 0 to 2147483648 elements, got 4611686018427387904`: initializer(1,
			floats("conv.bias", nil, 1<<62)),
		`initialiser "conv.bias": shape [-4]: axis 0: expected 0 to 2147483648 elements, got -4`: initializer(1,
			floats("conv.bias", nil, -4)),
		`[1073741824 1073741824] has more than 2147483648`: initializer(1, floats("conv.bias", nil, 1<<30, 1<<30)),
		`shape [1000000000] of float32: expected 1000000000 elements, got 4`: initializer(1,
			floats("conv.bias", ramp(4), 1_000_000_000)),
		`shape [4] of float32: expected 16 bytes, got 12`: initializer(1, &pb.TensorProto{Name: "conv.bias",
			DataType: 1, Dims: []int64{4}, RawData: make([]byte, 12)}),
		`weight of shape [4 2 3 3], bias of shape [5]`: initializer(1, floats("conv.bias", ramp(5), 5)),
		`(Conv): input of shape [5 2 6 5], weight of shap`: initializer(0, floats("conv.weight", ramp(4*3*3*3), 4, 3, 3,
			3)),
		`inputs of shapes [5 4] and [3 5] do not fit one `: initializer(2, floats("fc.weight", ramp(15), 3, 5)),
		`expected floating-point numbers, integers or bool, got elements of string`: initializer(1,
			&pb.TensorProto{Name: "conv.bias", DataType: 8, Dims: []int64{4}}),
		`expected floating-point numbers, integers or bool, got elements of data type 99`: initializer(1,
			&pb.TensorProto{Name: "conv.bias", DataType: 99, Dims: []int64{4}}),
		`constants of more than 1073741824 bytes in all a`: before(
			&pb.NodeProto{OpType: "Constant", Name: "k", Output: list("k"),
				Attribute: []*pb.AttributeProto{{Name: "value", T: ints("", 1<<30)}}},
			node("ConstantOfShape", "gigabytes", list("k"), list("big")),
			node("Expand", "e", list("p", "big"), list("q"))),
		`node "e" (Expand): to shape [-7]`: before(
			&pb.NodeProto{OpType: "Constant", Name: "k", Output: list("k"),
				Attribute: []*pb.AttributeProto{{Name: "value", T: ints("", -7)}}},
			node("Expand", "e", list("p", "k"), list("q"))),
		`input "x": dimension 1: expected 0 to 2147483648, got -2`: func(g *pb.GraphProto) {
			g.Input[0] = info("x", 1, -2, 6, 5)
		},
		`input "x": shape [5 2 60000 50000] has more tha`: func(g *pb.GraphProto) {
			g.Input[0] = info("x", 0, 2, 60000, 50000)
		},
		`where the file leaves it free, got [-1 2 -1 5], -1 for what is free`: func(g *pb.GraphProto) {
			g.Input[0] = info("x", 0, 2, 0, 5)
		},
		`inputs: expected one, of images, got 2: ["x" "z"]`: func(g *pb.GraphProto) {
			g.Input = append(g.Input, info("z", 4))
			g.Node[0].Input[2] = "z"
		},
		`input "x": expected an initialiser of shape [-1 2 6 5], as declared, got [4]`: initializer(1,
			floats("x", ramp(4), 4)),
		`it mixes the samples of a batch, which lie along axis 0`: before(
			node("ReduceMean", "mixing", list("p"), list("q"), &pb.AttributeProto{Name: "axes",
				Type: pb.AttributeProto_INTS, Ints: []int64{0}})),
		`a window of 7 pixels over 6 with pads 0 and 0`: initializer(0, floats("conv.weight", ramp(4*2*7*7), 4, 2, 7,
			7)),
		`expected positive numbers, got kernel [3 3], strides [0 1], dilations [1 1]`: func(g *pb.GraphProto) {
			g.Node[0].Attribute = []*pb.AttributeProto{{Name: "strides", Type: pb.AttributeProto_INTS,
				Ints: []int64{0, 1}}}
		},
		`pads [-3 0] and [0 0]`: func(g *pb.GraphProto) {
			g.Node[0].Attribute = []*pb.AttributeProto{{Name: "pads", Type: pb.AttributeProto_INTS,
				Ints: []int64{-3, 0, 0, 0}}}
		},
		`two attributes are named "axis"`: func(g *pb.GraphProto) {
			g.Node[3].Attribute = []*pb.AttributeProto{{Name: "axis", I: 1}, {Name: "axis", I: 2}}
		},
		`external data: location "../x" leaves the folder of the file`: initializer(1,
			externalTensor("conv.bias", "../x")),
		`external data: location "a/../../x" leaves the folder`: initializer(1,
			externalTensor("conv.bias", "a/../../x")),
		`external data: location "/etc/passwd" leaves the folder`: initializer(1,
			externalTensor("conv.bias", "/etc/passwd")),
		`external data: no location is given`: initializer(1,
			externalTensor("conv.bias", "")),
		`external data "absent": open absent: file does not exist`: initializer(1,
			externalTensor("conv.bias", "absent")),
		`external data "w.bin": expected 16 bytes from offset 8, got a file of 20`: initializer(1,
			externalTensor("conv.bias", "w.bin", "offset", "8")),
		`external data "w.bin": expected 16 bytes from offset 9223372036854775807, got a file of 20`: initializer(1,
			externalTensor("conv.bias", "w.bin", "offset", "9223372036854775807")),
		`external data "w.bin": expected an offset of at least 0, got -4`: initializer(1,
			externalTensor("conv.bias", "w.bin", "offset", "-4")),
		`external data "w.bin": expected a length of 16, got 8`: initializer(1, externalTensor("conv.bias", "w.bin",
			"length",
			"8")),
		`external data: offset "much" is no number`: initializer(1, externalTensor("conv.bias", "w.bin", "offset",
			"much")),
	} {
		m := small()
		change(m.Graph)
		_, err := onnx.Read(marshal(t, m), folder, "hostile.onnx", onnx.Options{})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "onnx: hostile.onnx: ")
	}
	for want, m := range map[string]*pb.ModelProto{
		"expected an operator set of domain ai.onnx from 7 to 28, got 99": {
			OpsetImport: []*pb.OperatorSetIdProto{{Version: 99}}, Graph: small().Graph},
		"expected an operator set of domain ai.onnx from 7 to 28, got 6": {
			OpsetImport: []*pb.OperatorSetIdProto{{Version: 6}}, Graph: small().Graph},
		"names no operator set of domain ai.onnx": {OpsetImport: []*pb.OperatorSetIdProto{{Domain: "x", Version: 17}},
			Graph: small().Graph},
		"it has no graph": {OpsetImport: []*pb.OperatorSetIdProto{{Version: 17}}},
	} {
		_, err := onnx.Read(marshal(t, m), nil, "hostile.onnx", onnx.Options{})
		require.ErrorContains(t, err, want)
	}
	whole := marshal(t, small())
	for _, end := range []int{0, 1, 7, len(whole) / 2, len(whole) - 1} {
		_, err := onnx.Read(whole[:end], nil, "cut.onnx", onnx.Options{})
		require.ErrorContains(t, err, "onnx: cut.onnx: ")
	}
}

// TestUnsupportedNodesAreAllListed: the error lists all nodes that are not supported, except those that no output
// needs.
func TestUnsupportedNodesAreAllListed(t *testing.T) {
	m := small()
	g := m.Graph
	g.Node = append(g.Node,
		node("Det", "first", list("p"), list("d")),
		&pb.NodeProto{OpType: "Thing", Domain: "com.example", Name: "second", Input: list("d"), Output: list("e")},
		node("TopK", "third", list("e"), list("q")),
		node("NonMaxSuppression", "aside", list("p"), list("s")),
	)
	g.Node[3].Input[0] = "q"
	_, err := onnx.Read(marshal(t, m), nil, "x.onnx", onnx.Options{})
	var list *onnx.UnsupportedError
	require.ErrorAs(t, err, &list)
	require.EqualError(t, err, strings.Join([]string{
		`onnx: x.onnx: 3 nodes cannot be expressed:`,
		`  first (Det): the operator is not known`,
		`  second (com.example.Thing): domain "com.example" is not known`,
		`  third (TopK): the operator is not known`,
	}, "\n"))
}

func TestOutputsThatAreNotComputedAreToldOf(t *testing.T) {
	m := small()
	m.Graph.Node = append(m.Graph.Node, node("GlobalMaxPool", "two", list("r"), list("p2", "extra")),
		node("Relu", "reader", list("extra"), list("q")))
	m.Graph.Node[3].Input[0] = "q"
	_, err := onnx.Read(marshal(t, m), nil, "x.onnx", onnx.Options{})
	require.ErrorContains(t, err,
		`reader (Relu): it reads output 1 of node "two" (GlobalMaxPool), which is not computed`)
}

// TestNamesOfLayersBindNothingElse: an initialiser with the name of the bias of a convolution that has none is not
// taken for that bias.
func TestNamesOfLayersBindNothingElse(t *testing.T) {
	build := func(name string) *pb.ModelProto {
		m := small()
		g := m.Graph
		g.Initializer[1].Name = name
		g.Node[0].Input = list("x", "conv.weight")
		g.Node[4].Input[0] = "moved"
		g.Node = append(g.Node, node("Add", "add", list("f", name), list("moved")))
		return m
	}
	batch := nettest.Batch(3, []int{2, 6, 5}, 0, 1)
	want := outputs(t, open(t, build("summand"), onnx.Options{}), graph.Options{}, batch)
	net := open(t, build("conv.bias"), onnx.Options{})
	require.Equal(t, want, outputs(t, net, graph.Options{}, batch))
	var names []string
	for _, p := range net.Params() {
		names = append(names, p.Name)
	}
	require.Equal(t, list("conv.weight", "conv.bias_2", "fc.weight", "fc.bias"), names)
}

// TestExternalDataStaysInTheFolder: external data outside of the folder is refused, even if a link leads there.
func TestExternalDataStaysInTheFolder(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	require.NoError(t, os.Mkdir(inner, 0o777))
	raw := make([]byte, 20)
	raw[7] = 0x3f // makes element 0, from offset 4 on, 0.5
	require.NoError(t, os.WriteFile(filepath.Join(dir, "outside"), raw, 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(inner, "w.bin"), raw, 0o666))
	if err := os.Symlink(filepath.Join("..", "outside"), filepath.Join(inner, "link")); err != nil {
		t.Skipf("this system makes no symbolic links: %v", err)
	}
	path := filepath.Join(inner, "m.onnx")
	open := func(location string) (*onnx.Network, error) {
		m := small()
		m.Graph.Initializer[1] = externalTensor("conv.bias", location, "offset", "4", "length", "16")
		require.NoError(t, os.WriteFile(path, marshal(t, m), 0o666))
		return onnx.Open(path, onnx.Options{})
	}
	net, err := open("w.bin")
	require.NoError(t, err)
	for _, p := range net.Params() {
		if p.Name == "conv.bias" {
			require.Equal(t, []float32{0.5, 0, 0, 0}, p.Float32s())
		}
	}
	_, err = open("link")
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, `initialiser "conv.bias"`)
	_, err = open("../outside")
	require.ErrorContains(t, err, `location "../outside" leaves the folder`)
	_, err = open(".")
	require.Error(t, err)
	_, err = onnx.Open(filepath.Join(dir, "absent.onnx"), onnx.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}
