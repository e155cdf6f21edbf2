package metrics_test

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/line/metrics"
)

func ExampleBootstrap() {
	var id, ood []float64
	for i := range 200 {
		id = append(id, float64(i%20)+6)
	}
	for i := range 60 {
		ood = append(ood, float64(i%15))
	}
	auroc, err := metrics.AUROC(id, ood)
	if err != nil {
		panic(err)
	}
	ci, err := metrics.Bootstrap(context.Background(), id, ood, 1000, 0.95, 1)
	if err != nil {
		panic(err)
	}
	fmt.Printf("AUROC %.3f (95 %% interval %.3f to %.3f)\n", auroc, ci.AUROC.Lo, ci.AUROC.Hi)
	// Output:
	// AUROC 0.865 (95 % interval 0.818 to 0.906)
}
