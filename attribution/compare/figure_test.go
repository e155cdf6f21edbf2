package compare_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
)

// A comparison drawn as error against cost. A Figure is an io.WriterTo: notebooks show it, files take it.
func ExampleErrorVersusCost() {
	ctx := context.Background()
	game := games.Func(6, func(s attribution.Coalition) float64 {
		return float64(s.Size()*s.Size()) * float64(1+s[0]&1)
	})
	truth, err := compare.FindTruth(ctx, game, attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	comparison, err := compare.Compare(ctx, compare.Study{
		Subjects:   []compare.Subject{{Name: "squares", Game: game, Truth: truth}},
		Estimators: []attribution.Estimator{estimate.Permutation{}, estimate.Owen{}, estimate.SVARM{Stratified: true}},
		Budgets:    []float64{100, 300, 1000},
		Seeds:      []uint64{1, 2, 3, 4, 5},
		K:          2,
	})
	if err != nil {
		log.Fatal(err)
	}
	figure, err := compare.ErrorVersusCost(comparison, compare.MSE, compare.Equivalents)
	if err != nil {
		log.Fatal(err)
	}
	var png, svg bytes.Buffer
	if _, err := figure.WriteTo(&png); err != nil {
		log.Fatal(err)
	}
	if _, err := figure.SVG().WriteTo(&svg); err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.HasPrefix(png.Bytes(), []byte("\x89PNG")), bytes.Contains(svg.Bytes(), []byte("<svg")))
	// Output: true true
}
