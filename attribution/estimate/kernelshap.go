package estimate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
	"github.com/line-ood/goline/internal/mathx"
)

// KernelSHAP estimates Shapley values by the weighted least squares of v(S) on coalition indicators (Lundberg and Lee
// 2017, theorem 2), with the efficiency constraint eliminated and no regularisation: no player is set to zero for
// being small. Sizes are drawn with the kernel's mass, in proportion to 1/(s(n-s)), and coalitions uniformly within
// a size, with replacement.
type KernelSHAP struct {
	// Paired follows every coalition by its complement and counts the pair as one sample (Covert and Lee 2021,
	// section 4.1).
	Paired bool
	// Unbiased replaces the sampled matrix of the normal equations by its expectation (Covert and Lee 2021, equation
	// 9). The estimate is then unbiased and needs only two samples, but has a larger variance. Without Unbiased the
	// estimate has a bias of O(1/samples) and needs at least a quarter more samples than its n-1 unknowns.
	Unbiased bool
}

// Name returns "kernelshap", followed by "-paired" and "-unbiased" where they are set.
func (k KernelSHAP) Name() string {
	name := "kernelshap"
	if k.Paired {
		name += "-paired"
	}
	if k.Unbiased {
		name += "-unbiased"
	}
	return name
}

// Estimate implements [attribution.Estimator]. A sample is a coalition or with Paired a pair of them. The standard
// error of the regression is that of its sandwich covariance over samples, with intervals from ten samples a player on;
// of the unbiased form, that of a mean of samples.
func (k KernelSHAP) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	e, _, err := k.timed(ctx, g, opt)
	return e, err
}

// timed implements [ownTimed].
func (k KernelSHAP) timed(ctx context.Context, g attribution.Game,
	opt attribution.Options) (e attribution.Estimate, own float64, err error) {
	e, err = sample(ctx, k.Name(), g, opt, func(r *run) (attribution.Estimate, error) {
		defer func() { own = r.solving }()
		source := &kernelSource{run: r, paired: k.Paired, sizes: kernelSizes(r.n)}
		values := source.valuesPerSample()
		perSample := float64(values) * r.valueCost()
		chunk := chunkUnits(values, false)
		if !k.Unbiased {
			return r.regress(ctx, source, perSample, chunk)
		}
		// E[z̃ z̃ᵀ] is a multiple of the projection on vectors that sum to zero.
		both := 0.0
		for s := 1; s < r.n; s++ {
			both += source.sizes.Probability(s) * float64(s) * float64(s-1) / (float64(r.n) * float64(r.n-1))
		}
		a := averaging{perUnit: perSample, chunk: chunk}
		a.newWorker = func() unitWorker { return &kernelWorker{source: source, scale: 1 / (0.5 - both)} }
		a.transform = func(values, _ []float64) { r.addShare(values) }
		return r.average(ctx, a, r.fixedCost())
	})
	return e, own, err
}

// ownSeconds implements [ownTimed].
func (k KernelSHAP) ownSeconds(ctx context.Context, g attribution.Game, samples, workers int) (float64, error) {
	if k.Unbiased {
		return 0, nil
	}
	sizes := kernelSizes(g.Players())
	return regressionSeconds(ctx, samples, g.Players(), workers, func(q *sampling.Regression, rows int) {
		var rng rand.PCG
		q.Rows = attribution.NewCoalitions(q.N, rows)
		for r := range rows {
			sampling.SeedStream(&rng, 1, sampling.DomainUnit, uint64(r))
			sampling.Subset(&rng, q.Rows.Row(r), q.N, sizes.Draw(&rng))
		}
	})
}

// addShare adds an equal share of v(N) - v(∅) to each value. The values given sum to zero.
func (r *run) addShare(values []float64) {
	share := (r.full - r.empty) / float64(r.n)
	for i := range values {
		values[i] += share
	}
}

// kernelSizes draws sizes 1..n-1 with the mass of the Shapley kernel.
func kernelSizes(n int) sampling.SizeTable {
	weights := make([]float64, n-1)
	for i := range weights {
		s := i + 1
		weights[i] = 1 / (float64(s) * float64(n-s))
	}
	return sampling.NewSizeTable(1, weights)
}

// kernelSource draws coalitions by the Shapley kernel and evaluates them.
type kernelSource struct {
	run    *run
	paired bool
	sizes  sampling.SizeTable
}

func (k *kernelSource) valuesPerSample() int {
	if k.paired {
		return 2
	}
	return 1
}

// draw writes the coalitions of consecutive samples, from first on, to rows and their regression targets to target.
func (k *kernelSource) draw(ctx context.Context, first int, rows attribution.Coalitions, target []float64) error {
	r := k.run
	count := rows.Len()
	var rng rand.PCG
	members := make([]int, count)
	for u := range count {
		sampling.SeedStream(&rng, r.opt.Seed, sampling.DomainUnit, uint64(first+u))
		if r.sampled != nil {
			members[u] = sampling.Below(&rng, r.sampled.Members())
		}
		sampling.Subset(&rng, rows.Row(u), r.n, k.sizes.Draw(&rng))
	}
	return r.kernelTargets(ctx, members, k.paired, rows, target)
}

