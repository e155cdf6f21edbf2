package conformal

import (
	"fmt"
	"math"
	"slices"
)

// Step-up procedures sort p-values p_(1) ≤ … ≤ p_(m), find the largest k with p_(k) ≤ k·level/m, and reject the k
// smallest, ties included.

// BenjaminiHochberg says for each p-value of a batch [m], in any order, whether to reject its null hypothesis. The
// expected share of true null hypotheses among the rejected, the false discovery rate, is at most alpha (Benjamini
// and Hochberg 1995). This also holds for p-values of exchangeable samples from one shared [Calibration], which are
// positively dependent (PRDS): the rate is at most alpha times the share of in-distribution samples (Bates et al.
// 2023).
func BenjaminiHochberg(p []float64, alpha float64) ([]bool, error) {
	return stepUp(p, alpha, 1)
}

// BenjaminiYekutieli is [BenjaminiHochberg] at the level alpha / (1 + 1/2 + … + 1/m). Its false discovery rate is at
// most alpha under any dependence (Benjamini and Yekutieli 2001).
func BenjaminiYekutieli(p []float64, alpha float64) ([]bool, error) {
	h := 0.0
	for i := range p {
		h += 1 / float64(i+1)
	}
	return stepUp(p, alpha, h)
}

// Storey is [BenjaminiHochberg] at the level alpha divided by an estimate of the share of true null hypotheses, (1 +
// #{p > lambda}) / (m (1-lambda)). It finds more where many samples are out-of-distribution (Storey, Taylor and
// Siegmund 2004). The estimate is not cut off at 1: with the cut the rate can exceed alpha (three true nulls, alpha
// 0.05, lambda 0.5: 0.05625). No p-value above lambda is rejected, which their finite-sample theorem requires. The
// rate is at most alpha for independent p-values, and for those of one shared calibration without ties (Bates et al.
// 2023; Mary and Roquain 2022). lambda lies in (0, 1) and is usually 0.5; it is best taken from the grid of the
// p-values, see [GridPoint].
func Storey(p []float64, alpha, lambda float64) ([]bool, error) {
	if !(lambda > 0 && lambda < 1) {
		return nil, fmt.Errorf("conformal: expected λ between 0 and 1, got %v", lambda)
	}
	above := 0
	for _, v := range p {
		if v > lambda {
			above++
		}
	}
	if len(p) == 0 {
		return stepUp(p, alpha, 1)
	}
	reject, err := stepUp(p, alpha, float64(above+1)/((1-lambda)*float64(len(p))))
	for i := range reject {
		reject[i] = reject[i] && p[i] <= lambda
	}
	return reject, err
}

// slack tolerates rounding in comparisons: p-values on a grid often equal their limits exactly.
const slack = 1 + 1e-12

// stepUp rejects the k smallest p for the largest k with factor·m·p_(k)/k ≤ alpha.
func stepUp(p []float64, alpha, factor float64) ([]bool, error) {
	if err := checkAlpha(alpha); err != nil {
		return nil, err
	}
	if err := checkPValues(p); err != nil {
		return nil, err
	}
	sorted := slices.Clone(p)
	slices.Sort(sorted)
	last := math.Inf(-1)
	for i := len(sorted) - 1; i >= 0; i-- {
		if factor*float64(len(p))/float64(i+1)*sorted[i] <= alpha*slack {
			last = sorted[i]
			break
		}
	}
	reject := make([]bool, len(p))
	for i, v := range p {
		reject[i] = v <= last
	}
	return reject, nil
}

// checkPValues returns an error that names the first number that is not in [0, 1].
func checkPValues(p []float64) error {
	for i, v := range p {
		if err := checkPValue(v); err != nil {
			return fmt.Errorf("conformal: sample %d: %w", i, err)
		}
	}
	return nil
}

func checkPValue(p float64) error {
	if !(p >= 0 && p <= 1) {
		return fmt.Errorf("expected a p-value in [0, 1], got %v", p)
	}
	return nil
}
