package report_test

import (
	"math"
	"math/rand/v2"

	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/report"
)

// example is a small evaluation: two methods on two sets.
func example() report.Result {
	return report.Result{
		Net:     "densenet-bc-100-12",
		Weights: report.Weights{File: "checkpoint_100.pth.tar", SHA256: "5e884898da28047151d0e56f8dc62927"},
		Seed:    1,
		ID:      report.ID{N: 5000, Accuracy: 0.945},
		Methods: []report.Method{
			{
				Name: "line", Params: map[string]any{"p_a": 90, "p_w": 90, "clip": 1.0},
				FitSeconds: 0.1, MicrosPerSample: 3.2,
				OOD: []report.OOD{
					{Name: "textures10", N: 500, Metrics: metrics.Metrics{
						FPR95: 0.274, AUROC: 0.95406, AUPRIn: 0.995, AUPROut: 0.7, FPR95OpenOOD: 0.3, DTERR: 0.11}},
					{Name: "mnist", N: 400, Metrics: metrics.Metrics{FPR95: 0.004, AUROC: 0.99877, DTERR: 0.02}},
				},
			},
			{
				Name: "energy", Params: map[string]any{"temperature": 1.0}, MicrosPerSample: 0.5,
				OOD: []report.OOD{
					{Name: "textures10", N: 500, Metrics: metrics.Metrics{FPR95: 0.546, AUROC: 0.87494, DTERR: 0.2}},
					{Name: "mnist", N: 400, Metrics: metrics.Metrics{FPR95: 0.004, AUROC: 0.99007, DTERR: 0.04}},
				},
			},
		},
	}
}

func withIntervals(r report.Result) report.Result {
	r.Bootstrap = &report.Bootstrap{Resamples: 1000, Level: 0.95}
	r.ID.AccuracyCI = &metrics.Interval{Lo: 0.94, Hi: 0.951}
	for _, m := range r.Methods {
		for i := range m.OOD {
			m.OOD[i].CI = &metrics.Intervals{
				FPR95: metrics.Interval{Lo: 0.25, Hi: 0.3}, AUROC: metrics.Interval{Lo: 0.9, Hi: 1},
			}
		}
	}
	return r
}

// scoresFor draws scores for the result's methods and sets; the first method separates better than the others.
func scoresFor(r report.Result) []report.Scores {
	rng := rand.New(rand.NewPCG(1, 1))
	normal := func(n int, mean float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = mean + rng.NormFloat64()
		}
		return out
	}
	var out []report.Scores
	for i, m := range r.Methods {
		s := report.Scores{Method: m.Name, ID: normal(2000, 3/float64(i+1))}
		for _, o := range m.OOD {
			s.OOD = append(s.OOD, report.NamedScores{Name: o.Name, Scores: normal(o.N, 0)})
		}
		out = append(out, s)
	}
	return out
}

// nasty is a name with characters that could break HTML, SVG, CSV, Markdown, terminals and attribute values.
const nasty = "<script>alert('x')</script>\"&|\n,`*\x1b[31m\u202e_"

func nastyResult() report.Result {
	r := example()
	r.Net, r.Weights.File, r.Weights.SHA256 = nasty+"net", nasty+"file", nasty+"sha"
	r.Methods[0].Name, r.Methods[1].Name = nasty+"a", nasty+"b"
	for i := range r.Methods {
		r.Methods[i].OOD[0].Name = nasty + "set"
		r.Methods[i].Params = map[string]any{nasty: nasty}
	}
	return r
}

var (
	nan = math.NaN()
	inf = math.Inf(1)
)