// kernelTargets evaluates the coalitions, each in the game of its member, and writes v(S) - v(∅) - |S|/n (v(N) -
// v(∅)). With paired it evaluates their complements as well, and writes half the difference of both targets.
func (r *run) kernelTargets(ctx context.Context, members []int, paired bool, rows attribution.Coalitions,
	target []float64) error {
	count := rows.Len()
	batch, drawn := rows, members
	if paired {
		batch = attribution.NewCoalitions(r.n, 2*count)
		for u := range count {
			copy(batch.Row(u), rows.Row(u))
			batch.Row(count+u).Complement(rows.Row(u), r.n)
		}
		drawn = append(append(make([]int, 0, 2*count), members...), members...)
	}
	if r.sampled == nil {
		drawn = nil
	}
	values := make([]float64, batch.Len())
	if err := r.values(ctx, drawn, batch, values); err != nil {
		return err
	}
	for u := range count {
		empty, full := r.ends(members[u])
		share := float64(rows.Row(u).Size()) / float64(r.n)
		target[u] = values[u] - empty - share*(full-empty)
		if paired {
			other := values[count+u] - empty - (1-share)*(full-empty)
			target[u] = (target[u] - other) / 2
		}
	}
	return nil
}

// kernelWorker turns every sample into its own unbiased estimate, z̃ y / (1/2 - c).
type kernelWorker struct {
	source *kernelSource
	scale  float64
	rows   attribution.Coalitions
	target []float64
}

func (w *kernelWorker) units(ctx context.Context, first, count int, dst []float64) error {
	n := w.source.run.n
	if w.rows.Len() < count {
		w.rows, w.target = attribution.NewCoalitions(n, count), make([]float64, count)
	}
	rows, target := w.rows.Slice(0, count), w.target[:count]
	if err := w.source.draw(ctx, first, rows, target); err != nil {
		return err
	}
	for u := range count {
		c, row := rows.Row(u), dst[u*n:(u+1)*n]
		share := float64(c.Size()) / float64(n)
		y := w.scale * target[u]
		for i := range row {
			row[i] = -share * y
			if c.Has(i) {
				row[i] += y
			}
		}
	}
	return nil
}

// regress takes samples and solves the regression until the plan is fulfilled or the target standard error is
// reached.
func (r *run) regress(ctx context.Context, source *kernelSource, perSample float64,
	chunk int) (attribution.Estimate, error) {
	q := &sampling.Regression{N: r.n}
	p, err := r.plan(r.fixedCost(), perSample, leastRows(r.n))
	if err != nil {
		return attribution.Estimate{}, err
	}
	workers := r.opt.Workers
	type part struct {
		rows   attribution.Coalitions
		target []float64
	}
	parts := make([]part, sampling.Slots(workers))
	q.Rows = attribution.NewCoalitions(r.n, 0)
	size := func(c int) int { return min(chunk, p.samples-c*chunk) }
	compute := func(_, c, slot int) error {
		if parts[slot].target == nil {
			parts[slot] = part{attribution.NewCoalitions(r.n, chunk), make([]float64, chunk)}
		}
		return source.draw(ctx, c*chunk, parts[slot].rows.Slice(0, size(c)), parts[slot].target[:size(c)])
	}
	merge := func(c, slot int) error {
		q.Append(parts[slot].rows.Slice(0, size(c)), parts[slot].target[:size(c)])
		if r.opt.Progress != nil {
			r.opt.Progress(q.Rows.Len(), known(p.samples))
		}
		return nil
	}
	round := p.samples
	if r.opt.TargetStdErr > 0 {
		round = min(max(firstRound, 2*r.n), round)
	}
	for done := 0; ; {
		merged, err := sampling.InWaves(ctx, workers, done, (round-1)/chunk+1, compute, merge)
		done += merged
		if err != nil && !sampling.Interrupted(ctx, err) {
			return attribution.Estimate{}, err
		}
		// The samples taken before ctx ended still give an estimate.
		e, solveErr := r.solution(context.WithoutCancel(ctx), q)
		if err != nil {
			return r.stopped(e, err)
		}
		full := q.Rows.Len() >= p.samples
		if solveErr != nil && (full || !errors.Is(solveErr, attribution.ErrBudget)) {
			return attribution.Estimate{}, solveErr
		}
		switch {
		case full:
			e.Stopped = p.stop
			return r.finish(e), nil
		case solveErr == nil && r.reached(&e):
			e.Stopped = attribution.StopTarget
			return r.finish(e), nil
		}
		round = nextRound(q.Rows.Len(), p.samples, e.MaxStdErr(), r.opt.TargetStdErr)
	}
}

// leastRows is the number of rows that a regression on n players needs: a quarter more than its n-1 unknowns.
func leastRows(n int) int { return n - 1 + (n-1+3)/4 }

const (
	// leastFree is the number of rows beyond the unknowns of a regression from which its residuals tell its variance
	// where every row has about the same leverage.
	leastFree = 60
	// leastPerPlayer is the number of rows for each player from which they do so where rows are drawn by the kernel,
	// and those of the middle sizes, few and with the largest residuals, have many times the leverage of the others.
	leastPerPlayer = 10
)

// solution solves the regression. On an error the estimate has only the number of samples.
func (r *run) solution(ctx context.Context, q *sampling.Regression) (attribution.Estimate, error) {
	start := time.Now()
	defer func() { r.solving += time.Since(start).Seconds() }()
	e := attribution.Estimate{Samples: q.Rows.Len(), LeastSamples: q.MinRows() + leastFree}
	if q.Weight == nil {
		e.LeastSamples = max(e.LeastSamples, leastPerPlayer*r.n)
	}
	beta, variance, err := q.Solve(ctx, r.opt.Workers)
	if err != nil {
		return e, err
	}
	if i := mathx.FirstNotFinite(beta); i >= 0 {
		return e, fmt.Errorf("%w: the regression gives player %d the value %v", attribution.ErrNotFinite, i, beta[i])
	}
	r.addShare(beta)
	e.Values, e.StdErr, e.DF = beta, variance, make([]float64, r.n)
	for i, v := range variance {
		e.StdErr[i] = math.Sqrt(v)
		e.DF[i] = float64(q.Rows.Len() - q.MinRows())
	}
	return e, nil
}
