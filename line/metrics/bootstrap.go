package metrics

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/line-ood/goline/internal/quantile"
)

// Interval is a two-sided confidence interval from Lo to Hi, in the unit of what it is for.
type Interval struct{ Lo, Hi float64 }

// Intervals holds one confidence interval for each field of Metrics, as fractions in [0, 1].
type Intervals struct {
	// FPR95 to DTERR are those of [Metrics] of the same names.
	FPR95, FPR95OpenOOD, AUROC, AUPRIn, AUPROut, DTERR Interval
}

// Bootstrap returns percentile bootstrap intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
// chapter 13) of all metrics. It draws ID and OOD samples with replacement, each set separately and to its own size
// (stratified), resamples times. The interval at level, say 0.95, spans the (1-level)/2 and (1+level)/2 quantiles of
// the resamples' metrics. The intervals show how much the metrics depend on the test samples, not on training.
//
// The scores are sorted once; a resample only changes how often each score counts. The result depends only on the
// scores, regardless of their order, and on resamples, level and seed, not on the number of processors. About 1000
// resamples are enough for a level of 0.95.
//
// Besides the errors that the package comment names, resamples < 1 and a level outside (0, 1) are errors, and so is
// the end of ctx.
func Bootstrap(ctx context.Context, id, ood []float64, resamples int, level float64, seed uint64) (Intervals, error) {
	return bootstrap(ctx, id, ood, resamples, level, seed, runtime.GOMAXPROCS(0))
}

func bootstrap(
	ctx context.Context, id, ood []float64, resamples int, level float64, seed uint64, workers int,
) (Intervals, error) {
	if err := checkBootstrap(resamples, level); err != nil {
		return Intervals{}, err
	}
	r, err := rank(id, ood)
	if err != nil {
		return Intervals{}, err
	}
	groupOfID, groupOfOOD := spread(r.id, r.nID), spread(r.ood, r.nOOD)

	drawn := make([]Metrics, resamples)
	group, ctx := errgroup.WithContext(ctx)
	workers = min(workers, resamples)
	for w := range workers {
		group.Go(func() error {
			re := newResampler(&r, groupOfID, groupOfOOD)
			for b := w; b < resamples; b += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				drawn[b] = re.draw(stream(seed, b)).metrics()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Intervals{}, err
	}
	return spanAll(drawn, level)
}

// BootstrapAccuracy returns the percentile bootstrap interval of Accuracy(predicted, labels) over the samples with a
// known label. Arguments and errors are those of Accuracy and Bootstrap.
func BootstrapAccuracy(
	ctx context.Context, predicted, labels []int, resamples int, level float64, seed uint64,
) (Interval, error) {
	if err := checkBootstrap(resamples, level); err != nil {
		return Interval{}, err
	}
	correct, known, err := countCorrect(predicted, labels)
	if err != nil {
		return Interval{}, err
	}
	drawn := make([]float64, resamples)
	for b := range drawn {
		if err := ctx.Err(); err != nil {
			return Interval{}, err
		}
		rng := stream(seed, b)
		hits := 0
		for range known {
			if rng.IntN(known) < correct {
				hits++
			}
		}
		drawn[b] = float64(hits) / float64(known)
	}
	return interval(drawn, level)
}

func checkBootstrap(resamples int, level float64) error {
	if resamples < 1 {
		return fmt.Errorf("metrics: expected at least 1 bootstrap resample, got %d", resamples)
	}
	if !(level > 0 && level < 1) {
		return fmt.Errorf("metrics: expected a confidence level in (0, 1), got %v", level)
	}
	return nil
}

// stream returns the random generator of resample b.
func stream(seed uint64, b int) *rand.Rand {
	return rand.New(rand.NewPCG(splitMix(seed), splitMix(seed^splitMix(uint64(b)))))
}

// splitMix is the output function of SplitMix64 (Steele et al., OOPSLA 2014), which turns close inputs into unrelated
// outputs.
func splitMix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// spread returns, for each of the n samples of a set in the order of the ranking, the index of its distinct score.
func spread(counts []int, n int) []int32 {
	groups := make([]int32, 0, n)
	for g, c := range counts {
		for range c {
			groups = append(groups, int32(g))
		}
	}
	return groups
}

// resampler draws rankings with replacement. It owns the memory of the ranking that draw returns.
type resampler struct {
	groupOfID, groupOfOOD []int32
	id, ood               []int // how often each distinct score was drawn
	out                   ranking
}

func newResampler(r *ranking, groupOfID, groupOfOOD []int32) *resampler {
	n := len(r.id)
	return &resampler{
		groupOfID: groupOfID, groupOfOOD: groupOfOOD,
		id: make([]int, n), ood: make([]int, n),
		out: ranking{id: make([]int, 0, n), ood: make([]int, 0, n), nID: r.nID, nOOD: r.nOOD},
	}
}

// draw returns a ranking without its scores, valid until the next draw.
func (re *resampler) draw(rng *rand.Rand) *ranking {
	clear(re.id)
	clear(re.ood)
	for range re.groupOfID {
		re.id[re.groupOfID[rng.IntN(len(re.groupOfID))]]++
	}
	for range re.groupOfOOD {
		re.ood[re.groupOfOOD[rng.IntN(len(re.groupOfOOD))]]++
	}
	re.out.id, re.out.ood = re.out.id[:0], re.out.ood[:0]
	for g, n := range re.id {
		if m := re.ood[g]; n+m > 0 { // a score that was not drawn is not a threshold
			re.out.id = append(re.out.id, n)
			re.out.ood = append(re.out.ood, m)
		}
	}
	return &re.out
}

func spanAll(drawn []Metrics, level float64) (Intervals, error) {
	var out Intervals
	values := make([]float64, len(drawn))
	for _, field := range []struct {
		to  *Interval
		get func(*Metrics) float64
	}{
		{&out.FPR95, func(m *Metrics) float64 { return m.FPR95 }},
		{&out.FPR95OpenOOD, func(m *Metrics) float64 { return m.FPR95OpenOOD }},
		{&out.AUROC, func(m *Metrics) float64 { return m.AUROC }},
		{&out.AUPRIn, func(m *Metrics) float64 { return m.AUPRIn }},
		{&out.AUPROut, func(m *Metrics) float64 { return m.AUPROut }},
		{&out.DTERR, func(m *Metrics) float64 { return m.DTERR }},
	} {
		for i := range drawn {
			values[i] = field.get(&drawn[i])
		}
		var err error
		if *field.to, err = interval(values, level); err != nil {
			return Intervals{}, err
		}
	}
	return out, nil
}

// interval returns the percentile interval at level. It reorders values.
func interval(values []float64, level float64) (Interval, error) {
	lo, err := quantile.PercentileInPlace(values, 50*(1-level))
	if err != nil {
		return Interval{}, fmt.Errorf("metrics: bootstrap: %w", err)
	}
	hi, err := quantile.PercentileInPlace(values, 50*(1+level))
	if err != nil {
		return Interval{}, fmt.Errorf("metrics: bootstrap: %w", err)
	}
	return Interval{Lo: lo, Hi: hi}, nil
}
