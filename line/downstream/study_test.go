package downstream_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/downstream"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

const classes = 4

// samples returns n rows of positive random features whose labels cycle through the classes.
func samples(net *nets.Network, n int, scale float64, seed uint64) posthoc.Samples {
	rng := rand.New(rand.NewPCG(seed, 7))
	s := posthoc.Samples{N: n, FeatureDim: net.FeatureDim(), Classes: classes, Logits: make([]float32, n*classes)}
	for i := range n {
		for range s.FeatureDim {
			s.Features = append(s.Features, float32(scale*math.Abs(rng.NormFloat64())))
		}
		s.Labels = append(s.Labels, i%classes)
	}
	return s
}

func study(t testing.TB) downstream.Study {
	net := nettest.DenseNetBC(t, 10, 4, classes, 5)
	return downstream.Study{
		Data: eval.Data{
			Head: nets.HeadOf(net), Fit: eval.Set{Samples: samples(net, 24, 1, 1)},
			ID: eval.Set{Samples: samples(net, 50, 1, 2)},
			OOD: []eval.Set{{Name: "wide", Samples: samples(net, 40, 1.5, 3)},
				{Name: "narrow", Samples: samples(net, 30, 0.7, 4)}},
		},
		Line: line.Options{ActivationPercentile: 60, WeightPercentile: 60, Clip: 1},
		Games: []downstream.Game{{Name: "logit"},
			{Name: "energy", Options: games.PenultimateOptions{Value: attribution.LogSumExp}}},
		Estimators: []attribution.Estimator{estimate.GradientActivation{}, estimate.ClosedForm{},
			estimate.Permutation{}, estimate.KernelSHAP{Paired: true}},
		Budgets: []float64{4, 100}, Seeds: []uint64{1, 2, 3},
	}
}

func TestLogitContributionsGiveThePapersDetector(t *testing.T) {
	r, err := downstream.Measure(context.Background(), study(t))
	require.NoError(t, err)
	seen := map[string]int{}
	for _, run := range r.Runs {
		seen[run.Game+" "+run.Estimator]++
		if run.Game != "logit" || !run.Deterministic {
			continue
		}
		assert.Equal(t, "", run.Skipped)
		assert.EqualValues(t, 1, run.NeuronOverlap, run.Estimator)
		// rounding may move a weight across its threshold
		assert.InDelta(t, 1, run.WeightOverlap, 0.02, run.Estimator)
		for i, d := range run.Detections {
			assert.InDelta(t, 0, d.DeltaAUROC, 0.002)
			assert.InDelta(t, r.Reference[i].AUROC, d.AUROC, 0.002)
		}
	}
	assert.Equal(t, map[string]int{
		"logit gradient-activation": 2, "logit closed-form": 2, "energy gradient-activation": 2,
		"energy closed-form": 2,
		"logit permutation":  6, "energy permutation": 6,
		// 4 forward passes an image are too few for it: one run is skipped
		"logit kernelshap-paired": 4, "energy kernelshap-paired": 4,
	}, seen, "estimators that draw nothing, or do not run, run once for each budget")
	for _, run := range r.Runs {
		cannot := run.Game == "energy" && run.Estimator == "closed-form" || run.Estimator == "kernelshap-paired" &&
			run.Budget == 4
		assert.Equal(t, cannot, run.Skipped != "", "%+v", run)
		if run.Skipped == "" {
			assert.LessOrEqual(t, run.Equivalents, 24*run.Budget*(1+1e-9))
			assert.Equal(t, run.Estimator != "permutation" && run.Estimator != "kernelshap-paired", run.Deterministic)
		}
	}
}

