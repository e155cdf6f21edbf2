package onnx_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/peertest"
	"github.com/line-ood/goline/nets/onnx"
)

// tiny is a model of one operation, with the result y.
type tiny struct {
	input  []int
	params []*graph.Param
	build  func(b *graph.Builder, x *G.Node) (*G.Node, error)
}

func (m tiny) InputShape() []int      { return m.input }
func (m tiny) Params() []*graph.Param { return m.params }
func (m tiny) Outputs() []string      { return []string{"y"} }

func (m tiny) Build(b *graph.Builder, x *G.Node) error {
	b.Tap("y", b.Do(func() (*G.Node, error) { return m.build(b, x) }))
	return b.Err()
}

// numbers adds a constant of random values.
func numbers(b *graph.Builder, name string, shape ...int) *G.Node {
	return b.Constant(name, func() []float64 {
		rng := rand.New(rand.NewPCG(1, uint64(len(name)+product(shape...))))
		v := make([]float64, product(shape...))
		for i := range v {
			v[i] = rng.NormFloat64()
		}
		return v
	}, shape...)
}

// unary returns an operation on the input alone.
func unary(f func(x *G.Node) (*G.Node, error)) func(*graph.Builder, *G.Node) (*G.Node, error) {
	return func(_ *graph.Builder, x *G.Node) (*G.Node, error) { return f(x) }
}

// masks returns masks of where the input is above 0, and where it is below 1/2.
func masks(b *graph.Builder, x *G.Node) (above, below *G.Node) {
	above = b.Do(func() (*G.Node, error) {
		return graph.Less(b.Constant("0", func() []float64 { return []float64{0} }, 1), x)
	})
	below = b.Do(func() (*G.Node, error) {
		return graph.Less(x, b.Constant("½", func() []float64 { return []float64{0.5} }, 1))
	})
	return above, below
}

// operation is a case of [TestEveryOperationRunsInONNXRuntime].
type operation struct {
	name   string
	input  []int
	build  func(b *graph.Builder, x *G.Node) (*G.Node, error)
	params []*graph.Param
}

