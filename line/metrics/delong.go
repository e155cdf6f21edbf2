package metrics

import (
	"fmt"
	"math"
	"slices"
)

// DeLong compares pairs of methods on the same samples by the test of DeLong, DeLong and Clarke-Pearson (Comparing
// the Areas under Two or More Correlated Receiver Operating Characteristic Curves, Biometrics 1988). They test one
// OOD set. For several OOD sets it compares the mean AUROC; the sets are independent of each other and share the ID
// samples.
//
// methods holds the scores, shape [method][checkpoint]. Where a network has several checkpoints the AUROC is the mean
// over them. The test takes the checkpoints as given: it says how much the difference depends on the test samples
// alone. Each of pairs names two methods, A and B, by index, and gives one Difference of A minus B with an interval
// at level.
//
// A set of one sample leaves the variance unknown; the p-value is then 1 and the interval [-1, 1]. No p-value is
// below 2^(1-N), the smallest that a test can reach that exchanges two methods' scores of N samples at random. It
// takes O(n log n) for each method.
//
// Besides the errors that the package comment names, it is an error if methods have other sets than the first, if a
// pair names an unknown method, or if level is outside (0, 1).
func DeLong(methods [][]ScoreSets, pairs [][2]int, level float64) ([]Difference, error) {
	if err := checkPaired(methods, pairs); err != nil {
		return nil, err
	}
	if !(level > 0 && level < 1) {
		return nil, fmt.Errorf("metrics: expected a confidence level in (0, 1), got %v", level)
	}
	all := make([]components, len(methods))
	for m, checkpoints := range methods {
		all[m] = newComponents(checkpoints)
	}
	out := make([]Difference, len(pairs))
	for i, p := range pairs {
		out[i] = all[p[0]].compare(all[p[1]], level)
	}
	return out, nil
}

// components holds the structural components (DeLong et al.) of one method's mean AUROC, averaged over checkpoints.
type components struct {
	mean float64     // mean AUROC over the OOD sets
	id   []float64   // for each ID sample the mean over the OOD sets of the share of OOD samples below it
	ood  [][]float64 // for each OOD sample the share of ID samples above it
}

func newComponents(checkpoints []ScoreSets) components {
	sets, n := len(checkpoints[0].OOD), len(checkpoints[0].ID)
	c := components{id: make([]float64, n), ood: make([][]float64, sets)}
	for _, s := range checkpoints {
		id := slices.Sorted(slices.Values(s.ID))
		for k, scores := range s.OOD {
			if c.ood[k] == nil {
				c.ood[k] = make([]float64, len(scores))
			}
			of := place(scores, id)
			var halves int64
			for j := range scores {
				above := int64(2*n) - int64(of.lo[j]) - int64(of.hi[j])
				halves += above
				c.ood[k][j] += float64(above) / float64(2*n) / float64(len(checkpoints))
			}
			c.mean += float64(halves) / float64(2*int64(n)*int64(len(scores))) / float64(sets*len(checkpoints))
			in := place(s.ID, slices.Sorted(slices.Values(scores)))
			for i := range c.id {
				below := float64(int64(in.lo[i])+int64(in.hi[i])) / float64(2*len(scores))
				c.id[i] += below / float64(sets*len(checkpoints))
			}
		}
	}
	return c
}

// compare tests the difference a - b.
func (a components) compare(b components, level float64) Difference {
	d := Difference{Mean: a.mean - b.mean, CI: Interval{-1, 1}, P: 1}
	variance, n := varianceOfMean(a.id, b.id), len(a.id)
	for k := range a.ood {
		sets := float64(len(a.ood))
		variance += varianceOfMean(a.ood[k], b.ood[k]) / (sets * sets)
		n += len(a.ood[k])
	}
	if math.IsNaN(variance) {
		return d
	}
	sd := math.Sqrt(variance)
	if d.Mean != 0 {
		d.P = max(math.Erfc(math.Abs(d.Mean)/sd/math.Sqrt2), math.Ldexp(1, 1-n))
	}
	reach := float64(math.Sqrt2 * math.Erfinv(level) * sd)
	d.CI = Interval{max(d.Mean-reach, -1), min(d.Mean+reach, 1)}
	return d
}

// varianceOfMean estimates the variance of the mean of a - b; it is NaN for a single sample.
func varianceOfMean(a, b []float64) float64 {
	n := float64(len(a))
	var mean, squares float64
	for i := range a {
		mean += (a[i] - b[i]) / n
	}
	for i := range a {
		d := a[i] - b[i] - mean
		squares += float64(d * d)
	}
	return squares / (n - 1) / n
}
