package estimate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// Stratified estimates each player's value from marginal contributions drawn separately for each band of positions
// (Castro, Gómez, Molina and Tejada 2017): within a stratum the player joins at a uniformly random position of the
// band, after a uniformly random set of others. A marginal contribution costs two values; there are n × Strata strata.
//
// Permutation sampling gets n marginal contributions for n-1 values; stratification pays where contributions depend
// strongly on the position, and with Optimal where some players vary much more than others.
type Stratified struct {
	// Strata is the number of bands of positions, 0 for 8, never more than there are players.
	Strata int
	// Optimal gives the second half of the samples to the strata in proportion to the standard deviations that the
	// first half found (Neyman allocation, at least two a stratum). The halves are averaged with weights fixed
	// beforehand, which keeps the estimate unbiased.
	Optimal bool
}

// Name returns "stratified", followed by "-optimal" and the number of strata where they are set.
func (s Stratified) Name() string {
	name := "stratified"
	if s.Optimal {
		name += "-optimal"
	}
	if s.Strata > 0 {
		name += fmt.Sprintf("-%d", s.Strata)
	}
	return name
}

// Estimate implements [attribution.Estimator]. A sample is one marginal contribution for every stratum of every
// player, with Optimal as many on average. The variance of a player's value is the weighted sum of the variances of
// its strata. Where ctx ends in the second half, strata that it has not reached use the first half alone.
func (s Stratified) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	if s.Strata < 0 {
		return attribution.Estimate{}, fmt.Errorf("attribution: expected at least 0 strata, got %d", s.Strata)
	}
	return sample(ctx, s.Name(), g, opt, func(r *run) (attribution.Estimate, error) {
		bands := s.Strata
		if bands == 0 {
			bands = 8
		}
		return r.stratified(ctx, newPositionStrata(r, min(bands, r.n)), s.Optimal)
	})
}

// positionStrata holds the marginal contributions seen so far in each stratum.
type positionStrata struct {
	run   *run
	bands int
	// first and rest [players, bands] hold the half with equal allocation and the half with optimal allocation.
	first, rest []sampling.Scalar
	// firstRounds and restRounds are the numbers of samples planned for the halves, which weight them.
	firstRounds, restRounds int
	taken                   int // marginal contributions
	workers                 []*strataWorker
}

func newPositionStrata(r *run, bands int) *positionStrata {
	return &positionStrata{run: r, bands: bands, first: make([]sampling.Scalar, r.n*bands),
		rest:    make([]sampling.Scalar, r.n*bands),
		workers: make([]*strataWorker, r.opt.Workers)}
}

// span is the range of positions of a band.
func (s *positionStrata) span(band int) (from, to int) {
	return band * s.run.n / s.bands, (band + 1) * s.run.n / s.bands
}

// samples is the number of whole samples taken.
func (s *positionStrata) samples() int { return s.taken / len(s.first) }

// stratified takes rounds of samples with equal allocation, then with optimal the others in proportion to standard
// deviations.
func (r *run) stratified(ctx context.Context, s *positionStrata, optimal bool) (attribution.Estimate, error) {
	p, err := r.plan(r.fixedCost(), 2*float64(len(s.first))*r.valueCost(), 1)
	if err != nil {
		return attribution.Estimate{}, err
	}
	optimal = optimal && p.samples >= 4
	round := p.samples
	if r.opt.TargetStdErr > 0 {
		round = min(firstRound, round)
	}
	if optimal {
		round = min(round, p.samples/2)
	}
	for {
		want := round - s.samples()
		var err error
		if optimal && s.firstRounds > 0 {
			err = s.sampleRest(ctx, want, p.samples)
		} else {
			err = s.sampleFirst(ctx, want, p.samples)
		}
		e := s.estimate()
		switch {
		case sampling.Interrupted(ctx, err):
			return r.stopped(e, err)
		case err != nil:
			return attribution.Estimate{}, err
		case s.samples() >= p.samples:
			e.Stopped = p.stop
			return r.finish(e), nil
		case r.reached(&e):
			e.Stopped = attribution.StopTarget
			return r.finish(e), nil
		}
		round = nextRound(s.samples(), p.samples, e.MaxStdErr(), r.opt.TargetStdErr)
		// Add two samples, so that every stratum can get two marginal contributions of the second half.
		round = min(max(round, s.samples()+2), p.samples)
	}
}

// sampleFirst takes that many samples with equal allocation.
func (s *positionStrata) sampleFirst(ctx context.Context, samples, total int) error {
	s.firstRounds += samples
	return s.sample(ctx, s.first, samples*len(s.first), total, func(t int) int { return t % len(s.first) })
}

// sampleRest takes that many samples, on average over strata, in proportion to standard deviations.
func (s *positionStrata) sampleRest(ctx context.Context, samples, total int) error {
	owners := s.allocate(samples * len(s.first))
	s.restRounds += samples
	return s.sample(ctx, s.rest, len(owners), total, func(t int) int { return owners[t] })
}

