package onnx_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/damage"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// beside is the folder of the fuzzed files.
var beside = fstest.MapFS{"w.bin": {Data: make([]byte, 20)}}

// models returns small valid files, which together contain most of what a file can contain.
func models() []*pb.ModelProto {
	all := []*pb.ModelProto{small(), external(), tokens(), convolutional()}
	table := variants()
	for _, name := range slices.Sorted(maps.Keys(table)) {
		m := small()
		table[name](m, m.Graph)
		all = append(all, m)
	}
	return all
}

// external returns a network whose weight is in another file.
func external() *pb.ModelProto {
	m := small()
	m.Graph.Initializer[1] = externalTensor("conv.bias", "w.bin", "offset", "4", "length", "16")
	return m
}

// tokens returns a network of one attention block over the pixels, whose shapes are computed in the file.
func tokens() *pb.ModelProto {
	m := small()
	g := m.Graph
	constant := &pb.NodeProto{OpType: "Constant", Name: "swapped", Output: list("order"),
		Attribute: []*pb.AttributeProto{{
			Name: "value", Type: pb.AttributeProto_TENSOR, T: ints("", 0, 4, -1),
		}}}
	g.Initializer = append(g.Initializer,
		floats("norm.weight", ramp(4), 4), floats("norm.bias", ramp(4), 4), floats("qkv", ramp(4*12), 4, 12),
		floats("half", []float32{0.5}),
		ints("thirds", 4, 4, 4), ints("zero", 0), ints("one", 1), ints("first", 0), ints("size", 1))
	g.Node = append(slices.Clone(g.Node[:1]),
		constant,
		node("Reshape", "tokens", list("c", "order"), list("t")),
		node("Transpose", "swap", list("t"), list("u"), ofInts("perm", 0, 2, 1)),
		node("LayerNormalization", "norm", list("u", "norm.weight", "norm.bias"), list("v"), ofInt("axis", -1)),
		node("MatMul", "project", list("v", "qkv"), list("w")),
		node("Split", "split", list("w", "thirds"), list("q", "k", "values"), ofInt("axis", 2)),
		node("Transpose", "turn", list("k"), list("kt"), ofInts("perm", 0, 2, 1)),
		node("MatMul", "scores", list("q", "kt"), list("s")),
		node("Mul", "scale", list("s", "half"), list("scaled")),
		node("Softmax", "weights", list("scaled"), list("a"), ofInt("axis", -1)),
		node("MatMul", "mix", list("a", "values"), list("mixed")),
		node("Add", "residual", list("u", "mixed"), list("sum")),
		node("Shape", "measure", list("sum"), list("whole")),
		node("Gather", "count", list("whole", "one"), list("many")),
		node("Sub", "last", list("many", "size"), list("end")),
		node("Slice", "some", list("sum", "first", "end", "one"), list("part")),
		node("ReduceMean", "mean", list("part"), list("f"), ofInts("axes", 1), ofInt("keepdims", 0)),
		g.Node[4])
	return m
}

// convolutional returns a network of other layers for images.
func convolutional() *pb.ModelProto {
	m := small()
	g := m.Graph
	g.Initializer = append(g.Initializer,
		floats("bn.weight", ramp(4), 4), floats("bn.bias", ramp(4), 4), floats("bn.mean", ramp(4), 4),
		floats("bn.var", []float32{1, 2, 3, 4}, 4),
		floats("depthwise", ramp(4*2*2), 4, 1, 2, 2), ints("pads", 0, 0, 1, 0, 0, 0, 0, 1),
		floats("zero", []float32{0}), floats("six", []float32{6}))
	g.Initializer[len(g.Initializer)-2].Dims, g.Initializer[len(g.Initializer)-1].Dims = nil, nil
	g.Node = append(slices.Clone(g.Node[:1]),
		node("BatchNormalization", "bn", list("c", "bn.weight", "bn.bias", "bn.mean", "bn.var"), list("b"),
			&pb.AttributeProto{Name: "epsilon", Type: pb.AttributeProto_FLOAT, F: 1e-3}),
		node("Clip", "relu6", list("b", "zero", "six"), list("r6")),
		node("Pad", "pad", list("r6", "pads"), list("padded")),
		node("Conv", "depthwise", list("padded", "depthwise"), list("d"), ofInt("group", 4), ofInts("strides", 1, 2),
			ofInts("kernel_shape", 2, 2)),
		node("Sigmoid", "gate", list("d"), list("s")), node("Mul", "swish", list("d", "s"), list("e")),
		node("MaxPool", "max", list("e"), list("m"), ofInts("kernel_shape", 2, 1), ofInts("strides", 2, 1),
			ofInt("ceil_mode", 1)),
		node("AveragePool", "average", list("m"), list("n"), ofInts("kernel_shape", 1, 2), ofInts("pads", 0, 0, 0, 1),
			ofInt("count_include_pad", 1)),
		node("GlobalAveragePool", "pool", list("n"), list("p")),
		node("Squeeze", "squeeze", list("p", "axes"), list("f")), g.Node[4])
	g.Initializer = append(g.Initializer, ints("axes", 2, 3))
	return m
}

// TestDamagedModelsRunOrAreRefused: a valid file with one wrong field is either refused when it is read, compiled or
// run, or it gives a value for each sample.
func TestDamagedModelsRunOrAreRefused(t *testing.T) {
	for i, m := range models() {
		rng, ran := rand.New(rand.NewPCG(uint64(i), 2)), 0
		for range 60 {
			net, err := onnx.Read(marshal(t, damage.Message(m, rng).(*pb.ModelProto)), beside, "damaged.onnx",
				onnx.Options{})
			if err != nil {
				continue
			}
			p, err := graph.Compile(net, graph.Options{Batch: 2, Workers: 1})
			if err != nil {
				continue
			}
			n := 0
			for out, err := range p.Run(t.Context(), nettest.Stream(nettest.Batch(3, net.InputShape(), 0, 1))) {
				require.NoError(t, err)
				n += len(out.Float32(nets.Logits))
			}
			require.Equal(t, 3*net.Classes(), n)
			ran++
		}
		require.Greater(t, ran, 5, "model %d", i)
	}
}

// FuzzRead: any bytes give a network or an error. If seed is not 0 the bytes are replaced by a valid file with one
// wrong field.
func FuzzRead(f *testing.F) {
	all := models()
	for i, m := range all {
		_, err := onnx.Read(marshal(f, m), beside, "fuzz.onnx", onnx.Options{})
		require.NoError(f, err, "model %d", i)
		for seed := range uint64(3) {
			f.Add([]byte(nil), uint8(i), seed+1)
		}
	}
	f.Add(marshal(f, small()), uint8(0), uint64(0))
	f.Add(marshal(f, tokens()), uint8(0), uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, which uint8, seed uint64) {
		if seed != 0 {
			var err error
			data, err = proto.Marshal(damage.Message(all[int(which)%len(all)], rand.New(rand.NewPCG(seed, 1))))
			require.NoError(t, err)
		}
		net, err := onnx.Read(data, beside, "fuzz.onnx", onnx.Options{})
		if err != nil {
			require.Contains(t, err.Error(), "onnx: fuzz.onnx: ")
			return
		}
		require.NotEmpty(t, net.Outputs())
		for _, p := range net.Params() {
			require.Equal(t, product(p.Shape()...), len(p.Float32s()))
		}
	})
}
