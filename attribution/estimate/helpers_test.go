package estimate

import (
	"context"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/nets"
)

var background = context.Background()

// randomValues are independent normal numbers, one for each coalition of n players.
func randomValues(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	v := make([]float64, 1<<n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

// randomTable is a game of randomValues.
func randomTable(n int, seed uint64) *games.Table {
	t, err := games.NewTable(randomValues(n, seed))
	if err != nil {
		panic(err)
	}
	return t
}

// network is a random final layer and one sample.
type network struct {
	head *games.Readout
	w, b []float64
	z    []float64
}

func randomNetwork(classes, neurons int, seed uint64) network {
	r := rand.New(rand.NewPCG(seed, 2))
	n := network{w: make([]float64, classes*neurons), b: make([]float64, classes), z: make([]float64, neurons)}
	for i := range n.w {
		n.w[i] = float64(float32(r.NormFloat64() * 0.5))
	}
	for i := range n.b {
		n.b[i] = float64(float32(r.NormFloat64() * 0.3))
	}
	for i := range n.z {
		n.z[i] = max(0, r.NormFloat64()+0.5)
	}
	h, err := readout(n.w, n.b)
	if err != nil {
		panic(err)
	}
	n.head = h
	return n
}

// game is the network's penultimate game.
func (n network) game(t testing.TB, opt games.PenultimateOptions) attribution.Game {
	t.Helper()
	g, err := games.NewPenultimate(n.head, n.z, 0, opt)
	require.NoError(t, err)
	return g
}

// exactly returns the Shapley values by enumeration.
func exactly(t testing.TB, g attribution.Game) []float64 {
	t.Helper()
	e, err := Exact{}.Estimate(background, g, attribution.Options{})
	require.NoError(t, err)
	return e.Values
}

// plain hides a game's capabilities, so that estimators take their general path.
type plain struct{ game attribution.Game }

func (p plain) Players() int { return p.game.Players() }

func (p plain) Values(ctx context.Context, s attribution.Coalitions, dst []float64) error {
	return p.game.Values(ctx, s, dst)
}

// counting counts the coalitions that a game is asked for.
type counting struct {
	attribution.Game
	rows atomic.Int64
}

func (c *counting) Values(ctx context.Context, s attribution.Coalitions, dst []float64) error {
	c.rows.Add(int64(s.Len()))
	return c.Game.Values(ctx, s, dst)
}

// unbiased lists the estimators that are unbiased for the Shapley value, for games of at least 3 players.
func unbiased() []attribution.Estimator {
	return []attribution.Estimator{
		Permutation{}, Permutation{Antithetic: true}, Permutation{Rotations: 3},
		Permutation{Rotations: 2, Antithetic: true},
		Stratified{}, Stratified{Strata: 2, Optimal: true},
		Owen{}, Owen{Halved: true}, Owen{Levels: 5},
		KernelSHAP{Unbiased: true}, KernelSHAP{Unbiased: true, Paired: true},
		SVARM{}, SVARM{Stratified: true},
	}
}

// consistent lists the estimators whose bias vanishes as the samples grow.
func consistent() []attribution.Estimator {
	return []attribution.Estimator{KernelSHAP{}, KernelSHAP{Paired: true}, LeverageSHAP{}}
}

func samplers() []attribution.Estimator { return append(unbiased(), consistent()...) }

func testRNG(seed uint64) *rand.PCG { return rand.NewPCG(seed, 99) }

// meanSquaredError is the mean squared difference of two vectors.
func meanSquaredError(x, y []float64) float64 {
	total := 0.0
	for i := range x {
		total += (x[i] - y[i]) * (x[i] - y[i])
	}
	return total / float64(len(x))
}

// quantiles maps degrees of freedom to what an interval's half length is of the standard error, at one level.
type quantiles map[float64]float64

// covered is the share of the players whose interval holds the true value; differences by rounding are tolerated.
// Computing the quantile of Student's t takes longer than many estimates, so that it is kept for equal degrees of
// freedom.
func covered(truth []float64, e *attribution.Estimate, level float64, known quantiles) float64 {
	held := 0
	for i, v := range truth {
		multiple := 0.0
		if e.DF != nil && !e.TooFew() {
			multiple = known[e.DF[i]]
		}
		half := multiple * e.StdErr[i]
		if !(multiple > 0) {
			lo, hi := e.Interval(i, level)
			half = (hi - lo) / 2
			if e.DF != nil {
				known[e.DF[i]] = half / e.StdErr[i]
			}
		}
		if math.Abs(v-e.Values[i]) <= half+1e-12 {
			held++
		}
	}
	return float64(held) / float64(len(truth))
}

var allValues = []attribution.Value{attribution.Logit, attribution.Probability, attribution.LogProbability,
	attribution.LogSumExp, attribution.Margin}

// readout is a final layer of weights [classes, neurons] and a bias for each class.
func readout(w, b []float64) (*games.Readout, error) {
	head := nets.Head{Classes: len(b), FeatureDim: len(w) / max(len(b), 1), Weight: make([]float32, len(w)),
		Bias: make([]float32, len(b))}
	for i, v := range w {
		head.Weight[i] = float32(v)
	}
	for i, v := range b {
		head.Bias[i] = float32(v)
	}
	return games.NewReadout(head)
}
