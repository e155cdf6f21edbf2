package conformal

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Threshold separates in-distribution from out-of-distribution scores at a guaranteed false-alarm rate.
type Threshold struct {
	// Score is the threshold: a score strictly below it is out-of-distribution, one that equals it is not.
	Score float64
	// Alpha is the guaranteed largest rate of in-distribution samples below Score.
	Alpha float64
	// Rank is the place of Score among the N calibration scores, ascending and counted from 1.
	Rank, N int
	// Adjustment and Delta say in what sense the rate holds: with [Marginal] on average over calibrations, otherwise
	// for this calibration with probability 1-Delta.
	Adjustment Adjustment
	Delta      float64
}

// OOD reports whether a score is out-of-distribution, which is so exactly where its p-value is at most Alpha. NaN
// counts as out-of-distribution.
func (t Threshold) OOD(score float64) bool { return !(score >= t.Score) }

// Bound returns a bound that the realised false-alarm rate, the share of all future in-distribution samples that are
// below Score, does not exceed with probability 1-delta over the calibration. It is the 1-delta quantile of
// Beta(Rank, N+1-Rank). Without ties that is the distribution of the realised rate; with ties the rate is
// stochastically smaller (Vovk 2012, Conditional validity of inductive conformal predictors).
func (t Threshold) Bound(delta float64) (float64, error) {
	if err := checkDelta(delta); err != nil {
		return 0, err
	}
	return betaQuantile(1-delta, t.Rank, t.N+1-t.Rank), nil
}

// Interval returns the central interval in which the realised false-alarm rate lies with probability 1-delta over the
// calibration, provided that scores do not tie.
func (t Threshold) Interval(delta float64) (lo, hi float64, err error) {
	if err := checkDelta(delta); err != nil {
		return 0, 0, err
	}
	b := t.N + 1 - t.Rank
	return betaQuantile(delta/2, t.Rank, b), betaQuantile(1-delta/2, t.Rank, b), nil
}

// betaQuantile is the p quantile of Beta(a, b).
func betaQuantile(p float64, a, b int) float64 {
	return distuv.Beta{Alpha: float64(a), Beta: float64(b)}.Quantile(p)
}

// Threshold returns the threshold whose false-alarm rate is at most alpha: the highest calibration score whose
// p-value is at most alpha. Without adjustment that is the ⌈(n+1)(1-α)⌉-th calibration score counted from the
// highest, the ⌊(n+1)α⌋-th from the lowest. Where there are too few calibration scores for the rate the error is a
// [TooFewError]; alpha outside of (0, 1) is an error as well.
func (c *Calibration) Threshold(alpha float64) (Threshold, error) {
	if err := checkAlpha(alpha); err != nil {
		return Threshold{}, err
	}
	n := len(c.scores)
	rank := searchRank(n, alpha, c.level)
	if rank == 0 {
		need, err := RequiredSamples(alpha, c.adjustment, c.delta)
		if err != nil {
			return Threshold{}, err
		}
		return Threshold{}, &TooFewError{N: n, Need: need, Alpha: alpha, Adjustment: c.adjustment, Delta: c.delta,
			Class: -1}
	}
	return Threshold{Score: c.scores[rank-1], Alpha: alpha, Rank: rank, N: n, Adjustment: c.adjustment, Delta: c.delta},
		nil
}

// searchRank counts the ranks 1..n whose level(rank-1) is at most alpha. level must be ascending.
func searchRank(n int, alpha float64, level func(count int) float64) int {
	lo, hi := 0, n
	for lo < hi {
		if mid := (lo + hi) / 2; level(mid) <= alpha {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// TooFewError is the error for a false-alarm rate that needs more calibration samples than there are.
type TooFewError struct {
	N          int        // number of calibration samples that there are
	Need       int        // number of calibration samples that suffices
	Alpha      float64    // the rate that was asked for, in (0, 1)
	Adjustment Adjustment // what was to hold for this very calibration
	Delta      float64    // the adjustment's risk, in (0, 1); 0 without one
	Class      int        // the predicted class of the calibration samples, -1 where they are those of all classes
}

// Error says how many samples are needed for which rate, and how many there are.
func (e *TooFewError) Error() string {
	of, with := "", ""
	if e.Class >= 0 {
		of = fmt.Sprintf(" of predicted class %d", e.Class)
	}
	if e.Adjustment != Marginal {
		with = fmt.Sprintf(" with probability %v (%s)", 1-e.Delta, e.Adjustment)
	}
	return fmt.Sprintf("conformal: a false-alarm rate of %v%s: expected at least %d calibration samples%s, got %d",
		e.Alpha, with, e.Need, of, e.N)
}

// RequiredSamples returns how many calibration samples a false-alarm rate of alpha needs: the smallest n whose lowest
// p-value is at most alpha. It is ⌈1/α⌉-1 for [Marginal], where delta is not used, and ⌈log δ / log(1-α)⌉ for
// [Pointwise]. For [MonteCarlo] it is the number that suffices for [Simes].
func RequiredSamples(alpha float64, a Adjustment, delta float64) (int, error) {
	if err := checkAlpha(alpha); err != nil {
		return 0, err
	}
	if err := a.check(delta); err != nil {
		return 0, err
	}
	enough := func(n int) bool { return a.lowest(n, delta) <= alpha }
	hi := 1
	for !enough(hi) {
		if hi > math.MaxInt32 {
			return 0,
				fmt.Errorf("conformal: a false-alarm rate of %v is too low: it needs more than %d calibration samples",
					alpha, hi/2)
		}
		hi *= 2
	}
	lo := hi / 2 // too few samples, or 0
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; enough(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi, nil
}

func checkAlpha(alpha float64) error {
	if !(alpha > 0 && alpha < 1) {
		return fmt.Errorf("conformal: expected a rate between 0 and 1, got %v", alpha)
	}
	return nil
}

func checkDelta(delta float64) error {
	if !(delta > 0 && delta < 1) {
		return fmt.Errorf("conformal: expected a probability δ between 0 and 1, got %v", delta)
	}
	return nil
}
