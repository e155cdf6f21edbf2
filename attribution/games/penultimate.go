package games

import (
	"context"
	"fmt"
	"math"
	"math/bits"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/mathx"
)

// PenultimateOptions says which game is played on the neurons in front of a final linear layer. With the zero value,
// the value is the logit of the predicted class, every neuron is a player, and absent neurons are zero.
type PenultimateOptions struct {
	// Value is what is read off the logits: [attribution.Logit], also for nil, another of its constants, or any
	// function. With LINe set it must be Logit or LogSumExp, and the game's value is the LINe score.
	Value attribution.ValueFunction
	// Target is the class that the value is about; with LINe set, the class whose masks are used.
	Target attribution.Target
	// Removal says what absent neurons become.
	Removal attribution.Removal
	// Groups makes each group of neurons one player; groups are disjoint and not empty. Neurons in no group are
	// always present. Nil makes every neuron a player of its own.
	Groups [][]int
	// Names holds one name for each player, or nil.
	Names []string
	// LINe makes the value the score of a fitted LINe detector.
	LINe *LINe
	// Path holds the activations, for [PenultimateGame.Conductance], while the network's input goes from a baseline
	// to the sample [points][neurons], both ends included. It belongs to one sample. Nil is for games whose
	// conductance is not needed.
	Path [][]float64
}

// PenultimateGame is a game on the neurons of one sample in front of a final linear layer. When player i joins, the
// logits change by a fixed vector, so adding a player costs K operations instead of K D (K classes, D neurons). It is
// [attribution.Incremental], [attribution.Differentiable], and for the logit [attribution.Linear].
type PenultimateGame struct {
	value   attribution.ValueFunction
	class   int
	base    []float64 // [classes]: the logits of the empty coalition
	weights []float64 // [players, classes]: player i adds delta[i] * weights[i]
	delta   []float64 // [players]
	names   []string
	// forwards is the cost of a value, 0 for 1; another number where the game is a layer's in a simpler form
	forwards float64
	// path of the neurons while the input goes from the baseline to the sample; nil where it is not known
	trace  *trace
	tabled bool // whether walkers may keep a table of players x classes factors
	table  tableOnce
}

// tableBytes is the most memory that the factor tables of the members of one game may take together.
const tableBytes = 256 << 20

// NewPenultimate returns the game of one sample: a [*PenultimateGame], or with [attribution.RemoveByResampling] and
// several background rows a [*Mean] of one game for each row. label is -1 where it is unknown.
//
// Shapes: z [neurons].
func NewPenultimate(h *Readout, z []float64, label int, opt PenultimateOptions) (attribution.Game, error) {
	games, err := penultimateGames(h, [][]float64{z}, []int{label}, opt)
	if err != nil {
		return nil, err
	}
	if len(games) == 1 {
		return games[0], nil
	}
	return newMeanOf(games), nil
}

// NewPenultimateMean returns the game whose value is the mean over the samples, each with its own target. With the
// logit of the label, removal to zero and the samples of class k, gradient × activation gives row k of LINe's C.
// labels may be nil when the target does not need them.
//
// Shapes: z [samples][neurons], labels [samples].
func NewPenultimateMean(h *Readout, z [][]float64, labels []int, opt PenultimateOptions) (*Mean, error) {
	games, err := penultimateGames(h, z, labels, opt)
	if err != nil {
		return nil, err
	}
	return newMeanOf(games), nil
}

