package interactions

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
	"github.com/line-ood/goline/internal/mathx"
)

// draws takes samples of the second differences of a game.
type draws struct {
	index       Index
	game        attribution.Game
	opt         attribution.Options
	members     attribution.Sampled // nil where the game has no members to draw
	players     []int
	perValue    float64 // cost in forward passes of one value as samples ask for it
	evaluations atomic.Int64
	whole       int64 // number of evaluations that were values of the whole game
}

func newDraws(x Index, g attribution.Game, opt attribution.Options, players []int) *draws {
	d := &draws{index: x, game: g, opt: opt.WithDefaults(), players: players, perValue: attribution.ForwardsPerValue(g)}
	if s, ok := g.(attribution.Sampled); ok && s.Members() > 1 {
		d.members = s
		d.perValue /= float64(s.Members())
	}
	return d
}

// perSample is the number of coalition values of a sample.
func (d *draws) perSample() int { return 2 * (1 + len(d.players) + pairs(len(d.players))) }

// ends evaluates the empty and the grand coalition.
func (d *draws) ends(ctx context.Context) (empty, full float64, err error) {
	s := attribution.NewCoalitions(d.game.Players(), 2)
	s.Row(1).Fill(d.game.Players())
	v := make([]float64, 2)
	if err := d.values(ctx, d.game, s, v); err != nil {
		return math.NaN(), math.NaN(), err
	}
	d.whole = 2
	return v[0], v[1], nil
}

func (d *draws) values(ctx context.Context, g attribution.Game, s attribution.Coalitions, dst []float64) error {
	if err := g.Values(ctx, s, dst); err != nil {
		return sampling.FromGame(err)
	}
	d.evaluations.Add(int64(s.Len()))
	if i := mathx.FirstNotFinite(dst); i >= 0 {
		return fmt.Errorf("%w: %v for a coalition of %d of %d players", attribution.ErrNotFinite, dst[i],
			s.Row(i).Size(), s.Players())
	}
	return nil
}

// take takes samples until their number is samples or the target standard error is reached. On an error it returns
// the moments of the samples merged before it as well.
func (d *draws) take(ctx context.Context, samples int,
	stop attribution.Stop) (*sampling.Moments, attribution.Stop, error) {
	width, workers := len(d.players)+pairs(len(d.players)), d.opt.Workers
	chunk := min(max(1024/d.perSample(), 1), 256)
	crew, parts := make([]*sampler, workers), make([]*sampling.Moments, sampling.Slots(workers))
	total := sampling.NewMoments(width)
	compute := func(worker, c, slot int) error {
		if crew[worker] == nil {
			crew[worker] = newSampler(d)
		}
		if parts[slot] == nil {
			parts[slot] = sampling.NewMoments(width)
		}
		parts[slot].Reset()
		for u := c * chunk; u < min((c+1)*chunk, samples); u++ {
			if err := crew[worker].sample(ctx, u); err != nil {
				return err
			}
			parts[slot].Add(crew[worker].sum)
		}
		return nil
	}
	merge := func(_, slot int) error {
		total.Merge(parts[slot])
		if d.opt.Progress != nil {
			known := samples
			if d.opt.Samples == 0 && d.opt.Budget == 0 {
				known = 0
			}
			d.opt.Progress(total.Count, known)
		}
		return nil
	}
	round := samples
	if d.opt.TargetStdErr > 0 {
		round = min(firstRound, samples)
	}
	for done := 0; ; {
		merged, err := sampling.InWaves(ctx, workers, done, (round-1)/chunk+1, compute, merge)
		if err != nil {
			return total, stop, err
		}
		done += merged
		if d.opt.TargetStdErr > 0 && worst(total) <= d.opt.TargetStdErr {
			return total, attribution.StopTarget, nil
		}
		if total.Count >= samples {
			return total, stop, nil
		}
		// the numbers of samples at which the standard errors are looked at must not depend on the number of workers
		round = min(2*total.Count, samples)
	}
}

// worst is the largest standard error, NaN below two samples.
func worst(m *sampling.Moments) float64 {
	w := 0.0
	for i := range m.Mean {
		w = max(w, m.StandardError(i))
	}
	return w
}

// sampler takes samples on one goroutine.
type sampler struct {
	d               *draws
	rng             rand.PCG
	at, other, flip attribution.Coalition
	sum             []float64 // [players + pairs]: the differences of the current sample
	sign            []float64 // [players]: 1 for players in the coalition, -1 for others
	game            attribution.Game
	walkers         []attribution.Walker // one for each member, made when the member is first drawn
	step            []float64            // [players]: scratch memory for walkers
	batch           attribution.Coalitions
	value, toggled  []float64
}

