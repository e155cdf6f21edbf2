package compare

import (
	"context"
	"math/rand/v2"
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

func testRNG(seed uint64) *rand.PCG { return rand.NewPCG(seed, 99) }

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

// tableOf is a game given by the values of all coalitions.
func tableOf(t testing.TB, values ...float64) attribution.Game {
	t.Helper()
	g, err := games.NewTable(values)
	require.NoError(t, err)
	return g
}