// penultimateGames returns the games of all samples and background rows.
func penultimateGames(h *Readout, z [][]float64, labels []int, opt PenultimateOptions) ([]*PenultimateGame, error) {
	if err := opt.check(h); err != nil {
		return nil, err
	}
	if len(z) == 0 {
		return nil, fmt.Errorf("attribution: expected at least one sample, got none")
	}
	if opt.Path != nil && len(z) > 1 {
		return nil, fmt.Errorf("attribution: the path of one input for a game over %d samples", len(z))
	}
	if labels != nil && len(labels) != len(z) {
		return nil, fmt.Errorf("attribution: expected a label for each of %d samples, got %d", len(z), len(labels))
	}
	masked := map[int][]float64{}
	var games []*PenultimateGame
	for n, row := range z {
		if len(row) != h.neurons {
			return nil,
				fmt.Errorf("attribution: sample %d: expected %d activations, as many as the head has neurons, got %d",
					n, h.neurons, len(row))
		}
		if i := mathx.FirstNotFinite(row); i >= 0 {
			return nil, fmt.Errorf("attribution: activation %d of sample %d is %v", i, n, row[i])
		}
		label := -1
		if labels != nil {
			label = labels[n]
		}
		logits, bounds := make([]float64, h.classes), 0
		if opt.LINe != nil && opt.LINe.perClass(h) {
			h.logits(row, logits)
			var err error
			if bounds, err = opt.Target.Resolve(logits, label); err != nil {
				return nil, fmt.Errorf("sample %d: %w", n, err)
			}
		}
		if opt.LINe != nil {
			row = opt.LINe.clipped(row, bounds)
		}
		h.logits(row, logits)
		class, err := opt.Target.Resolve(logits, label)
		if err != nil {
			return nil, fmt.Errorf("sample %d: %w", n, err)
		}
		weights, value := h.weights, orLogit(opt.Value)
		if opt.LINe != nil {
			value = attribution.LogSumExp
			if masked[class] == nil {
				masked[class] = opt.LINe.masked(h, class)
			}
			weights = masked[class]
		}
		first, count := opt.Removal.InClass(class)
		for _, removed := range opt.Removal.Rows(h.neurons)[first : first+count] {
			if opt.LINe != nil {
				removed = opt.LINe.clipped(removed, bounds)
			}
			g := &PenultimateGame{value: value, class: class, weights: weights, names: opt.Names}
			g.base = append([]float64(nil), h.bias...)
			g.delta = make([]float64, h.neurons)
			for i := range row {
				g.delta[i] = row[i] - removed[i]
			}
			addColumns(g.base, weights, removed)
			if opt.Path != nil {
				g.trace = newTrace(h, weights, bounds, opt)
			}
			if opt.Groups != nil {
				g.group(opt.Groups)
			}
			if i := mathx.FirstNotFinite(g.base); i >= 0 {
				return nil, fmt.Errorf("sample %d: logit %d of the empty coalition: %w", n, i, attribution.ErrNotFinite)
			}
			games = append(games, g)
		}
	}
	tabled := 8*len(games)*len(games[0].delta)*h.classes <= tableBytes
	for _, g := range games {
		g.tabled = tabled
	}
	return games, nil
}

// check returns an error for options that do not fit a head.
func (o *PenultimateOptions) check(h *Readout) error {
	if err := attribution.CheckValue(o.Value, h.classes); err != nil {
		return err
	}
	if err := o.Removal.Check(h.classes, h.neurons); err != nil {
		return err
	}
	players := h.neurons
	if o.Groups != nil {
		players = len(o.Groups)
		if players == 0 {
			return attribution.ErrNoPlayers
		}
		seen := make([]bool, h.neurons)
		for g, group := range o.Groups {
			if len(group) == 0 {
				return fmt.Errorf("attribution: group %d: expected at least one neuron, got none", g)
			}
			for _, i := range group {
				if i < 0 || i >= h.neurons {
					return fmt.Errorf("attribution: group %d: expected neurons from 0 to %d, got %d", g, h.neurons-1, i)
				}
				if seen[i] {
					return fmt.Errorf("attribution: neuron %d is in two groups, the second is %d", i, g)
				}
				seen[i] = true
			}
		}
	}
	if o.Names != nil && len(o.Names) != players {
		return fmt.Errorf("attribution: expected a name for each of %d players, got %d", players, len(o.Names))
	}
	if o.Path != nil && len(o.Path) < 2 {
		return fmt.Errorf("attribution: the path of an input: expected at least 2 points, got %d", len(o.Path))
	}
	for p, row := range o.Path {
		if len(row) != h.neurons {
			return fmt.Errorf("attribution: the path of an input: point %d: expected %d neurons, got %d", p, h.neurons,
				len(row))
		}
		if i := mathx.FirstNotFinite(row); i >= 0 {
			return fmt.Errorf("attribution: the path of an input: activation %d of point %d is %v", i, p, row[i])
		}
	}
	if o.LINe != nil {
		if v := orLogit(o.Value); v != attribution.Logit && v != attribution.LogSumExp {
			return fmt.Errorf("attribution: the LINe score is a log-sum-exp: expected the value logit or "+
				"log-sum-exp, got %v", v)
		}
		return o.LINe.check(h)
	}
	return nil
}

// orLogit returns the value function, Logit for nil.
func orLogit(v attribution.ValueFunction) attribution.ValueFunction {
	if v == nil {
		return attribution.Logit
	}
	return v
}

