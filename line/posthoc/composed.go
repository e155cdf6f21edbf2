package posthoc

import (
	"context"
	"fmt"
	"slices"
)

// composed is a method made of parts: shapers in their order, then one score.
type composed struct {
	base
	shapers []named[Shaper]
	poolers int // how many of them, the first, replace features
	scorer  named[Scorer]
	learns  bool // whether Score needs Fit: shapers need the head at least
	fitted  bool
	head    *dense // the network's; nil where no part changes features
	classes int
	dim     int
}

// named is a part with the name of its kind.
type named[T any] struct {
	name string
	part T
}

// compose makes a method of parts, in the order in which they apply. It errors for more than one score of their own.
func compose(b base, names []string, parts []Part) (*composed, error) {
	m := &composed{base: b}
	m.scorer = named[Scorer]{"energy", energyScore(1)}
	own := ""
	for i, p := range parts {
		if p.Shape != nil {
			m.shapers = append(m.shapers, named[Shaper]{names[i], p.Shape})
		}
		if p.Score != nil {
			if own != "" {
				return nil, fmt.Errorf("posthoc: %s: both %s and %s have a score of their own", b.name, own, names[i])
			}
			own = names[i]
			m.scorer = named[Scorer]{names[i], p.Score}
		}
		if p.Shape == nil && p.Score == nil {
			return nil, fmt.Errorf("posthoc: %s: %s has neither shaper nor score", b.name, names[i])
		}
	}
	slices.SortStableFunc(m.shapers, func(a, b named[Shaper]) int { return poolsFirst(a.part) - poolsFirst(b.part) })
	for m.poolers < len(m.shapers) && poolsFirst(m.shapers[m.poolers].part) == 0 {
		m.poolers++
	}
	_, m.learns = m.scorer.part.(Stateful)
	m.learns = m.learns || len(m.shapers) > 0
	return m, nil
}

// poolsFirst is 0 for a shaper that replaces features, 1 for others.
func poolsFirst(s Shaper) int {
	if _, ok := s.(FeatureReplacer); ok {
		return 0
	}
	return 1
}

// Needs names what the parts need in Samples.Extra.
func (m *composed) Needs() []string {
	var needs []string
	for _, p := range m.parts() {
		if n, ok := p.part.(Needing); ok {
			needs = append(needs, n.Needs()...)
		}
	}
	slices.Sort(needs)
	return slices.Compact(needs)
}

func (m *composed) parts() []named[any] {
	var all []named[any]
	for _, s := range m.shapers {
		all = append(all, named[any]{s.name, s.part})
	}
	return append(all, named[any]{m.scorer.name, m.scorer.part})
}

// Fit fits shapers to the samples, and the score to what they make of them.
func (m *composed) Fit(ctx context.Context, head Head, id Samples) error {
	if !m.learns {
		return nil
	}
	if err := m.checkFit(head, id); err != nil {
		return err
	}
	if err := m.checkNeeds(id); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.fitted = false
	m.head, m.classes, m.dim = newDense(head), head.Classes, head.FeatureDim
	as := id
	for i, s := range m.shapers {
		if i == m.poolers && i > 0 {
			pooled, err := m.shaped(ctx, id, m.shapers[:i])
			if err != nil {
				return err
			}
			as = pooled
		}
		if err := s.part.Fit(ctx, head, as); err != nil {
			return m.partError(s.name, err)
		}
	}
	if _, learns := m.scorer.part.(Stateful); learns && len(m.shapers) > 0 {
		shaped, err := m.shaped(ctx, id, m.shapers)
		if err != nil {
			return err
		}
		id = shaped
	}
	if err := m.scorer.part.Fit(ctx, head, id); err != nil {
		return m.partError(m.scorer.name, err)
	}
	m.fitted = true
	return nil
}

// partError names a part in an error, where the method has another name.
func (m *composed) partError(part string, err error) error {
	if part == m.name {
		return m.errorf("%w", err)
	}
	return m.errorf("%s: %w", part, err)
}

// checkNeeds errors unless the samples hold what the parts need of each.
func (m *composed) checkNeeds(s Samples) error {
	for _, name := range m.Needs() {
		if _, ok := s.Extra[name]; !ok {
			return m.errorf("the samples lack %q, which is computed from images", name)
		}
	}
	return nil
}

// shaped returns the samples as shapers leave them, rounded to float32.
func (m *composed) shaped(ctx context.Context, s Samples, shapers []named[Shaper]) (Samples, error) {
	out := s
	out.Features, out.Logits = make([]float32, len(s.Features)), make([]float32, len(s.Logits))
	err := m.blocks(ctx, s, 64, shapers, func() func(*Block) {
		return func(b *Block) {
			for i, v := range b.Features() {
				out.Features[b.first*b.FeatureDim+i] = float32(v)
			}
			for i, v := range b.Logits() {
				out.Logits[b.first*b.Classes+i] = float32(v)
			}
		}
	})
	if err != nil {
		return out, err
	}
	if err := out.validate(); err != nil {
		return out, m.errorf("after shaping: %w", err)
	}
	return out, nil
}

// blocks hands each block of the samples on after shapers.
func (m *composed) blocks(ctx context.Context, s Samples, size int, shapers []named[Shaper],
	use func() func(*Block)) error {
	return forEachBlock(ctx, s.N, size, m.workers, func() func(lo, hi int) {
		b := newBlock(&s, m.head, min(size, s.N))
		var shapes []func(*Block)
		for _, s := range shapers {
			shapes = append(shapes, s.part.Shape())
		}
		f := use()
		return func(lo, hi int) {
			b.load(lo, hi)
			for _, shape := range shapes {
				shape(b)
			}
			f(b)
		}
	})
}

// Score shapes the samples and scores them.
func (m *composed) Score(ctx context.Context, s Samples, dst []float64) error {
	if !m.fitted && m.learns {
		return m.errorf("%w", ErrNotFitted)
	}
	if err := m.checkScore(s, dst); err != nil {
		return err
	}
	if m.fitted {
		if err := m.checkShape(s, m.classes, m.dim); err != nil {
			return err
		}
	}
	if err := m.checkNeeds(s); err != nil {
		return err
	}
	size := 64
	if sizer, ok := m.scorer.part.(BlockSizer); ok {
		size = sizer.BlockSize()
	}
	err := m.blocks(ctx, s, size, m.shapers, func() func(*Block) {
		score := m.scorer.part.Score()
		return func(b *Block) { score(b, dst[b.first:][:b.N]) }
	})
	if err != nil {
		return err
	}
	for i, v := range dst {
		if v != v {
			return m.errorf("sample %d: the score is NaN", i)
		}
	}
	return nil
}
