package posthoc

import "context"

// Func returns a method of one's own that needs no Fit. score maps the features [feature] and logits [class] of one
// sample to its score, higher = more in-distribution. It is called from several goroutines at once and must not
// change or keep its arguments. The method has no parameters and runs on GOMAXPROCS goroutines. A method that learns
// from in-distribution samples implements [Method] instead.
func Func(name string, score func(features, logits []float32) float64) Method {
	return &funcMethod{base{name, nil, defaultWorkers()}, score}
}

// funcMethod is a method whose score is a function of one sample.
type funcMethod struct {
	base
	score func(features, logits []float32) float64
}

// Fit does nothing.
func (m *funcMethod) Fit(context.Context, Head, Samples) error { return nil }

func (m *funcMethod) Score(ctx context.Context, s Samples, dst []float64) error {
	if err := m.checkScore(s, dst); err != nil {
		return err
	}
	return forEachBlock(ctx, s.N, 64, m.workers, func() func(lo, hi int) {
		return func(lo, hi int) {
			for i := lo; i < hi; i++ {
				dst[i] = m.score(s.Features[i*s.FeatureDim:(i+1)*s.FeatureDim], s.Logits[i*s.Classes:(i+1)*s.Classes])
			}
		}
	})
}
