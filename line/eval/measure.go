package eval

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// Measure fits one method and scores all sets with it, as [Run] does for each.
func Measure(ctx context.Context, d Data, m posthoc.Method, o RunOptions) (report.Method, report.Scores, error) {
	r, all := report.Method{Name: m.Name()}, report.Scores{Method: m.Name()}
	if len(d.OOD) == 0 {
		return r, all, fmt.Errorf("eval: %w", ErrNoSets)
	}
	if o.Level == 0 {
		o.Level = 0.95
	}
	s := &scorer{method: m, data: d, kept: o.Kept}
	var err error
	if all.ID, err = s.score(ctx, d.ID); err != nil {
		return r, all, err
	}
	shifted := slices.Clone(all.ID)
	for _, set := range d.CSID {
		scores, err := s.score(ctx, set)
		if err != nil {
			return r, all, err
		}
		shifted = append(shifted, scores...)
	}
	if r.Misclassification, err = misclassification(d.ID.Samples, all.ID); err != nil {
		return r, all, fmt.Errorf("%s%s: %w", m.Name(), on(d.ID.Name), err)
	}
	for _, set := range d.OOD {
		set.Labels = nil // the labels of other sets are labels of other classes
		scores, err := s.score(ctx, set)
		if err != nil {
			return r, all, err
		}
		compare := func(id []float64) (report.OOD, error) {
			found, err := rates(ctx, set, id, scores, o)
			if err != nil {
				err = fmt.Errorf("%s%s: %w", m.Name(), on(set.Name), err)
			}
			return found, err
		}
		found, err := compare(all.ID)
		if err != nil {
			return r, all, err
		}
		r.OOD = append(r.OOD, found)
		if len(d.CSID) > 0 {
			if found, err = compare(shifted); err != nil {
				return r, all, err
			}
			r.FullSpectrum = append(r.FullSpectrum, found)
		}
		all.OOD = append(all.OOD, report.NamedScores{Name: set.Name, Scores: scores})
	}
	r.Params, r.FitSeconds, r.MicrosPerSample, r.Bytes = m.Params(), s.cost.fitSeconds, s.cost.microsPerSample,
		s.cost.bytes
	return r, all, nil
}

// rates computes the rates of an OOD set from the scores of ID samples and of the set's samples.
func rates(ctx context.Context, set Set, id, ood []float64, o RunOptions) (report.OOD, error) {
	r := report.OOD{Name: set.Name, Group: set.Group, N: len(ood)}
	var err error
	if r.Metrics, err = metrics.Evaluate(id, ood); err != nil {
		return r, err
	}
	rate, tied, err := metrics.FPR95TieAware(id, ood)
	if tied {
		r.TieAware = &rate
	}
	if err != nil || o.Resamples == 0 {
		return r, err
	}
	ci, err := metrics.Bootstrap(ctx, id, ood, o.Resamples, o.Level, o.Seed)
	r.CI = &ci
	return r, err
}

// cost holds the time and the memory that a method took.
type cost struct {
	fitSeconds, microsPerSample float64
	bytes                       int64
}

// scorer scores sets with one method. It fits the method when scores are first asked for that are not kept. The time
// of the first set counts.
type scorer struct {
	method        posthoc.Method
	data          Data
	kept          *KeptScores
	fitted, timed bool
	cost          cost
}

func (s *scorer) score(ctx context.Context, set Set) ([]float64, error) {
	key, err := s.kept.key(s.method, s.data, set.Samples)
	if err != nil {
		return nil, err
	}
	scores, spent, err := s.kept.find(key, set.N)
	if err != nil {
		return nil, err
	}
	if scores != nil {
		if !s.timed {
			s.cost, s.timed = spent, true
		}
		return scores, nil
	}
	if err := s.fit(ctx); err != nil {
		return nil, err
	}
	scores = make([]float64, set.N)
	start := time.Now()
	if err := s.method.Score(ctx, set.Samples, scores); err != nil {
		return nil, fmt.Errorf("score with %s%s: %w", s.method.Name(), on(set.Name), err)
	}
	if !s.timed {
		s.cost.microsPerSample, s.timed = time.Since(start).Seconds()*1e6/float64(max(set.N, 1)), true
	}
	return scores, s.kept.keep(key, scores, s.cost)
}

// fit fits the method unless that has been done.
func (s *scorer) fit(ctx context.Context) error {
	if s.fitted {
		return nil
	}
	start := time.Now()
	if err := s.method.Fit(ctx, s.data.Head, s.data.Fit.Samples); err != nil {
		return fmt.Errorf("fit %s%s: %w", s.method.Name(), on(s.data.Fit.Name), err)
	}
	s.fitted = true
	if !s.timed {
		s.cost.fitSeconds = time.Since(start).Seconds()
		if sized, ok := s.method.(interface{ Bytes() int64 }); ok {
			s.cost.bytes = sized.Bytes()
		}
	}
	return nil
}

// on returns the words that name a set in an error, "" for a set without a name.
func on(name string) string {
	if name == "" {
		return ""
	}
	return " on " + name
}
