package attribution

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// naiveRegression solves the KKT system of min Σ w (z̃ᵀβ - y)² with Σ β = 0, and its HC3 covariance by explicit matrices.
func naiveRegression(q *regression) (beta, variance []float64) {
	n, m := q.n, q.rows.Len()
	z := mat.NewDense(m, n, nil)
	for r := range m {
		share := float64(q.rows.Row(r).Size()) / float64(n)
		for i := range n {
			z.Set(r, i, -share)
			if q.rows.Row(r).Has(i) {
				z.Set(r, i, 1-share)
			}
		}
	}
	kkt := mat.NewDense(n+1, n+1, nil)
	rhs := mat.NewVecDense(n+1, nil)
	for r := range m {
		w := q.weightOf(r)
		for i := range n {
			rhs.SetVec(i, rhs.AtVec(i)+w*z.At(r, i)*q.target[r])
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
		e := w * (q.target[r] - fitted) / max(1-w*leverage, 1e-9) // a row of leverage 1 is fitted exactly: 0/0 but for rounding
		for i := range n {
			f := 1.0
			if q.unsampled != nil {
				f = q.unsampled[r]
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
		q := &regression{n: n, rows: NewCoalitions(n, m), target: make([]float64, m)}
		for r := range m {
			subset(rng, q.rows.Row(r), n, 1+below(rng, n-1))
			q.target[r] = unit(rng) - 0.3
		}
		if rapid.Bool().Draw(t, "weighted") {
			for r := range m {
				q.weight = append(q.weight, float64(1+r/70))
				q.unsampled = append(q.unsampled, 1/float64(1+r/50))
			}
		}
		beta, variance, err := q.solve(background, 2)
		if err != nil {
			t.Skip("rank deficient")
		}
		wantBeta, wantVariance := naiveRegression(q)
		for i := range n {
			if math.Abs(beta[i]-wantBeta[i]) > 1e-9 || math.Abs(variance[i]-wantVariance[i]) > 1e-7*(1+wantVariance[i]) {
				t.Fatalf("player %d: %v ± %v, explicit matrices %v ± %v", i, beta[i], variance[i], wantBeta[i], wantVariance[i])
			}
		}
	})
}

func TestLeverageQuotas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 300).Draw(t, "players")
		pairs := rapid.IntRange(1, min(pairCount(n), 5000)).Draw(t, "pairs")
		quota := leverageQuota(n, pairs)
		total := 0.0
		for i, q := range quota {
			total += q
			if q > classPairs(n, i+1)*(1+1e-12) || q <= 0 {
				t.Fatalf("size %d has %v pairs, the quota is %v", i+1, classPairs(n, i+1), q)
			}
		}
		if math.Abs(total-float64(pairs)) > 1e-6 {
			t.Fatalf("quotas sum to %v, want %d", total, pairs)
		}
		counts := roundSystematically(testRNG(rapid.Uint64().Draw(t, "seed")), quota, pairs)
		sum := 0
		for i, c := range counts {
			sum += c
			if float64(c) < math.Floor(quota[i]) || float64(c) > math.Ceil(quota[i]) {
				t.Fatalf("size %d: %d pairs for the quota %v", i+1, c, quota[i])
			}
		}
		if sum != pairs {
			t.Fatalf("%d pairs, want %d", sum, pairs)
		}
	})
}

func TestSystematicRoundingKeepsExpectations(t *testing.T) {
	quota := []float64{0.3, 2.5, 0.7, 1.25, 0.25}
	counts := make([]float64, len(quota))
	const draws = 20000
	for seed := range uint64(draws) {
		for i, c := range roundSystematically(testRNG(seed), quota, 5) {
			counts[i] += float64(c) / draws
		}
	}
	assert.InDeltaSlice(t, quota, counts, 5*0.5/math.Sqrt(draws))
}

// All pairs make LeverageSHAP exact; so does the kernel's weighted regression over all coalitions (Lundberg and Lee
// 2017, theorem 2).
func TestLeverageSHAPWithAllPairsIsExact(t *testing.T) {
	for n := 2; n <= 11; n++ {
		g := randomTable(n, uint64(n))
		est, err := LeverageSHAP{}.Estimate(background, g, Options{Samples: pairCount(n)})
		require.NoError(t, err)
		assert.InDeltaSlice(t, exactly(t, g), est.Values, 1e-9, "%d players", n)
		assert.Equal(t, StopExact, est.Stopped)
		assert.Nil(t, est.DF)
		assert.EqualValues(t, 1<<n, est.Evaluations)
	}
}

func TestRankDeficientRegressionIsAnError(t *testing.T) {
	q := &regression{n: 4, rows: NewCoalitions(4, 5), target: make([]float64, 5)}
	for r := range 5 {
		q.rows.Row(r).Add(0)
	}
	_, _, err := q.solve(background, 1)
	assert.ErrorIs(t, err, ErrBudget)
	assert.ErrorContains(t, err, "5 coalitions do not determine the values of 4 players")
}
