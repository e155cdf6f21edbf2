package metrics_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/metrics"
)

// naive computes every metric by its definition over all pairs or all thresholds, in O(n²).
func naive(id, ood []float64) metrics.Metrics {
	return metrics.Metrics{
		FPR95:        naiveFPR(id, ood),
		FPR95OpenOOD: naiveOpenOOD(id, ood),
		AUROC:        naiveAUROC(id, ood),
		AUPRIn:       naiveAP(id, ood),
		AUPROut:      naiveAP(negated(ood), negated(id)),
		DTERR:        naiveDTERR(id, ood),
	}
}

func naiveFPR(id, ood []float64) float64 {
	sorted := slices.Sorted(slices.Values(id))
	threshold := sorted[int(math.RoundToEven(0.05*float64(len(id))))]
	return share(ood, func(s float64) bool { return s > threshold })
}

// naiveOpenOOD computes OpenOOD's metric as its code does: roc_curve of the negated score with OOD as the positive
// class and drop_intermediate, then fpr[argmax(tpr >= 0.95)].
func naiveOpenOOD(id, ood []float64) float64 {
	var fps, tps []float64
	for _, threshold := range distinctDescending(negated(id), negated(ood)) {
		above := func(s float64) bool { return -s >= threshold }
		fps = append(fps, math.Round(share(id, above)*float64(len(id))))
		tps = append(tps, math.Round(share(ood, above)*float64(len(ood))))
	}
	fpr, tpr := []float64{0}, []float64{0}
	for i := range fps {
		keep := i == 0 || i == len(fps)-1 ||
			fps[i+1]-2*fps[i]+fps[i-1] != 0 || tps[i+1]-2*tps[i]+tps[i-1] != 0
		if keep {
			fpr = append(fpr, fps[i]/float64(len(id)))
			tpr = append(tpr, tps[i]/float64(len(ood)))
		}
	}
	return fpr[slices.IndexFunc(tpr, func(t float64) bool { return t >= 0.95 })]
}

func naiveAUROC(id, ood []float64) float64 {
	var won float64
	for _, a := range id {
		for _, b := range ood {
			switch {
			case a > b:
				won++
			case a == b:
				won += 0.5
			}
		}
	}
	return won / float64(len(id)*len(ood))
}

func naiveAP(positive, negative []float64) float64 {
	var area, before float64
	for _, threshold := range distinctDescending(positive, negative) {
		at := func(s float64) bool { return s >= threshold }
		recall := share(positive, at)
		tp, fp := recall*float64(len(positive)), share(negative, at)*float64(len(negative))
		area += (recall - before) * tp / (tp + fp)
		before = recall
	}
	return area
}

func naiveDTERR(id, ood []float64) float64 {
	least := 0.5
	for _, threshold := range distinctDescending(id, ood) {
		at := func(s float64) bool { return s >= threshold }
		least = min(least, 0.5*(1-share(id, at))+0.5*share(ood, at))
	}
	return least
}

func share(scores []float64, is func(float64) bool) float64 {
	n := 0
	for _, s := range scores {
		if is(s) {
			n++
		}
	}
	return float64(n) / float64(len(scores))
}

func distinctDescending(sets ...[]float64) []float64 {
	all := slices.Concat(sets...)
	slices.Sort(all)
	slices.Reverse(all)
	return slices.Compact(all)
}

func negated(scores []float64) []float64 {
	out := make([]float64, len(scores))
	for i, s := range scores {
		out[i] = -s
	}
	return out
}

// drawSets draws two sets of one of these kinds: continuous scores, many ties, infinities, or ties that make ROC
// points collinear.
func drawSets(t *rapid.T) (id, ood []float64) {
	element := rapid.SampledFrom([]*rapid.Generator[float64]{
		rapid.Float64Range(-10, 10),
		rapid.Map(rapid.IntRange(-3, 3), func(i int) float64 { return float64(i) }),
		rapid.SampledFrom([]float64{math.Inf(-1), -1, math.Copysign(0, -1), 0, 1, math.Inf(1)}),
		rapid.Map(rapid.IntRange(0, 40), func(i int) float64 { return float64(i) }),
	}).Draw(t, "element")
	id = rapid.SliceOfN(element, 1, 60).Draw(t, "id")
	ood = rapid.SliceOfN(element, 1, 60).Draw(t, "ood")
	if rapid.IntRange(0, 3).Draw(t, "lockstep") == 0 {
		ood = slices.Clone(id)
	}
	return id, ood
}

