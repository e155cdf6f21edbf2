// Package conformal turns scores into decisions with a guarantee: p-values, thresholds, false discovery rates and
// drift alarms. Their error rates hold for any detector and any distribution, as long as the pictures that the
// detector was calibrated on and new in-distribution pictures are exchangeable, for example drawn independently from
// the same distribution.
//
// A [Calibration] holds the scores of in-distribution pictures that were held out, which means that neither the
// detector nor the network has seen them. It gives the p-value of a new score, which is small for a picture unlike
// the calibration's, and the [Threshold] for a wanted false-alarm rate. Both hold on average over calibrations.
// [Calibration.Conditional] makes them hold for this very calibration with probability 1-δ. [PerClass] keeps a
// calibration for each predicted class.
//
// For many p-values, [BenjaminiHochberg], [Storey] and [BenjaminiYekutieli] decide over a batch, and [Online] decides
// over a stream, one p-value after another. They keep the share of false discoveries among the pictures called
// out-of-distribution below a level. The comment of each says whether it holds for p-values that share one
// calibration. [Drift] raises an alarm when a stream as a whole stops looking like the calibration.
//
//	c, err := conformal.New(scores) // of held-out in-distribution pictures
//	p := c.PValue(score)            // of a new picture
//	t, err := c.Threshold(0.05)     // keeps false alarms at 5 %, on average over calibrations
//	ood := t.OOD(score)
//	most, err := t.Bound(0.1)                                // in 90 % of calibrations the rate is no higher
//	reject, err := conformal.BenjaminiHochberg(pValues, 0.1) // over a batch
//
// Scores are oriented higher = more in-distribution. Infinite scores are allowed and ordered, and -0 and +0 are the
// same score. NaN is an error in a calibration, and counts as the lowest score in a new sample. Rates are fractions in
// [0, 1]. Of this module it imports no public package, and knows neither pictures nor networks; package line and the
// commands are above it.
package conformal
