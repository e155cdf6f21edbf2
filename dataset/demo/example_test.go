package demo_test

import (
	"context"
	"fmt"
	"log"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/dataset/demo"
	"github.com/line-ood/goline/graph"
)

// The network names a class for a picture of a class that it knows, and also for one that it does not know.
func ExampleNetwork() {
	net, _, err := demo.Network()
	if err != nil {
		log.Fatal(err)
	}
	program, err := graph.Compile(net, graph.Options{Fetch: []string{"prediction"}})
	if err != nil {
		log.Fatal(err)
	}
	known, err := demo.Test()
	if err != nil {
		log.Fatal(err)
	}
	strange, err := demo.OutOfDistribution()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, set := range []*demo.Set{known, strange[3]} {
		one, err := dataset.Limit(set, 1)
		if err != nil {
			log.Fatal(err)
		}
		for out, err := range program.Run(ctx, dataset.Batches(ctx, one, net.Preprocessing(), dataset.BatchOptions{})) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%s: taken for class %q\n", set.ID(0), demo.Classes()[out.Ints("prediction")[0]])
		}
	}
	// Output:
	// fashion-test#0: taken for class "ankle boot"
	// galaxies#0: taken for class "shirt"
}
