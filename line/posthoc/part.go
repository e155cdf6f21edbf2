package posthoc

import "context"

// Shaper is the part of a detector that changes features, logits or head before a score is taken: ReAct, ASH, DICE.
// Shapers are fitted to samples as the network gives them, whatever shapers stand before them in a composition, unless
// one of those is a [FeatureReplacer].
type Shaper interface {
	// Fit learns what Shape needs, replacing what an earlier Fit learned; head and id are not kept.
	Fit(ctx context.Context, head Head, id Samples) error
	// Shape returns a function that changes a block in place, for one goroutine: it may own scratch memory.
	Shape() func(b *Block)
}

// FeatureReplacer is implemented by shapers that replace the features by others, such as another pooling of the feature
// map. In a composition they come first wherever they are named, and what follows is fitted to what they make.
type FeatureReplacer interface {
	// ReplacesFeatures only marks the type and does nothing.
	ReplacesFeatures()
}

// Scorer is the part of a detector that turns features and logits into a score.
type Scorer interface {
	// Fit learns what Score needs from samples as the shapers leave them, replacing what an earlier Fit learned; head
	// and id are not kept.
	Fit(ctx context.Context, head Head, id Samples) error
	// Score returns a function that writes the score of each sample of a block, higher = more in-distribution, for one
	// goroutine: it may own scratch memory. The score of a sample does not depend on the other samples.
	Score() func(b *Block, dst []float64)
}

// Part is what a kind of method contributes to a composition: a shaper, a scorer, or both.
type Part struct {
	// Shape changes samples before the score; nil leaves them as they are.
	Shape Shaper
	// Score makes the score; nil stands for the energy at temperature 1, which in a composition the score of another
	// part replaces.
	Score Scorer
}

// BlockSizer is implemented by scorers that want blocks of another size than the usual 64 samples.
type BlockSizer interface {
	// BlockSize is the largest number of samples in a block, at least 1.
	BlockSize() int
}

// Needing is implemented by shapers, scorers and methods that need more of each sample than features and logits.
type Needing interface {
	// Needs lists names that Samples.Extra must hold for Fit and Score; an error names those that it lacks.
	Needs() []string
}

// Stateful is implemented by shapers and scorers that learn. It is how fitted methods are measured and kept in files.
type Stateful interface {
	// State returns a pointer to a struct whose exported fields, of types float64, int, []float64, []float32, []int32
	// and []int, are all that Fit learned. [Restore] writes through it into a part that was never fitted.
	State() any
}

// unfitted is embedded by parts that learn nothing.
type unfitted struct{}

// Fit does nothing.
func (unfitted) Fit(context.Context, Head, Samples) error { return nil }

// scoreEach is a score of each sample by itself that learns nothing.
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

// eachSample makes the function of a scorer from one of single samples.
func eachSample(score func(b *Block, i int) float64) func(*Block, []float64) {
	return func(b *Block, dst []float64) {
		for i := range b.N {
			dst[i] = score(b, i)
		}
	}
}
