package attribution

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// quantileT is the quantile of Student's t with df degrees of freedom, of the normal distribution for +Inf, NaN where
// df is not positive.
func quantileT(p, df float64) float64 {
	switch {
	case !(df > 0):
		return math.NaN()
	case df > 1e6:
		return distuv.UnitNormal.Quantile(p)
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(p)
}