// TestRunAgainstNaive computes one run step by step and compares.
func TestRunAgainstNaive(t *testing.T) {
	s := study(t)
	s.Games, s.Estimators, s.Budgets, s.Seeds = s.Games[1:], []attribution.Estimator{estimate.Permutation{}},
		[]float64{20}, []uint64{3}
	r, err := downstream.Measure(context.Background(), s)
	require.NoError(t, err)
	require.Len(t, r.Runs, 1)
	run := r.Runs[0]

	ctx := context.Background()
	prog, err := graph.Compile(nettest.DenseNetBC(t, 10, 4, classes, 5), graph.Options{From: "features"})
	require.NoError(t, err)
	reference, err := line.Fit(ctx, prog, line.FeatureBatches(s.Data.Fit.Samples), s.Line)
	require.NoError(t, err)
	o := s.Line
	o.Source = line.EstimatedContributions{Estimator: estimate.Permutation{}, Game: s.Games[0].Options,
		Options: attribution.Options{Budget: 20 * 24 / classes, Seed: 3 << 32}}
	det, err := line.Fit(ctx, prog, line.FeatureBatches(s.Data.Fit.Samples), o)
	require.NoError(t, err)

	overlap := func(masks func(*line.Detector, int) []bool) float64 {
		total := 0.0
		for c := range classes {
			both, either := 0.0, 0.0
			a, b := masks(reference, c), masks(det, c)
			for i := range a {
				if a[i] && b[i] {
					both++
				}
				if a[i] || b[i] {
					either++
				}
			}
			total += both / either / classes
		}
		return total
	}
	assert.InDelta(t, overlap((*line.Detector).ActiveNeurons), run.NeuronOverlap, 1e-12)
	assert.InDelta(t, overlap((*line.Detector).ActiveWeights), run.WeightOverlap, 1e-12)
	assert.Less(t, run.NeuronOverlap, 1.0, "a sampled energy game should not give the very same masks")

	auroc := func(d *line.Detector, set posthoc.Samples) float64 {
		p, err := d.Compile(graph.Options{From: "features"})
		require.NoError(t, err)
		id, err := line.Collect(ctx, p, line.FeatureBatches(s.Data.ID.Samples))
		require.NoError(t, err)
		ood, err := line.Collect(ctx, p, line.FeatureBatches(set))
		require.NoError(t, err)
		wins := 0.0
		for _, a := range id.Score {
			for _, b := range ood.Score {
				switch {
				case a > b:
					wins++
				case a == b:
					wins += 0.5
				}
			}
		}
		return wins / float64(len(id.Score)*len(ood.Score))
	}
	mean := 0.0
	for i, set := range s.Data.OOD {
		want := auroc(det, set.Samples)
		assert.InDelta(t, want, run.Detections[i].AUROC, 1e-12)
		assert.InDelta(t, want-auroc(reference, set.Samples), run.Detections[i].DeltaAUROC, 1e-12)
		mean += want / 2
	}
	require.Len(t, run.Detections, 3)
	assert.Equal(t, downstream.Average, run.Detections[2].Set)
	assert.InDelta(t, mean, run.Detections[2].AUROC, 1e-12)
}

func TestDeterministicForAnyWorkers(t *testing.T) {
	s := study(t)
	s.Budgets = []float64{30}
	one := s
	one.Workers, one.Graph = 1, graph.Options{Workers: 1, Batch: 2}
	s.Workers, s.Graph = 3, graph.Options{Workers: 3, Batch: 5}
	a, err := downstream.Measure(context.Background(), one)
	require.NoError(t, err)
	b, err := downstream.Measure(context.Background(), s)
	require.NoError(t, err)
	for _, r := range []*downstream.Result{a, b} {
		for i := range r.Runs {
			r.Runs[i].Seconds = 0
			if math.IsNaN(r.Runs[i].NeuronOverlap) { // NaN is not equal to itself
				r.Runs[i].NeuronOverlap, r.Runs[i].WeightOverlap = -1, -1
			}
		}
	}
	assert.Equal(t, a, b)
	s.Seeds = []uint64{9, 10, 11}
	c, err := downstream.Measure(context.Background(), s)
	require.NoError(t, err)
	assert.NotEqual(t, b.Runs[len(b.Runs)-1].Detections, c.Runs[len(c.Runs)-1].Detections, "the seed has no effect")
}

func TestInterruptKeepsFinishedRuns(t *testing.T) {
	s := study(t)
	whole, err := downstream.Measure(context.Background(), s)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	s.Progress = func(done, total int) {
		assert.Equal(t, 2*4*2*3, total)
		if done >= 15 {
			cancel()
		}
	}
	part, err := downstream.Measure(ctx, s)
	require.ErrorIs(t, err, context.Canceled)
	require.NotEmpty(t, part.Runs)
	require.Less(t, len(part.Runs), len(whole.Runs))
	for i := range part.Runs {
		assert.Equal(t, whole.Runs[i].Detections, part.Runs[i].Detections)
	}
}

