package attribution

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/graph"
)

// LayerGame is the game of one sample on the neurons of a layer. It is [Differentiable], [Costed] and [Named].
type LayerGame struct {
	l                *Layer
	class            int
	present, removed []float32 // [neurons]
}

var (
	_ Differentiable = (*LayerGame)(nil)
	_ Costed         = (*LayerGame)(nil)
	_ Named          = (*LayerGame)(nil)
)

// Players is the number of players.
func (g *LayerGame) Players() int { return g.l.players }

// Class is the class that the value is about.
func (g *LayerGame) Class() int { return g.class }

// PlayerNames returns the names given with the options.
func (g *LayerGame) PlayerNames() []string { return g.l.opt.Names }

// ForwardsPerValue is the share of the network's floating-point operations behind the layer.
func (g *LayerGame) ForwardsPerValue() float64 { return g.l.forwards }

// Values runs the graph from the layer on for every coalition.
func (g *LayerGame) Values(ctx context.Context, s Coalitions, dst []float64) error {
	if s.Players() != g.l.players || len(dst) != s.Len() {
		return fmt.Errorf("attribution: %d values for %d coalitions over %d players, the game has %d players",
			len(dst), s.Len(), s.Players(), g.l.players)
	}
	fill := func(mask []float32, lo, hi int) { s.Slice(lo, hi).Mask(mask) }
	return g.run(ctx, g.l.values, s.Len(), fill, func(lo int, out *graph.Outputs) {
		for i, v := range out.Float32(layerValue) {
			dst[lo+i] = float64(v)
		}
	})
}

// Gradients runs the graph and its gradient with respect to the mask at every point.
func (g *LayerGame) Gradients(ctx context.Context, alpha, values, grads []float64) error {
	n := g.l.players
	if len(alpha) != len(values)*n || len(grads) != len(alpha) {
		return fmt.Errorf("attribution: %d coordinates and %d gradients for %d points over %d players", len(alpha), len(grads), len(values), n)
	}
	prog, err := g.l.gradients()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotDifferentiable, err)
	}
	fill := func(mask []float32, lo, hi int) {
		for i, v := range alpha[lo*n : hi*n] {
			mask[i] = float32(v)
		}
	}
	return g.run(ctx, prog, len(values), fill, func(lo int, out *graph.Outputs) {
		for i, v := range out.Float32(layerValue) {
			values[lo+i] = float64(v)
		}
		for i, v := range out.Float32(layerGradient) {
			grads[lo*n+i] = float64(v)
		}
	})
}

// rowsPerBatch bounds how many coalitions are prepared at once, in rows and in activations.
const (
	rowsPerBatch        = 256
	activationsPerBatch = 1 << 20
)

// run feeds rows of masks to a program; take receives what comes out, from row lo on.
func (g *LayerGame) run(ctx context.Context, prog *graph.Program, rows int, fill func(mask []float32, lo, hi int), take func(lo int, out *graph.Outputs)) error {
	if rows == 0 {
		return ctx.Err()
	}
	o := prog.Options()
	per := max(1, min(rowsPerBatch, activationsPerBatch/g.l.size))
	per = (per + o.Batch - 1) / o.Batch * o.Batch
	per = min(per, rows)
	spare := make(chan *graph.Batch, 8)
	batches := func(yield func(graph.Batch, error) bool) {
		for lo := 0; lo < rows; lo += per {
			n := min(per, rows-lo)
			var b *graph.Batch
			select {
			case b = <-spare:
			default:
				b = g.newBatch(per)
			}
			fill(b.Inputs[layerMask][:n*g.l.players], lo, lo+n)
			if !yield(g.cut(b, n, spare), nil) {
				return
			}
		}
	}
	lo := 0
	for out, err := range prog.Run(ctx, batches) {
		if err != nil {
			return err
		}
		take(lo, out)
		lo += out.N
	}
	return nil
}

// newBatch returns memory for n coalitions with everything but the masks filled in.
func (g *LayerGame) newBatch(n int) *graph.Batch {
	b := &graph.Batch{
		X: make([]float32, 0, n*g.l.size), Labels: make([]int, n), N: n,
		Inputs: map[string][]float32{layerMask: make([]float32, n*g.l.players)},
	}
	removed := make([]float32, 0, n*g.l.size)
	for i := range n {
		b.X = append(b.X, g.present...)
		removed = append(removed, g.removed...)
		b.Labels[i] = g.class
	}
	b.Inputs[layerRemoved] = removed
	return b
}

// cut returns the first n samples of b, which goes to spare when they are released.
func (g *LayerGame) cut(b *graph.Batch, n int, spare chan<- *graph.Batch) graph.Batch {
	return graph.Batch{
		X: b.X[:n*g.l.size], N: n, Labels: b.Labels[:n],
		Inputs: map[string][]float32{layerMask: b.Inputs[layerMask][:n*g.l.players], layerRemoved: b.Inputs[layerRemoved][:n*g.l.size]},
		Release: func() {
			select {
			case spare <- b:
			default:
			}
		},
	}
}
