package graph_test

import (
	"context"
	"fmt"
	"os"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// matrix adds an input with a value to a graph.
func matrix(g *G.ExprGraph, name string, rows, cols int, data ...float64) *G.Node {
	v := tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(data))
	return G.NewMatrix(g, tensor.Float64, G.WithShape(rows, cols), G.WithName(name), G.WithValue(v))
}

// Operations are functions from nodes to a node, so they mix with Gorgonia's own.
func Example() {
	g := G.NewGraph()
	x := matrix(g, "x", 1, 3, -1, 0, 2)
	w := matrix(g, "w", 2, 3, 1, 2, 3, -1, 0, 1)
	square := G.Must(G.Square(x))                      // stock
	y := G.Must(graph.Linear(square, w, nil))          // goline
	total := G.Must(G.Sum(G.Must(graph.LogSumExp(y)))) // both

	var logits, score G.Value
	G.Read(y, &logits)
	G.Read(total, &score)
	vm := G.NewTapeMachine(g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(logits.Data())
	fmt.Printf("%.6f\n", score.Data())
	// Output:
	// [13 3]
	// 13.000045
}

// A graph can be differentiated as often as wanted, with respect to inputs and to any node in between.
func ExampleGradients() {
	g := G.NewGraph()
	x := matrix(g, "x", 1, 2, 3, -4)
	ones := matrix(g, "ones", 1, 2, 1, 1)
	hidden := G.Must(graph.ReLU(x))
	square := G.Must(graph.Mul(hidden, hidden))

	byBoth, err := graph.Gradients(G.Nodes{square}, G.Nodes{ones}, G.Nodes{hidden, x})
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := graph.Gradients(G.Nodes{hidden}, G.Nodes{ones}, G.Nodes{x})
	if err != nil {
		fmt.Println(err)
		return
	}
	var values [3]G.Value
	for i, n := range append(byBoth, again...) {
		G.Read(n, &values[i])
	}
	vm := G.NewTapeMachine(g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range values {
		fmt.Println(v.Data())
	}
	// Output:
	// [6 0]
	// [6 0]
	// [1 0]
}

// perceptron is a network of one hidden layer for samples of two numbers.
type perceptron struct{ params []*graph.Param }

func newPerceptron() *perceptron {
	p := func(name string, rows, cols int, values ...float32) *graph.Param {
		p := graph.NewParam(name, rows, cols)
		if cols == 0 {
			p = graph.NewParam(name, rows)
		}
		copy(p.Float32s(), values)
		return p
	}
	return &perceptron{[]*graph.Param{
		p("hidden.weight", 3, 2, 1, 0, 0, 1, 1, 1), p("hidden.bias", 3, 0, 0, 0, -1),
		p("out.weight", 2, 3, 1, -1, 0, -1, 1, 0), p("out.bias", 2, 0),
	}}
}

func (*perceptron) InputShape() []int        { return []int{2} }
func (p *perceptron) Params() []*graph.Param { return p.params }
func (*perceptron) Outputs() []string        { return []string{"logits", "class"} }

func (*perceptron) Build(b *graph.Builder, x *G.Node) error {
	h := b.Tap("hidden", b.ReLU(b.Linear(x, "hidden")))
	l := b.Tap("logits", b.Linear(h, "out"))
	class := b.Tap("class", b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
	b.TapOnDemand("contributions", func() (*G.Node, error) {
		return graph.GradientTimesActivation(h, l, class, b.Ones())
	})
	return b.Err()
}

// A model is compiled for the nodes to be fetched, and runs streams of batches of any size.
func ExampleCompile() {
	program, err := graph.Compile(newPerceptron(), graph.Options{Fetch: []string{"class", "contributions"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	batches := func(yield func(graph.Batch, error) bool) {
		_ = yield(graph.Batch{X: []float32{1, 2, 3, 1}, N: 2}, nil) && yield(graph.Batch{X: []float32{0, 5}, N: 1}, nil)
	}
	for out, err := range program.Run(context.Background(), batches) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(out.N, out.Ints("class"), out.Float32("contributions"))
	}
	// Output:
	// 2 [1 0] [-1 2 0 3 -1 0]
	// 1 [1] [-0 5 0]
}

// A program can start at a tapped node, for example from stored activations, and hooks change tapped nodes.
func ExampleOptions() {
	program, err := graph.Compile(newPerceptron(), graph.Options{
		From:  "hidden",
		Fetch: []string{"logits"},
		Hooks: map[string]graph.Hook{"hidden": func(b *graph.Builder, n *G.Node) (*G.Node, error) {
			return graph.Clip(n, b.Constant("limit", func() []float64 { return []float64{1.5} }, 1))
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(program.InputShape())
	batches := func(yield func(graph.Batch, error) bool) { yield(graph.Batch{X: []float32{1, 2, 0}, N: 1}, nil) }
	for out, err := range program.Run(context.Background(), batches) {
		fmt.Println(out.Float32("logits"), err)
	}
	// Output:
	// [3]
	// [-0.5 0.5] <nil>
}

// Mix makes coalitions of the neurons of one sample: the activations are the same for the whole batch, and only the
// masks differ.
func ExampleMix() {
	program, err := graph.Compile(newPerceptron(), graph.Options{
		From: "hidden", BroadcastInput: true,
		Fetch: []string{"logits"},
		Hooks: map[string]graph.Hook{"hidden": func(b *graph.Builder, present *G.Node) (*G.Node, error) {
			mask, removed := b.Input("mask", 3), b.SharedInput("removed", 1, 3)
			return b.Do(func() (*G.Node, error) { return graph.Mix(mask, present, removed, []int{0, 1, 2}) }), b.Err()
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	coalitions := graph.Batch{N: 3, X: []float32{1, 2, 3}, Inputs: map[string][]float32{
		"mask":    {1, 1, 1, 0, 1, 0, 0, 0, 0},
		"removed": {0, 0, 0},
	}}
	batches := func(yield func(graph.Batch, error) bool) { yield(coalitions, nil) }
	for out, err := range program.Run(context.Background(), batches) {
		fmt.Println(out.Float32("logits"), err)
	}
	// Output:
	// [-1 1 -2 2 0 0] <nil>
}

func ExampleProgram_DOT() {
	program, err := graph.Compile(newPerceptron(), graph.Options{From: "logits", Fetch: []string{"class"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := program.DOT(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// digraph goline {
	//   rankdir=TB;
	//   node [fontname="Helvetica", fontsize=11, shape=box, style="rounded,filled", fillcolor=white];
	//   n8 [label="logits\n8×2", fillcolor=lightblue];
	//   n9 [label="class\nArgMax\n8", fillcolor=lightyellow, penwidth=2];
	//   n8 -> n9;
	// }
}

// The members of a dense block write into one buffer, and each layer reads the members that are there so far.
func ExampleDenseBlock() {
	g := G.NewGraph()
	image := func(name string, shape tensor.Shape, data ...float64) *G.Node {
		return G.NewTensor(g, tensor.Float64, 4, G.WithShape(shape...), G.WithName(name),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))))
	}
	block, err := graph.NewDenseBlock(image("x", tensor.Shape{1, 1, 1, 2}, 1, 2), 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, w := range []*G.Node{image("w0", tensor.Shape{1, 1, 1, 1}, 10), image("w1", tensor.Shape{1, 2, 1, 1}, 1,
		1)} {
		y := G.Must(graph.Conv2D(block.Node(), w, nil, graph.ConvConfig{}))
		if err := block.Append(y); err != nil {
			fmt.Println(i, err)
			return
		}
	}
	var v G.Value
	G.Read(block.Node(), &v)
	vm := G.NewTapeMachine(g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Data())
	// Output: [1 2 10 20 11 22]
}
