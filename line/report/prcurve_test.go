package report

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/metrics"
)

// The area below the curve's steps is AUPR-out, and the precision of its last point is the share of OOD.
func TestPrecisionRecallArea(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []float64 {
			out := make([]float64, rapid.IntRange(1, 25).Draw(t, "n"+name))
			for i := range out {
				out[i] = float64(rapid.IntRange(0, 9).Draw(t, name))
			}
			return out
		}
		id, ood := draw("id"), draw("ood")
		points, err := metrics.ROC(id, ood)
		require.NoError(t, err)
		curve := precisionRecall(points, len(id), len(ood))
		area, before := 0.0, 0.0
		for _, p := range curve {
			require.GreaterOrEqual(t, p.recall, before)
			area += (p.recall - before) * p.precision
			before = p.recall
		}
		want, err := metrics.AUPROut(id, ood)
		require.NoError(t, err)
		require.InDelta(t, want, area, 1e-9)
		last := curve[len(curve)-1]
		require.InDelta(t, 1, last.recall, 1e-12)
		require.InDelta(t, float64(len(ood))/float64(len(id)+len(ood)), last.precision, 1e-12)
	})
}

func TestOrdinal(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th",
		21: "21st", 111: "111th", 122: "122nd"} {
		require.Equal(t, want, ordinal(n))
	}
}

func TestFormatSmall(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1e-6: "< 0.001", 0.0123456: "0.0123", 0.5: "0.500", 12.345: "12.3",
		1234.5: "1234", 1e7: "10000000"} {
		require.Equal(t, want, formatSmall(v))
	}
}

func TestRanksShareThePlace(t *testing.T) {
	r := Result{Methods: []Method{
		{OOD: []OOD{{Metrics: metrics.Metrics{FPR95: 0.2, AUROC: 0.9}}}},
		{OOD: []OOD{{Metrics: metrics.Metrics{FPR95: 0.2, AUROC: 0.8}}}},
		{OOD: []OOD{{Metrics: metrics.Metrics{FPR95: 0.3, AUROC: 0.9}}}},
	}}
	all := func(int) bool { return true }
	for i, want := range [][2]int{{1, 1}, {1, 3}, {3, 1}} {
		fpr, auroc := r.ranks(i, all)
		require.Equal(t, want, [2]int{fpr, auroc})
	}
}
