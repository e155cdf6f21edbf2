package eval_test

import (
	"context"
	"fmt"
	"log"

	"github.com/line-ood/goline/line/eval"
)

// Every setting of a method's grid is tried on validation data, which must not be test data.
func ExampleTune() {
	choice, err := eval.Tune(context.Background(), "react", data(1), nil, 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range choice.Trials {
		fmt.Printf("%v: AUROC %.1f %%\n", t.Params, 100*t.AUROC)
	}
	fmt.Println("chosen:", choice.Params)
	// Output:
	// map[percentile:85]: AUROC 56.2 %
	// map[percentile:90]: AUROC 56.0 %
	// map[percentile:95]: AUROC 55.2 %
	// map[percentile:99]: AUROC 53.8 %
	// chosen: map[percentile:85]
}
