package onnx_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/peertest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// run computes outputs of a model for a batch.
func run(t *testing.T, m graph.Model, batch graph.Batch, fetch ...string) *graph.Outputs {
	t.Helper()
	p, err := graph.Compile(m, graph.Options{Fetch: fetch, Workers: 1})
	require.NoError(t, err)
	var got *graph.Outputs
	for out, err := range p.Run(context.Background(), nettest.Stream(batch)) {
		require.NoError(t, err)
		got = out
	}
	return got
}

// exported returns the file of a model, to be run on a batch.
func exported(t testing.TB, m graph.Model, batch graph.Batch, outputs ...string) *nettest.ONNXRun {
	t.Helper()
	var data bytes.Buffer
	require.NoError(t, onnx.Export(&data, m, onnx.ExportOptions{Outputs: outputs}))
	return &nettest.ONNXRun{File: data.Bytes(), Input: m.InputShape(), Batch: batch}
}

// throughRuntime exports a model, runs the file in ONNX Runtime and returns what it gives.
func throughRuntime(t testing.TB, python string, m graph.Model, batch graph.Batch, outputs ...string) *npyz.Archive {
	t.Helper()
	r := exported(t, m, batch, outputs...)
	nettest.RunONNX(t, python, 5, r)
	require.NoError(t, r.Err)
	return r.Outputs
}

func TestExportedNetworksRunInONNXRuntime(t *testing.T) {
	python := peertest.Python(t, "numpy", "onnx", "onnxruntime")
	for _, name := range []string{"densenet-bc-10-4", "resnet-cifar-8-4", "wrn-10-1"} {
		t.Run(name, func(t *testing.T) {
			net, err := nets.New(name, 5)
			require.NoError(t, err)
			nettest.Fill(net.Params(), 3)
			batch := nettest.Batch(7, net.InputShape(), 0, 4)
			want := run(t, net, batch, nets.Features, nets.Logits, nets.Prediction)
			got := throughRuntime(t, python, net, batch, nets.Features, nets.Logits, nets.Prediction)
			requireLike(t, want, got, 1e-4, nets.Features, nets.Logits, nets.Prediction)
		})
	}
}

// requireLike compares outputs with those of a file: numbers within a part of the largest one, classes exactly.
func requireLike(t testing.TB, want *graph.Outputs, got *npyz.Archive, tolerance float64, names ...string) {
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

// contributions returns random ones of three images a class.
func contributions(t *testing.T, net nets.Classifier) *line.Contributions {
	t.Helper()
	c := line.NewContributions(net.Classes(), net.Dim())
	random := rand.New(rand.NewPCG(1, 2))
	row := make([]float32, net.Dim())
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
		"no clipping":       {NoClipping: true},
		"activations alone": {NoWeightPruning: true},
		"weights alone":     {NoActivationPruning: true},
		"energy":            {NoClipping: true, NoWeightPruning: true, NoActivationPruning: true},
	} {
		t.Run(name, func(t *testing.T) {
			det, err := line.New(t.Context(), net, contributions(t, net), o)
			require.NoError(t, err)
			pipeline := line.Pipeline{Classifier: net, Detector: det}
			batch := nettest.Batch(9, net.InputShape(), 0, 6)
			want := run(t, pipeline, batch, line.Score, nets.Prediction)
			got := throughRuntime(t, python, pipeline, batch, line.Score, nets.Prediction)
			requireLike(t, want, got, 1e-4, line.Score, nets.Prediction)
		})
	}
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

// odd is a network with an operation that ONNX has no counterpart for here.
type odd struct{ nets.Classifier }

func (o odd) Build(b *graph.Builder, x *G.Node) error {
	if err := o.Classifier.Build(b, x); err != nil {
		return err
	}
	l, err := b.Node(nets.Logits)
	if err != nil {
		return err
	}
	b.Tap("odd", b.Do(func() (*G.Node, error) { return G.Sign(l) }))
	return b.Err()
}

func TestExportListsWhatItCannotWrite(t *testing.T) {
	net := odd{nettest.DenseNetBC(t, 10, 4, 3, 1)}
	err := onnx.Export(&bytes.Buffer{}, net, onnx.ExportOptions{Outputs: []string{"odd"}})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "sign")
	require.ErrorContains(t, onnx.Export(&bytes.Buffer{}, net, onnx.ExportOptions{Outputs: []string{"none"}}), `"none"`)
	require.ErrorContains(t, onnx.Export(&bytes.Buffer{}, nil, onnx.ExportOptions{}), "model is nil")
}
