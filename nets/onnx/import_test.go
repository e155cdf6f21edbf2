package onnx_test

import (
	"encoding/binary"
	"math"
	"testing"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

func open(t testing.TB, m *pb.ModelProto, o onnx.Options) *onnx.Network {
	t.Helper()
	net, err := onnx.Read(marshal(t, m), nil, "m.onnx", o)
	require.NoError(t, err)
	return net
}

// requireSame fails unless a network has the results of the small one, for batches of one and of three.
func requireSame(t testing.TB, net *onnx.Network, tolerance float64) {
	t.Helper()
	batch := nettest.Batch(3, []int{2, 6, 5}, 0, 1)
	want := outputs(t, open(t, small(), onnx.Options{}), graph.Options{}, batch)
	for _, size := range []int{1, 3} {
		got := outputs(t, net, graph.Options{Batch: size}, batch)
		for _, name := range net.Outputs() {
			require.InDeltaSlice(t, want[name], got[name], tolerance, name)
		}
	}
}

func ofInts(name string, v ...int64) *pb.AttributeProto {
	return &pb.AttributeProto{Name: name, Type: pb.AttributeProto_INTS, Ints: v}
}

func ofInt(name string, v int64) *pb.AttributeProto {
	return &pb.AttributeProto{Name: name, Type: pb.AttributeProto_INT, I: v}
}

// TestElementTypes reads weights of every floating-point type, stored as bytes and as numbers.
func TestElementTypes(t *testing.T) {
	half := func(v float32) uint16 { // for multiples of 1/8 below 1
		if v == 0 {
			return 0
		}
		bits := math.Float32bits(v)
		return uint16(bits>>16&0x8000 | (bits>>23&0xff-127+15)<<10 | bits>>13&0x3ff)
	}
	for name, f := range map[string]func(x *pb.TensorProto, v []float32){
		"float32 bytes": func(x *pb.TensorProto, v []float32) {
			x.DataType = 1
			for _, f := range v {
				x.RawData = binary.LittleEndian.AppendUint32(x.RawData, math.Float32bits(f))
			}
		},
		"float64 bytes": func(x *pb.TensorProto, v []float32) {
			x.DataType = 11
			for _, f := range v {
				x.RawData = binary.LittleEndian.AppendUint64(x.RawData, math.Float64bits(float64(f)))
			}
		},
		"float64": func(x *pb.TensorProto, v []float32) {
			x.DataType = 11
			for _, f := range v {
				x.DoubleData = append(x.DoubleData, float64(f))
			}
		},
		"float16 bytes": func(x *pb.TensorProto, v []float32) {
			x.DataType = 10
			for _, f := range v {
				x.RawData = binary.LittleEndian.AppendUint16(x.RawData, half(f))
			}
		},
		"float16": func(x *pb.TensorProto, v []float32) {
			x.DataType = 10
			for _, f := range v {
				x.Int32Data = append(x.Int32Data, int32(half(f)))
			}
		},
		"bfloat16 bytes": func(x *pb.TensorProto, v []float32) {
			x.DataType = 16
			for _, f := range v {
				x.RawData = binary.LittleEndian.AppendUint16(x.RawData, uint16(math.Float32bits(f)>>16))
			}
		},
		"bfloat16": func(x *pb.TensorProto, v []float32) {
			x.DataType = 16
			for _, f := range v {
				x.Int32Data = append(x.Int32Data, int32(math.Float32bits(f)>>16))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := small()
			for _, x := range m.Graph.Initializer {
				v := x.FloatData
				x.FloatData = nil
				f(x, v)
			}
			requireSame(t, open(t, m, onnx.Options{}), 0)
		})
	}
}

// variants returns other ways to write the small network.
func variants() map[string]func(m *pb.ModelProto, g *pb.GraphProto) {
	return map[string]func(m *pb.ModelProto, g *pb.GraphProto){
		"softmax behind the logits": func(_ *pb.ModelProto, g *pb.GraphProto) {
			g.Node = append(g.Node, node("Softmax", "softmax", list("y"), list("p1")),
				node("Identity", "last", list("p1"), list("p2")))
			g.Output[0].Name = "p2"
		},
		"nodes in any order": func(_ *pb.ModelProto, g *pb.GraphProto) {
			g.Node[0], g.Node[4], g.Node[1], g.Node[2] = g.Node[4], g.Node[2], g.Node[0], g.Node[1]
		},
		"a batch of 1": func(_ *pb.ModelProto, g *pb.GraphProto) {
			g.Input[0] = info("x", 1, 2, 6, 5)
			g.Initializer = append(g.Initializer, ints("shape", 1, 4))
			g.Node[3] = node("Reshape", "flatten", list("p", "shape"), list("f"))
		},
		"a batch of 2": func(_ *pb.ModelProto, g *pb.GraphProto) {
			g.Input[0] = info("x", 2, 2, 6, 5)
			g.Initializer = append(g.Initializer, ints("shape", 2, -1))
			g.Node[3] = node("Reshape", "flatten", list("p", "shape"), list("f"))
		},
		"shape arithmetic": func(_ *pb.ModelProto, g *pb.GraphProto) {
			g.Initializer = append(g.Initializer, ints("zero", 0), ints("rest", -1))
			g.Node[3] = node("Reshape", "flatten", list("p", "shape"), list("f"))
			g.Node = append(g.Node, node("Shape", "", list("x"), list("whole")),
				node("Gather", "", list("whole", "zero"), list("n")),
				node("Concat", "", list("n", "rest"), list("shape"), ofInt("axis", 0)))
		},
		"matmul and add": func(_ *pb.ModelProto, g *pb.GraphProto) {
			w := make([]float32, 12)
			for i, v := range g.Initializer[2].FloatData {
				w[i%4*3+i/4] = v
			}
			g.Initializer[2] = floats("w", w, 4, 3)
			g.Node[4] = node("MatMul", "product", list("f", "w"), list("m"))
			g.Node = append(g.Node, node("Add", "sum", list("fc.bias", "m"), list("y")))
		},
		"mean over pixels": func(_ *pb.ModelProto, g *pb.GraphProto) {
			g.Node[2] = node("ReduceMean", "pool", list("r"), list("f"), ofInts("axes", 2, -1), ofInt("keepdims", 0))
			g.Node[3] = node("Identity", "", list("f"), list("unused"))
		},
		"a head as convolution": func(_ *pb.ModelProto, g *pb.GraphProto) {
			g.Initializer[2].Dims = []int64{3, 4, 1, 1}
			g.Node[3] = node("Conv", "fc", list("p", "fc.weight", "fc.bias"), list("f"))
			g.Node[4] = node("Flatten", "flatten", list("f"), list("y"))
		},
		"channels last": func(_ *pb.ModelProto, g *pb.GraphProto) {
			back, forth := ofInts("perm", 0, 3, 1, 2), ofInts("perm", 0, 2, 3, 1)
			bias := g.Initializer[1]
			g.Node[0].Input = list("x", "conv.weight")
			g.Node = append(g.Node[:1],
				node("Transpose", "", list("c"), list("nhwc"), forth), node("Add", "", list("nhwc", bias.Name),
					list("biased")),
				node("Relu", "", list("biased"), list("relu")), node("Transpose", "", list("relu"), list("again"),
					back),
				node("Transpose", "", list("again"), list("oncemore"), forth),
				node("ReduceMean", "", list("oncemore"), list("f"), ofInts("axes", 1, 2), ofInt("keepdims", 0)),
				g.Node[4])
		},
		"bias as a sum, scale as a product": func(_ *pb.ModelProto, g *pb.GraphProto) {
			g.Initializer = append(g.Initializer, floats("two", []float32{2, 2, 2, 2}, 1, 4, 1, 1),
				floats("half", []float32{0.5}),
				floats("bias", g.Initializer[1].FloatData, 4, 1, 1))
			g.Node[0].Input = list("x", "conv.weight")
			g.Node[0].Output[0] = "c0"
			g.Node = append(g.Node, node("Mul", "", list("two", "c0"), list("c1")), node("Mul", "", list("c1", "half"),
				list("c2")),
				node("Add", "", list("c2", "bias"), list("c")))
		},
		"relu as clip of opset 10": func(m *pb.ModelProto, g *pb.GraphProto) {
			m.OpsetImport[0].Version = 10
			g.Node[1] = node("Clip", "relu", list("c"), list("r"), &pb.AttributeProto{Name: "min",
				Type: pb.AttributeProto_FLOAT, F: 0})
		},
		"padding before a convolution": func(_ *pb.ModelProto, g *pb.GraphProto) {
			// The kernel lies in a larger one of zeros, and the image in a frame of zeros.
			w := make([]float32, 4*2*4*4)
			for i, v := range g.Initializer[0].FloatData {
				w[i/9*16+i%9/3*4+i%3] = v
			}
			g.Initializer[0] = floats("conv.weight", w, 4, 2, 4, 4)
			g.Initializer = append(g.Initializer, ints("pads", 0, 0, 0, 0, 0, 0, 1, 1))
			g.Node = append(g.Node, node("Pad", "pad", list("x", "pads"), list("padded")))
			g.Node[0].Input[0] = "padded"
		},
		"a function of the file": func(m *pb.ModelProto, g *pb.GraphProto) {
			m.OpsetImport = append(m.OpsetImport, &pb.OperatorSetIdProto{Domain: "own", Version: 1})
			m.Functions = []*pb.FunctionProto{{
				Name: "Twice", Domain: "own", Input: list("a"), Output: list("b"), Attribute: list("axis"),
				OpsetImport: []*pb.OperatorSetIdProto{{Version: 17}},
				Node: []*pb.NodeProto{node("Relu", "inner", list("a"), list("h")),
					node("Concat", "cat", list("h", "h"), list("b"), &pb.AttributeProto{Name: "axis",
						RefAttrName: "axis", Type: pb.AttributeProto_INT})},
			}}
			g.Initializer = append(g.Initializer, ints("start", 0), ints("end", 4), ints("one", 1))
			g.Node[1] = &pb.NodeProto{OpType: "Twice", Domain: "own", Name: "twice", Input: list("c"),
				Output: list("cc"), Attribute: []*pb.AttributeProto{ofInt("axis", 1)}}
			g.Node = append(g.Node, node("Slice", "", list("cc", "start", "end", "one"), list("r")))
		},
		"a branch that is always taken": func(_ *pb.ModelProto, g *pb.GraphProto) {
			branch := func(op string) *pb.GraphProto {
				return &pb.GraphProto{Node: []*pb.NodeProto{node(op, op, list("c"), list(op))},
					Output: []*pb.ValueInfoProto{info(op)}}
			}
			g.Initializer = append(g.Initializer, &pb.TensorProto{Name: "yes", DataType: 9, Int32Data: []int32{1}})
			g.Node[1] = node("If", "if", list("yes"), list("r"),
				&pb.AttributeProto{Name: "then_branch", Type: pb.AttributeProto_GRAPH, G: branch("Relu")},
				&pb.AttributeProto{Name: "else_branch", Type: pb.AttributeProto_GRAPH, G: branch("Tanh")})
		},
		"dropout, casts and identities": func(_ *pb.ModelProto, g *pb.GraphProto) {
			g.Node[4].Input[0] = "f4"
			g.Node = append(g.Node, node("Dropout", "", list("f"), list("f1")), node("Identity", "", list("f1"),
				list("f2")),
				node("Cast", "", list("f2"), list("f3"), ofInt("to", 11)), node("Cast", "", list("f3"), list("f4"),
					ofInt("to", 1)))
		},
	}
}

// TestVariants: each variant is read as the same network.
func TestVariants(t *testing.T) {
	for name, change := range variants() {
		t.Run(name, func(t *testing.T) {
			m := small()
			change(m, m.Graph)
			net := open(t, m, onnx.Options{})
			require.NoError(t, net.NeedHead())
			requireSame(t, net, 1e-6)
			if name == "a function of the file" {
				return
			}
			var kinds []string
			for _, l := range net.Layers() {
				kinds = append(kinds, l.Kind)
			}
			require.Equal(t, list("Conv", "Relu", "GlobalAvgPool", "Linear"), kinds)
		})
	}
}

// TestBatchesThatCannotBeFreed: a fixed batch size that cannot be changed leads to an error, not to wrong numbers.
func TestBatchesThatCannotBeFreed(t *testing.T) {
	m := small()
	m.Graph.Input[0] = info("x", 2, 2, 6, 5)
	m.Graph.Initializer = append(m.Graph.Initializer, floats("each", ramp(8), 2, 4))
	m.Graph.Node[4].Input[0] = "f2"
	m.Graph.Node = append(m.Graph.Node, node("Add", "different", list("f", "each"), list("f2")))
	_, err := onnx.Read(marshal(t, m), nil, "m.onnx", onnx.Options{})
	require.ErrorContains(t, err,
		"different (Add): a constant of shape [2 4] is not the same for each sample of a batch")
}

func TestFeaturesAndLogitsCanBeNamed(t *testing.T) {
	net := open(t, small(), onnx.Options{Features: "p", Logits: "fc"})
	requireSame(t, net, 0)
	require.Equal(t, []int{4, 3}, []int{net.FeatureDim(), net.Classes()})
	w, b := net.Head()
	require.Equal(t, "fc.weight [3 4]", w.String())
	require.Equal(t, "fc.bias [3]", b.String())

	net = open(t, small(), onnx.Options{Features: "relu"})
	require.ErrorIs(t, net.NeedHead(), nets.ErrNoHead)
	require.Equal(t, 4*4*3, net.FeatureDim())
	w, b = net.Head()
	require.Nil(t, w)
	require.Nil(t, b)

	net = open(t, small(), onnx.Options{Logits: "r"})
	require.ErrorIs(t, net.NeedHead(), nets.ErrNoHead)
	require.Equal(t, []string{nets.Logits}, net.Outputs())

	_, err := onnx.Read(marshal(t, small()), nil, "m.onnx", onnx.Options{Features: "nothing"})
	require.ErrorContains(t, err, `features: no node and no tensor is named "nothing"`)
}

func TestTheShapeOfAnImageCanBeGiven(t *testing.T) {
	m := small()
	m.Graph.Input[0] = info("x", 0, 2, 0, 0)
	net := open(t, m, onnx.Options{Input: []int{2, 6, 5}})
	require.Equal(t, []int{2, 6, 5}, net.InputShape())
	requireSame(t, net, 0)
	_, err := onnx.Read(marshal(t, m), nil, "m.onnx", onnx.Options{Input: []int{3, 6, 5}})
	require.ErrorContains(t, err,
		"given shape of one image: expected one that fits the file's [-1 2 -1 -1], got [3 6 5]")
}

func TestLayers(t *testing.T) {
	layers := open(t, small(), onnx.Options{}).Layers()
	require.Equal(t, []onnx.Layer{
		{Name: "conv", Kind: "Conv", Operators: list("Conv"), Output: []int{4, 4, 3}, Params: 76,
			MultiplyAdds: 48 * 18},
		{Name: "r", Kind: "Relu", Operators: list("Relu"), Output: []int{4, 4, 3}},
		{Name: "p", Tap: "features", Kind: "GlobalAvgPool", Operators: list("GlobalAveragePool"), Output: []int{4}},
		{Name: "fc", Tap: "logits", Kind: "Linear", Operators: list("Gemm"), Output: []int{3}, Params: 15,
			MultiplyAdds: 12},
	}, layers)
}
