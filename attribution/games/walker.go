package games

import (
	"math"
	"sync"

	"github.com/line-ood/goline/attribution"
)

// factorTable turns sums of logits into products: e_k = exp(l_k - shift) is multiplied by a factor when a player
// joins.
type factorTable struct {
	shift   float64
	start   []float64 // [classes]: e of the empty coalition
	factors []float64 // [players, classes]: exp(delta_i w_ik)
}

// tableOnce builds a game's table at most once, at first use by any goroutine.
type tableOnce struct {
	once  sync.Once
	table *factorTable // nil where the products could leave the range of float64
}

// maxSpread and maxExponent keep every running product within exp(±600) and every factor finite, so that walkers need
// no renormalisation: n roundings of 2^-53 each are the whole error.
const (
	maxSpread   = 1200
	maxExponent = 700
)

// factorTable returns the game's table, or nil when the logits of its coalitions spread too far for one.
func (g *PenultimateGame) factorTable() *factorTable {
	g.table.once.Do(func() {
		lo, hi := g.logitRange()
		if !(hi-lo <= maxSpread) {
			return
		}
		k := len(g.base)
		t := &factorTable{shift: (hi + lo) / 2, start: make([]float64, k), factors: make([]float64, len(g.delta)*k)}
		for c, l := range g.base {
			t.start[c] = math.Exp(l - t.shift)
		}
		for i, d := range g.delta {
			for c, w := range g.weights[i*k : (i+1)*k] {
				if math.Abs(d*w) > maxExponent {
					return
				}
				t.factors[i*k+c] = math.Exp(d * w)
			}
		}
		g.table.table = t
	})
	return g.table.table
}

// NewWalker implements [attribution.Incremental].
func (g *PenultimateGame) NewWalker() attribution.Walker {
	if g.value == attribution.Logit {
		return linearWalker{g}
	}
	if v, known := g.value.(attribution.Value); known && v != attribution.Margin && g.tabled {
		if t := g.factorTable(); t != nil {
			k, n := len(g.base), len(g.delta)
			return &productWalker{game: g, table: t, e: make([]float64, k), levels: make([]float64, n+1)}
		}
	}
	return &directWalker{game: g, logits: make([]float64, len(g.base)), moved: make([]float64, len(g.base))}
}

// linearWalker serves the logit: a player's marginal contribution is the same everywhere.
type linearWalker struct{ game *PenultimateGame }

func (w linearWalker) Marginals(order []int, dst []float64) {
	k, c := len(w.game.base), w.game.class
	for _, p := range order {
		dst[p] = w.game.delta[p] * w.game.weights[p*k+c]
	}
}

func (w linearWalker) Toggles(_ attribution.Coalition, players []int, dst []float64) {
	k, c := len(w.game.base), w.game.class
	for j, p := range players {
		dst[j] = w.game.delta[p] * w.game.weights[p*k+c]
	}
}

// productWalker keeps e_k = exp(l_k - shift) and multiplies it by factors. A player takes K multiplications, K
// additions and one logarithm, instead of K exponentials.
type productWalker struct {
	game   *PenultimateGame
	table  *factorTable
	e      []float64 // [classes]
	levels []float64 // [players+1]: Σ e, or the probability, along the order
}

func (w *productWalker) Marginals(order []int, dst []float64) {
	t, e, levels := w.table, w.e, w.levels[:len(order)+1]
	k := len(e)
	copy(e, t.start)
	if w.game.value == attribution.Probability {
		levels[0] = w.probability(sum(e))
		for j, p := range order {
			levels[j+1] = w.probability(multiplySum(e, t.factors[p*k:p*k+k]))
		}
		for j, p := range order {
			dst[p] = levels[j+1] - levels[j]
		}
		return
	}
	levels[0] = sum(e)
	for j, p := range order {
		levels[j+1] = multiplySum(e, t.factors[p*k:p*k+k])
	}
	before := math.Log(levels[0])
	for j, p := range order {
		after := math.Log(levels[j+1])
		dst[p] = after - before
		before = after
	}
	if w.game.value == attribution.LogProbability {
		c := w.game.class
		for _, p := range order {
			dst[p] = w.game.delta[p]*w.game.weights[p*k+c] - dst[p]
		}
	}
}

func (w *productWalker) probability(total float64) float64 { return w.e[w.game.class] / total }

func (w *productWalker) Toggles(s attribution.Coalition, players []int, dst []float64) {
	t, e, g := w.table, w.e, w.game
	k := len(e)
	g.logits(s, e)
	for c, l := range e {
		e[c] = math.Exp(l - t.shift)
	}
	here := sum(e)
	for j, p := range players {
		f := t.factors[p*k : p*k+k]
		in := s.Has(p)
		there, class := 0.0, e[g.class]
		if in {
			for c, x := range e {
				there += x / f[c]
			}
			class /= f[g.class]
		} else {
			for c, x := range e {
				there += x * f[c]
			}
			class *= f[g.class]
		}
		d := 0.0
		switch g.value {
		case attribution.Probability:
			d = class/there - e[g.class]/here
		default:
			d = math.Log(there / here)
		}
		if in {
			d = -d
		}
		if g.value == attribution.LogProbability {
			d = g.delta[p]*g.weights[p*k+g.class] - d
		}
		dst[j] = d
	}
}

// directWalker keeps the logits and reads the value off them at every step. It serves the margin, value functions of
// the user's own, and logits that spread too far for products.
type directWalker struct {
	game          *PenultimateGame
	logits, moved []float64 // [classes]
}

func (w *directWalker) Marginals(order []int, dst []float64) {
	g, l := w.game, w.logits
	k := len(l)
	copy(l, g.base)
	before := g.value.Of(l, g.class)
	for _, p := range order {
		d := g.delta[p]
		for c, x := range g.weights[p*k : p*k+k] {
			l[c] += d * x
		}
		after := g.value.Of(l, g.class)
		dst[p] = after - before
		before = after
	}
}

func (w *directWalker) Toggles(s attribution.Coalition, players []int, dst []float64) {
	g, l := w.game, w.logits
	k := len(l)
	g.logits(s, l)
	here := g.value.Of(l, g.class)
	for j, p := range players {
		d, sign := g.delta[p], 1.0
		if s.Has(p) {
			d, sign = -d, -1
		}
		for c, x := range g.weights[p*k : p*k+k] {
			w.moved[c] = l[c] + d*x
		}
		dst[j] = sign * (g.value.Of(w.moved, g.class) - here)
	}
}

// multiplySum multiplies e by f in place and returns the sum of the products. It keeps four partial sums, because a
// single one would wait for the latency of every addition.
func multiplySum(e, f []float64) float64 {
	var s0, s1, s2, s3 float64
	for len(e) >= 4 && len(f) >= 4 {
		a, b := (*[4]float64)(e), (*[4]float64)(f)
		a[0] *= b[0]
		a[1] *= b[1]
		a[2] *= b[2]
		a[3] *= b[3]
		s0 += a[0]
		s1 += a[1]
		s2 += a[2]
		s3 += a[3]
		e, f = e[4:], f[4:]
	}
	for i := range min(len(e), len(f)) {
		e[i] *= f[i]
		s0 += e[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// sum adds up x in the order of multiplySum, for the same rounding.
func sum(x []float64) float64 {
	var s0, s1, s2, s3 float64
	for len(x) >= 4 {
		s0 += x[0]
		s1 += x[1]
		s2 += x[2]
		s3 += x[3]
		x = x[4:]
	}
	for _, v := range x {
		s0 += v
	}
	return (s0 + s1) + (s2 + s3)
}
