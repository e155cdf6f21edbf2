package posthoc

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"github.com/line-ood/goline/internal/mathx"
)

// origin returns u = -W^+ b, shape [feature]: of the features whose logits are nearest to zero, those with the
// smallest norm. Singular values of W up to max(K, D) epsilon times the largest count as zero.
func origin(h Head) ([]float64, error) {
	w := mat.NewDense(h.Classes, h.FeatureDim, mathx.Float64s(h.Weight))
	b := mat.NewVecDense(h.Classes, mathx.Float64s(h.Bias))
	b.ScaleVec(-1, b)
	u := mat.NewVecDense(h.FeatureDim, nil)
	// largest condition number for which no singular value is near that cut-off, and the faster solution is as
	// accurate
	const well = 1e8
	if h.Classes <= h.FeatureDim {
		var lq mat.LQ
		lq.Factorize(w)
		if lq.Cond() < well && lq.SolveVecTo(u, false, b) == nil {
			return u.RawVector().Data, nil
		}
	} else {
		var qr mat.QR
		qr.Factorize(w)
		if qr.Cond() < well && qr.SolveVecTo(u, false, b) == nil {
			return u.RawVector().Data, nil
		}
	}
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDThin) {
		return nil, fmt.Errorf("the singular values of the head's weights were not found")
	}
	if rank := svd.Rank(float64(max(h.Classes, h.FeatureDim)) * epsilon); rank > 0 {
		svd.SolveVecTo(u, b, rank)
	}
	return u.RawVector().Data, nil
}
