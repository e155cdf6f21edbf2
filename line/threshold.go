package line

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/line-ood/goline/internal/quantile"
)

// below returns the largest float32 that is not above t, so that v > t and v > below(t) agree for every float32 v.
func below(t float64) float32 {
	f := float32(t)
	if float64(f) > t {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}

// activationThresholds returns, for each class, the percentile of its row of mean [K, D].
func activationThresholds(mean []float32, classes int, percentile float64) ([]float32, error) {
	d := len(mean) / classes
	out := make([]float32, classes)
	for k := range out {
		t, err := quantile.Percentile(mean[k*d:][:d], percentile)
		if err != nil {
			return nil, fmt.Errorf("activation threshold of class %d: %w", k, err)
		}
		out[k] = below(t)
	}
	return out, nil
}

// weightThresholds returns, for each class c, the percentile of |mean[c, i]|·weight[j, i] over all j and i; mean and weight
// are [K, D].
func weightThresholds(ctx context.Context, mean, weight []float32, classes int, percentile float64) ([]float32, error) {
	d := len(mean) / classes
	out := make([]float32, classes)
	group, ctx := errgroup.WithContext(ctx)
	workers := min(runtime.GOMAXPROCS(0), classes)
	for w := range workers {
		group.Go(func() error {
			product := make([]float32, len(weight))
			for k := w; k < classes; k += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				c := mean[k*d:][:d]
				for j := range classes {
					row, dst := weight[j*d:][:d], product[j*d:][:d]
					for i, v := range c {
						dst[i] = abs(v) * row[i]
					}
				}
				t, err := quantile.PercentileInPlace(product, percentile)
				if err != nil {
					return fmt.Errorf("weight threshold of class %d: %w", k, err)
				}
				out[k] = below(t)
			}
			return nil
		})
	}
	return out, group.Wait()
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }
