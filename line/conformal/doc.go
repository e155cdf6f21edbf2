// Package conformal turns scores into decisions with a guarantee: p-values, thresholds, false discovery rates and drift
// alarms, whose error rates hold for any detector and any distribution, as long as the pictures it was calibrated on
// and the new in-distribution ones are exchangeable (drawn alike).
//
// A [Calibration] holds the scores of in-distribution pictures that were held out: the detector and the network have
// not seen them. It gives the p-value of a new score, which is small for a picture that is unlike them, and the
// [Threshold] for a wanted false-alarm rate. Both hold on average over calibrations; [Calibration.Conditional] makes
// them hold for this very calibration with probability 1-δ. [PerClass] keeps a calibration for each predicted class.
//
// Many p-values together: [BenjaminiHochberg], [Storey] and [BenjaminiYekutieli] decide over a batch, [Online] over a
// stream, one by one, so that the share of false discoveries among the pictures called out-of-distribution stays below
// a level. The comment of each says whether it holds for p-values that share one calibration. [Drift] raises an alarm
// when a stream as a whole stops looking like the calibration.
//
//	c, err := conformal.New(scores) // of held-out in-distribution pictures
//	p := c.PValue(score)            // of a new picture
//	t, err := c.Threshold(0.05)     // keeps false alarms at 5 %, on average over calibrations
//	ood := t.OOD(score)
//	most, err := t.Bound(0.1)                                // in 90 % of calibrations the rate is no higher
//	reject, err := conformal.BenjaminiHochberg(pValues, 0.1) // over a batch
//
// Scores are oriented higher = more in-distribution. Infinite scores are allowed and ordered, -0 and +0 are one score,
// NaN is an error in calibration and the lowest of all in a new score. Rates are fractions in [0, 1]. Nothing here
// knows of pictures or networks. The package builds on package internal/splitmix; package line and the commands build
// on it.
package conformal
