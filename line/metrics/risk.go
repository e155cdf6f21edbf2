package metrics

import (
	"fmt"
	"math"
	"slices"
)

// CoverageRisk is one operating point of a classifier that answers only for the samples with the highest scores.
type CoverageRisk struct {
	Threshold float64 // the lowest score that is answered for
	Coverage  float64 // share of all samples that score at or above Threshold
	Risk      float64 // share of the answered samples that are classified wrongly
}

// RiskCoverage returns the risk-coverage curve (El-Yaniv and Wiener, JMLR 2010) of a classifier that answers only
// where the score is high. right[i] says whether its prediction for sample i is right. The curve has one point for
// each distinct score; coverage ascends to 1. It is an error if the lengths differ, there is no sample, or a score is
// NaN.
func RiskCoverage(score []float64, right []bool) ([]CoverageRisk, error) {
	groups, err := riskGroups(score, right)
	if err != nil {
		return nil, err
	}
	points := make([]CoverageRisk, len(groups))
	n, wrong := 0, 0
	for i, g := range groups {
		n += g.n
		wrong += g.wrong
		points[i] = CoverageRisk{g.score, float64(n) / float64(len(score)), float64(wrong) / float64(n)}
	}
	return points, nil
}

// AURC returns the area under the risk-coverage curve (Geifman and El-Yaniv, Selective Classification for Deep Neural
// Networks, NIPS 2017): with the samples in descending order of their scores, the mean over k = 1 .. n of the share
// of wrong predictions among the first k. Lower is better; scores without information give the error rate.
//
// Samples with equal scores count as if in random order: the result is the expected value over all orders, so that it
// does not depend on the order of the arguments. Arguments and errors are those of [RiskCoverage]. It takes O(n log
// n).
func AURC(score []float64, right []bool) (float64, error) {
	groups, err := riskGroups(score, right)
	if err != nil {
		return 0, err
	}
	var area float64
	n, wrong := 0, 0
	for _, g := range groups {
		share := float64(g.wrong) / float64(g.n)
		for j := 1; j <= g.n; j++ { // among j samples of the group j*share are wrong on average
			area += (float64(wrong) + float64(float64(j)*share)) / float64(n+j)
		}
		n += g.n
		wrong += g.wrong
	}
	return min(area/float64(len(score)), 1), nil
}

// MisclassificationAUROC returns the AUROC of the score as a detector of wrong predictions: the probability that a
// random right prediction scores above a random wrong one, ties counted half. It is NaN where all predictions are
// right, or all are wrong. Arguments and errors are those of [RiskCoverage].
func MisclassificationAUROC(score []float64, right []bool) (float64, error) {
	if err := checkRight(score, right); err != nil {
		return 0, err
	}
	var yes, no []float64
	for i, s := range score {
		if right[i] {
			yes = append(yes, s)
		} else {
			no = append(no, s)
		}
	}
	if len(yes) == 0 || len(no) == 0 {
		return math.NaN(), nil
	}
	return AUROC(yes, no)
}

// riskGroup counts the samples with one distinct score.
type riskGroup struct {
	score    float64
	n, wrong int
}

// riskGroups counts right and wrong predictions by distinct score, in descending order of score.
func riskGroups(score []float64, right []bool) ([]riskGroup, error) {
	if err := checkRight(score, right); err != nil {
		return nil, err
	}
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case score[a] > score[b]:
			return -1
		case score[a] < score[b]:
			return 1
		}
		return 0
	})
	var groups []riskGroup
	for _, i := range order {
		if k := len(groups) - 1; k < 0 || groups[k].score != score[i] {
			groups = append(groups, riskGroup{score: score[i]})
		}
		g := &groups[len(groups)-1]
		g.n++
		if !right[i] {
			g.wrong++
		}
	}
	return groups, nil
}

func checkRight(score []float64, right []bool) error {
	if len(score) != len(right) {
		return fmt.Errorf("metrics: expected a score for each of %d predictions, got %d", len(right), len(score))
	}
	return check("ID", score)
}
