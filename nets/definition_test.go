package nets_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets"
)

// own describes a small network with a layer of each kind that has parameters, and a self-made operation.
func own() nets.Definition {
	return nets.Definition{
		Name: "own", Classes: 3, Input: []int{2, 6, 8}, Head: "classifier",
		Build: func(b *graph.Builder, x *G.Node) *G.Node {
			x = b.Conv(x, "conv1", graph.ConvConfig{Out: 4, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}, Bias: true})
			x = b.ReLU(b.BatchNorm(x, "bn1", 1e-5))
			x = b.MaxPool(x, graph.PoolConfig{Kernel: [2]int{2, 2}})
			x = b.ReLU(b.Conv(x, "conv2", graph.ConvConfig{Out: 6, Kernel: [2]int{1, 2}, Groups: 2}))
			gate := b.Param("gate", 6)
			x = b.Do(func() (*G.Node, error) { return graph.Affine(x, gate, gate) })
			return b.ReLU(b.Linear(b.GlobalAvgPool(x), "hidden", 5))
		},
	}
}

func TestDefineTakesSizesFromTheLayers(t *testing.T) {
	net, err := nets.Define(own())
	require.NoError(t, err)
	require.Equal(t, []string{
		"conv1.weight [4 2 3 3]", "conv1.bias [4]",
		"bn1.weight [4]", "bn1.bias [4]", "bn1.running_mean [4]", "bn1.running_var [4]",
		"conv2.weight [6 2 1 2]", "gate [6]", "hidden.weight [5 6]", "hidden.bias [5]",
		"classifier.weight [3 5]", "classifier.bias [3]",
	}, shapes(net))
	for i, p := range net.Params() {
		require.Equal(t, i == 4 || i == 5, p.Buffer, p.Name)
	}
	require.Equal(t, "own", net.Name())
	require.Equal(t, 3, net.Classes())
	require.Equal(t, 5, net.FeatureDim())
	require.Equal(t, []int{2, 6, 8}, net.InputShape())
	w, b := net.Head()
	require.Equal(t, "classifier.weight [3 5]", w.String())
	require.Equal(t, "classifier.bias [3]", b.String())

	nettest.Fill(net.Params(), 1)
	batch := nettest.Batch(5, net.InputShape(), 0, 2)
	double, single := runAll(t, net, graph.Options{Dtype: G.Float64}, batch), runAll(t, net, graph.Options{}, batch)
	require.Len(t, double[nets.Features], 25)
	require.Len(t, double[nets.Logits], 15)
	for _, name := range net.Outputs() {
		require.InDeltaSlice(t, double[name], single[name], 1e-4, name)
	}
}

func TestDefineRefuses(t *testing.T) {
	conv := func(out int) graph.ConvConfig { return graph.ConvConfig{Out: out, Kernel: [2]int{3, 3}} }
	building := func(f func(b *graph.Builder, x *G.Node) *G.Node) func(d *nets.Definition) {
		return func(d *nets.Definition) { d.Build = f }
	}
	for want, change := range map[string]func(d *nets.Definition){
		"expected a name, got none":                                 func(d *nets.Definition) { d.Name = "" },
		"expected a function Build, got nil":                        building(nil),
		"expected at least 1 class, got 0":                          func(d *nets.Definition) { d.Classes = 0 },
		"expected input of shape [channels height width], got [12]": func(d *nets.Definition) { d.Input = []int{12} },
		"shape (1, 2, 0, 8)": func(d *nets.Definition) {
			d.Input = []int{2, 0, 8}
		},
		"expected preprocessing that crops images to the input's 6×8 pixels, got 32×32": func(d *nets.Definition) {
			d.Preprocessing = nets.CIFAR()
		},
		"classifier.weight of shape [9223372036854775807 5]": func(d *nets.Definition) { d.Classes = math.MaxInt },
		"expected features of shape [batch, features], got (1, 2, 6, 8)": building(
			func(b *graph.Builder, x *G.Node) *G.Node { return x }),
		"expected features from Definition.Build, got nil": building(
			func(b *graph.Builder, x *G.Node) *G.Node { return nil }),
		`two layers are named "classifier"`: building(func(b *graph.Builder, x *G.Node) *G.Node {
			return b.Linear(b.GlobalAvgPool(x), "classifier", 3)
		}),
		`two layers are named "c"`: building(func(b *graph.Builder, x *G.Node) *G.Node {
			return b.GlobalAvgPool(b.Conv(b.Conv(x, "c", conv(2)), "c", conv(2)))
		}),
		"expected ConvConfig.Out and Kernel of at least 1, got 0": building(func(b *graph.Builder, x *G.Node) *G.Node {
			return b.GlobalAvgPool(b.Conv(x, "c", conv(0)))
		}),
		`parameter "p" has no shape where it is first asked for`: building(func(b *graph.Builder, x *G.Node) *G.Node {
			return b.Param("p")
		}),
		"expected shape (4), got (3)": building(func(b *graph.Builder, x *G.Node) *G.Node {
			b.Param("p", 3)
			return b.Param("p", 4)
		}),
		"convolution c: input 0": building(func(b *graph.Builder, x *G.Node) *G.Node {
			return b.Conv(b.GlobalAvgPool(x), "c", conv(4))
		}),
		"batch norm n: input": building(func(b *graph.Builder, x *G.Node) *G.Node {
			return b.BatchNorm(b.Do(func() (*G.Node, error) { return graph.ArgMax(b.GlobalAvgPool(x)) }), "n", 0)
		}),
		"expected one size, got [3 4]": building(func(b *graph.Builder, x *G.Node) *G.Node {
			return b.Linear(b.GlobalAvgPool(x), "l", 3, 4)
		}),
		"or 10000 parameters": building(func(b *graph.Builder, x *G.Node) *G.Node {
			for i := range 10_001 {
				b.Param(string(rune('a'+i)), 1)
			}
			return b.GlobalAvgPool(x)
		}),
	} {
		d := own()
		change(&d)
		_, err := nets.Define(d)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "nets: network ")
	}
}