// batchRows is the number of coalitions whose values are asked for in one call.
const batchRows = 512

func newSampler(d *draws) *sampler {
	n, m := d.game.Players(), len(d.players)
	s := &sampler{d: d, at: attribution.NewCoalition(n), other: attribution.NewCoalition(n),
		flip: attribution.NewCoalition(n), game: d.game,
		sum: make([]float64, m+pairs(m)), sign: make([]float64, m), step: make([]float64, m),
		toggled: make([]float64, m)}
	members := 1
	if d.members != nil {
		members = d.members.Members()
	}
	s.walkers = make([]attribution.Walker, members)
	return s
}

// sample writes the differences of sample u to sum.
func (s *sampler) sample(ctx context.Context, u int) error {
	d, n := s.d, s.d.game.Players()
	sampling.SeedStream(&s.rng, d.opt.Seed, sampling.DomainUnit, uint64(u))
	member := 0
	if d.members != nil {
		member = sampling.Below(&s.rng, d.members.Members())
		s.game = d.members.Member(member)
	}
	q := 0.5
	if d.index != Banzhaf {
		q = sampling.Unit(&s.rng)
	}
	sampling.Bernoulli(&s.rng, s.at, n, q)
	s.other.Complement(s.at, n)
	clear(s.sum)
	if s.walkers[member] == nil {
		s.walkers[member] = attribution.NewWalker(s.game)
	}
	for _, c := range []attribution.Coalition{s.at, s.other} {
		for a, p := range d.players {
			s.sign[a] = -1
			if c.Has(p) {
				s.sign[a] = 1
			}
		}
		if w := s.walkers[member]; w != nil {
			if err := ctx.Err(); err != nil {
				return err
			}
			s.walk(w, c)
			d.evaluations.Add(int64(d.perSample() / 2))
		} else if err := s.evaluate(ctx, c); err != nil {
			return err
		}
	}
	m := len(d.players)
	for i := range s.sum {
		s.sum[i] /= 2
	}
	if d.index == KSII {
		halve(m, s.sum[:m], s.sum[m:])
	}
	if i := mathx.FirstNotFinite(s.sum); i >= 0 {
		return fmt.Errorf("%w: a difference is %v", attribution.ErrNotFinite, s.sum[i])
	}
	return nil
}

// walk adds the differences at coalition c, computed by a walker: the second difference of i and j is the change of
// i's marginal contribution when j is toggled.
func (s *sampler) walk(w attribution.Walker, c attribution.Coalition) {
	players := s.d.players
	m := len(players)
	w.Toggles(c, players, s.step)
	for a, v := range s.step {
		s.sum[a] += v
	}
	copy(s.flip, c)
	pair := s.sum[m:]
	for a, p := range players[:m-1] {
		s.flip.Toggle(p)
		after := players[a+1:]
		w.Toggles(s.flip, after, s.toggled[:len(after)])
		s.flip.Toggle(p)
		for b, v := range s.toggled[:len(after)] {
			pair[b] += s.sign[a] * (s.step[a+1+b] - v)
		}
		pair = pair[len(after):]
	}
}

// evaluate adds the differences at coalition c, computed from its value and the values of the coalitions that differ
// from it by one or two players.
func (s *sampler) evaluate(ctx context.Context, c attribution.Coalition) error {
	d := s.d
	m, n := len(d.players), d.game.Players()
	if s.batch.Len() == 0 {
		s.batch = attribution.NewCoalitions(n, batchRows)
		s.value = make([]float64, 1+m+pairs(m))
	}
	at, rows := 0, 0
	flush := func() error {
		if rows == 0 {
			return nil
		}
		err := d.values(ctx, s.game, s.batch.Slice(0, rows), s.value[at:at+rows])
		at, rows = at+rows, 0
		return err
	}
	add := func(toggled ...int) error {
		row := s.batch.Row(rows)
		copy(row, c)
		for _, p := range toggled {
			row.Toggle(p)
		}
		if rows++; rows == batchRows {
			return flush()
		}
		return nil
	}
	if err := add(); err != nil {
		return err
	}
	for _, p := range d.players {
		if err := add(p); err != nil {
			return err
		}
	}
	for a, p := range d.players {
		for _, q := range d.players[a+1:] {
			if err := add(p, q); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	here, one, two := s.value[0], s.value[1:1+m], s.value[1+m:]
	k := 0
	for a := range m {
		s.sum[a] += s.sign[a] * (here - one[a])
		for b := a + 1; b < m; b++ {
			s.sum[m+k] += s.sign[a] * s.sign[b] * (here - one[a] - one[b] + two[k])
			k++
		}
	}
	return nil
}
