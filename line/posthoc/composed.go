package posthoc

import (
	"context"
	"fmt"
	"slices"
)

// composed is a method made of parts: shapers in order, then one scorer.
type composed struct {
	base
	shapers []named[Shaper]
	poolers int // the first poolers of the shapers replace features
	scorer  named[Scorer]
	learns  bool // whether Score needs a Fit before it; shapers need at least the head
	labels  bool // whether Fit needs labels
	fitted  bool
	head    *dense // the network's head; nil where no part changes features
	classes int
	dim     int
}

// named is a part with the name of its kind.
type named[T any] struct {
	name string
	part T
}

// compose makes a method of parts, in the order in which they apply. It is an error if more than one part is a
// scorer.
func compose(b base, on Fitting, names []string, parts []Part) (*composed, error) {
	m := &composed{base: b, labels: on == Labels}
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

// poolsFirst orders shapers that replace features (0) before others (1).
func poolsFirst(s Shaper) int {
	if _, ok := s.(FeatureReplacer); ok {
		return 0
	}
	return 1
}

// Needs returns the names of the values that the parts need in Samples.Extra.
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

// Fit fits the shapers to the samples, and the scorer to the shaped samples.
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
	if m.labels {
		if err := checkLabels(id); err != nil {
			return m.errorf("%w", err)
		}
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

// partError adds the part's name to its error, unless that is the method's name.
func (m *composed) partError(part string, err error) error {
	if part == m.name {
		return m.errorf("%w", err)
	}
	return m.errorf("%s: %w", part, err)
}

// checkNeeds returns an error unless the samples hold the values that the parts need.
func (m *composed) checkNeeds(s Samples) error {
	for _, name := range m.Needs() {
		if _, ok := s.Extra[name]; !ok {
			return m.errorf("the samples lack %q, which is computed from images", name)
		}
	}
	return nil
}

// shaped returns the samples after the shapers, rounded to float32.
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

// blocks applies the shapers to each block of the samples, and calls a function with it that use returns for each
// goroutine.
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
