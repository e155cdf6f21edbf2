package attribution_test

import (
	"context"
	"log"
	"os"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
)

func ExampleEstimate_WriteCSV() {
	game := games.Func(2, func(s attribution.Coalition) float64 { return float64(s.Size() * s.Size()) })
	est, err := estimate.Exact{}.Estimate(context.Background(), game, attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := est.WriteCSV(os.Stdout, 0.95); err != nil {
		log.Fatal(err)
	}
	// Output:
	// player,name,value,std_err,lo,hi
	// 0,,2,0,2,2
	// 1,,2,0,2,2
}
