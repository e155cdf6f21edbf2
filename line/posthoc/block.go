package posthoc

import "github.com/line-ood/goline/internal/mathx"

// Block is a group of samples on its way through a detector, in float64. Shapers change it, and the scorer reads it.
// It is for one goroutine at a time.
type Block struct {
	N, FeatureDim, Classes int // numbers of samples in the block, of penultimate features and of classes

	first   int // index of the first sample among those scored
	samples *Samples
	z, l    []float64
	scale   []float64 // factors of the logits, shape [sample]
	network Linear    // the network's head
	head    Linear    // computes logits once features or head have changed
	stale   bool      // whether logits must be computed again
}

// Linear computes logits from features, as a network's final layer does.
type Linear interface {
	// Logits writes the logits of n samples to dst, shape [sample, class]; z has shape [sample, feature]. The bits of
	// a sample's logits must not depend on the other samples. It is called from several goroutines at once.
	Logits(dst, z []float64, n int)
}

// newBlock returns a block for up to size samples. head computes the logits after a shaper has changed the features.
func newBlock(samples *Samples, head Linear, size int) *Block {
	return &Block{
		FeatureDim: samples.FeatureDim, Classes: samples.Classes, samples: samples, network: head,
		z: make([]float64, size*samples.FeatureDim), l: make([]float64, size*samples.Classes),
		scale: make([]float64, size),
	}
}

// load fills the block with samples lo to hi-1 as the network gave them.
func (b *Block) load(lo, hi int) {
	b.first, b.N = lo, hi-lo
	b.head, b.stale = b.network, false
	for i, v := range b.samples.Features[lo*b.FeatureDim : hi*b.FeatureDim] {
		b.z[i] = float64(v)
	}
	for i, v := range b.samples.Logits[lo*b.Classes : hi*b.Classes] {
		b.l[i] = float64(v)
	}
	for i := range b.N {
		b.scale[i] = 1
	}
}

// Features returns the penultimate features, shape [sample, feature]. A shaper that changes them must call
// FeaturesChanged.
func (b *Block) Features() []float64 { return b.z[:b.N*b.FeatureDim] }

// FeaturesOf returns the features of one sample, shape [feature]. A shaper that changes them must call
// FeaturesChanged.
func (b *Block) FeaturesOf(i int) []float64 { return b.z[i*b.FeatureDim : (i+1)*b.FeatureDim] }

// OriginalFeatures returns the features of one sample as the network gave them, shape [feature]. They must not be
// changed.
func (b *Block) OriginalFeatures(i int) []float32 { return b.samples.features(b.first + i) }

// FeaturesChanged tells the block that features have changed, so that logits must be computed again.
func (b *Block) FeaturesChanged() { b.stale = true }

// SetHead replaces the head that computes the logits.
func (b *Block) SetHead(h Linear) { b.head, b.stale = h, true }

// ScaleLogits multiplies the logits of a sample by f, including logits that are computed again later.
func (b *Block) ScaleLogits(i int, f float64) {
	b.scale[i] *= f
	if !b.stale {
		for k := range b.l[i*b.Classes : (i+1)*b.Classes] {
			b.l[i*b.Classes+k] *= f
		}
	}
}

// Logits returns the logits, shape [sample, class]: the network's own until a shaper has changed features or head.
// They must not be changed.
func (b *Block) Logits() []float64 {
	l := b.l[:b.N*b.Classes]
	if b.stale {
		b.head.Logits(l, b.Features(), b.N)
		for i, f := range b.scale[:b.N] {
			if f != 1 {
				for k := range l[i*b.Classes : (i+1)*b.Classes] {
					l[i*b.Classes+k] *= f
				}
			}
		}
		b.stale = false
	}
	return l
}

// LogitsOf returns the logits of one sample, shape [class].
func (b *Block) LogitsOf(i int) []float64 { return b.Logits()[i*b.Classes:][:b.Classes] }

// Prediction returns the class of a sample's largest logit, the first one at a tie.
func (b *Block) Prediction(i int) int { return mathx.ArgMax(b.LogitsOf(i)) }

// Extra returns the values with that name for one sample; see [Samples]. They must not be changed.
func (b *Block) Extra(name string, i int) []float32 { return b.samples.Extra[name].row(b.first + i) }
