package metrics

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// BootstrapPaired compares pairs of methods on the same samples by a paired bootstrap of the difference of their mean
// AUROC over the OOD sets. It draws samples with replacement, each set separately and to its own size (stratified),
// the same for all methods, resamples times. The interval at level is the percentile interval of the differences (see
// [Bootstrap]). The p-value is twice the smaller of the shares of resamples with a difference of at most 0 and of at
// least 0, where one more resample counts in both shares, and at most 1: 2 (1 + min(#{d <= 0}, #{d >= 0})) / (1 +
// resamples). It is therefore at least 2 / (1 + resamples), so that with many comparisons [Holm] needs more resamples
// to call one of them significant.
//
// methods and pairs are those of [DeLong]. The result depends on the scores, resamples, level and seed alone, not on
// the number of processors. Memory is 8 bytes for each method, checkpoint and OOD sample, plus 8 bytes for each
// method and resample.
//
// Errors are those of DeLong, resamples < 1, and the end of ctx.
func BootstrapPaired(
	ctx context.Context, methods [][]ScoreSets, pairs [][2]int, resamples int, level float64, seed uint64,
) ([]Difference, error) {
	return bootstrapPaired(ctx, methods, pairs, resamples, level, seed, runtime.GOMAXPROCS(0))
}

func bootstrapPaired(
	ctx context.Context, methods [][]ScoreSets, pairs [][2]int, resamples int, level float64, seed uint64, workers int,
) ([]Difference, error) {
	if err := checkPaired(methods, pairs); err != nil {
		return nil, err
	}
	if err := checkBootstrap(resamples, level); err != nil {
		return nil, err
	}
	ranked := make([][]rankedSets, len(methods))
	observed := make([]float64, len(methods))
	ones := newCounts(methods[0][0])
	ones.fill()
	for m, checkpoints := range methods {
		for _, s := range checkpoints {
			ranked[m] = append(ranked[m], newRankedSets(s))
		}
		observed[m] = meanAUROC(ranked[m], ones, make([]int64, len(ones.id)+1))
	}
	drawn := make([][]float64, len(methods)) // [method][resample]
	for m := range drawn {
		drawn[m] = make([]float64, resamples)
	}
	group, ctx := errgroup.WithContext(ctx)
	workers = min(workers, resamples)
	for w := range workers {
		group.Go(func() error {
			counts := newCounts(methods[0][0])
			sums := make([]int64, len(counts.id)+1)
			for b := w; b < resamples; b += workers {
				counts.draw(stream(seed, b))
				for m := range ranked {
					if err := ctx.Err(); err != nil {
						return err
					}
					drawn[m][b] = meanAUROC(ranked[m], counts, sums)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := make([]Difference, len(pairs))
	differences := make([]float64, resamples)
	for i, p := range pairs {
		lower, higher := 0, 0
		for b := range differences {
			d := drawn[p[0]][b] - drawn[p[1]][b]
			differences[b] = d
			if d <= 0 {
				lower++
			}
			if d >= 0 {
				higher++
			}
		}
		ci, err := interval(differences, level)
		if err != nil {
			return nil, err
		}
		out[i] = Difference{
			Mean: observed[p[0]] - observed[p[1]], CI: ci,
			P: min(1, 2*float64(1+min(lower, higher))/float64(1+resamples)),
		}
	}
	return out, nil
}

// rankedSets holds the order of one method's scores, computed once for all resamples.
type rankedSets struct {
	order []int32     // ID samples by ascending score
	ood   []placement // for each set, places of the OOD samples among the ID samples
}

func newRankedSets(s ScoreSets) rankedSets {
	r := rankedSets{order: make([]int32, len(s.ID))}
	for i := range r.order {
		r.order[i] = int32(i)
	}
	slices.SortFunc(r.order, func(a, b int32) int {
		switch {
		case s.ID[a] < s.ID[b]:
			return -1
		case s.ID[a] > s.ID[b]:
			return 1
		}
		return int(a - b)
	})
	sorted := make([]float64, len(s.ID))
	for k, i := range r.order {
		sorted[k] = s.ID[i]
	}
	for _, scores := range s.OOD {
		r.ood = append(r.ood, place(scores, sorted))
	}
	return r
}

// counts holds how often each sample was drawn.
type counts struct {
	id  []int32
	ood [][]int32
}

func newCounts(s ScoreSets) counts {
	c := counts{id: make([]int32, len(s.ID))}
	for _, scores := range s.OOD {
		c.ood = append(c.ood, make([]int32, len(scores)))
	}
	return c
}

// fill sets every count to one.
func (c counts) fill() {
	for _, set := range append(c.ood, c.id) {
		for i := range set {
			set[i] = 1
		}
	}
}

// draw draws each set with replacement to its own size.
func (c counts) draw(rng *rand.Rand) {
	one := func(set []int32) {
		clear(set)
		for range set {
			set[rng.IntN(len(set))]++
		}
	}
	one(c.id)
	for _, set := range c.ood {
		one(set)
	}
}

// meanAUROC is the mean AUROC, over OOD sets and checkpoints, of samples counted as often as c says. sums is scratch
// memory for one more value than there are ID samples.
func meanAUROC(checkpoints []rankedSets, c counts, sums []int64) float64 {
	var mean float64
	n := int64(len(c.id))
	for _, r := range checkpoints {
		for k, i := range r.order {
			sums[k+1] = sums[k] + int64(c.id[i])
		}
		for set, p := range r.ood {
			var halves int64 // each won pair counts as two halves, each tied pair as one
			for j, v := range c.ood[set] {
				halves += int64(v) * (2*n - sums[p.lo[j]] - sums[p.hi[j]])
			}
			mean += float64(halves) / float64(2*n*int64(len(c.ood[set])))
		}
	}
	return mean / float64(len(checkpoints)*len(c.ood))
}
