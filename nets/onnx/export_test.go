package onnx_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/peertest"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// run computes outputs of a model for a batch.
func run(t *testing.T, m graph.Model, batch graph.Batch, fetch ...string) kept {
	t.Helper()
	p, err := graph.Compile(m, graph.Options{Fetch: fetch, Workers: 1})
	require.NoError(t, err)
	got := kept{map[string][]float32{}, map[string][]int{}, map[string][]int{}}
	for out, err := range p.Run(context.Background(), nettest.Stream(batch)) {
		require.NoError(t, err)
		for _, name := range p.Options().Fetch {
			got.shapes[name] = out.Shape(name)
			if out.Dtype(name) == tensor.Int {
				got.ints[name] = slices.Clone(out.Ints(name))
			} else {
				got.f32[name] = slices.Clone(out.Float32(name))
			}
		}
	}
	return got
}

// kept holds copies of the outputs of a run, which the program overwrites when it goes on.
type kept struct {
	f32          map[string][]float32
	ints, shapes map[string][]int
}

func (k kept) Float32(name string) []float32 { return k.f32[name] }
func (k kept) Ints(name string) []int        { return k.ints[name] }
func (k kept) Shape(name string) []int       { return k.shapes[name] }

// exported returns the ONNX file of a model together with the batch on which to run it.
func exported(t testing.TB, m graph.Model, batch graph.Batch, outputs ...string) *nettest.ONNXRun {
	t.Helper()
	var data bytes.Buffer
	require.NoError(t, onnx.Export(&data, m, onnx.ExportOptions{Outputs: outputs}))
	return &nettest.ONNXRun{File: data.Bytes(), Input: m.InputShape(), Batch: batch}
}

// throughRuntime exports a model, runs the file in ONNX Runtime and returns the outputs.
func throughRuntime(t testing.TB, python string, m graph.Model, batch graph.Batch, outputs ...string) *npyz.Archive {
	t.Helper()
	r := exported(t, m, batch, outputs...)
	nettest.RunONNX(t, python, 5, r)
	require.NoError(t, r.Err)
	return r.Outputs
}

// peer is a network with a batch and goline's outputs for it.
type peer struct {
	name string
	*nettest.ONNXRun
	want kept
}

// TestExportedNetworksRunInONNXRuntime: ONNX Runtime gives goline's results for networks by name, on small images, and
// for networks from files of PyTorch's exporters, with batches of five and two; and the exported files are read as the
// same networks. Package nets tests the other families.
func TestExportedNetworksRunInONNXRuntime(t *testing.T) {
	var peers []peer
	names := []string{nets.Features, nets.Logits, nets.Prediction}
	add := func(name string, net graph.Model) {
		batch := nettest.Batch(7, net.InputShape(), 0, 4)
		want := run(t, net, batch, names...)
		r := exported(t, net, batch, names...)
		peers = append(peers, peer{name, r, want})
		t.Run(name+" read again", func(t *testing.T) {
			back, err := onnx.Read(exported(t, net, batch, nets.Logits).File, nil, name, onnx.Options{})
			require.NoError(t, err)
			got := outputs(t, back, graph.Options{Workers: 1}, batch)
			for _, output := range names[:2] {
				requireNear(t, want.Float32(output), got[output], 1e-5, output)
			}
		})
	}
	for _, name := range []string{
		"densenet-bc-10-4", "resnet-cifar-8-4", "wrn-10-1", "resnet20", "densenet121", "mobilenet_v3_small",
		"efficientnet_b0",
	} {
		d, err := nets.DefinitionOf(name, 5)
		require.NoError(t, err)
		d.Input, d.Preprocessing = []int{3, 32, 32}, nets.Preprocessing{}
		net, err := nets.Define(d)
		require.NoError(t, err)
		nettest.Fill(net.Params(), 3)
		add(name, net)
	}
	files, err := filepath.Glob(filepath.Join(sharedtest.Path(t, "onnx", "zoo"), "*.onnx"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		net, err := onnx.Open(file, onnx.Options{Input: []int{3, 64, 64}})
		require.NoError(t, err)
		add(filepath.Base(file), net)
	}
	python := peertest.Python(t, "numpy", "onnx", "onnxruntime")
	var runs []*nettest.ONNXRun
	for _, p := range peers {
		runs = append(runs, p.ONNXRun)
	}
	nettest.RunONNX(t, python, 5, runs...)
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			require.NoError(t, p.Err)
			requireLike(t, p.want, p.Outputs, 1e-4, names...)
		})
	}
}

// requireLike compares outputs with those of a file: numbers within tolerance times the largest one, classes exactly.
func requireLike(t testing.TB, want kept, got *npyz.Archive, tolerance float64, names ...string) {
	t.Helper()
	for _, name := range names {
		a, err := got.Get(name)
		require.NoError(t, err)
		require.Equal(t, want.Shape(name), a.Shape[1:], name)
		v, err := a.AsFloat64()
		require.NoError(t, err)
		if a.TypeName() == "int64" {
			for i, k := range want.Ints(name) {
				require.EqualValues(t, k, v[i], name)
			}
			continue
		}
		requireNear(t, want.Float32(name), v, tolerance, name)
	}
}

