package sampling

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/attribution"
)

// naiveRegression solves the KKT system of min Σ w (z̃ᵀβ - y)² with Σ β = 0, and its HC2 covariance by explicit
// matrices.
func naiveRegression(q *Regression) (beta, variance []float64) {
	n, m := q.N, q.Rows.Len()
	z := mat.NewDense(m, n, nil)
	for r := range m {
		share := float64(q.Rows.Row(r).Size()) / float64(n)
		for i := range n {
			z.Set(r, i, -share)
			if q.Rows.Row(r).Has(i) {
				z.Set(r, i, 1-share)
			}
		}
	}
	kkt := mat.NewDense(n+1, n+1, nil)
	rhs := mat.NewVecDense(n+1, nil)
	for r := range m {
		w := q.weightOf(r)
		for i := range n {
			rhs.SetVec(i, rhs.AtVec(i)+w*z.At(r, i)*q.Target[r])
			for j := range n {
				kkt.Set(i, j, kkt.At(i, j)+w*z.At(r, i)*z.At(r, j))
			}
		}
	}
	for i := range n {
		kkt.Set(i, n, 1)
		kkt.Set(n, i, 1)
	}
	var inverse mat.Dense
	if err := inverse.Inverse(kkt); err != nil {
		panic(err)
	}
	var solution mat.VecDense
	solution.MulVec(&inverse, rhs)
	variance = make([]float64, n)
	for r := range m {
		t := make([]float64, n)
		leverage, fitted := 0.0, 0.0
		for i := range n {
			for j := range n {
				t[i] += inverse.At(i, j) * z.At(r, j)
			}
			fitted += z.At(r, i) * solution.AtVec(i)
		}
		for i := range n {
			leverage += z.At(r, i) * t[i]
		}
		w := q.weightOf(r)
		// a row of leverage 1 is fitted exactly: 0/0 but for rounding
		e := w * (q.Target[r] - fitted) / math.Sqrt(max(1-w*leverage, 1e-9))
		for i := range n {
			f := 1.0
			if q.Unsampled != nil {
				f = q.Unsampled[r]
			}
			variance[i] += f * e * e * t[i] * t[i]
		}
	}
	return solution.RawVector().Data[:n], variance
}

func TestRegressionMatchesExplicitMatrices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 9).Draw(t, "players")
		m := rapid.IntRange(3*n, 200).Draw(t, "rows")
		rng := testRNG(rapid.Uint64().Draw(t, "seed"))
		q := &Regression{N: n, Rows: attribution.NewCoalitions(n, m), Target: make([]float64, m)}
		for r := range m {
			Subset(rng, q.Rows.Row(r), n, 1+Below(rng, n-1))
			q.Target[r] = Unit(rng) - 0.3
		}
		if rapid.Bool().Draw(t, "weighted") {
			for r := range m {
				q.Weight = append(q.Weight, float64(1+r/70))
				q.Unsampled = append(q.Unsampled, 1/float64(1+r/50))
			}
		}
		beta, variance, err := q.Solve(background, 2)
		if err != nil {
			t.Skip("rank deficient")
		}
		wantBeta, wantVariance := naiveRegression(q)
		for i := range n {
			if math.Abs(beta[i]-wantBeta[i]) > 1e-9 ||
				math.Abs(variance[i]-wantVariance[i]) > 1e-7*(1+wantVariance[i]) {
				t.Fatalf("player %d: %v ± %v, explicit matrices %v ± %v", i, beta[i], variance[i], wantBeta[i],
					wantVariance[i])
			}
		}
	})
}
