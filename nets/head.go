package nets

import (
	"fmt"
	"slices"

	"github.com/line-ood/goline/internal/mathx"
)

// Head is the final linear layer of a classifier, l = W z + b. Methods that start from penultimate features z need
// nothing else of a network.
type Head struct {
	Classes, FeatureDim int       // K and D, at least 1 each
	Weight              []float32 // W, shape [class, feature], row-major
	Bias                []float32 // b, shape [class]
}

// HeadOf returns a copy of the final layer of a classifier. For a classifier without one, FeatureDim is 0 and Validate
// returns an error.
func HeadOf(c Classifier) Head {
	w, b := c.Head()
	if w == nil || b == nil {
		return Head{Classes: c.Classes()}
	}
	return Head{Classes: c.Classes(), FeatureDim: c.FeatureDim(), Weight: slices.Clone(w.Float32s()),
		Bias: slices.Clone(b.Float32s())}
}

// Validate returns an error if there is no layer ([ErrNoHead]), if there are no classes or no features, if a length
// does not match these, or if a value is not finite.
func (h Head) Validate() error {
	switch {
	case h.Classes > 0 && h.FeatureDim == 0:
		return ErrNoHead
	case h.Classes < 1 || h.FeatureDim < 1:
		return fmt.Errorf("expected a head of at least 1 class and 1 feature, got %d and %d", h.Classes, h.FeatureDim)
	case len(h.Weight) != h.Classes*h.FeatureDim:
		return fmt.Errorf("head weight: expected %d classes x %d features = %d values, got %d", h.Classes, h.FeatureDim,
			h.Classes*h.FeatureDim, len(h.Weight))
	case len(h.Bias) != h.Classes:
		return fmt.Errorf("head bias: expected a value for each of %d classes, got %d", h.Classes, len(h.Bias))
	}
	if i := mathx.FirstNotFinite(h.Weight); i >= 0 {
		return fmt.Errorf("head weight of class %d, feature %d is %v", i/h.FeatureDim, i%h.FeatureDim, h.Weight[i])
	}
	if i := mathx.FirstNotFinite(h.Bias); i >= 0 {
		return fmt.Errorf("head bias of class %d is %v", i, h.Bias[i])
	}
	return nil
}