// contributions returns contributions of three random images per class.
func contributions(t *testing.T, net nets.Classifier) *line.Contributions {
	t.Helper()
	c := line.NewContributions(net.Classes(), net.FeatureDim())
	random := rand.New(rand.NewPCG(1, 2))
	row := make([]float32, net.FeatureDim())
	for i := range 3 * net.Classes() {
		for j := range row {
			row[j] = float32(random.NormFloat64())
		}
		require.NoError(t, c.Add(i%net.Classes(), row))
	}
	return c
}

func TestExportedDetectorsRunInONNXRuntime(t *testing.T) {
	python := peertest.Python(t, "numpy", "onnx", "onnxruntime")
	net, err := nets.New("resnet-cifar-8-4", 3)
	require.NoError(t, err)
	nettest.Fill(net.Params(), 5)
	for name, o := range map[string]line.Options{
		"paper":             {ActivationPercentile: line.Percent(50), WeightPercentile: line.Percent(50), Clip: 0.8},
		"per neuron":        {ActivationPercentile: 50, WeightPercentile: 50, ClipPercentile: 90},
		"per class":         {ActivationPercentile: 50, WeightPercentile: 50, ClipPercentile: 90, ClipPerClass: true},
		"no clipping":       {NoClipping: true},
		"activations alone": {NoWeightPruning: true},
		"weights alone":     {NoActivationPruning: true},
		"energy":            {NoClipping: true, NoWeightPruning: true, NoActivationPruning: true},
	} {
		t.Run(name, func(t *testing.T) {
			det, err := line.New(t.Context(), net, contributions(t, net), o)
			if o.ClipPercentile != 0 {
				limits := make([]float32, net.FeatureDim()) // some are 0, some so high that they clip nothing
				if o.ClipPerClass {
					limits = make([]float32, net.Classes()*net.FeatureDim())
				}
				for i := range limits {
					limits[i] = 0.25 * float32(i*i%7)
				}
				det, err = line.NewClipped(t.Context(), net, contributions(t, net), limits, o)
			}
			require.NoError(t, err)
			pipeline := line.Pipeline{Classifier: net, Detector: det}
			batch := nettest.Batch(9, net.InputShape(), 0, 6)
			want := run(t, pipeline, batch, line.Score, nets.Prediction)
			got := throughRuntime(t, python, pipeline, batch, line.Score, nets.Prediction)
			requireLike(t, want, got, 1e-4, line.Score, nets.Prediction)
		})
	}
}

// TestExportedDetectorOfAnImportedNetwork: a detector for an imported network, here a vision transformer, can be
// exported.
func TestExportedDetectorOfAnImportedNetwork(t *testing.T) {
	python := peertest.Python(t, "numpy", "onnx", "onnxruntime")
	net, err := onnx.Open(sharedtest.Path(t, "onnx", "zoo", "vit_small.onnx"), onnx.Options{})
	require.NoError(t, err)
	det, err := line.New(t.Context(), net, contributions(t, net), line.Options{Clip: 0.8})
	require.NoError(t, err)
	pipeline := line.Pipeline{Classifier: net, Detector: det}
	batch := nettest.Batch(7, net.InputShape(), 0, 6)
	want := run(t, pipeline, batch, line.Score, nets.Prediction)
	requireLike(t, want, throughRuntime(t, python, pipeline, batch, line.Score, nets.Prediction), 1e-4, line.Score,
		nets.Prediction)
}

func TestExportIsDeterministic(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 1)
	var a, b bytes.Buffer
	o := onnx.ExportOptions{Metadata: map[string]string{"b": "2", "a": "1", "c": "3"}}
	require.NoError(t, onnx.Export(&a, net, o))
	require.NoError(t, onnx.Export(&b, net, o))
	require.Equal(t, a.Bytes(), b.Bytes())
	var m pb.ModelProto
	require.NoError(t, proto.Unmarshal(a.Bytes(), &m))
	require.Len(t, m.MetadataProps, 3)
	require.Equal(t, []string{nets.Features, nets.Logits}, []string{m.Graph.Output[0].Name, m.Graph.Output[1].Name})
}

// odd is a network with an operation that cannot be exported.
type odd struct{ nets.Classifier }

func (o odd) Build(b *graph.Builder, x *G.Node) error {
	if err := o.Classifier.Build(b, x); err != nil {
		return err
	}
	l, err := b.Node(nets.Logits)
	if err != nil {
		return err
	}
	b.Tap("odd", b.Do(func() (*G.Node, error) {
		sign, err := G.Sign(l)
		if err != nil {
			return nil, err
		}
		return graph.ArgMax(sign)
	}))
	return b.Err()
}