// noGradient is the error of a game whose value function has no gradient.
func noGradient(v attribution.ValueFunction) error {
	return fmt.Errorf("%w: the value %v has none", attribution.ErrNotDifferentiable, v)
}

// group merges the neurons of each group into one player and makes all other neurons always present.
func (g *PenultimateGame) group(groups [][]int) {
	k := len(g.base)
	weights := make([]float64, len(groups)*k)
	delta := make([]float64, len(groups))
	grouped := make([]bool, len(g.delta))
	for p, group := range groups {
		delta[p] = 1
		for _, i := range group {
			grouped[i] = true
			addColumns(weights[p*k:(p+1)*k], g.weights[i*k:(i+1)*k], g.delta[i:i+1])
		}
	}
	for i, in := range grouped {
		if !in {
			addColumns(g.base, g.weights[i*k:(i+1)*k], g.delta[i:i+1])
		}
	}
	g.weights, g.delta = weights, delta
}

// Players is the number of neurons or groups.
func (g *PenultimateGame) Players() int { return len(g.delta) }

// PlayerNames returns the names given in the options.
func (g *PenultimateGame) PlayerNames() []string { return g.names }

// ForwardsPerValue is the cost of a value in forward passes, as if the network ran for it.
func (g *PenultimateGame) ForwardsPerValue() float64 {
	if g.forwards > 0 {
		return g.forwards
	}
	return 1
}

// Class is the class that the game is about.
func (g *PenultimateGame) Class() int { return g.class }

// logits writes the logits of a coalition.
func (g *PenultimateGame) logits(s attribution.Coalition, dst []float64) {
	copy(dst, g.base)
	k := len(dst)
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			i := w<<6 + bits.TrailingZeros64(word)
			d, row := g.delta[i], g.weights[i*k:(i+1)*k]
			for c := range dst {
				dst[c] += d * row[c]
			}
		}
	}
}

// Values implements [attribution.Game].
func (g *PenultimateGame) Values(ctx context.Context, s attribution.Coalitions, dst []float64) error {
	logits := make([]float64, len(g.base))
	for r := range s.Len() {
		if r%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		g.logits(s.Row(r), logits)
		dst[r] = g.value.Of(logits, g.class)
	}
	return nil
}

// Gradients implements [attribution.Differentiable]. With LINe, partly present means a fraction of the clipped
// activation, so that the logits are linear in α.
func (g *PenultimateGame) Gradients(ctx context.Context, alpha, values, grads []float64) error {
	value, ok := g.value.(attribution.DifferentiableValue)
	if !ok {
		return noGradient(g.value)
	}
	n, k := len(g.delta), len(g.base)
	logits, slope := make([]float64, k), make([]float64, k)
	for r := range values {
		if err := ctx.Err(); err != nil {
			return err
		}
		copy(logits, g.base)
		for i, a := range alpha[r*n : (r+1)*n] {
			for c, w := range g.weights[i*k : (i+1)*k] {
				logits[c] += a * g.delta[i] * w
			}
		}
		values[r] = value.Of(logits, g.class)
		value.Gradient(logits, g.class, slope)
		for i := range n {
			dot := 0.0
			for c, w := range g.weights[i*k : (i+1)*k] {
				dot += slope[c] * w
			}
			grads[r*n+i] = dot * g.delta[i]
		}
	}
	return nil
}

// Shapley implements [attribution.Linear]. The logit is linear: player i is worth W[c, i] (z_i - removed_i). With a
// single class so is the log-sum-exp, which then is the logit.
func (g *PenultimateGame) Shapley(dst []float64) bool {
	k := len(g.base)
	if g.value != attribution.Logit && (g.value != attribution.LogSumExp || k != 1) {
		return false
	}
	for i, d := range g.delta {
		dst[i] = d * g.weights[i*k+g.class]
	}
	return true
}

// logitRange bounds the logits of all coalitions: no logit of any coalition lies outside [lo, hi].
func (g *PenultimateGame) logitRange() (lo, hi float64) {
	k := len(g.base)
	los, his := append([]float64(nil), g.base...), append([]float64(nil), g.base...)
	for i, d := range g.delta {
		for c, w := range g.weights[i*k : (i+1)*k] {
			los[c] += min(0, d*w)
			his[c] += max(0, d*w)
		}
	}
	lo, hi = math.Inf(1), math.Inf(-1)
	for c := range k {
		lo, hi = min(lo, los[c]), max(hi, his[c])
	}
	return lo, hi
}
