package metrics

import (
	"math"
	"slices"
)

// FPR95 returns FPR95 in the convention of the code published with LINe (Ahn et al., CVPR 2023), DICE and ReAct:
// ID is the positive class, the threshold keeps about 95 % of it (see Threshold95), and the result is the share of
// OOD samples strictly above the threshold.
// With many ID samples tied at the threshold the true positive rate itself may lie below 95 %.
func FPR95(id, ood []float64) (float64, error) {
	r, err := rank(id, ood)
	if err != nil {
		return 0, err
	}
	return r.fprAtTPR(), nil
}

// FPR95TieAware returns FPR95 at a threshold that splits ties, and whether this differs from FPR95 because ties
// straddle its threshold. Where several ID samples have the score of the threshold, FPR95 counts all of them as
// rejected, and so all OOD samples with that score: a detector that gives one score to everything has FPR95 0.
// FPR95TieAware instead accepts a share of the samples with that score, the same share in both sets, so that exactly
// the ID samples above the threshold's rank are accepted. That is the expectation over a random order of the ties,
// and the interpolation with which AUROC is the area under the ROC curve. Without such ties it equals FPR95.
func FPR95TieAware(id, ood []float64) (rate float64, tied bool, err error) {
	r, err := rank(id, ood)
	if err != nil {
		return 0, false, err
	}
	rate, tied = r.fprTieAware()
	return rate, tied, nil
}

func (r *ranking) fprTieAware() (rate float64, tied bool) {
	k := index95(r.nID)
	notAboveID, notAboveOOD := 0, 0
	for g := len(r.id) - 1; g >= 0; g-- {
		notAboveID += r.id[g]
		notAboveOOD += r.ood[g]
		if notAboveID > k {
			// Of the ID samples with this score those above rank k are accepted.
			share := float64(notAboveID-k-1) / float64(r.id[g])
			accepted := float64(r.nOOD-notAboveOOD) + share*float64(r.ood[g])
			return accepted / float64(r.nOOD), share > 0 && r.ood[g] > 0
		}
	}
	return 0, false // unreachable, because k is below the number of ID samples
}

// Threshold95 returns the threshold of FPR95: the ID score at index round(0.05 n) in ascending order, counted from 0,
// with halves rounded to even. A sample counts as in-distribution if its score is strictly above the threshold.
func Threshold95(id []float64) (float64, error) {
	if err := check("ID", id); err != nil {
		return 0, err
	}
	s := slices.Clone(id)
	slices.Sort(s)
	return s[index95(len(s))], nil
}

// FPR95OpenOOD returns FPR95 in the convention of OpenOOD (Yang et al., NeurIPS 2022; Zhang et al., 2023): OOD is the
// positive class, and the result is the share of ID samples that are flagged as OOD at the first threshold that flags
// at least 95 % of the OOD samples. A threshold flags all samples at or below it.
//
// OpenOOD takes the thresholds from scikit-learn's roc_curve(is_ood, -score) with its default drop_intermediate: the
// distinct scores, ascending, except those (other than the first and last) with as many ID and as many OOD samples as
// the next distinct score. FPR95OpenOOD drops the same thresholds, which can only matter where ID and OOD scores tie.
func FPR95OpenOOD(id, ood []float64) (float64, error) {
	r, err := rank(id, ood)
	if err != nil {
		return 0, err
	}
	return r.fpr95OpenOOD(), nil
}

// index95 is Python's round(0.05 * n), which is below n for every n >= 1.
func index95(n int) int { return int(math.RoundToEven(0.05 * float64(n))) }

func (r *ranking) fprAtTPR() float64 {
	k := index95(r.nID)
	notAboveID, notAboveOOD := 0, 0
	for g := len(r.id) - 1; g >= 0; g-- {
		notAboveID += r.id[g]
		notAboveOOD += r.ood[g]
		if notAboveID > k { // group g holds the ID score with ascending index k
			break
		}
	}
	return float64(r.nOOD-notAboveOOD) / float64(r.nOOD)
}

func (r *ranking) fpr95OpenOOD() float64 {
	flaggedID, flaggedOOD := 0, 0
	last := len(r.id) - 1
	for g := last; g >= 0; g-- {
		flaggedID += r.id[g]
		flaggedOOD += r.ood[g]
		dropped := g < last && g > 0 && r.id[g] == r.id[g-1] && r.ood[g] == r.ood[g-1]
		// OpenOOD compares the quotient; a product would be rounded differently.
		if !dropped && float64(flaggedOOD)/float64(r.nOOD) >= 0.95 {
			break
		}
	}
	return float64(flaggedID) / float64(r.nID)
}
