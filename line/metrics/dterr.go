package metrics

// DetectionError returns the lowest error rate of any threshold if ID and OOD samples are equally likely: the minimum
// of 0.5 (1 - TPR) + 0.5 FPR, with TPR the share of ID samples and FPR the share of OOD samples at or above the
// threshold (Liang et al., ODIN, ICLR 2018, section 3). The minimum is exact over all thresholds, including those
// that accept everything or nothing, and so at most 0.5. ODIN's own code searches a grid.
//
// The DTERR of the code published with ReAct and DICE weights each set by its size instead, (FN + FP)/(n_id + n_ood).
// Both agree if the sets are equally large.
func DetectionError(id, ood []float64) (float64, error) {
	r, err := rank(id, ood)
	if err != nil {
		return 0, err
	}
	return r.detectionError(), nil
}

func (r *ranking) detectionError() float64 {
	nID, nOOD := int64(r.nID), int64(r.nOOD)
	pairs := nID * nOOD
	least := pairs // the threshold that accepts nothing: TPR = FPR = 0
	var tp, fp int64
	for g := range r.id {
		tp += int64(r.id[g])
		fp += int64(r.ood[g])
		least = min(least, (nID-tp)*nOOD+fp*nID)
	}
	return float64(least) / float64(2*pairs)
}
