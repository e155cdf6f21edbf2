package line

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/line-ood/goline/internal/quantile"
)

// below returns the largest float32 that is not above t: for every float32 v, v > t exactly if v > below(t).
func below(t float64) float32 {
	f := float32(t)
	if float64(f) > t {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}

// roundsTo returns the largest float64 that rounds to the float32 t. A product exceeds it exactly if the product,
// rounded to float32, exceeds t. A program in float64 thereby keeps the same weights as one in float32.
func roundsTo(t float32) float64 {
	next := math.Nextafter32(t, float32(math.Inf(1)))
	if math.IsInf(float64(next), 0) {
		return float64(t)
	}
	half := float64(t) + (float64(next)-float64(t))/2
	if float32(half) != t { // half-way cases round to the even neighbour
		half = math.Nextafter(half, math.Inf(-1))
	}
	return half
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

// manyWeights is the number of products from which it is faster to sort the columns of W once.
const manyWeights = 1 << 18

// weightThresholds returns, for each class c, the percentile of |mean[c, i]|·weight[j, i] over all j and i; mean and
// weight are [K, D].
func weightThresholds(ctx context.Context, mean, weight []float32, classes int, percentile float64) ([]float32, error) {
	find := directThreshold(weight, classes, percentile)
	if len(weight) >= manyWeights {
		find = columnThreshold(newColumns(weight, classes), percentile)
	}
	d := len(mean) / classes
	out := make([]float32, classes)
	group, ctx := errgroup.WithContext(ctx)
	workers := min(runtime.GOMAXPROCS(0), classes)
	for w := range workers {
		group.Go(func() error {
			threshold := find()
			factor := make([]float32, d)
			for k := w; k < classes; k += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				for i, v := range mean[k*d:][:d] {
					factor[i] = abs(v)
				}
				t, err := threshold(factor)
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

// directThreshold forms all products of a class and selects among them. It returns a function that makes one for each
// goroutine.
func directThreshold(weight []float32, classes int, percentile float64) func() func(factor []float32) (float64, error) {
	return func() func([]float32) (float64, error) {
		product := make([]float32, len(weight))
		return func(factor []float32) (float64, error) {
			for j := range classes {
				row, dst := weight[j*len(factor):][:len(factor)], product[j*len(factor):][:len(factor)]
				for i, f := range factor {
					dst[i] = f * row[i]
				}
			}
			return quantile.PercentileInPlace(product, percentile)
		}
	}
}

// columnThreshold computes the same as directThreshold from sorted columns.
func columnThreshold(c *columns, percentile float64) func() func(factor []float32) (float64, error) {
	return func() func([]float32) (float64, error) {
		s := c.search()
		return func(factor []float32) (float64, error) {
			k, t, err := quantile.Position(c.features*c.classes, percentile)
			if err != nil {
				return 0, err
			}
			a, b := s.pair(factor, k)
			return quantile.Between(float64(a), float64(b), t)
		}
	}
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }
