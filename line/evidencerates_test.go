package line_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/quantile"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/posthoc"
)

// rates holds the rates with each picture counted once, followed by those of each resample.
type rates struct{ fpr, auroc []float64 }

// measured holds means over the OOD sets, and the rates of each set.
type measured struct {
	rates
	sets []rates
}

// measure fits LINe and resamples the pictures of each ID and OOD set separately. The draws are the same for any
// options.
func measure(t *testing.T, d eval.Data, o line.Options, resamples int) measured {
	method, err := line.NewMethod(o, graph.Options{})
	require.NoError(t, err)
	require.NoError(t, method.Fit(t.Context(), d.Head, d.Fit.Samples))
	score := func(s posthoc.Samples) []float64 {
		out := make([]float64, s.N)
		require.NoError(t, method.Score(t.Context(), s, out))
		return out
	}
	id := score(d.ID.Samples)
	m := measured{rates: rates{make([]float64, resamples+1), make([]float64, resamples+1)}}
	for _, set := range d.OOD {
		ood := score(set.Samples)
		p := newPaired(id, ood)
		var r rates
		for b := range resamples + 1 {
			fpr, auroc := p.rates(drawn(b, 0, len(id)), drawn(b, uint64(len(m.sets))+1, len(ood)))
			r.fpr, r.auroc = append(r.fpr, fpr), append(r.auroc, auroc)
			m.fpr[b] += fpr / float64(len(d.OOD))
			m.auroc[b] += auroc / float64(len(d.OOD))
		}
		want, err := metrics.Evaluate(id, ood)
		require.NoError(t, err)
		require.InDelta(t, want.AUROC, r.auroc[0], 1e-12)
		require.InDelta(t, want.FPR95, r.fpr[0], 1e-12)
		m.sets = append(m.sets, r)
	}
	return m
}

// drawn returns how often each of n pictures of a set is drawn in resample b; resample 0 has each picture once.
func drawn(b int, set uint64, n int) []float64 {
	out := make([]float64, n)
	rng := rand.New(rand.NewPCG(uint64(b), set))
	for i := range out {
		if b > 0 {
			i = rng.IntN(n)
		}
		out[i]++
	}
	return out
}

// paired holds the scores of an ID and an OOD set in ascending order, each with the index of its picture: ID pictures
// from 0 on, OOD pictures after them.
type paired struct {
	score []float64
	from  []int
	nID   int
}

func newPaired(id, ood []float64) paired {
	all := slices.Concat(id, ood)
	p := paired{from: make([]int, len(all)), nID: len(id)}
	for i := range p.from {
		p.from[i] = i
	}
	slices.SortFunc(p.from, func(a, b int) int { return cmp.Compare(all[a], all[b]) })
	for _, i := range p.from {
		p.score = append(p.score, all[i])
	}
	return p
}

// rates returns FPR95 and AUROC with each picture counted as often as it was drawn.
func (p paired) rates(id, ood []float64) (fpr, auroc float64) {
	n, m := float64(len(id)), float64(len(ood))
	rank := math.RoundToEven(0.05 * n)
	var idBelow, oodBelow, above float64
	found := false
	for lo := 0; lo < len(p.score); {
		var idHere, oodHere float64
		hi := lo
		for ; hi < len(p.score) && p.score[hi] == p.score[lo]; hi++ {
			if i := p.from[hi]; i < p.nID {
				idHere += id[i]
			} else {
				oodHere += ood[i-p.nID]
			}
		}
		auroc += idHere * (oodBelow + oodHere/2)
		idBelow, oodBelow, lo = idBelow+idHere, oodBelow+oodHere, hi
		if !found && idBelow > rank {
			found, above = true, m-oodBelow
		}
	}
	return above / m, auroc / (n * m)
}

// difference returns the text of the mean of a - b in percent with its 95 % interval.
func difference(t *testing.T, a, b []float64) string {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = 100 * (a[i] - b[i])
	}
	ends := [2]float64{2.5, 97.5}
	for i, p := range ends {
		v, err := quantile.Percentile(d[1:], p)
		require.NoError(t, err)
		ends[i] = v
	}
	return fmt.Sprintf("%+5.2f [%+.2f, %+.2f]", d[0], ends[0], ends[1])
}
