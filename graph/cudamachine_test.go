//go:build cuda

package graph_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
	"github.com/line-ood/goline/internal/cuda"
)

// stockPTX names the environment variable that holds the folder with Gorgonia's own kernels as PTX. Gorgonia ships them
// as sources only.
const stockPTX = "GOLINE_TEST_GORGONIA_PTX"

// gorgoniasCard makes sure that there is a card, real or emulated, and gives Gorgonia its kernels.
func gorgoniasCard(t *testing.T) *cuda.Context {
	d, err := cuda.Open()
	if err != nil {
		t.Skip(err)
	}
	c, err := d.NewContext(0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func init() {
	dir := os.Getenv(stockPTX)
	if dir == "" {
		return
	}
	for _, name := range []string{"elembinop", "elemunaryop"} {
		ptx, err := os.ReadFile(filepath.Join(dir, name+".ptx"))
		if err != nil {
			panic(err)
		}
		var kernels []string
		for _, m := range regexp.MustCompile(`\.entry\s+(\w+)`).FindAllSubmatch(ptx, -1) {
			kernels = append(kernels, string(m[1]))
		}
		G.AddToStdLib(name, string(ptx)+"\x00", kernels)
	}
}

// mixture builds a graph with a convolution, pooling, a linear layer, a table by class and a softmax. With stock it
// puts Gorgonia's operations between goline's, without it goline's own operations in their place.
func mixture(t *testing.T, batch int, stock bool) (x *G.Node, fetch G.Nodes) {
	must := must2(t)
	r := newRand(21)
	g := G.NewGraph()
	input := func(name string, shape ...int) *G.Node {
		v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(narrow(graphtest.Normal(r, shape...).Data)))
		return G.NewTensor(g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(v))
	}
	x = input("x", batch, 3, 8, 8)
	classes := make([]int, batch)
	for i := range classes {
		classes[i] = i % 4
	}
	class := G.NewVector(g, tensor.Int, G.WithShape(batch), G.WithName("class"),
		G.WithValue(tensor.New(tensor.WithShape(batch), tensor.WithBacking(classes))))
	add, tanh, mul := graph.Add, func(x *G.Node) (*G.Node, error) { return graph.Activate(x, graph.ActTanh()) },
		graph.MatMul
	if stock {
		add, tanh, mul = G.Add, G.Tanh, G.Mul
	}
	y := must(graph.Conv2D(x, input("w1", 5, 3, 3, 3), input("b1", 5), graph.ConvConfig{Padding: [2]int{1, 1}}))
	y = must(graph.ReLU(must(tanh(must(add(y, y))))))
	y = must(graph.MaxPool2D(y, graph.PoolConfig{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}}))
	z := must(mul(must(graph.GlobalAvgPool2D(y)), input("w2", 5, 6)))
	z = must(graph.ClassMask(z, class, input("table", 4, 6)))
	return x, G.Nodes{y, z, must(graph.Softmax(must(graph.Linear(z, input("w3", 7, 6), nil))))}
}

// onProcessor runs goline's operations on the processor.
func onProcessor(t *testing.T, batch int) [][]float64 {
	x, fetch := mixture(t, batch, false)
	vm := G.NewTapeMachine(x.Graph())
	require.NoError(t, vm.RunAll())
	var out [][]float64
	for _, n := range fetch {
		out = append(out, wide(n.Value().Data().([]float32)))
	}
	return out
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// TestGorgoniasCUDAMachine runs goline's operations on Gorgonia's machine, alone and, where Gorgonia's kernels are at
// hand, with stock operations between them, several times on one machine.
func TestGorgoniasCUDAMachine(t *testing.T) {
	card := gorgoniasCard(t)
	free, _, err := card.MemInfo()
	require.NoError(t, err)
	for name, stock := range map[string]bool{"own": false, "mixed": true} {
		t.Run(name, func(t *testing.T) {
			if stock && os.Getenv(stockPTX) == "" {
				t.Skip(stockPTX + " is not set")
			}
			const batch = 5
			want := onProcessor(t, batch)
			x, fetch := mixture(t, batch, stock)
			m, err := graph.NewCUDAMachine(fetch...)
			require.NoError(t, err)
			for range 3 {
				got, err := m.Run(context.Background())
				require.NoError(t, err)
				for i, v := range got {
					graphtest.RequireClose(t, want[i], wide(v.Data().([]float32)), 1e-5, fetch[i].Name())
				}
			}
			for _, o := range []string{"Conv2D+bias", "ReLU", "MaxPool2D", "GlobalAvgPool2D", "ClassMask", "Linear",
				"Softmax"} {
				require.Contains(t, m.OnCard(), o)
			}
			before := want[2][0]
			x.Value().Data().([]float32)[0] += 3
			got, err := m.Run(context.Background())
			require.NoError(t, err)
			require.NotEqual(t, before, float64(got[2].Data().([]float32)[0]), "another input")
			require.NoError(t, m.Close())
		})
	}
	runtime.GC()
	now, _, err := card.MemInfo()
	require.NoError(t, err)
	require.Equal(t, free, now, "memory of the card")
}

// TestGorgoniasCUDAMachineFails: the machine fails with errors that say what is wrong.
func TestGorgoniasCUDAMachineFails(t *testing.T) {
	card := gorgoniasCard(t)
	free, _, err := card.MemInfo()
	require.NoError(t, err)
	x, fetch := mixture(t, 3, false)
	m, err := graph.NewCUDAMachine(fetch...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = m.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	for _, n := range x.Graph().Inputs() {
		if n.Name() == "class" {
			n.Value().Data().([]int)[1] = 9
		}
	}
	_, err = m.Run(context.Background())
	require.ErrorContains(t, err, "ClassMask: sample 1 of the batch: expected a class from 0 to 3, got 9")
	require.NoError(t, m.Close())

	g := G.NewGraph()
	a := G.NewTensor(g, tensor.Float32, 2, G.WithShape(2, 2), G.WithName("a"))
	none, err := graph.Tripwire(a, func(float64) error { return nil })
	require.NoError(t, err)
	_, err = graph.NewCUDAMachine(none)
	require.ErrorContains(t, err, "no operation of the graph has a kernel for cards")
	y, err := graph.ReLU(a)
	require.NoError(t, err)
	m, err = graph.NewCUDAMachine(y)
	require.NoError(t, err)
	_, err = m.Run(context.Background())
	require.ErrorContains(t, err, "input a has no value")
	require.NoError(t, m.Close())
	now, _, err := card.MemInfo()
	require.NoError(t, err)
	require.Equal(t, free, now, "memory of the card")
	t.Setenv(cuda.DriverVariable, "/none/libcuda.so")
	_, err = graph.NewCUDAMachine(y)
	require.ErrorIs(t, err, cuda.ErrUnavailable)
}