// allocate returns the stratum of each of count marginal contributions, in random order. Each stratum that has none
// yet gets two; the others are allocated in proportion to weight times standard deviation.
func (s *positionStrata) allocate(count int) []int {
	var owners []int
	shares := make([]float64, len(s.first))
	total := 0.0
	for i := range shares {
		if s.rest[i].Count == 0 {
			owners = append(owners, i, i)
		}
		from, to := s.span(i % s.bands)
		shares[i] = float64(to-from) * math.Sqrt(s.first[i].M2/float64(max(s.first[i].Count-1, 1)))
		total += shares[i]
	}
	left := count - len(owners)
	sum, given := 0.0, 0
	for i := range shares {
		if total == 0 {
			sum += 1 / float64(len(shares))
		} else {
			sum += shares[i] / total
		}
		upTo := min(int(math.Round(sum*float64(left))), left)
		if i == len(shares)-1 {
			upTo = left
		}
		for ; given < upTo; given++ {
			owners = append(owners, i)
		}
	}
	var rng rand.PCG
	sampling.SeedStream(&rng, s.run.opt.Seed, sampling.DomainStrata, uint64(s.taken)<<1|1)
	for i := len(owners) - 1; i > 0; i-- {
		j := sampling.Below(&rng, i+1)
		owners[i], owners[j] = owners[j], owners[i]
	}
	return owners
}

// strataChunk is the number of marginal contributions evaluated together.
const strataChunk = 256

// sample draws count marginal contributions, contribution t from stratum owner(t), and adds them to into.
func (s *positionStrata) sample(ctx context.Context, into []sampling.Scalar, count, totalSamples int,
	owner func(t int) int) error {
	offset := s.taken
	results := make([][strataChunk]float64, sampling.Slots(len(s.workers)))
	compute := func(worker, chunk, slot int) error {
		if s.workers[worker] == nil {
			s.workers[worker] = newStrataWorker(s)
		}
		first := chunk * strataChunk
		return s.workers[worker].marginals(ctx, first, min(strataChunk, count-first), offset, owner, results[slot][:])
	}
	merge := func(chunk, slot int) error {
		first := chunk * strataChunk
		for i := range min(strataChunk, count-first) {
			into[owner(first+i)].Add(results[slot][i])
			s.taken++
		}
		if s.run.opt.Progress != nil {
			s.run.opt.Progress(s.samples(), known(totalSamples))
		}
		return nil
	}
	_, err := sampling.InWaves(ctx, len(s.workers), 0, (count-1)/strataChunk+1, compute, merge)
	return err
}

// strataWorker evaluates marginal contributions.
type strataWorker struct {
	strata  *positionStrata
	rng     rand.PCG
	rows    attribution.Coalitions
	values  []float64
	members []int
	others  attribution.Coalition
	list    []int
}

func newStrataWorker(s *positionStrata) *strataWorker {
	n := s.run.n
	return &strataWorker{strata: s, rows: attribution.NewCoalitions(n, 2*strataChunk),
		values:  make([]float64, 2*strataChunk),
		members: make([]int, 2*strataChunk), others: attribution.NewCoalition(n)}
}

func (w *strataWorker) marginals(ctx context.Context, first, count, offset int, owner func(t int) int,
	dst []float64) error {
	s, r := w.strata, w.strata.run
	rows := w.rows.Slice(0, 2*count)
	rows.Clear()
	for i := range count {
		sampling.SeedStream(&w.rng, r.opt.Seed, sampling.DomainStrata, uint64(offset+first+i)<<1)
		if r.sampled != nil {
			m := sampling.Below(&w.rng, r.sampled.Members())
			w.members[2*i], w.members[2*i+1] = m, m
		}
		stratum := owner(first + i)
		player, band := stratum/s.bands, stratum%s.bands
		from, to := s.span(band)
		sampling.Subset(&w.rng, w.others, r.n-1, from+sampling.Below(&w.rng, to-from))
		w.list = w.others.AppendMembers(w.list[:0])
		without, with := rows.Row(2*i), rows.Row(2*i+1)
		for _, p := range w.list {
			if p >= player {
				p++
			}
			without.Add(p)
			with.Add(p)
		}
		with.Add(player)
	}
	members := w.members[:2*count]
	if r.sampled == nil {
		members = nil
	}
	if err := r.values(ctx, members, rows, w.values[:2*count]); err != nil {
		return err
	}
	for i := range count {
		dst[i] = w.values[2*i+1] - w.values[2*i]
	}
	return nil
}

// leastStratified is the number of samples from which the variances of all strata together are to be believed.
const leastStratified = 16

// estimate combines the strata. Where a stratum has no marginal contribution yet, the estimate has no values.
func (s *positionStrata) estimate() attribution.Estimate {
	n := s.run.n
	e := attribution.Estimate{Samples: s.samples(), LeastSamples: leastStratified}
	for _, stratum := range s.first {
		if stratum.Count == 0 {
			return e
		}
	}
	e.Values, e.StdErr, e.DF = make([]float64, n), make([]float64, n), make([]float64, n)
	share := float64(s.firstRounds) / float64(s.firstRounds+s.restRounds)
	for i := range n {
		var sum satterthwaite
		for band := range s.bands {
			from, to := s.span(band)
			weight := float64(to-from) / float64(n)
			a, b := s.first[i*s.bands+band], s.rest[i*s.bands+band]
			if b.Count == 0 {
				e.Values[i] += weight * a.Mean
				sum.add(weight, a, math.NaN())
				continue
			}
			e.Values[i] += weight * (share*a.Mean + (1-share)*b.Mean)
			sum.add(weight*share, a, math.NaN())
			sum.add(weight*(1-share), b, math.NaN())
		}
		e.StdErr[i], e.DF[i] = math.Sqrt(sum.variance), sum.df()
	}
	return e
}
