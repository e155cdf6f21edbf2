package posthoc

import (
	"context"
	"fmt"
	"math"
)

// gram compares Gram matrices of the feature map, after Sastry and Oore (ICML 2020, equations 1 to 4). The feature
// map is the one whose averages are the features. For a power p and a map F [channel, pixel] the statistics are the
// row sums of F^p (F^p)', one for each channel, each taken to the power 1/p with its sign kept, as in the authors'
// code. For each class, the smallest and the largest value of each statistic over the in-distribution samples
// predicted as the class are kept. A sample's deviation adds up, over the statistics v outside of these limits,
// (least - v)/|least| or (v - largest)/|largest|. The score is minus the deviation. A class as which no sample is
// predicted has the limits of all samples.
//
// The authors add up the deviations of every layer, each divided by its mean over validation samples; here there is
// only one layer. A power of 10 and 2,048 channels make 80 kB of statistics for a sample, and 160 kB of limits for a
// class.
var gram = Kind{
	Name: "gram",
	Doc: "minus how far the row sums of the feature map's Gram matrices lie outside their range in the predicted " +
		"class",
	Source: "Sastry and Oore, ICML 2020", FittedOn: ID, Slow: true,
	Params: []Parameter{{
		Name: "powers", Default: 10, Min: 1, Max: 20, Whole: true, Grid: []float64{1, 5, 10},
		Doc: "powers of the feature map: 1 up to this",
	}},
	Part: func(p map[string]float64, _ int) (Part, error) {
		return Part{Score: &gramScore{powers: int(p["powers"])}}, nil
	},
}

type gramScore struct {
	powers int
	state  struct {
		Least, Largest []float32 // shape [class, power, feature]
	}
}

func (s *gramScore) State() any { return &s.state }

func (s *gramScore) name() string { return fmt.Sprintf("map.gram(powers=%d)", s.powers) }

// Needs returns the name of the row sums.
func (s *gramScore) Needs() []string { return []string{s.name()} }

func (s *gramScore) width(dim int) int { return s.powers * dim }

func (s *gramScore) Fit(ctx context.Context, head Head, id Samples) error {
	width := s.width(head.FeatureDim)
	sums := id.Extra[s.name()]
	if err := checkLength(s.name()+" of a sample", sums.Width, width); err != nil {
		return err
	}
	bounds := func(n int) (least, largest []float32) {
		least, largest = make([]float32, n), make([]float32, n)
		for i := range least {
			least[i], largest[i] = float32(math.Inf(1)), float32(math.Inf(-1))
		}
		return least, largest
	}
	least, largest := bounds(head.Classes * width)
	leastOfAll, largestOfAll := bounds(width)
	seen := make([]bool, head.Classes)
	for i, c := range id.Predictions() {
		if err := ctx.Err(); err != nil {
			return err
		}
		seen[c] = true
		lo, hi := least[c*width:(c+1)*width], largest[c*width:(c+1)*width]
		for j, v := range sums.row(i) {
			lo[j], hi[j] = min(lo[j], v), max(hi[j], v)
			leastOfAll[j], largestOfAll[j] = min(leastOfAll[j], v), max(largestOfAll[j], v)
		}
	}
	for c, any := range seen {
		if !any {
			copy(least[c*width:], leastOfAll)
			copy(largest[c*width:], largestOfAll)
		}
	}
	s.state.Least, s.state.Largest = least, largest
	return nil
}

// Derive checks the limits.
func (s *gramScore) Derive(head Head) error {
	want := head.Classes * s.width(head.FeatureDim)
	if err := checkLength("least row sums", len(s.state.Least), want); err != nil {
		return err
	}
	return checkLength("largest row sums", len(s.state.Largest), want)
}

func (s *gramScore) Score() func(*Block, []float64) {
	const floor = 1e-6 // smallest value to divide a deviation by, as in the authors' code
	return eachSample(func(b *Block, i int) float64 {
		width := s.width(b.FeatureDim)
		at := b.Prediction(i) * width
		lo, hi := s.state.Least[at:at+width], s.state.Largest[at:at+width]
		var deviation float64
		for j, v := range b.Extra(s.name(), i) {
			below, above := float64(lo[j])-float64(v), float64(v)-float64(hi[j])
			if below > 0 {
				deviation += below / (math.Abs(float64(lo[j])) + floor)
			} else if above > 0 {
				deviation += above / (math.Abs(float64(hi[j])) + floor)
			}
		}
		return -deviation
	})
}