func evaluate(t require.TestingT, id, ood []float64) metrics.Metrics {
	m, err := metrics.Evaluate(id, ood)
	require.NoError(t, err)
	return m
}

func assertClose(t require.TestingT, want, got metrics.Metrics) {
	const tolerance = 1e-12
	require.InDelta(t, want.FPR95, got.FPR95, tolerance, "FPR95")
	require.InDelta(t, want.FPR95OpenOOD, got.FPR95OpenOOD, tolerance, "FPR95 of OpenOOD")
	require.InDelta(t, want.AUROC, got.AUROC, tolerance, "AUROC")
	require.InDelta(t, want.AUPRIn, got.AUPRIn, tolerance, "AUPR-in")
	require.InDelta(t, want.AUPROut, got.AUPROut, tolerance, "AUPR-out")
	require.InDelta(t, want.DTERR, got.DTERR, tolerance, "DTERR")
}

func TestAgainstDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, ood := drawSets(t)
		before := slices.Concat(id, ood)
		assertClose(t, naive(id, ood), evaluate(t, id, ood))
		require.Equal(t, before, slices.Concat(id, ood), "inputs must not change")
	})
}

// The sizes include those for which 0.05 n is half-way between integers, and larger sets than rapid draws.
func TestAgainstDefinitionsBySize(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, n := range []int{1, 2, 9, 10, 11, 20, 30, 50, 70, 90, 110, 201, 500} {
		id, ood := make([]float64, n), make([]float64, 40)
		for i := range id {
			id[i] = math.Round((rng.NormFloat64()+0.5)*20) / 20
		}
		for i := range ood {
			ood[i] = math.Round(rng.NormFloat64()*20) / 20
		}
		assertClose(t, naive(id, ood), evaluate(t, id, ood))
	}
}

func TestEachFunctionIsPartOfEvaluate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, ood := drawSets(t)
		m := evaluate(t, id, ood)
		for _, c := range []struct {
			f    func(id, ood []float64) (float64, error)
			want float64
		}{
			{metrics.FPR95, m.FPR95}, {metrics.FPR95OpenOOD, m.FPR95OpenOOD}, {metrics.AUROC, m.AUROC},
			{metrics.AUPRIn, m.AUPRIn}, {metrics.AUPROut, m.AUPROut}, {metrics.DetectionError, m.DTERR},
		} {
			got, err := c.f(id, ood)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		}
	})
}

// The expected values are from scikit-learn 1.9.1, computed by testdata/sklearn.py.
func TestScikitLearn(t *testing.T) {
	data, err := os.ReadFile("testdata/sklearn.json")
	require.NoError(t, err)
	var cases []struct {
		Name         string
		ID, OOD      []float64
		FPR95        float64 `json:"fpr95"`
		FPR95OpenOOD float64 `json:"fpr95_openood"`
		AUROC        float64
		AUPRIn       float64 `json:"aupr_in"`
		AUPROut      float64 `json:"aupr_out"`
		DTERR        float64
		ROC          [][2]float64
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	require.Len(t, cases, 12)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			want := metrics.Metrics{
				FPR95: c.FPR95, FPR95OpenOOD: c.FPR95OpenOOD, AUROC: c.AUROC,
				AUPRIn: c.AUPRIn, AUPROut: c.AUPROut, DTERR: c.DTERR,
			}
			assertClose(t, want, evaluate(t, c.ID, c.OOD))
			points, err := metrics.ROC(c.ID, c.OOD)
			require.NoError(t, err)
			require.Len(t, points, len(c.ROC))
			for i, p := range points {
				assert.InDelta(t, c.ROC[i][0], p.FPR, 1e-15)
				assert.InDelta(t, c.ROC[i][1], p.TPR, 1e-15)
			}
		})
	}
}
