package nets_test

import (
	"context"
	"fmt"
	"log"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

func ExampleNew() {
	net, err := nets.New("densenet-bc-100-12", 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(net.Name(), "takes", net.InputShape(), "and has", net.Dim(), "features")
	fmt.Println(net.Params()[0])
	weight, bias := net.Head()
	fmt.Println(weight, bias)

	_, err = nets.New("densenet-bc-101-12", 10)
	fmt.Println(err)
	// Output:
	// densenet-bc-100-12 takes [3 32 32] and has 342 features
	// conv1.weight [24 3 3 3]
	// fc.weight [10 342] fc.bias [10]
	// nets: network "densenet-bc-101-12": depth 101, expected 6n+4 with n ≥ 1
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
