package interactions_test

import (
	"context"
	"fmt"
	"log"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/attribution/interactions"
)

// Players 0 and 1 are worth something only together, player 2 by itself.
func ExampleExact() {
	game := games.Func(3, func(c attribution.Coalition) float64 {
		v := 0.0
		if c.Has(0) && c.Has(1) {
			v += 4
		}
		if c.Has(2) {
			v++
		}
		return v
	})
	found, err := interactions.Exact{Index: interactions.KSII}.Estimate(context.Background(), game,
		attribution.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("alone", found.Singles)
	for _, p := range found.Largest(2) {
		fmt.Printf("%d and %d: %g\n", p.I, p.J, p.Value)
	}
	// Output:
	// alone [0 0 1]
	// 0 and 1: 4
	// 0 and 2: 0
}

func ExampleSampled() {
	game := games.Func(100, func(c attribution.Coalition) float64 {
		if c.Has(3) && c.Has(70) {
			return 1
		}
		return 0
	})
	found, err := interactions.Sampled{Index: interactions.SII, Among: []int{3, 5, 70}}.Estimate(context.Background(),
		game, attribution.Options{Budget: 1000})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range found.Largest(1) {
		lo, hi := found.Interval(p, 0.95)
		fmt.Printf("%d and %d: %.2f [%.2f, %.2f] from %d samples\n", p.I, p.J, p.Value, lo, hi, found.Samples)
	}
	// Output:
	// 3 and 70: 1.00 [1.00, 1.00] from 71 samples
}
