package nets_test

import (
	"context"
	"fmt"
	"log"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

func ExampleNew() {
	net, err := nets.New("densenet-bc-100-12", 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(net.Name(), "takes", net.InputShape(), "and has", net.FeatureDim(), "features")
	fmt.Println(net.Params()[0])
	weight, bias := net.Head()
	fmt.Println(weight, bias)

	_, err = nets.New("densenet-bc-101-12", 10)
	fmt.Println(err)
	// Output:
	// densenet-bc-100-12 takes [3 32 32] and has 342 features
	// conv1.weight [24 3 3 3]
	// fc.weight [10 342] fc.bias [10]
	// nets: network "densenet-bc-101-12": expected a depth of 6n+4 with n ≥ 1, got 101
}

// A network for ImageNet also takes images of another size.
func ExampleDefinitionOf() {
	d, err := nets.DefinitionOf("mobilenet_v2", 1000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Input)
	d.Input, d.Preprocessing.Resize, d.Preprocessing.Crop = []int{3, 192, 192}, 219, 192
	net, err := nets.Define(d)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(net.InputShape(), net.FeatureDim())
	// Output:
	// [3 224 224]
	// [3 192 192] 1280
}

// A self-made network is a function from images to features. Each layer states its size, and its name is that of a
// PyTorch state dict. Define adds the last layer.
func ExampleDefine() {
	net, err := nets.Define(nets.Definition{
		Name: "mine", Classes: 10, Input: []int{3, 32, 32}, Preprocessing: nets.CIFAR(),
		Build: func(b *graph.Builder, x *G.Node) *G.Node {
			x = b.ReLU(b.BatchNorm(b.Conv(x, "conv1", graph.ConvConfig{Out: 16, Kernel: [2]int{3, 3}}), "bn1", 1e-5))
			x = b.MaxPool(x, graph.PoolConfig{Kernel: [2]int{2, 2}})
			x = b.ReLU(b.Conv(x, "conv2", graph.ConvConfig{Out: 32, Kernel: [2]int{3, 3}, Bias: true}))
			return b.GlobalAvgPool(x)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range net.Params() {
		fmt.Println(p)
	}
	// Output:
	// conv1.weight [16 3 3 3]
	// bn1.weight [16]
	// bn1.bias [16]
	// bn1.running_mean [16]
	// bn1.running_var [16]
	// conv2.weight [32 16 3 3]
	// conv2.bias [32]
	// fc.weight [10 32]
	// fc.bias [10]
}

// A network is a model: it compiles into a program, which runs batches of any size.
func ExampleNetwork() {
	net, err := nets.DenseNetBC(nets.DenseNetBCConfig{Depth: 10, Growth: 4, Classes: 3})
	if err != nil {
		log.Fatal(err)
	}
	_, bias := net.Head() // a trained network would come from nets.Open
	copy(bias.Float32s(), []float32{0.1, 0.3, 0.2})
	program, err := graph.Compile(net, graph.Options{Fetch: []string{nets.Logits, nets.Prediction}})
	if err != nil {
		log.Fatal(err)
	}
	black := graph.Batch{N: 2, X: make([]float32, 2*3*32*32)}
	images := func(yield func(graph.Batch, error) bool) { yield(black, nil) }
	for out, err := range program.Run(context.Background(), images) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(out.Float32(nets.Logits), out.Ints(nets.Prediction))
	}
	// Output:
	// [0.1 0.3 0.2 0.1 0.3 0.2] [1 1]
}