// TestBuildMustStandByItsSizes: a Build that asks for other parameters than the first time is an error.
func TestBuildMustStandByItsSizes(t *testing.T) {
	calls := 0
	d := own()
	d.Build = func(b *graph.Builder, x *G.Node) *G.Node {
		calls++
		return b.GlobalAvgPool(b.Conv(x, "c", graph.ConvConfig{Out: 2 + calls, Kernel: [2]int{1, 1}}))
	}
	net, err := nets.Define(d)
	require.NoError(t, err)
	require.Equal(t, 3, net.FeatureDim())
	_, err = graph.Compile(net, graph.Options{})
	require.ErrorContains(t, err,
		"weight c.weight: expected 4 output channels and a kernel of 1×1, got shape (3, 2, 1, 1)")
}

func TestPreprocessingOf(t *testing.T) {
	net, err := nets.New("resnet-fashion-8-1", 2)
	require.NoError(t, err)
	p, ok := nets.PreprocessingOf(net)
	require.True(t, ok)
	require.Equal(t, nets.FashionMNIST(), p)
	_, ok = nets.PreprocessingOf(sloped{net})
	require.True(t, ok, "a model around a network has the network's")
	var plain struct{ graph.Model }
	_, ok = nets.PreprocessingOf(plain)
	require.False(t, ok)
	unknown, err := nets.Define(own())
	require.NoError(t, err)
	_, ok = nets.PreprocessingOf(unknown)
	require.False(t, ok, "it was left out")
}

// TestWhatIsDefinedCompiles: networks of random layers compile for inference and for training, and their features have
// the declared size.
func TestWhatIsDefinedCompiles(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, from, to int) int { return rapid.IntRange(from, to).Draw(rt, name) }
		var layers []func(b *graph.Builder, x *G.Node) *G.Node
		for i := range draw("layers", 0, 5) {
			name := fmt.Sprintf("layer%d", i)
			switch draw("kind", 0, 5) {
			case 0:
				out, k, bias := draw("out", 1, 5), draw("kernel", 1, 3), rapid.Bool().Draw(rt, "bias")
				layers = append(layers, func(b *graph.Builder, x *G.Node) *G.Node {
					return b.Conv(x, name, graph.ConvConfig{Out: out, Kernel: [2]int{k, k}, Padding: [2]int{1, 1},
						Bias: bias})
				})
			case 1:
				layers = append(layers, func(b *graph.Builder, x *G.Node) *G.Node { return b.BatchNorm(x, name, 1e-5) })
			case 2:
				layers = append(layers, func(b *graph.Builder, x *G.Node) *G.Node { return b.ReLU(x) })
			case 3:
				layers = append(layers, func(b *graph.Builder, x *G.Node) *G.Node {
					return b.MaxPool(x, graph.PoolConfig{Kernel: [2]int{2, 2}, Stride: [2]int{1, 1},
						Padding: [2]int{1, 1}})
				})
			case 4:
				layers = append(layers, func(b *graph.Builder, x *G.Node) *G.Node {
					return b.Add(b.Dropout(x, name, 0.5), x)
				})
			case 5:
				growth := draw("growth", 1, 3)
				layers = append(layers, func(b *graph.Builder, x *G.Node) *G.Node {
					if b.Err() != nil {
						return nil
					}
					return b.DenseBlock(x, x.Shape()[1]+2*growth, 2, func(i int, x *G.Node) *G.Node {
						return b.Conv(x, fmt.Sprintf("%s.%d", name, i),
							graph.ConvConfig{Out: growth, Kernel: [2]int{1, 1}})
					})
				})
			}
		}
		net, err := nets.Define(nets.Definition{
			Name: "random", Classes: draw("classes", 1, 4), Input: []int{draw("channels", 1, 3), 4, 5},
			Build: func(b *graph.Builder, x *G.Node) *G.Node {
				for _, layer := range layers {
					x = layer(b, x)
				}
				return b.GlobalAvgPool(x)
			},
		})
		require.NoError(rt, err)
		nettest.Fill(net.Params(), 1)
		program, err := graph.Compile(net, graph.Options{Batch: 2, Workers: 1})
		require.NoError(rt, err)
		require.Equal(rt, []int{net.FeatureDim()}, program.Shape(nets.Features))
		require.Equal(rt, []int{net.Classes()}, program.Shape(nets.Logits))
		_, err = graph.CompileTraining(net, graph.TrainingOptions{Batch: 2})
		require.NoError(rt, err)
	})
}
