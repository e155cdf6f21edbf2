package metrics

// AUROC returns the area under the receiver operating characteristic: the probability that a random ID sample scores
// above a random OOD sample, ties counted half (the Mann-Whitney U statistic divided by the number of pairs).
// It is exact up to one rounding for up to 2^30 samples in each set. O(n log n).
func AUROC(id, ood []float64) (float64, error) {
	r, err := rank(id, ood)
	if err != nil {
		return 0, err
	}
	return r.auroc(), nil
}

// AUPRIn returns the area under the precision-recall curve with ID as the positive class, summed step-wise over the
// distinct scores in descending order: sum of (recall_g - recall_g-1) precision_g, as scikit-learn's
// average_precision_score(is_id, score). Without any skill it is near the share of ID samples, not near 0.5.
func AUPRIn(id, ood []float64) (float64, error) {
	r, err := rank(id, ood)
	if err != nil {
		return 0, err
	}
	return r.auprIn(), nil
}

// AUPROut returns the area under the precision-recall curve with OOD as the positive class and the negated score,
// step-wise as in AUPRIn: scikit-learn's average_precision_score(is_ood, -score).
func AUPROut(id, ood []float64) (float64, error) {
	r, err := rank(id, ood)
	if err != nil {
		return 0, err
	}
	return r.auprOut(), nil
}

func (r *ranking) auroc() float64 {
	var halves, oodBelow int64 // each won pair counts as two halves, each tied pair as one
	for g := len(r.id) - 1; g >= 0; g-- {
		n, m := int64(r.id[g]), int64(r.ood[g])
		halves += n * (2*oodBelow + m)
		oodBelow += m
	}
	return float64(halves) / float64(2*int64(r.nID)*int64(r.nOOD))
}

func (r *ranking) auprIn() float64 {
	var sum float64
	tp, fp := 0, 0
	for g := range r.id {
		tp += r.id[g]
		fp += r.ood[g]
		sum += float64(float64(r.id[g]) * (float64(tp) / float64(tp+fp)))
	}
	return sum / float64(r.nID)
}

func (r *ranking) auprOut() float64 {
	var sum float64
	tp, fp := 0, 0
	for g := len(r.id) - 1; g >= 0; g-- {
		tp += r.ood[g]
		fp += r.id[g]
		sum += float64(float64(r.ood[g]) * (float64(tp) / float64(tp+fp)))
	}
	return sum / float64(r.nOOD)
}
