package line

import (
	"fmt"
	"math"
	"slices"

	"github.com/line-ood/goline/internal/invariant"
)

// fitTPR is the true positive rate of the threshold that is customary in the field.
const fitTPR = 0.95

// FitThreshold returns the 95 % threshold of the scores of the images that the detector was fitted to, as Threshold95
// of package metrics defines it. It is optimistic: these images tend to score higher than new images of the same
// kind, because the detector has seen them. Fewer than 95 % of new images pass: 91 % of CIFAR-10's test images for a
// detector fitted to 5,000 of the training images of a DenseNet-BC-100-12. For an unbiased rate use
// metrics.Threshold95 with the scores of held-out images. The error is [ErrNoThreshold] where the scores are not
// known.
func (d *Detector) FitThreshold() (float64, error) { return d.Threshold(fitTPR) }

// Threshold returns the threshold that a share tpr, in [0, 1], of the images pass that the detector was fitted to.
// With their n scores in ascending order, counted from 0, it is the score at index round((1 - tpr) n), halves rounded
// to even, and at most n-1. An image passes as in-distribution if its score is strictly above the threshold; an image
// with the same score does not. Ties can therefore take the rate below tpr, and with tpr 1 the lowest score does not
// pass. As [Detector.FitThreshold] says, it is optimistic.
//
// Where [Fit] was given more images than it keeps scores of, it is the threshold of a fixed draw from them.
func (d *Detector) Threshold(tpr float64) (float64, error) {
	if !(tpr >= 0 && tpr <= 1) {
		return 0, fmt.Errorf("line: true positive rate: expected a share from 0 to 1, got %v", tpr)
	}
	n := len(d.fitScores)
	if n == 0 {
		return 0, fmt.Errorf("line: %w", ErrNoThreshold)
	}
	const digits = 1e12 // 1 - 0.95 is not 0.05 in binary, and a half must stay a half
	dropped := math.Round((1-tpr)*digits) / digits
	at := min(n-1, int(math.RoundToEven(dropped*float64(n))))
	threshold := d.fitScores[at]
	if invariant.On {
		below, _ := slices.BinarySearch(d.fitScores, threshold)
		invariant.Check(slices.IsSorted(d.fitScores) && below <= at,
			"expected at most %d of %d fitted scores below the threshold %v at %v, got %d", at, n, threshold, tpr,
			below)
	}
	return threshold, nil
}

// IsOOD reports whether an image with the given score is out-of-distribution by [Detector.FitThreshold]: whether the
// score is not strictly above it, as in metrics.FPR95. NaN is out-of-distribution. The error is [ErrNoThreshold]
// where there is no threshold.
func (d *Detector) IsOOD(score float64) (bool, error) {
	threshold, err := d.FitThreshold()
	if err != nil {
		return false, err
	}
	return !(score > threshold), nil
}