func TestStudiesThatCannotBe(t *testing.T) {
	for want, spoil := range map[string]func(*downstream.Study){
		"of 0 OOD sets":                         func(s *downstream.Study) { s.Data.OOD = nil },
		"0 games":                               func(s *downstream.Study) { s.Games = nil },
		"0 estimators":                          func(s *downstream.Study) { s.Estimators = nil },
		"0 seeds":                               func(s *downstream.Study) { s.Seeds = nil },
		"above 0 forward-equivalents, got NaN":  func(s *downstream.Study) { s.Budgets = []float64{math.NaN()} },
		"above 0 forward-equivalents, got +Inf": func(s *downstream.Study) { s.Budgets = []float64{math.Inf(1)} },
		`two estimators are named "exact"`: func(s *downstream.Study) {
			s.Estimators = []attribution.Estimator{estimate.Exact{}, estimate.Exact{}}
		},
		`two games are named "logit"`:      func(s *downstream.Study) { s.Games[1].Name = "logit" },
		`two OOD sets are named "wide"`:    func(s *downstream.Study) { s.Data.OOD[1].Name = "wide" },
		`two OOD sets are named "average"`: func(s *downstream.Study) { s.Data.OOD[1].Name = "average" },
		"below 2^32":                       func(s *downstream.Study) { s.Seeds = []uint64{1 << 40} },
		"percentile":                       func(s *downstream.Study) { s.Line.ActivationPercentile = 101 },
		"no labels":                        func(s *downstream.Study) { s.Data.Fit.Labels = nil },
		"no images of class 3": func(s *downstream.Study) {
			s.Data.Fit.N, s.Data.Fit.Features, s.Data.Fit.Labels, s.Data.Fit.Logits = 3,
				s.Data.Fit.Features[:3*s.Data.Fit.FeatureDim], s.Data.Fit.Labels[:3], s.Data.Fit.Logits[:3*classes]
		},
		"feature 0 is NaN": func(s *downstream.Study) { s.Data.OOD[1].Samples.Features[0] = float32(math.NaN()) },
	} {
		s := study(t)
		spoil(&s)
		_, err := downstream.Measure(context.Background(), s)
		assert.ErrorContains(t, err, want)
	}
}

func TestCells(t *testing.T) {
	run := func(seed uint64, overlap, delta float64) downstream.Run {
		return downstream.Run{Game: "g", Estimator: "e", Budget: 1, Seed: seed, Cost: attribution.Cost{Equivalents: 10},
			NeuronOverlap: overlap,
			Detections:    []downstream.Detection{{Set: "average", DeltaAUROC: delta}}}
	}
	r := downstream.Result{Runs: []downstream.Run{run(1, 0.5, 1), run(2, 0.7, 2), run(3, 0.9, 6),
		{Game: "g", Estimator: "e", Budget: 2, Skipped: "why"},
		{Game: "g", Estimator: "f", Budget: 2, Cost: attribution.Cost{Equivalents: 4}}}}
	cells := r.Cells()
	require.Len(t, cells, 3)
	assert.Equal(t, 3, cells[0].Runs)
	assert.InDelta(t, 0.7, cells[0].NeuronOverlap.Mean, 1e-12)
	assert.InDelta(t, 0.2, cells[0].NeuronOverlap.Deviation, 1e-12)
	assert.InDelta(t, 3, cells[0].Detections[0].DeltaAUROC.Mean, 1e-12)
	assert.InDelta(t, math.Sqrt(7), cells[0].Detections[0].DeltaAUROC.Deviation, 1e-12) // (4+1+9)/2
	assert.Equal(t, "why", cells[1].Skipped)
	assert.Zero(t, cells[1].Runs)
	assert.Equal(t, 4.0, cells[2].Equivalents)
	assert.True(t, math.IsNaN(cells[2].NeuronOverlap.Deviation), "one run has no deviation")
}
