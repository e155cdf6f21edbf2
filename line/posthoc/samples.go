package posthoc

import (
	"fmt"
	"slices"

	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/nets"
)

// Head is the final linear layer of a classifier, see [nets.HeadOf].
type Head = nets.Head

// Samples holds a network's outputs for N inputs.
type Samples struct {
	N, FeatureDim, Classes int       // FeatureDim is 0 for a network without penultimate features
	Features               []float32 // penultimate features, shape [sample, feature], row-major
	Logits                 []float32 // shape [sample, class], row-major; W z + b without any clipping or masking
	Labels                 []int     // shape [sample], -1 where unknown; nil means all unknown
	// Extra holds further values of each sample by name, for methods that need them, for example statistics of a
	// feature map or logits of a changed input. A method names those that it needs by its method Needs, see
	// [Needing].
	Extra map[string]Extra
}

// Extra holds one kind of further values that a network gives for each sample.
type Extra struct {
	Width  int       // number of values of each sample, at least 1
	Values []float32 // shape [sample, width], row-major
}

func (e Extra) row(i int) []float32 { return e.Values[i*e.Width : (i+1)*e.Width] }

// Validate returns an error if there are no samples, if a length does not match N, FeatureDim and Classes, if a
// feature or logit is not finite, or if a label is neither -1 nor a class. The error names the first such sample.
func (s Samples) Validate() error { return prefixed(s.validate()) }

func (s Samples) validate() error {
	switch {
	case s.N < 1:
		return fmt.Errorf("expected at least 1 sample, got %d", s.N)
	case s.Classes < 1 || s.FeatureDim < 0:
		return fmt.Errorf("expected samples of at least 1 class and at least 0 features, got %d classes and %d "+
			"features", s.Classes, s.FeatureDim)
	case len(s.Features) != s.N*s.FeatureDim:
		return fmt.Errorf("features: expected %d samples x %d features = %d values, got %d", s.N, s.FeatureDim,
			s.N*s.FeatureDim, len(s.Features))
	case len(s.Logits) != s.N*s.Classes:
		return fmt.Errorf("logits: expected %d samples x %d classes = %d values, got %d", s.N, s.Classes, s.N*s.Classes,
			len(s.Logits))
	case s.Labels != nil && len(s.Labels) != s.N:
		return fmt.Errorf("expected a label for each of %d samples, got %d", s.N, len(s.Labels))
	}
	if i := mathx.FirstNotFinite(s.Features); i >= 0 {
		return fmt.Errorf("sample %d: feature %d is %v", i/s.FeatureDim, i%s.FeatureDim, s.Features[i])
	}
	if i := mathx.FirstNotFinite(s.Logits); i >= 0 {
		return fmt.Errorf("sample %d: logit of class %d is %v", i/s.Classes, i%s.Classes, s.Logits[i])
	}
	for name, e := range s.Extra {
		if e.Width < 1 || len(e.Values) != s.N*e.Width {
			return fmt.Errorf("%s: expected %d samples x %d values, got %d", name, s.N, e.Width, len(e.Values))
		}
		if i := mathx.FirstNotFinite(e.Values); i >= 0 {
			return fmt.Errorf("sample %d: %s is %v at index %d", i/e.Width, name, e.Values[i], i%e.Width)
		}
	}
	for i, label := range s.Labels {
		if label < -1 || label >= s.Classes {
			return fmt.Errorf("sample %d: expected a label of -1 or a class below %d, got %d", i, s.Classes, label)
		}
	}
	return nil
}

func prefixed(err error) error {
	if err != nil {
		return fmt.Errorf("posthoc: %w", err)
	}
	return nil
}

// Predictions returns the class of the largest logit of each sample, the first one at a tie.
func (s Samples) Predictions() []int {
	out := make([]int, s.N)
	for i := range out {
		row := s.Logits[i*s.Classes:][:s.Classes]
		out[i] = slices.Index(row, slices.Max(row))
	}
	return out
}

// Subset returns copies of the samples with the given indices.
func (s Samples) Subset(indices []int) Samples {
	out := Samples{N: len(indices), FeatureDim: s.FeatureDim, Classes: s.Classes}
	for _, i := range indices {
		out.Features = append(out.Features, s.Features[i*s.FeatureDim:(i+1)*s.FeatureDim]...)
		out.Logits = append(out.Logits, s.Logits[i*s.Classes:(i+1)*s.Classes]...)
		if s.Labels != nil {
			out.Labels = append(out.Labels, s.Labels[i])
		}
	}
	for name, e := range s.Extra {
		part := Extra{Width: e.Width}
		for _, i := range indices {
			part.Values = append(part.Values, e.row(i)...)
		}
		if out.Extra == nil {
			out.Extra = map[string]Extra{}
		}
		out.Extra[name] = part
	}
	return out
}