func operations() []operation {
	type node = *G.Node
	var ops []operation
	add := func(name string, input []int, build func(b *graph.Builder, x node) (node, error)) {
		ops = append(ops, operation{name: name, input: input, build: build})
	}
	vector, matrix, plane := []int{6}, []int{4, 6}, []int{6, 7, 5}

	for _, a := range []graph.Activation{
		graph.ActReLU(), graph.ActReLU6(), graph.ActClamp(-0.5, 1), graph.ActClamp(math.Inf(-1), 0.3),
		graph.ActSigmoid(),
		graph.ActSiLU(), graph.ActSwish(1.7), graph.ActHardSigmoid(0.3, 0.4), graph.ActHardSwish(), graph.ActGELU(),
		graph.ActGELUTanh(), graph.ActTanh(),
		graph.ActSoftplus(), graph.ActMish(), graph.ActSoftsign(), graph.ActLeakyReLU(0.1), graph.ActELU(0.7),
		graph.ActCELU(1.3),
		graph.ActSELU(1.5, 1.1),
	} {
		add(a.String(), matrix, unary(func(x node) (node, error) { return graph.Activate(x, a) }))
	}
	for name, f := range map[string]func(node) (node, error){
		"Exp": graph.Exp, "Reciprocal": graph.Reciprocal, "Abs": graph.Abs, "Neg": graph.Neg, "Erf": graph.Erf,
		"Sin": graph.Sin,
		"Cos": graph.Cos, "Square": graph.Square, "Floor": graph.Floor, "Ceil": graph.Ceil, "Round": graph.Round,
		"Sign": graph.Sign,
		"Copy": graph.Copy, "Flatten": graph.Flatten,
	} {
		add(name, matrix, unary(f))
	}
	positive := func(f func(node) (node, error)) func(*graph.Builder, node) (node, error) {
		return unary(func(x node) (node, error) {
			x, err := graph.Exp(x)
			if err != nil {
				return nil, err
			}
			return f(x)
		})
	}
	add("Log", matrix, positive(graph.Log))
	add("Sqrt", matrix, positive(graph.Sqrt))
	add("PReLU", plane, func(b *graph.Builder, x node) (node, error) {
		return graph.PReLU(x, numbers(b, "slope", 6, 1, 1))
	})

	for name, f := range map[string]func(a, b node) (node, error){
		"Add": graph.Add, "Sub": graph.Sub, "Mul": graph.Mul, "Div": graph.Div, "Maximum": graph.Maximum,
		"Minimum": graph.Minimum,
	} {
		add(name, matrix, func(b *graph.Builder, x node) (node, error) { return f(x, numbers(b, "c", 4, 1)) })
		add(name+" reversed", matrix, func(b *graph.Builder, x node) (node, error) { return f(numbers(b, "c", 6), x) })
		add(name+" batched constant", matrix, func(b *graph.Builder, x node) (node, error) {
			n := x.Shape()[0]
			c := b.Constant("c", func() []float64 { return slices.Repeat([]float64{1, -2, 3, 0.5, 2, 7}, n) }, n, 1, 6)
			return f(x, c)
		})
	}
	add("Pow", matrix, func(b *graph.Builder, x node) (node, error) {
		return positive(func(x node) (node, error) { return graph.Pow(x, numbers(b, "c", 6)) })(b, x)
	})
	add("Clip", plane, func(b *graph.Builder, x node) (node, error) {
		return graph.Clip(x, numbers(b, "limit", 6*7*5))
	})
	add("Clip by one", plane, func(b *graph.Builder, x node) (node, error) {
		return graph.Clip(x, numbers(b, "limit", 1, 1, 1, 1, 1))
	})

	for name, f := range map[string]func(a, b node) (node, error){
		"Less": graph.Less, "LessOrEqual": graph.LessOrEqual} {
		add(name, matrix, func(b *graph.Builder, x node) (node, error) { return f(x, numbers(b, "c", 6)) })
	}
	add("Equal", matrix, unary(func(x node) (node, error) {
		y, err := graph.ReLU(x)
		if err != nil {
			return nil, err
		}
		return graph.Equal(x, y)
	}))
	for name, f := range map[string]func(a, b node) (node, error){"And": graph.And, "Or": graph.Or, "Xor": graph.Xor} {
		add(name, matrix, func(b *graph.Builder, x node) (node, error) {
			above, below := masks(b, x)
			if b.Err() != nil {
				return nil, b.Err()
			}
			return f(above, below)
		})
	}
	add("Not of numbers", matrix, unary(func(x node) (node, error) {
		y, err := graph.ReLU(x)
		if err != nil {
			return nil, err
		}
		return graph.Not(y)
	}))
	add("Where", matrix, func(b *graph.Builder, x node) (node, error) {
		above, _ := masks(b, x)
		if b.Err() != nil {
			return nil, b.Err()
		}
		return graph.Where(above, x, numbers(b, "c", 4, 1))
	})

	weights := func(b *graph.Builder, shape ...int) node { return numbers(b, "w", shape...) }
	add("Conv2D", plane, func(b *graph.Builder, x node) (node, error) {
		cfg := graph.ConvConfig{
			Stride: [2]int{2, 1}, Padding: [2]int{1, 0}, Dilation: [2]int{1, 2}, Groups: 2, ExtraPadding: [2]int{1, 2},
		}
		return graph.Conv2D(x, weights(b, 4, 3, 3, 2), numbers(b, "bias", 4), cfg)
	})
	add("Conv2D of a computed weight", plane, func(b *graph.Builder, x node) (node, error) {
		w, err := graph.Tanh(weights(b, 4, 6, 3, 2))
		if err != nil {
			return nil, err
		}
		return graph.Conv2D(x, w, nil, graph.ConvConfig{})
	})
	add("Affine", plane, func(b *graph.Builder, x node) (node, error) {
		return graph.Affine(x, numbers(b, "scale", 6), numbers(b, "shift", 6))
	})
	params := []*graph.Param{graph.NewParam("c.weight", 2, 6, 1, 1)}
	for _, part := range []string{"weight", "bias", "running_mean", "running_var"} {
		params = append(params, graph.NewParam("n."+part, 6))
	}
	nettest.Fill(params, 1)
	for _, relu := range []bool{false, true} {
		add("Affine→AvgPool2D", plane, func(b *graph.Builder, x node) (node, error) {
			if x = b.BatchNorm(x, "n", 1e-5); relu {
				x = b.ReLU(x)
			}
			return b.AvgPool(b.Conv(x, "c", graph.ConvConfig{}), graph.PoolConfig{Kernel: [2]int{2, 3}}), b.Err()
		})
		ops[len(ops)-1].params = params
	}
	add("Linear", vector, func(b *graph.Builder, x node) (node, error) {
		return graph.Linear(x, weights(b, 3, 6), numbers(b, "b", 3))
	})
	add("Linear without bias", vector, func(b *graph.Builder, x node) (node, error) {
		return graph.Linear(x, weights(b, 3, 6), nil)
	})
	add("Linear of rank 3", matrix, func(b *graph.Builder, x node) (node, error) {
		return graph.Linear(x, weights(b, 3, 6), numbers(b, "b", 3))
	})
	add("Linear of a computed weight", matrix, func(b *graph.Builder, x node) (node, error) {
		w, err := graph.Tanh(weights(b, 3, 6))
		if err != nil {
			return nil, err
		}
		return graph.Linear(x, w, nil)
	})
	add("MatMul", matrix, func(b *graph.Builder, x node) (node, error) {
		y, err := graph.Transpose(x, 0, 2, 1)
		if err != nil {
			return nil, err
		}
		return graph.MatMul(x, y)
	})
	add("MatMul with a vector", matrix, func(b *graph.Builder, x node) (node, error) {
		return graph.MatMul(x, numbers(b, "v", 6))
	})
	add("MatMul of vectors", vector, func(b *graph.Builder, x node) (node, error) {
		y, err := graph.MatMul(numbers(b, "v", 6), numbers(b, "vector", 6))
		if err != nil {
			return nil, err
		}
		return graph.Mul(x, y)
	})

	add("LayerNorm", plane, func(b *graph.Builder, x node) (node, error) {
		return graph.LayerNorm(x, numbers(b, "s", 7, 5), numbers(b, "b", 7, 5), 2, 1e-3)
	})
	add("LayerNorm plain", plane, unary(func(x node) (node, error) { return graph.LayerNorm(x, nil, nil, -1, 1e-3) }))
	add("RMSNorm", plane, func(b *graph.Builder, x node) (node, error) {
		return graph.RMSNorm(x, numbers(b, "s", 7, 5), 2, 1e-3)
	})
	add("RMSNorm plain", plane, unary(func(x node) (node, error) { return graph.RMSNorm(x, nil, -1, 1e-3) }))
	add("GroupNorm", plane, func(b *graph.Builder, x node) (node, error) {
		return graph.GroupNorm(x, 3, numbers(b, "s", 6), numbers(b, "b", 6), 1e-3)
	})
	add("GroupNorm with a bias", matrix, func(b *graph.Builder, x node) (node, error) {
		return graph.GroupNorm(x, 4, nil, numbers(b, "b", 4), 1e-3)
	})
	add("GroupNorm plain", plane, unary(func(x node) (node, error) { return graph.GroupNorm(x, 2, nil, nil, 1e-3) }))
	for name, c := range map[string]graph.LRNConfig{
		"LocalResponseNorm":         {Size: 3, Alpha: 0.5, Beta: 0.75, K: 2},
		"LocalResponseNorm of four": {Size: 4, Alpha: 0.5, Beta: 0.75, K: 2},
	} {
		for _, input := range [][]int{plane, matrix} {
			add(name, input, unary(func(x node) (node, error) { return graph.LocalResponseNorm(x, c) }))
		}
	}

	two := func(a, b int) [2]int { return [2]int{a, b} }
	for name, c := range map[string]graph.PoolConfig{
		"":         {Kernel: two(3, 2)},
		" padded":  {Kernel: two(3, 3), Stride: two(2, 2), Padding: two(1, 1), ExtraPadding: two(1, 0)},
		" counted": {Kernel: two(3, 3), Stride: two(2, 2), Padding: two(1, 1), CountIncludePad: true},
		" up":      {Kernel: two(3, 2), Stride: two(3, 2), CeilMode: true},
		" up counted": {Kernel: two(3, 2), Stride: two(3, 2), Padding: two(1, 0), CeilMode: true,
			CountIncludePad: true},
		" dilated": {Kernel: two(2, 2), Stride: two(1, 1), Dilation: two(2, 3)},
		" dilated wide": {Kernel: two(2, 2), Stride: two(2, 1), Dilation: two(3, 3), Padding: two(3, 2),
			CeilMode: true},
	} {
		add("MaxPool2D"+name, plane, unary(func(x node) (node, error) { return graph.MaxPool2D(x, c) }))
		add("AvgPool2D"+name, plane, unary(func(x node) (node, error) { return graph.AvgPool2D(x, c) }))
	}
	line, solid := []int{3, 9}, []int{2, 5, 4, 6}
	for name, f := range map[string]func(node, graph.PoolNDConfig) (node, error){
		"MaxPoolND": graph.MaxPoolND, "AvgPoolND": graph.AvgPoolND,
	} {
		add(name, line, unary(func(x node) (node, error) {
			return f(x, graph.PoolNDConfig{Kernel: []int{3}, Stride: []int{2}, PadBegin: []int{1}, PadEnd: []int{2}})
		}))
		add(name+" of solids", solid, unary(func(x node) (node, error) {
			return f(x, graph.PoolNDConfig{Kernel: []int{2, 2, 2}, Stride: []int{2, 1, 2}, Dilation: []int{1, 2, 1},
				CeilMode: true})
		}))
	}
	for _, columns := range []bool{false, true} {
		add("MaxPoolIndices", plane, unary(func(x node) (node, error) {
			return graph.MaxPoolIndices(x, graph.PoolNDConfig{Kernel: []int{3, 2}, PadBegin: []int{1, 1},
				PadEnd: []int{0, 1}}, columns)
		}))
	}
	add("GlobalAvgPool2D", plane, unary(graph.GlobalAvgPool2D))
	add("GlobalMaxPool2D", plane, unary(graph.GlobalMaxPool2D))

	add("Reshape", plane, unary(func(x node) (node, error) { return graph.Reshape(x, 2, 3, 35) }))
	add("ReshapeAll", plane, unary(func(x node) (node, error) {
		n := x.Shape()[0]
		x, err := graph.ReshapeAll(x, n*6, 35)
		if err == nil {
			x, err = graph.SoftmaxAxis(x, 1)
		}
		if err != nil {
			return nil, err
		}
		return graph.ReshapeAll(x, n, 35, 6)
	}))
	add("Transpose", plane, unary(func(x node) (node, error) { return graph.Transpose(x, 0, 3, 1, 2) }))
	add("Transpose of samples", plane, unary(func(x node) (node, error) {
		x, err := graph.Transpose(x, 2, 0, 1, 3)
		if err == nil {
			x, err = graph.SoftmaxAxis(x, -1)
		}
		if err != nil {
			return nil, err
		}
		return graph.Transpose(x, 1, 2, 0, 3)
	}))
	add("Slice", plane, unary(func(x node) (node, error) { return graph.Slice(x, 2, 1, 6, 2) }))
	add("Slice backward", plane, unary(func(x node) (node, error) { return graph.Slice(x, 2, -1, math.MinInt, -2) }))
	add("Slice backward inside", plane, unary(func(x node) (node, error) { return graph.Slice(x, 2, 5, 1, -3) }))
	add("Slice of all", plane, unary(func(x node) (node, error) { return graph.Slice(x, 0, 0, x.Shape()[0], 1) }))
	add("Channels", plane, unary(func(x node) (node, error) { return graph.Channels(x, 1, 4) }))
	add("Take", plane, unary(func(x node) (node, error) { return graph.Take(x, 2, []int{3, -1, 3, 0}) }))
	for name, c := range map[string]graph.PadConfig{
		"":          {Before: []int{0, 1, 0, 2}, After: []int{0, 2, 3, 0}, Value: 1.5},
		" cuts":     {Before: []int{0, -1, 1, 0}, After: []int{0, 2, -3, -1}},
		" cuts off": {Before: []int{0, 0, -1, 0}, After: []int{0, 0, 0, -2}},
		" edge":     {Before: []int{0, 1, 0, 2}, After: []int{0, 2, 3, 0}, Mode: graph.PadEdge},
		" reflect":  {Before: []int{0, 1, 0, 2}, After: []int{0, 2, 3, 0}, Mode: graph.PadReflect},
	} {
		add("Pad"+name, plane, unary(func(x node) (node, error) { return graph.Pad(x, c) }))
	}
	add("Expand", []int{4, 1}, unary(func(x node) (node, error) { return graph.Expand(x, x.Shape()[0], 4, 5) }))
	add("Expand of a token", matrix, func(b *graph.Builder, x node) (node, error) {
		token, err := graph.Expand(numbers(b, "token", 1, 1, 6), x.Shape()[0], 1, 6)
		if err != nil {
			return nil, err
		}
		return graph.ConcatAxis(1, token, x)
	})
	add("Expand by samples and more", matrix, func(b *graph.Builder, x node) (node, error) {
		n := x.Shape()[0]
		rows, err := graph.Expand(numbers(b, "row", 1, 6), n*4, 6)
		if err == nil {
			rows, err = graph.ReshapeAll(rows, n, 4, 6)
		}
		if err != nil {
			return nil, err
		}
		return graph.Mul(x, rows)
	})
	add("a constant of windows", matrix, func(b *graph.Builder, x node) (node, error) {
		n := x.Shape()[0] // each window of [samples, window, ...] gets other numbers
		rows := b.Constant("rows", func() []float64 { return slices.Repeat([]float64{1, -2, 3, 0.5}, n) }, n*4, 1)
		x, err := graph.ReshapeAll(x, n*4, 6)
		if err == nil {
			x, err = graph.Add(x, rows)
		}
		if err != nil {
			return nil, err
		}
		return graph.ReshapeAll(x, n, 4, 6)
	})
	add("Tile", matrix, unary(func(x node) (node, error) { return graph.Tile(x, 1, 2, 3) }))
	add("Tile of a token", matrix, func(b *graph.Builder, x node) (node, error) {
		token, err := graph.Tile(numbers(b, "token", 1, 2, 6), x.Shape()[0], 2, 1)
		if err != nil {
			return nil, err
		}
		return graph.Add(x, token)
	})
	add("Concat", plane, unary(func(x node) (node, error) { return graph.Concat(x, x) }))
	add("DenseBlock", plane, func(b *graph.Builder, x node) (node, error) {
		return b.DenseBlock(x, 8, 1, func(_ int, x node) node {
			return b.Do(func() (node, error) {
				return graph.Conv2D(x, weights(b, 2, 6, 1, 1), nil, graph.ConvConfig{})
			})
		}), b.Err()
	})
	add("ConcatAxis", plane, func(b *graph.Builder, x node) (node, error) {
		n := x.Shape()[0]
		c := b.Constant("c", func() []float64 { return make([]float64, n*6*2*5) }, n, 6, 2, 5)
		return graph.ConcatAxis(2, x, c)
	})
	add("ChannelShuffle", plane, unary(func(x node) (node, error) { return graph.ChannelShuffle(x, 3) }))
	for _, crd := range []bool{false, true} {
		add("DepthToSpace", []int{12, 3, 2}, unary(func(x node) (node, error) { return graph.DepthToSpace(x, 2, crd) }))
		add("SpaceToDepth", []int{3, 6, 4}, unary(func(x node) (node, error) { return graph.SpaceToDepth(x, 2, crd) }))
	}

	for name, f := range map[string]func(node, bool, ...int) (node, error){
		"ReduceSum": graph.ReduceSum, "ReduceMean": graph.ReduceMean, "ReduceMax": graph.ReduceMax,
		"ReduceMin":  graph.ReduceMin,
		"ReduceProd": graph.ReduceProd, "ReduceLogSumExp": graph.ReduceLogSumExp,
	} {
		for _, keep := range []bool{false, true} {
			add(name, plane, unary(func(x node) (node, error) { return f(x, keep, 1, 3) }))
		}
		add(name+" of all", vector, func(b *graph.Builder, x node) (node, error) {
			y, err := f(numbers(b, "c", 2, 3), false)
			if err != nil {
				return nil, err
			}
			return graph.Mul(x, y)
		})
	}
	add("Softmax", vector, unary(graph.Softmax))
	add("LogSoftmax", vector, unary(graph.LogSoftmax))
	add("LogSumExp", vector, unary(graph.LogSumExp))
	for _, axis := range []int{1, -1} {
		add("SoftmaxAxis", matrix, unary(func(x node) (node, error) { return graph.SoftmaxAxis(x, axis) }))
		add("LogSoftmaxAxis", matrix, unary(func(x node) (node, error) { return graph.LogSoftmaxAxis(x, axis) }))
	}
	add("ArgMax", vector, unary(graph.ArgMax))
	classes := func(x node, f func(first, second node) (node, error)) (node, error) {
		first, err := graph.ArgMax(x)
		if err != nil {
			return nil, err
		}
		second, err := graph.RunnerUp(x, first)
		if err != nil {
			return nil, err
		}
		return f(first, second)
	}
	add("RunnerUp", vector, unary(func(x node) (node, error) {
		return classes(x, func(_, b node) (node, error) { return b, nil })
	}))
	add("SelectClass", vector, unary(func(x node) (node, error) { return classes(x, graph.SelectClass) }))
	add("Gather", vector, unary(func(x node) (node, error) {
		return classes(x, func(_, b node) (node, error) { return graph.Gather(x, b) })
	}))
	add("ClassMask", vector, func(b *graph.Builder, x node) (node, error) {
		return classes(x, func(a, _ node) (node, error) { return graph.ClassMask(x, a, numbers(b, "table", 6, 6)) })
	})
	add("ClassClip", vector, func(b *graph.Builder, x node) (node, error) {
		return classes(x, func(a, _ node) (node, error) { return graph.ClassClip(x, a, numbers(b, "limit", 6, 6)) })
	})
	add("RoutedLinear", vector, func(b *graph.Builder, x node) (node, error) {
		return classes(x, func(a, _ node) (node, error) {
			return graph.RoutedLinear(x, a, graph.RoutedHead{
				Weight: weights(b, 6, 6), Bias: numbers(b, "b", 6), Contribution: numbers(b, "share", 6, 6),
				Threshold: numbers(b, "t", 6),
			})
		})
	})
	add("CrossEntropy", vector, unary(func(x node) (node, error) {
		target, err := graph.Softmax(x)
		if err != nil {
			return nil, err
		}
		return graph.CrossEntropy(x, target)
	}))
	group := []int{0, 1, 1, graph.AlwaysPresent, 2, 0, 0, 2, 1, 1, 2, 0}
	add("Mix", []int{3}, func(b *graph.Builder, x node) (node, error) {
		return graph.Mix(x, numbers(b, "present", 1, 3, 4), numbers(b, "removed", 1, 3, 4), group)
	})
	add("MixRows", []int{3}, func(b *graph.Builder, x node) (node, error) {
		row, err := graph.ReduceMax(x, false, 1)
		if err == nil {
			row, err = graph.Clamp(row, 0, 2)
		}
		if err == nil {
			row, err = graph.Round(row)
		}
		if err != nil {
			return nil, err
		}
		return graph.MixRows(x, numbers(b, "present", 1, 3, 4), numbers(b, "rows", 3, 3, 4), row, group)
	})
	return ops
}

