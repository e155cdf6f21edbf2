// Command memory scores pictures in memory, from eight goroutines that share one detector.
package main

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/line-ood/goline/examples/pictures"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
)

func main() {
	ctx := context.Background()
	net := pictures.Trained(ctx)
	fit := eval.Images(ctx, "fit", pictures.Set("fit", 300, 1, 0, 1, 2), net.Preprocessing(), eval.Options{})
	det := pictures.Must(line.Fit(ctx, pictures.Must(graph.Compile(net, graph.Options{})), fit,
		line.Options{ActivationPercentile: 10, WeightPercentile: 10}))

	rng := rand.New(rand.NewPCG(7, 7))
	var all []image.Image
	for i := range 64 {
		// the kinds take turns; every fourth picture is of checks, which the network does not know
		all = append(all, pictures.New(i%4, rng))
	}
	results := make([]line.Result, len(all))
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := g; i < len(all); i += 8 {
				results[i] = pictures.Must(det.ScoreImage(ctx, all[i]))
			}
		})
	}
	group.Wait()

	i := 0
	for r, err := range det.ScoreImages(ctx, slices.Values(all)) { // the same in one stream, many at a time
		pictures.Check(err)
		if r != results[i] {
			panic("one by one or together, the bits are the same")
		}
		i++
	}
	flagged := [2]int{}
	for i, r := range results {
		if r.OOD {
			flagged[(i%4)/pictures.Checks]++
		}
	}
	fmt.Printf("out-of-distribution: %d of 48 striped pictures, %d of 16 checked ones\n", flagged[0], flagged[1])
}
