package report

import "github.com/line-ood/goline/line/metrics"

// precisionRecall turns operating points into precision and recall with OOD as the positive class, from the lowest
// threshold up to all samples being called OOD: what a user sees who looks at the rejected samples. Both are fractions.
// Where nothing is rejected there is no precision, and no point.
func precisionRecall(points []metrics.Point, nID, nOOD int) (out []prPoint) {
	for i := len(points) - 1; i >= 0; i-- {
		ood, id := (1-points[i].FPR)*float64(nOOD), (1-points[i].TPR)*float64(nID)
		if ood+id < 0.5 { // of a sample
			continue
		}
		out = append(out, prPoint{recall: ood / float64(nOOD), precision: ood / (ood + id)})
	}
	return out
}

type prPoint struct{ recall, precision float64 }
