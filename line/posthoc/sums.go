package posthoc

import "context"

// chunks is the number of parts into which sums over samples are divided: enough for many workers, and few enough
// that all partial sums fit in memory.
const chunks = 256

// sumOver sums a vector of shape [width] over n samples. start makes a function for one goroutine, which adds the
// vector of sample i to sum. The division into parts depends on n alone, and the partial sums are added in order, so
// that the result has the same bits for any number of workers.
func sumOver(ctx context.Context, n, width, workers int, start func() func(sum []float64, i int)) ([]float64, error) {
	size := (n + chunks - 1) / chunks
	parts := make([][]float64, (n+size-1)/size)
	err := forEachBlock(ctx, n, size, workers, func() func(lo, hi int) {
		add := start()
		return func(lo, hi int) {
			sum := make([]float64, width)
			for i := lo; i < hi; i++ {
				add(sum, i)
			}
			parts[lo/size] = sum
		}
	})
	if err != nil {
		return nil, err
	}
	for _, part := range parts[1:] {
		for i, v := range part {
			parts[0][i] += v
		}
	}
	return parts[0], nil
}

// features returns the features of sample i, shape [feature], not copied.
func (s Samples) features(i int) []float32 { return s.Features[i*s.FeatureDim:][:s.FeatureDim] }

// logits writes the logits of sample i to dst, shape [class], and returns it.
func (s Samples) logits(dst []float64, i int) []float64 {
	dst = dst[:0]
	for _, v := range s.Logits[i*s.Classes:][:s.Classes] {
		dst = append(dst, float64(v))
	}
	return dst
}