// TestExportGivesAValueUnderTwoNames: one value can be two outputs. An output with the name of the input is refused.
func TestExportGivesAValueUnderTwoNames(t *testing.T) {
	net := several{build: func(b *graph.Builder, x *G.Node) error {
		y := b.ReLU(x)
		for _, name := range []string{"a", "b", "input"} {
			b.Tap(name, y)
		}
		return b.Err()
	}}
	var data bytes.Buffer
	require.NoError(t, onnx.Export(&data, net, onnx.ExportOptions{Outputs: []string{"a", "b"}}))
	var m pb.ModelProto
	require.NoError(t, proto.Unmarshal(data.Bytes(), &m))
	require.Equal(t, []string{"a", "b"}, []string{m.Graph.Output[0].Name, m.Graph.Output[1].Name})
	require.Equal(t, []string{"Relu", "Identity"}, []string{m.Graph.Node[0].OpType, m.Graph.Node[1].OpType})
	require.ErrorContains(t, onnx.Export(&data, net, onnx.ExportOptions{Outputs: []string{"input"}}), `output "input"`)
}

// several is a model of two numbers per sample, built by a function.
type several struct {
	build func(b *graph.Builder, x *G.Node) error
}

func (several) InputShape() []int                         { return []int{2} }
func (several) Params() []*graph.Param                    { return nil }
func (several) Outputs() []string                         { return []string{"y"} }
func (s several) Build(b *graph.Builder, x *G.Node) error { return s.build(b, x) }

// TestExportRefusesWhatDependsOnTheBatch: a model whose computation depends on the number of samples is refused,
// because a file is for any number.
func TestExportRefusesWhatDependsOnTheBatch(t *testing.T) {
	constant := func(b *graph.Builder, values []float64, shape ...int) *G.Node {
		return b.Constant("c", func() []float64 { return values }, shape...)
	}
	for name, c := range map[string]struct {
		build func(b *graph.Builder, x *G.Node) (*G.Node, error)
		want  string
	}{
		"number": {func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			return graph.Mul(x, constant(b, []float64{1 / float64(b.Batch())}, 1))
		}, "other values for another batch"},
		"samples that differ": {func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			v := []float64{1, 2, 3}[:b.Batch()]
			return graph.Mul(x, constant(b, v, len(v), 1))
		}, "not the same for each sample"},
		"two axes": {func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			n := b.Batch()
			return graph.MatMul(constant(b, make([]float64, n*n), n, n), x)
		}, "more than one axis"},
		"a shape that does not grow by samples": {func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			n := b.Batch()
			s, err := graph.ReduceSum(constant(b, make([]float64, 1+n), 1+n), true)
			if err != nil {
				return nil, err
			}
			return graph.Mul(x, s)
		}, "expected a multiple of the samples along an axis, got 3 elements for 2 samples and 4 for 3"},
		"a slice": {func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			y, err := graph.Slice(x, 0, 0, b.Batch()-1, 1)
			if err != nil {
				return nil, err
			}
			y, err = graph.ReduceSum(y, true, 0)
			if err != nil {
				return nil, err
			}
			return graph.Mul(x, y)
		}, "other things for another batch"},
		"an axis of all samples": {func(b *graph.Builder, x *G.Node) (*G.Node, error) {
			y, err := graph.Expand(constant(b, []float64{1}, 1, 1), b.Batch(), b.Batch())
			if err == nil {
				y, err = graph.ReshapeAll(y, b.Batch(), 1, b.Batch())
			}
			if err == nil {
				y, err = graph.ReduceSum(y, false, 1, 2)
			}
			if err == nil {
				y, err = graph.ReshapeAll(y, b.Batch(), 1)
			}
			if err != nil {
				return nil, err
			}
			return graph.Mul(x, y)
		}, "expected at most one axis of its result to depend on the batch, got 2 of [-1 1 -1]"},
	} {
		t.Run(name, func(t *testing.T) {
			net := several{build: func(b *graph.Builder, x *G.Node) error {
				b.Tap("y", b.Do(func() (*G.Node, error) { return c.build(b, x) }))
				return b.Err()
			}}
			err := onnx.Export(&bytes.Buffer{}, net, onnx.ExportOptions{})
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestExportListsWhatItCannotWrite(t *testing.T) {
	net := odd{nettest.DenseNetBC(t, 10, 4, 3, 1)}
	err := onnx.Export(&bytes.Buffer{}, net, onnx.ExportOptions{Outputs: []string{"odd"}})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "sign")
	require.NotContains(t, err.Error(), "ArgMax", "what reads its result is not to blame")
	require.ErrorContains(t, onnx.Export(&bytes.Buffer{}, net, onnx.ExportOptions{Outputs: []string{"none"}}), `"none"`)
	require.ErrorContains(t, onnx.Export(&bytes.Buffer{}, nil, onnx.ExportOptions{}), "expected a model, got nil")
}
