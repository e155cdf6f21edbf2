package compare

import (
	"fmt"
	"math"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/internal/mathx"
)

// Metric is a measure of how an estimate compares with the truth.
type Metric int

const (
	// MSE is the mean squared error.
	MSE Metric = iota
	// MAE is the mean absolute error.
	MAE
	// SpearmanRho is the rank correlation of [Spearman].
	SpearmanRho
	// KendallTau is the rank correlation of [KendallTauB].
	KendallTau
	// Precision is [PrecisionAtK] with Study.K.
	Precision
	// Sign is [SignAgreement].
	Sign
	// Efficiency is the absolute efficiency residual |v(N) - v(∅) - Σ φ|.
	Efficiency
	// IntervalCoverage is [Coverage] at Study.Level.
	IntervalCoverage

	metricCount
)

var metricNames = [metricCount]string{"mse", "mae", "spearman", "kendall_tau_b", "precision_at_k", "sign_agreement",
	"efficiency_residual", "coverage"}

// Scores holds one number for each metric, indexed by [Metric].
type Scores [metricCount]float64

// Metrics lists all metrics.
func Metrics() []Metric {
	all := make([]Metric, metricCount)
	for i := range all {
		all[i] = Metric(i)
	}
	return all
}

// String is the metric's name in tables: mse, mae, spearman, kendall_tau_b, precision_at_k, sign_agreement,
// efficiency_residual or coverage.
func (m Metric) String() string {
	if m < 0 || m >= metricCount {
		return fmt.Sprintf("Metric(%d)", int(m))
	}
	return metricNames[m]
}

// MeanSquaredError is the mean of (x_i - y_i)². It is NaN for empty vectors and panics when the lengths differ.
func MeanSquaredError(x, y []float64) float64 {
	mustMatch(x, y)
	total := 0.0
	for i := range x {
		total += (x[i] - y[i]) * (x[i] - y[i])
	}
	return total / float64(len(x))
}

// MeanAbsoluteError is the mean of |x_i - y_i|. It is NaN for empty vectors and panics when the lengths differ.
func MeanAbsoluteError(x, y []float64) float64 {
	mustMatch(x, y)
	total := 0.0
	for i := range x {
		total += math.Abs(x[i] - y[i])
	}
	return total / float64(len(x))
}

// PrecisionAtK is the share of the k players with the largest estimates that are among the k with the largest true
// values. It panics when the lengths differ or k is not in 1..n.
func PrecisionAtK(truth, estimated []float64, k int) float64 {
	mustMatch(truth, estimated)
	if k < 1 {
		panic(fmt.Sprintf("attribution: precision at %d", k))
	}
	in := make([]bool, len(truth))
	for _, i := range estimate.Largest(truth, k) {
		in[i] = true
	}
	hits := 0
	for _, i := range estimate.Largest(estimated, k) {
		if in[i] {
			hits++
		}
	}
	return float64(hits) / float64(k)
}

// OverlapCurve returns PrecisionAtK for every k from 1 to n, in one pass. It panics when the lengths differ.
//
// Shapes: result [n], entry k-1 for k.
func OverlapCurve(truth, estimated []float64) []float64 {
	mustMatch(truth, estimated)
	n := len(truth)
	a, b := estimate.Largest(truth, n), estimate.Largest(estimated, n)
	seen := make([]int, n)
	curve := make([]float64, n)
	both := 0
	for k := range n {
		for _, i := range []int{a[k], b[k]} {
			if seen[i]++; seen[i] == 2 {
				both++
			}
		}
		curve[k] = float64(both) / float64(k+1)
	}
	return curve
}

// SignAgreement is the share of the players with a true value other than zero whose estimate has the same sign. It is
// NaN when all true values are zero and panics when the lengths differ.
func SignAgreement(truth, estimated []float64) float64 {
	mustMatch(truth, estimated)
	same, total := 0, 0
	for i, t := range truth {
		if t == 0 {
			continue
		}
		total++
		if t > 0 && estimated[i] > 0 || t < 0 && estimated[i] < 0 {
			same++
		}
	}
	return float64(same) / float64(total)
}

// Jaccard is the size of the intersection of two masks over that of their union, 1 when both are empty. It panics when
// the lengths differ.
func Jaccard(a, b []bool) float64 {
	if len(a) != len(b) {
		panic(fmt.Sprintf("attribution: masks of %d and %d", len(a), len(b)))
	}
	both, either := 0, 0
	for i := range a {
		if a[i] && b[i] {
			both++
		}
		if a[i] || b[i] {
			either++
		}
	}
	if either == 0 {
		return 1
	}
	return float64(both) / float64(either)
}

// Coverage is the share of the players whose confidence interval at the level holds the true value. truthStdErr is
// the standard error of an estimated truth and widens the intervals; nil stands for zeros. Players without a standard
// error, for example after a single sample, do not count. Coverage is NaN where no player has a standard error, where
// DF is nil (the standard errors are not those of a sample), and where there are too few samples for intervals.
func Coverage(truth, truthStdErr []float64, e *attribution.Estimate, level float64) float64 {
	mustMatch(truth, e.Values)
	if e.DF == nil || e.TooFew() {
		return math.NaN()
	}
	held, total := 0, 0
	// the quantile of the player before: mostly all players share their degrees of freedom
	df, q := math.NaN(), math.NaN()
	for i, t := range truth {
		if e.DF[i] != df {
			df, q = e.DF[i], mathx.QuantileT((1+level)/2, e.DF[i])
		}
		se := e.StdErr[i]
		if math.IsNaN(se) {
			continue
		}
		total++
		if truthStdErr != nil {
			se = math.Hypot(se, truthStdErr[i])
		}
		// Exact estimates differ from the truth by rounding.
		slack := 1e-12 * max(math.Abs(t), 1)
		if math.Abs(e.Values[i]-t) <= q*se+slack {
			held++
		}
	}
	return float64(held) / float64(total)
}
