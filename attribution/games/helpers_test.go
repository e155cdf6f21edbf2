package games

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/nets"
)

var background = context.Background()

// network is a random final layer and one sample.
type network struct {
	head *Readout
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
func (n network) game(t testing.TB, opt PenultimateOptions) attribution.Game {
	t.Helper()
	g, err := NewPenultimate(n.head, n.z, 0, opt)
	require.NoError(t, err)
	return g
}

// exactly returns the Shapley values by enumeration.
func exactly(t testing.TB, g attribution.Game) []float64 {
	t.Helper()
	e, err := estimate.Exact{}.Estimate(background, g, attribution.Options{})
	require.NoError(t, err)
	return e.Values
}

// plain hides a game's capabilities, so that estimators take their general path.
type plain struct{ game attribution.Game }

func (p plain) Players() int { return p.game.Players() }

func (p plain) Values(ctx context.Context, s attribution.Coalitions, dst []float64) error {
	return p.game.Values(ctx, s, dst)
}

var allValues = []attribution.Value{attribution.Logit, attribution.Probability, attribution.LogProbability,
	attribution.LogSumExp, attribution.Margin}

func withoutTime(e attribution.Estimate) attribution.Estimate {
	e.Seconds = 0
	return e
}

// readout is a final layer of weights [classes, neurons] and a bias for each class.
func readout(w, b []float64) (*Readout, error) {
	head := nets.Head{Classes: len(b), FeatureDim: len(w) / max(len(b), 1), Weight: make([]float32, len(w)),
		Bias: make([]float32, len(b))}
	for i, v := range w {
		head.Weight[i] = float32(v)
	}
	for i, v := range b {
		head.Bias[i] = float32(v)
	}
	return NewReadout(head)
}
