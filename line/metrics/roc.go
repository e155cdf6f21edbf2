package metrics

import "math"

// Point is one operating point of a detector that accepts samples at or above Threshold as in-distribution.
type Point struct {
	Threshold float64 // a score
	FPR       float64 // share of OOD samples accepted
	TPR       float64 // share of ID samples accepted
}

// ROC returns the receiver operating characteristic with ID as the positive class: one point for each distinct score,
// FPR and TPR ascending, from (0, 0) to (1, 1). The first point accepts nothing; its Threshold is +Inf by convention,
// even if +Inf is also a score. The area under the points joined by straight lines is AUROC.
func ROC(id, ood []float64) ([]Point, error) {
	r, err := rank(id, ood)
	if err != nil {
		return nil, err
	}
	points := make([]Point, 1, len(r.score)+1)
	points[0].Threshold = math.Inf(1)
	tp, fp := 0, 0
	for g, s := range r.score {
		tp += r.id[g]
		fp += r.ood[g]
		points = append(points, Point{
			Threshold: s,
			FPR:       float64(fp) / float64(r.nOOD),
			TPR:       float64(tp) / float64(r.nID),
		})
	}
	return points, nil
}
