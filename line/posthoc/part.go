package posthoc

import "context"

// Shaper is the part of a detector that changes features, logits or head before the score is computed, as in ReAct,
// ASH and DICE. In a composition each shaper is fitted to the samples as the network gives them, not as earlier
// shapers leave them, unless an earlier shaper is a [FeatureReplacer].
type Shaper interface {
	// Fit learns what Shape needs. It replaces what an earlier Fit learned, and keeps neither head nor id, which are
	// valid and have the same shape; see [Kind] for labels.
	Fit(ctx context.Context, head Head, id Samples) error
	// Shape returns a function that changes a block in place. The function is for one goroutine and may own scratch
	// memory.
	Shape() func(b *Block)
}

// FeatureReplacer is implemented by shapers that replace the features by others, for example by another pooling of
// the feature map. In a composition they come first, in whatever order parts are named, and the other parts are
// fitted to their result.
type FeatureReplacer interface {
	// ReplacesFeatures only marks the type and does nothing.
	ReplacesFeatures()
}

// Scorer is the part of a detector that turns features and logits into a score.
type Scorer interface {
	// Fit learns what Score needs from samples as the shapers leave them. It replaces what an earlier Fit learned,
	// and keeps neither head nor id, which are valid and have the same shape; see [Kind] for labels. It is called only
	// for a scorer that is [Stateful].
	Fit(ctx context.Context, head Head, id Samples) error
	// Score returns a function that writes the score of each sample of a block to dst [sample], higher = more
	// in-distribution; a score of NaN is an error that names the sample. It is called after Fit, if there is one to
	// call. The function is for one goroutine and may own scratch memory. The score of a sample must not depend on the
	// other samples.
	Score() func(b *Block, dst []float64)
}

// Part is the part of a method that a composition uses: a shaper, a scorer, or both.
type Part struct {
	// Shape changes samples before the score; nil leaves them as they are.
	Shape Shaper
	// Score makes the score; nil stands for the energy at temperature 1, which in a composition the score of another
	// part replaces.
	Score Scorer
}

// BlockSizer is implemented by scorers that need blocks of another size than the default 64 samples.
type BlockSizer interface {
	// BlockSize is the largest number of samples in a block, at least 1.
	BlockSize() int
}

// Needing is implemented by shapers, scorers and methods that need more of each sample than features and logits.
type Needing interface {
	// Needs lists names that Samples.Extra must hold for Fit and Score; an error names those that it lacks.
	Needs() []string
}

// Stateful is implemented by shapers and scorers that learn. It is how fitted methods are measured and kept in files,
// and what tells that a scorer has to be fitted.
type Stateful interface {
	// State returns a pointer to a struct whose exported fields, of types float64, int, []float64, []float32, []int32
	// and []int, are all that Fit learned. [Restore] writes through it into a part that was never fitted.
	State() any
}

// unfitted is embedded by parts that learn nothing.
type unfitted struct{}

// Fit does nothing.
func (unfitted) Fit(context.Context, Head, Samples) error { return nil }

// scoreEach is a scorer that scores each sample separately and learns nothing.
type scoreEach struct {
	unfitted
	score func(z, logits []float64) float64
}

func (s scoreEach) Score() func(*Block, []float64) {
	return func(b *Block, dst []float64) {
		for i := range b.N {
			dst[i] = s.score(b.FeaturesOf(i), b.LogitsOf(i))
		}
	}
}

// eachSample makes a scorer's function from a function of one sample.
func eachSample(score func(b *Block, i int) float64) func(*Block, []float64) {
	return func(b *Block, dst []float64) {
		for i := range b.N {
			dst[i] = score(b, i)
		}
	}
}
