package report

import "github.com/line-ood/goline/line/metrics"

// precisionRecall turns operating points into precision and recall with OOD as the positive class, both fractions,
// from the lowest threshold up to that at which all samples are called OOD. It describes the rejected samples. Where
// nothing is rejected precision is undefined, and there is no point.
func precisionRecall(points []metrics.Point, nID, nOOD int) (out []prPoint) {
	for i := len(points) - 1; i >= 0; i-- {
		ood, id := (1-points[i].FPR)*float64(nOOD), (1-points[i].TPR)*float64(nID)
		if ood+id < 0.5 { // less than one sample is rejected
			continue
		}
		out = append(out, prPoint{recall: ood / float64(nOOD), precision: ood / (ood + id)})
	}
	return out
}

type prPoint struct{ recall, precision float64 }
