package onnx_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// formula returns the n values 1.5 sin(0.37 i), computed in float64.
func formula(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(1.5 * math.Sin(0.37*float64(i)))
	}
	return x
}

// outputs runs a network on a batch and returns copies of its outputs.
func outputs(t testing.TB, net graph.Model, o graph.Options, batch graph.Batch) map[string][]float64 {
	t.Helper()
	p, err := graph.Compile(net, o)
	require.NoError(t, err)
	got := map[string][]float64{}
	for out, err := range p.Run(context.Background(), nettest.Stream(batch)) {
		require.NoError(t, err)
		for _, name := range net.Outputs() {
			if o.Dtype == tensor.Float64 {
				got[name] = append(got[name], out.Float64(name)...)
				continue
			}
			for _, v := range out.Float32(name) {
				got[name] = append(got[name], float64(v))
			}
		}
	}
	return got
}

func requireNear(t testing.TB, want []float32, got []float64, tolerance float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	most, worst := 0.0, 0.0
	for i, w := range want {
		most = max(most, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(w)-got[i]))
	}
	t.Logf("%s: difference %.2g of %.3g", what, worst, most)
	require.LessOrEqual(t, worst, tolerance*most, what)
}

// TestZoo: networks of today's families, written by both of PyTorch's exporters, give PyTorch's features and logits.
func TestZoo(t *testing.T) {
	dir := os.Getenv("GOLINE_ONNX_ZOO")
	if dir == "" {
		dir = sharedtest.Path(t, "onnx", "zoo")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(t *testing.T) {
			o := onnx.Options{Input: []int{3, 64, 64}}
			net, err := onnx.Open(file, o)
			require.NoError(t, err)
			for _, note := range net.Notes() {
				t.Log(note)
			}
			want, err := npyz.ReadNpz(strings.TrimSuffix(file, ".onnx") + ".npz")
			require.NoError(t, err)
			size := len(formula(2 * product(net.InputShape()...)))
			x := formula(size)
			two := outputs(t, net, graph.Options{Batch: 2, Workers: 1}, graph.Batch{N: 2, X: x})
			for _, name := range net.Outputs() {
				if !want.Has(name) {
					t.Logf("%s: no reference", name)
					continue
				}
				values, err := want.Float32(name, 2, -1)
				require.NoError(t, err)
				requireNear(t, values, two[name], 1e-4, name)
			}
			one := outputs(t, net, graph.Options{Batch: 1, Workers: 1}, graph.Batch{N: 2, X: x})
			three := outputs(t, net, graph.Options{Batch: 3, Workers: 2},
				graph.Batch{N: 7, X: slices.Repeat(x, 4)[:7*size/2]})
			for _, name := range net.Outputs() {
				require.Equal(t, two[name], one[name], "%s: batch of two against batches of one", name)
				require.Equal(t, two[name], three[name][:len(two[name])], "%s: batch of two against seven", name)
				require.Equal(t, two[name], three[name][2*len(two[name]):3*len(two[name])],
					"%s: batch of two against seven", name)
			}
			var names []string
			for _, p := range net.Params() {
				names = append(names, p.String())
			}
			t.Log(fmt.Sprint(names[:min(len(names), 12)]))
			if _, err := nets.Classifier(net), net.NeedHead(); err == nil {
				w, _ := net.Head()
				require.Equal(t, []int{net.Classes(), net.FeatureDim()}, w.Shape())
			}
		})
	}
}

func product(shape ...int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