// TestEveryOperationRunsInONNXRuntime: ONNX Runtime gives goline's results for each kind of operation that can be
// exported.
func TestEveryOperationRunsInONNXRuntime(t *testing.T) {
	const n = 5 // samples, in one batch: indices of maxima count from the first
	seen := map[string]bool{}
	type single struct {
		operation
		m     tiny
		batch graph.Batch
		peer  *nettest.ONNXRun
	}
	var runs []*single
	for _, o := range operations() {
		r := &single{operation: o, m: tiny{input: o.input, build: o.build, params: o.params},
			batch: nettest.Batch(n, o.input, 0, 1)}
		p, err := graph.Compile(r.m, graph.Options{Batch: 2, Workers: 1})
		require.NoError(t, err, o.name)
		for _, s := range p.Steps() {
			seen[s.Kind] = true
		}
		r.peer = exported(t, r.m, r.batch)
		runs = append(runs, r)
	}
	for _, kind := range onnx.ExportKinds() {
		require.True(t, seen[kind], "no case has an operation %s", kind)
	}
	var peers []*nettest.ONNXRun
	for _, r := range runs {
		peers = append(peers, r.peer)
	}
	nettest.RunONNX(t, peertest.Python(t, "numpy", "onnx", "onnxruntime"), n, peers...)
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			require.NoError(t, r.peer.Err)
			requireLike(t, run(t, r.m, r.batch), r.peer.Outputs, 1e-4, "y")
		})
	}
}
