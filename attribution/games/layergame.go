package games

import (
	"context"
	"fmt"
	"sync"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// LayerGame is the game of one sample on the neurons of a layer. It is [attribution.Differentiable],
// [attribution.Costed], [attribution.CostedGradients], [attribution.Kinked], [attribution.Named] and
// [attribution.SampledGradients]: with [attribution.RemoveByResampling] its members are the games of single background
// rows, otherwise the game is its own only member. Where players add to the logits without interacting, as the channels
// of a DenseNet's last block do, it is [attribution.Incremental] and, for the logit, [attribution.Linear].
type LayerGame struct {
	l              *Layer
	class          int
	present        []float32 // [neurons]
	first, members int       // range of rows in Layer.removed
	parts          *additiveParts
}

var (
	_ attribution.Differentiable   = (*LayerGame)(nil)
	_ attribution.SampledGradients = (*LayerGame)(nil)
	_ attribution.Incremental      = (*LayerGame)(nil)
	_ attribution.Linear           = (*LayerGame)(nil)
	_ attribution.Costed           = (*LayerGame)(nil)
	_ attribution.CostedGradients  = (*LayerGame)(nil)
	_ attribution.Kinked           = (*LayerGame)(nil)
	_ attribution.Named            = (*LayerGame)(nil)
)

// Players is the number of players.
func (g *LayerGame) Players() int { return g.l.players }

// Class is the class that the value is about.
func (g *LayerGame) Class() int { return g.class }

// PlayerNames returns the names given with the options.
func (g *LayerGame) PlayerNames() []string { return g.l.opt.Names }

// ForwardsPerValue is the cost of a value in forward passes of the whole network: the share of the work behind the
// layer, times the number of members. All operations count, those that mask, pool and dispatch included; see
// [graph.Program.EstimatedSeconds].
func (g *LayerGame) ForwardsPerValue() float64 { return g.l.forwards * float64(g.members) }

// ForwardsPerGradient is ForwardsPerValue or, for a value function of the user's own, twice that: a second run finds
// the logits at which the function's gradient is taken.
func (g *LayerGame) ForwardsPerGradient() float64 {
	if g.l.own != nil {
		return 2 * g.ForwardsPerValue()
	}
	return g.ForwardsPerValue()
}

// Kinked is true unless the players are penultimate neurons, behind which logits are linear.
func (g *LayerGame) Kinked() bool { return g.l.opt.Layer != nets.Features || g.l.opt.Output != "" }

// Members is the number of background rows of a resampled game, otherwise 1.
func (g *LayerGame) Members() int { return g.members }

// Member returns the game of one background row, a [*LayerGame].
func (g *LayerGame) Member(m int) attribution.Game {
	one := *g
	one.first, one.members, one.parts = g.first+m, 1, &additiveParts{}
	return &one
}

// Values runs the graph behind the layer for every coalition and member.
func (g *LayerGame) Values(ctx context.Context, s attribution.Coalitions, dst []float64) error {
	return g.values(ctx, s, dst, g.all(s.Len()))
}

// MemberValues implements [attribution.Sampled]. Rows of different members run in the same batches.
func (g *LayerGame) MemberValues(ctx context.Context, members []int, s attribution.Coalitions, dst []float64) error {
	rows, err := g.each(members, s.Len())
	if err != nil {
		return err
	}
	return g.values(ctx, s, dst, rows)
}

func (g *LayerGame) values(ctx context.Context, s attribution.Coalitions, dst []float64, rows layerRows) error {
	if s.Players() != g.l.players || len(dst) != s.Len() {
		return fmt.Errorf("attribution: %d values for %d coalitions over %d players, the game has %d players",
			len(dst), s.Len(), s.Players(), g.l.players)
	}
	clear(dst)
	fill := func(b *layerBatch, row, at int) {
		item := at / rows.perItem
		if g.l.byBits {
			copy(b.bits[row*len(s.Row(item)):], s.Row(item))
		} else {
			s.Slice(item, item+1).Mask(b.mask(row))
		}
	}
	read := g.reader()
	err := g.run(ctx, g.l.values, g.l.byBits, rows, fill, func(row, at int, out *graph.Outputs) {
		dst[at/rows.perItem] += read(row, out)
	})
	for i := range dst {
		dst[i] /= float64(rows.perItem)
	}
	return err
}

// Gradients runs the graph behind the layer, and its gradient with respect to the mask, at every point for every
// member.
func (g *LayerGame) Gradients(ctx context.Context, alpha, values, grads []float64) error {
	return g.gradients(ctx, alpha, values, grads, g.all(len(values)))
}

// MemberGradients implements [attribution.SampledGradients].
func (g *LayerGame) MemberGradients(ctx context.Context, members []int, alpha, values, grads []float64) error {
	rows, err := g.each(members, len(values))
	if err != nil {
		return err
	}
	return g.gradients(ctx, alpha, values, grads, rows)
}

func (g *LayerGame) gradients(ctx context.Context, alpha, values, grads []float64, rows layerRows) error {
	n := g.l.players
	if len(alpha) != len(values)*n || len(grads) != len(alpha) {
		return fmt.Errorf("attribution: %d coordinates and %d gradients for %d points over %d players", len(alpha),
			len(grads), len(values), n)
	}
	prog, err := g.l.gradients()
	if err != nil {
		return fmt.Errorf("%w: %w", attribution.ErrNotDifferentiable, err)
	}
	fill := func(b *layerBatch, row, at int) {
		mask := b.mask(row)
		for i, v := range alpha[at/rows.perItem*n:][:n] {
			mask[i] = float32(v)
		}
	}
	var slopes []float32
	if g.l.own != nil {
		if slopes, err = g.slopes(ctx, rows, fill); err != nil {
			return err
		}
	}
	k := g.l.classes
	withSlope := func(b *layerBatch, row, at int) {
		fill(b, row, at)
		if slopes != nil {
			b.slopes = append(b.slopes, slopes[at*k:][:k]...)
		}
	}
	clear(values)
	clear(grads)
	scale := 1 / float64(rows.perItem)
	read := g.reader()
	return g.run(ctx, prog, false, rows, withSlope, func(row, at int, out *graph.Outputs) {
		item := at / rows.perItem
		values[item] += read(row, out) * scale
		sum := grads[item*n:][:n]
		for i, v := range out.Float32(layerGradient)[row*n:][:n] {
			sum[i] += float64(v) * scale
		}
	})
}

// reader returns a function that reads the value of a row of outputs. It is for one goroutine.
func (g *LayerGame) reader() func(row int, out *graph.Outputs) float64 {
	if g.l.own == nil {
		return func(row int, out *graph.Outputs) float64 { return float64(out.Float32(layerValue)[row]) }
	}
	logits := make([]float64, g.l.classes)
	return func(row int, out *graph.Outputs) float64 {
		return g.l.own.Of(rowOf(out, row, logits), g.class)
	}
}

// rowOf writes the logits of a row to dst.
func rowOf(out *graph.Outputs, row int, dst []float64) []float64 {
	for i, v := range out.Float32(layerValue)[row*len(dst):][:len(dst)] {
		dst[i] = float64(v)
	}
	return dst
}

// slopes returns the gradient of the user's own value function at the logits of every row.
//
// Shapes: result [rows, classes].
func (g *LayerGame) slopes(ctx context.Context, rows layerRows,
	fill func(b *layerBatch, row, at int)) ([]float32, error) {
	value, ok := g.l.own.(attribution.DifferentiableValue)
	if !ok {
		return nil, noGradient(g.l.own)
	}
	prog, err := g.l.points()
	if err != nil {
		return nil, err
	}
	k := g.l.classes
	logits, slope := make([]float64, k), make([]float64, k)
	out := make([]float32, 0, rows.items*rows.perItem*k)
	err = g.run(ctx, prog, false, rows, fill, func(row, _ int, o *graph.Outputs) {
		value.Gradient(rowOf(o, row, logits), g.class, slope)
		for _, v := range slope {
			out = append(out, float32(v))
		}
	})
	return out, err
}

// layerRows describes the rows that run through the graph. Each item, a coalition or a point, has perItem rows, and
// each row has its row of removed activations.
type layerRows struct {
	items, perItem int
	removed        func(row int) int
}

// all pairs each item with every member.
func (g *LayerGame) all(items int) layerRows {
	return layerRows{items, g.members, func(row int) int { return g.first + row%g.members }}
}

// each pairs each item with one member.
func (g *LayerGame) each(members []int, items int) (layerRows, error) {
	if len(members) != items {
		return layerRows{}, fmt.Errorf("attribution: %d members for %d coalitions or points", len(members), items)
	}
	for i, m := range members {
		if m < 0 || m >= g.members {
			return layerRows{}, fmt.Errorf("attribution: member %d of row %d, the game has %d", m, i, g.members)
		}
	}
	return layerRows{items, 1, func(row int) int { return g.first + members[row] }}, nil
}

// rowsPerBatch and masksPerBatch bound how many rows are prepared at once: the number of rows, and of elements of
// masks.
const (
	rowsPerBatch  = 128
	masksPerBatch = 1 << 20
)

// run sends rows through a program in batches. fill writes the mask (or the bits, with byBits) of row row to place at
// of a batch; take receives the outputs for it. The activations are shared by all rows, so that a batch holds little
// more than masks.
func (g *LayerGame) run(ctx context.Context, prog *graph.Program, byBits bool, rows layerRows,
	fill func(b *layerBatch, row, at int), take func(row, at int, out *graph.Outputs)) error {
	total := rows.items * rows.perItem
	if total == 0 {
		return ctx.Err()
	}
	size := prog.Options().Batch
	per := max(1, min(rowsPerBatch, masksPerBatch/g.l.players))
	per = min((per+size-1)/size*size, total)
	batches := func(yield func(graph.Batch, error) bool) {
		for lo := 0; lo < total; lo += per {
			n := min(per, total-lo)
			b := g.l.batch(n, byBits)
			for i := range n {
				fill(b, i, lo+i)
				b.rows[i], b.labels[i] = float32(rows.removed(lo+i)), g.class
			}
			if !yield(g.input(b), nil) {
				return
			}
		}
	}
	lo := 0
	for out, err := range prog.Run(ctx, batches) {
		if err != nil {
			return err
		}
		for i := range out.N {
			take(i, lo+i, out)
		}
		lo += out.N
	}
	return nil
}

// layerBatch holds what differs between the rows of a batch.
type layerBatch struct {
	pool        *sync.Pool
	players     int
	masks, rows []float32 // [n, players], [n]
	bits        []uint64  // [n, words], instead of masks
	slopes      []float32 // [n, classes], none where the value is computed in the graph
	labels      []int     // [n]
}

// mask returns a row of masks.
func (b *layerBatch) mask(row int) []float32 { return b.masks[row*b.players:][:b.players] }

// batch returns memory for n rows from a pool.
func (l *Layer) batch(n int, byBits bool) *layerBatch {
	pool, masks, words := &l.spare, l.players, 0
	if byBits {
		pool, masks, words = &l.spareBits, 0, len(attribution.NewCoalition(l.players))
	}
	b, ok := pool.Get().(*layerBatch)
	if !ok || cap(b.rows) < n {
		b = &layerBatch{
			pool: pool, players: l.players, masks: make([]float32, n*masks), bits: make([]uint64, n*words),
			rows: make([]float32, n), labels: make([]int, n),
		}
	}
	b.masks, b.bits, b.rows, b.labels = b.masks[:n*masks], b.bits[:n*words], b.rows[:n], b.labels[:n]
	b.slopes = b.slopes[:0]
	return b
}

// input returns the inputs of the program for a batch.
func (g *LayerGame) input(b *layerBatch) graph.Batch {
	in, bits := map[string][]float32{}, map[string][]uint64{}
	if len(b.bits) > 0 {
		bits[layerMask] = b.bits
	} else {
		in[layerMask] = b.masks
	}
	if len(b.slopes) > 0 {
		in[layerSlope] = b.slopes
	}
	if g.l.byRow {
		in[layerRemoved], in[layerRow] = g.l.removed, b.rows
	} else {
		in[layerRemoved] = g.l.removed[g.first*g.l.size:][:g.l.size]
	}
	return graph.Batch{X: g.present, N: len(b.rows), Labels: b.labels, Inputs: in, Bits: bits,
		Release: func() { b.pool.Put(b) }}
}
