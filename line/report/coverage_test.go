package report_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/report"
)

func TestAccuracyCoverage(t *testing.T) {
	const u, w, r = report.Unlabelled, report.Wrong, report.Right
	for _, c := range []struct {
		scores   []float64
		outcomes []report.Outcome
		want     []report.Coverage
	}{
		{[]float64{3, 1, 2, 9}, []report.Outcome{r, w, r, u}, []report.Coverage{{1. / 3, 1}, {2. / 3, 1}, {1, 2. / 3}}},
		// ties are accepted together
		{[]float64{5, 5, 5, 1}, []report.Outcome{r, w, r, w}, []report.Coverage{{0.75, 2. / 3}, {1, 0.5}}},
		{[]float64{inf, -inf}, []report.Outcome{w, r}, []report.Coverage{{0.5, 0}, {1, 0.5}}},
		{[]float64{7}, []report.Outcome{r}, []report.Coverage{{1, 1}}},
	} {
		got, err := report.AccuracyCoverage(c.scores, c.outcomes)
		require.NoError(t, err)
		assert.Equal(t, c.want, got)
	}
	for want, c := range map[string]struct {
		scores   []float64
		outcomes []report.Outcome
	}{
		"expected an outcome for each of 1 scores, got 0": {[]float64{1}, nil},
		"no sample is labelled":                           {[]float64{1, 2}, []report.Outcome{u, u}},
		"score 1 is NaN":                                  {[]float64{1, nan}, []report.Outcome{r, r}},
	} {
		_, err := report.AccuracyCoverage(c.scores, c.outcomes)
		assert.ErrorContains(t, err, want)
	}
}

// TestAccuracyCoverageByDefinition: every point is the result of counting at its threshold.
func TestAccuracyCoverageByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		scores, outcomes := make([]float64, n), make([]report.Outcome, n)
		distinct := map[float64]bool{}
		for i := range scores {
			scores[i] = float64(rapid.IntRange(0, 8).Draw(t, "score"))
			outcomes[i] = report.Outcome(rapid.IntRange(1, 2).Draw(t, "outcome"))
			distinct[scores[i]] = true
		}
		got, err := report.AccuracyCoverage(scores, outcomes)
		require.NoError(t, err)
		require.Len(t, got, len(distinct))
		at := len(got)
		for threshold := 0.0; threshold <= 8; threshold++ {
			if !distinct[threshold] {
				continue
			}
			kept, right := 0, 0
			for i, s := range scores {
				if s >= threshold {
					kept++
					if outcomes[i] == report.Right {
						right++
					}
				}
			}
			at--
			require.Equal(t, report.Coverage{Coverage: float64(kept) / float64(n),
				Accuracy: float64(right) / float64(kept)}, got[at])
		}
	})
}
