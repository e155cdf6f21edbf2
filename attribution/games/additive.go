package games

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/mathx"
)

// additiveParts holds what is known about one game's logits, found out at first use by any goroutine.
type additiveParts struct {
	once sync.Once
	game attribution.Game // a *PenultimateGame or a *Mean of them; nil where players interact before the logits
}

const (
	// mostAdditiveRows bounds the runs that taking logits apart may need: players times members.
	mostAdditiveRows = 8192
	// additiveSplits is the number of random coalitions that are compared with their complements.
	additiveSplits = 3
	// additiveTolerance is how far, in parts of the largest logit, sums of parts may be off in float32.
	additiveTolerance = 2e-5
)

// Reduced implements [attribution.Reducible] where players do not interact before the logits: the game on the logits
// written as sums. There partly present players add a part of what they add to the logits, which is smooth, and no
// graph runs.
func (g *LayerGame) Reduced() attribution.Game { return g.additive() }

// additive returns the same game with its logits written as a sum over players, l(S) = l(∅) + Σ_{i∈S} d_i, or nil where
// they are no such sum. They are where between the layer and the logits every channel is normalised, rectified and
// averaged by itself, as behind the last block of a DenseNet. Whether they are is found by running coalitions: a few
// and their complements first, which ends it for most layers, then every player alone, and the sums of those must give
// the first ones again. These runs are not part of an estimate's cost.
func (g *LayerGame) additive() attribution.Game {
	if g.parts == nil {
		return nil
	}
	g.parts.once.Do(func() {
		if g.l.opt.Output != "" || g.l.interacts.Load() || g.members*g.l.players > mostAdditiveRows {
			return
		}
		games, err := g.takeApart(context.Background())
		switch {
		case err != nil: // the game stays what it is; whoever runs it meets the error
		case games == nil:
			g.l.interacts.Store(true)
		case len(games) == 1:
			g.parts.game = games[0]
		default:
			g.parts.game = newMeanOf(games)
		}
	})
	return g.parts.game
}

// takeApart returns a game for each member, nil where the logits are no sums over players.
func (g *LayerGame) takeApart(ctx context.Context) ([]*PenultimateGame, error) {
	n := g.l.players
	splits := attribution.NewCoalitions(n, 2+2*additiveSplits) // ∅, N, then pairs of a coalition and its complement
	rng := rand.New(rand.NewPCG(uint64(n), 0x6164646974697665))
	for p := range n {
		splits.Row(1).Add(p)
		for s := range additiveSplits {
			splits.Row(2 + 2*s + rng.IntN(2)).Add(p)
		}
	}
	singles := attribution.NewCoalitions(n, n)
	for p := range n {
		singles.Row(p).Add(p)
	}
	var games []*PenultimateGame
	for m := range g.members {
		ends, err := g.logitsOf(ctx, m, splits)
		if err != nil || !complementary(ends, g.l.classes) {
			return nil, err
		}
		alone, err := g.logitsOf(ctx, m, singles)
		if err != nil {
			return nil, err
		}
		one := g.partsGame(ends[:g.l.classes], alone)
		if !one.sums(splits, ends) {
			return nil, nil
		}
		games = append(games, one)
	}
	return games, nil
}

// partsGame is the game of one member whose players add what they add alone.
//
// Shapes: empty [classes], alone [players, classes].
func (g *LayerGame) partsGame(empty, alone []float64) *PenultimateGame {
	k := g.l.classes
	one := &PenultimateGame{value: g.l.opt.Value, class: g.class, base: empty, weights: alone,
		delta: make([]float64, g.l.players), names: g.l.opt.Names, forwards: g.l.forwards,
		tabled: 8*g.members*len(alone) <= tableBytes}
	for p := range one.delta {
		one.delta[p] = 1
		for c := range k {
			alone[p*k+c] -= empty[c]
		}
	}
	return one
}

// logitsOf returns the logits of the coalitions in the game of one member.
//
// Shapes: result [coalitions, classes].
func (g *LayerGame) logitsOf(ctx context.Context, member int, s attribution.Coalitions) ([]float64, error) {
	prog, err := g.l.logits()
	if err != nil {
		return nil, err
	}
	k := g.l.classes
	dst := make([]float64, s.Len()*k)
	rows := layerRows{s.Len(), 1, func(int) int { return g.first + member }}
	fill := func(b *layerBatch, row, at int) { s.Slice(at, at+1).Mask(b.mask(row)) }
	err = g.run(ctx, prog, false, rows, fill, func(row, at int, out *graph.Outputs) {
		for c, v := range out.Float32(graph.Logits)[row*k:][:k] {
			dst[at*k+c] = float64(v)
		}
	})
	return dst, err
}

// complementary reports whether each coalition's logits and its complement's together are those of none and of all.
//
// Shapes: logits [coalitions, classes], in the order ∅, N, then pairs.
func complementary(logits []float64, classes int) bool {
	largest := largestLogit(logits)
	for pair := 2 * classes; pair < len(logits); pair += 2 * classes {
		for c := range classes {
			d := logits[pair+c] + logits[pair+classes+c] - logits[c] - logits[classes+c]
			if !(math.Abs(d) <= additiveTolerance*largest) {
				return false
			}
		}
	}
	return true
}

// sums reports whether the game's logits of the coalitions are these.
//
// Shapes: logits [coalitions, classes].
func (g *PenultimateGame) sums(s attribution.Coalitions, logits []float64) bool {
	k, largest := len(g.base), largestLogit(logits)
	sum := make([]float64, k)
	for r := range s.Len() {
		g.logits(s.Row(r), sum)
		for c, v := range logits[r*k:][:k] {
			if !(math.Abs(sum[c]-v) <= additiveTolerance*largest) {
				return false
			}
		}
	}
	return true
}

// largestLogit is the largest absolute value, NaN where one is not finite, which no difference is within.
func largestLogit(logits []float64) float64 {
	if mathx.FirstNotFinite(logits) >= 0 {
		return math.NaN()
	}
	largest := 0.0
	for _, v := range logits {
		largest = max(largest, math.Abs(v))
	}
	return largest
}

// Shapley implements [attribution.Linear]: the value is a sum over players where the logits are one and it is linear in
// them.
func (g *LayerGame) Shapley(dst []float64) bool {
	l, ok := g.additive().(attribution.Linear)
	return ok && l.Shapley(dst)
}

// NewWalker implements [attribution.Incremental]. It returns nil where players interact before the logits.
func (g *LayerGame) NewWalker() attribution.Walker {
	inc, ok := g.additive().(attribution.Incremental)
	if !ok {
		return nil
	}
	return inc.NewWalker()
}
