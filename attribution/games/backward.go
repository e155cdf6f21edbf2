package games

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/attribution"
)

var (
	_ attribution.Rescaled = (*PenultimateGame)(nil)
	_ attribution.Traced   = (*PenultimateGame)(nil)
	_ attribution.Rescaled = (*Mean)(nil)
)

// Rescale implements [attribution.Rescaled]. The logits are linear in the players, and the value is split over the
// logits by its [attribution.RescaledValue].
func (g *PenultimateGame) Rescale(ctx context.Context, dst []float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k := len(g.base)
	full, m := make([]float64, k), make([]float64, k)
	copy(full, g.base)
	addColumns(full, g.weights, g.delta)
	value, ok := g.value.(attribution.RescaledValue)
	if !ok || !value.Multipliers(g.base, full, g.class, m) {
		return fmt.Errorf("%w: the value %v has no rescale rule", attribution.ErrNotDifferentiable, g.value)
	}
	for i, d := range g.delta {
		dst[i] = 0
		for c, w := range g.weights[i*k : (i+1)*k] {
			dst[i] += d * m[c] * w
		}
	}
	return nil
}

// Rescale implements [attribution.Rescaled]: the mean of the members' parts. It is an error where a member does not
// have the rule.
func (m *Mean) Rescale(ctx context.Context, dst []float64) error {
	clear(dst)
	one := make([]float64, len(dst))
	for i, member := range m.members {
		r, ok := member.(attribution.Rescaled)
		if !ok {
			return fmt.Errorf("member %d: %w: the game has no rescale rule", i, attribution.ErrNotDifferentiable)
		}
		if err := r.Rescale(ctx, one); err != nil {
			return fmt.Errorf("member %d: %w", i, err)
		}
		for j, v := range one {
			dst[j] += v / float64(len(m.members))
		}
	}
	return nil
}

// trace is the path of a game's neurons while the network's input goes from a baseline to the sample.
type trace struct {
	bias, weights []float64 // [classes], [neurons, classes]
	path          [][]float64
	groups        [][]int // players, nil for single neurons
}

func newTrace(h *Readout, weights []float64, bounds int, opt PenultimateOptions) *trace {
	t := &trace{h.bias, weights, opt.Path, opt.Groups}
	if opt.LINe != nil {
		t.path = make([][]float64, len(opt.Path))
		for p, row := range opt.Path {
			t.path[p] = opt.LINe.clipped(row, bounds)
		}
	}
	return t
}

// Conductance implements [attribution.Traced] along PenultimateOptions.Path. A step counts with the mean of the
// slopes at its ends. It does not depend on what removed neurons become.
func (g *PenultimateGame) Conductance(ctx context.Context, dst []float64) (points int, err error) {
	if g.trace == nil {
		return 0, nil
	}
	value, ok := g.value.(attribution.DifferentiableValue)
	if !ok {
		return 0, noGradient(g.value)
	}
	t, k := g.trace, len(g.base)
	logits, before, after := make([]float64, k), make([]float64, k), make([]float64, k)
	neurons := make([]float64, len(t.path[0]))
	for p, row := range t.path {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		copy(logits, t.bias)
		addColumns(logits, t.weights, row)
		before, after = after, before
		value.Gradient(logits, g.class, after)
		if p == 0 {
			continue
		}
		for i, z := range row {
			moved := (z - t.path[p-1][i]) / 2
			for c, w := range t.weights[i*k : (i+1)*k] {
				neurons[i] += moved * (before[c] + after[c]) * w
			}
		}
	}
	if t.groups == nil {
		copy(dst, neurons)
		return len(t.path), nil
	}
	for p, group := range t.groups {
		dst[p] = 0
		for _, i := range group {
			dst[p] += neurons[i]
		}
	}
	return len(t.path), nil
}
