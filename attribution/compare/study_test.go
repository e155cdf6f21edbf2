package compare

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

var errBroken = errors.New("the graph broke")

func smallStudy(t *testing.T) Study {
	var subjects []Subject
	for i, name := range []string{"a", "b", "c"} {
		g := randomNetwork(4, 10, uint64(60+i)).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
		truth, err := FindTruth(background, g, attribution.Options{})
		require.NoError(t, err)
		subjects = append(subjects, Subject{Name: name, Game: g, Truth: truth})
	}
	return Study{
		Subjects: subjects,
		Estimators: []attribution.Estimator{estimate.GradientActivation{}, estimate.Permutation{},
			estimate.Permutation{Antithetic: true}, estimate.KernelSHAP{Paired: true}, estimate.ClosedForm{}},
		Budgets:   []float64{12, 100, 1000},
		Seeds:     []uint64{1, 2, 3, 4, 5, 6},
		K:         3,
		Resamples: 200,
	}
}

func TestCompare(t *testing.T) {
	study := smallStudy(t)
	var done, total int
	study.Progress = func(d, of int) { done, total = d, of }
	c, err := Compare(background, study)
	require.NoError(t, err)
	assert.Equal(t, 5*3*3*6, total)
	assert.Equal(t, total, done)
	require.Len(t, c.Cells, 5*3)
	// Deterministic estimators run once on each game.
	assert.Len(t, c.Runs, 3*3*(1+6+6+6+1))
	cells := map[string]map[float64]Cell{}
	for _, cell := range c.Cells {
		if cells[cell.Estimator] == nil {
			cells[cell.Estimator] = map[float64]Cell{}
		}
		cells[cell.Estimator][cell.Budget] = cell
	}
	assert.Equal(t, 3, cells["closed-form"][100].Skipped, "log-sum-exp is not linear")
	assert.Equal(t, 18, cells["kernelshap-paired"][12].Skipped, "12 forwards are too few")
	assert.True(t, math.IsNaN(cells["closed-form"][100].Bands[MSE].Mean))
	p := cells["permutation"]
	assert.Less(t, p[1000].Bands[MSE].Mean, p[100].Bands[MSE].Mean/5, "ten times the samples")
	assert.Equal(t, 992.0, p[1000].Equivalents) // 2 + 110 permutations of 9
	for _, cell := range []Cell{p[100], p[1000]} {
		for m, b := range cell.Bands {
			if Metric(m) == IntervalCoverage && math.IsNaN(b.Mean) {
				continue // too few samples for intervals
			}
			assert.LessOrEqual(t, b.Lo, b.Mean+1e-15, Metric(m))
			assert.GreaterOrEqual(t, b.Hi, b.Mean-1e-15, Metric(m))
		}
	}
	ga := cells["gradient-activation"]
	assert.Equal(t, ga[100].Bands[MSE], ga[1000].Bands[MSE], "a deterministic estimator does not improve")
	assert.True(t, math.IsNaN(ga[100].Bands[IntervalCoverage].Mean), "it has no intervals")
	assert.Equal(t, 4.0, ga[100].Equivalents, "one value, and a gradient of one forward and one backward")

	// The scores of a run are those of the estimate that the estimator gives with the same options.
	for _, run := range c.Runs {
		if run.Estimator != "antithetic" || run.Budget != 1000 || run.Seed != 4 || run.Subject != "b" {
			continue
		}
		est, err := estimate.Permutation{Antithetic: true}.Estimate(background, study.Subjects[1].Game,
			attribution.Options{Budget: 1000, Seed: GameSeed(4, 1)})
		require.NoError(t, err)
		assert.Equal(t, Score(study.Subjects[1].Truth, &est, 3, 0.95), run.Scores)
	}
}

// recorder is an estimator that records the options with which it is called and the estimates that it returns.
type recorder struct {
	attribution.Estimator
	estimates []attribution.Estimate
}

func (r *recorder) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	e, err := r.Estimator.Estimate(ctx, g, opt)
	r.estimates = append(r.estimates, e)
	return e, err
}

// TestCompareDrawsApart: the errors on several games are independent even where the games are equal. Otherwise their
// mean would be less certain than its band says.
func TestCompareDrawsApart(t *testing.T) {
	g := randomTable(6, 4)
	truth, err := FindTruth(background, g, attribution.Options{})
	require.NoError(t, err)
	seen := recorder{Estimator: estimate.Permutation{}}
	study := Study{Estimators: []attribution.Estimator{&seen}, Budgets: []float64{60}, K: 2, Resamples: 1}
	const games, seeds = 3, 400
	for i := range games {
		study.Subjects = append(study.Subjects, Subject{Name: string(rune('a' + i)), Game: g, Truth: truth})
	}
	for s := range uint64(seeds) {
		study.Seeds = append(study.Seeds, s)
	}
	c, err := Compare(background, study)
	require.NoError(t, err)
	errs := make([][]float64, games)
	for i, r := range c.Runs {
		errs[r.subject] = append(errs[r.subject], seen.estimates[i].Values[0]-truth.Values[0])
	}
	for i := range games {
		for j := range i {
			assert.Less(t, math.Abs(stat.Correlation(errs[i], errs[j], nil)), 4/math.Sqrt(seeds), "games %d and %d", i,
				j)
		}
	}
	first, err := estimate.Permutation{}.Estimate(background, g, attribution.Options{Budget: 60, Seed: 7})
	require.NoError(t, err)
	assert.Equal(t, first.Values[0]-truth.Values[0], errs[0][7], "the first game keeps the seed")
}

func TestGameSeedsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(200) {
		for game := range 200 {
			seen[GameSeed(seed, game)] = true
		}
	}
	assert.Len(t, seen, 200*200)
}

func TestCompareIsDeterministic(t *testing.T) {
	study := smallStudy(t)
	a, err := Compare(background, study)
	require.NoError(t, err)
	study.Workers = 2
	b, err := Compare(background, study)
	require.NoError(t, err)
	for i := range a.Cells {
		a.Cells[i].Seconds, b.Cells[i].Seconds = 0, 0
		x, _ := json.Marshal(a.Cells[i].Bands[MSE].Hi)
		y, _ := json.Marshal(b.Cells[i].Bands[MSE].Hi)
		assert.Equal(t, string(x), string(y))
	}
}

func TestCompareTruthWithStandardErrors(t *testing.T) {
	g := randomNetwork(3, 24, 5).game(t, games.PenultimateOptions{Value: attribution.Probability})
	truth, err := FindTruth(background, g, attribution.Options{Samples: 2000, Seed: 1})
	require.NoError(t, err)
	assert.Equal(t, "antithetic", truth.Method)
	assert.Len(t, truth.StdErr, 24)
	linear, err := FindTruth(background, randomNetwork(3, 24, 5).game(t, games.PenultimateOptions{}),
		attribution.Options{})
	require.NoError(t, err)
	assert.Equal(t, "closed-form", linear.Method)
	assert.Nil(t, linear.StdErr)
	_, err = FindTruth(background, g, attribution.Options{})
	assert.ErrorContains(t, err, "expected a number of samples")
	// The standard error of an estimated truth widens the intervals that should hold it.
	est := attribution.Estimate{Values: []float64{1}, StdErr: []float64{0.1}, DF: []float64{math.Inf(1)}}
	assert.Equal(t, 0.0, Coverage([]float64{1.3}, nil, &est, 0.95))
	assert.Equal(t, 1.0, Coverage([]float64{1.3}, []float64{0.2}, &est, 0.95))
}

func TestCompareCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	study := smallStudy(t)
	study.Progress = func(done, _ int) {
		if done >= 100 {
			cancel()
		}
	}
	c, err := Compare(ctx, study)
	require.ErrorIs(t, err, context.Canceled)
	assert.NotEmpty(t, c.Runs)
	assert.NotEmpty(t, c.Cells)
	assert.Less(t, len(c.Runs), 180)
}

func TestFindTruthInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, err := FindTruth(ctx, randomNetwork(3, 5, 1).game(t, games.PenultimateOptions{Value: attribution.LogSumExp}),
		attribution.Options{Samples: 10})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestCompareRejectsBadStudies(t *testing.T) {
	for want, change := range map[string]func(*Study){
		"0 games": func(s *Study) { s.Subjects = nil },
		"0 seeds": func(s *Study) { s.Seeds = nil },
		"budgets above 0 forward-equivalents, got -1":  func(s *Study) { s.Budgets = []float64{-1} },
		"expected a confidence level in (0, 1), got 2": func(s *Study) { s.Level = 2 },
		"bootstrap resamples, got -1":                  func(s *Study) { s.Resamples = -1 },
		`two estimators are named "svarm"`: func(s *Study) {
			s.Estimators = []attribution.Estimator{estimate.SVARM{}, estimate.SVARM{}}
		},
		"its truth 1 values":        func(s *Study) { s.Subjects[0].Truth.Values = []float64{1} },
		"precision at 11 of the 10": func(s *Study) { s.K = 11 },
		"no players":                func(s *Study) { s.Subjects[0].Game = nil },
	} {
		s := smallStudy(t)
		change(&s)
		_, err := Compare(background, s)
		assert.ErrorContains(t, err, want)
	}
	assert.Equal(t, 35, (&Study{}).keep(342), "a tenth, rounded as the percentile does")
	assert.Equal(t, 1, (&Study{}).keep(3))
}

func TestComparisonAsCSVAndJSON(t *testing.T) {
	c, err := Compare(background, smallStudy(t))
	require.NoError(t, err)
	var buffer bytes.Buffer
	require.NoError(t, c.WriteCells(&buffer))
	lines, err := csv.NewReader(&buffer).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, 1+len(c.Cells))
	assert.Equal(t, []string{"estimator", "budget", "runs", "skipped", "forward_equivalents", "seconds", "mse",
		"mse_lo", "mse_hi"}, lines[0][:9])
	buffer.Reset()
	require.NoError(t, c.WriteRuns(&buffer))
	lines, err = csv.NewReader(&buffer).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, 1+len(c.Runs))
	assert.Len(t, lines[1], 11+8+1)
	for _, line := range lines {
		assert.NotContains(t, strings.Join(line, " "), "NaN")
	}
	buffer.Reset()
	require.NoError(t, c.WriteJSON(&buffer))
	var read struct {
		K     int `json:"k"`
		Cells []struct {
			Estimator string
			Metrics   map[string]struct{ Mean, Lo, Hi *float64 }
		}
		Runs []struct {
			Metrics map[string]*float64
			Skipped string
		}
	}
	require.NoError(t, json.Unmarshal(buffer.Bytes(), &read))
	assert.Equal(t, 3, read.K)
	require.Len(t, read.Cells, len(c.Cells))
	assert.Len(t, read.Cells[0].Metrics, 8)
	assert.Nil(t, read.Cells[0].Metrics["coverage"].Mean, "undefined is null")
	assert.Equal(t, c.Cells[3].Bands[KendallTau].Mean, *read.Cells[3].Metrics["kendall_tau_b"].Mean)
}

type brokenWriter struct{ left int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestWriteErrorsAreReported(t *testing.T) {
	c, err := Compare(background, smallStudy(t))
	require.NoError(t, err)
	assert.ErrorIs(t, c.WriteCells(&brokenWriter{}), errBroken)
	assert.ErrorIs(t, c.WriteRuns(&brokenWriter{left: 5000}), errBroken)
	assert.ErrorIs(t, c.WriteJSON(&brokenWriter{}), errBroken)
	est, err := estimate.Exact{}.Estimate(background, randomTable(3, 1), attribution.Options{})
	require.NoError(t, err)
	assert.ErrorIs(t, est.WriteCSV(&brokenWriter{}, 0.95), errBroken)
}

func TestBootstrapBands(t *testing.T) {
	one := bootstrapMean([][]float64{{3}}, 100, 0.95, 1)
	assert.Equal(t, 3.0, one.Mean)
	assert.True(t, math.IsNaN(one.Lo) && math.IsNaN(one.Hi))
	none := bootstrapMean(nil, 100, 0.95, 1)
	assert.True(t, math.IsNaN(none.Mean))
	// 400 standard normal numbers: the mean's 95 % interval is 2 x 1.96/20 wide.
	rng := testRNG(1)
	values := make([]float64, 400)
	for i := range values {
		for range 12 {
			values[i] += sampling.Unit(rng)
		}
		values[i] -= 6
	}
	b := bootstrapMean([][]float64{values}, 2000, 0.95, 1)
	assert.InDelta(t, 2*1.96/20, b.Hi-b.Lo, 0.02)
	// Seeds that agree on each game leave the difference between the games.
	games := bootstrapMean([][]float64{{0, 0, 0}, {1, 1, 1}}, 1000, 0.95, 1)
	assert.Equal(t, 0.0, games.Lo)
	assert.Equal(t, 1.0, games.Hi)
}

func TestBootstrapBandsCover(t *testing.T) {
	covered := 0
	const repeats = 500
	for r := range uint64(repeats) {
		rng := testRNG(r)
		values := make([]float64, 60)
		for i := range values {
			values[i] = sampling.Unit(rng)
		}
		if b := bootstrapMean([][]float64{values}, 300, 0.9, r); b.Lo <= 0.5 && 0.5 <= b.Hi {
			covered++
		}
	}
	assert.InDelta(t, 0.9, float64(covered)/repeats, 0.04) // three standard errors of 500 trials
}

// half is a deterministic estimator defined outside package estimate: each of two players gets half of v(N) - v(∅).
type half struct{}

func (half) Name() string { return "half" }

func (half) Estimate(ctx context.Context, g attribution.Game, _ attribution.Options) (attribution.Estimate, error) {
	s, v := attribution.NewCoalitions(2, 2), make([]float64, 2)
	s.Row(1).Fill(2)
	err := g.Values(ctx, s, v)
	return attribution.Estimate{Method: "half", Values: []float64{(v[1] - v[0]) / 2, (v[1] - v[0]) / 2},
		StdErr: []float64{0, 0}}, err
}

func (half) Work(attribution.Game, attribution.Options) (values, gradients int, err error) {
	return 2, 0, nil
}

// TestCompareKnowsDeterministicEstimatorsFromOutside: such an estimator runs once for all seeds.
func TestCompareKnowsDeterministicEstimatorsFromOutside(t *testing.T) {
	g := randomTable(2, 3)
	truth, err := FindTruth(background, g, attribution.Options{})
	require.NoError(t, err)
	c, err := Compare(background, Study{Subjects: []Subject{{Name: "a", Game: g, Truth: truth}},
		Estimators: []attribution.Estimator{half{}, estimate.Permutation{}},
		Budgets:    []float64{10}, Seeds: []uint64{1, 2, 3}, K: 1, Resamples: 1})
	require.NoError(t, err)
	require.Len(t, c.Runs, 1+3)
}

// TestCompareOwnValues is a study on a value function of one's own, without a gradient: estimators that need one are
// skipped, and the others come close to enumeration.
func TestCompareOwnValues(t *testing.T) {
	own := attribution.NewValue("top two", func(logits []float64, class int) float64 {
		sorted := slices.Sorted(slices.Values(logits))
		return sorted[len(sorted)-1] + sorted[len(sorted)-2]
	}, nil)
	study := Study{
		Estimators: []attribution.Estimator{estimate.GradientActivation{}, estimate.ClosedForm{},
			estimate.Permutation{Antithetic: true}, estimate.KernelSHAP{Paired: true}},
		Budgets: []float64{400, 40000}, Seeds: []uint64{1, 2, 3}, K: 3, Resamples: 10,
	}
	for i := range uint64(2) {
		g := randomNetwork(4, 8, 80+i).game(t, games.PenultimateOptions{Value: own})
		truth, err := FindTruth(background, g, attribution.Options{})
		require.NoError(t, err)
		require.Equal(t, "exact", truth.Method)
		study.Subjects = append(study.Subjects, Subject{Name: string(rune('a' + i)), Game: g, Truth: truth})
	}
	c, err := Compare(background, study)
	require.NoError(t, err)
	errs := map[string][]float64{}
	for _, cell := range c.Cells {
		switch cell.Estimator {
		case "gradient-activation", "closed-form":
			assert.Zero(t, cell.Runs, cell.Estimator)
			assert.Equal(t, 2, cell.Skipped, cell.Estimator)
		default:
			assert.Equal(t, 6, cell.Runs, cell.Estimator)
			errs[cell.Estimator] = append(errs[cell.Estimator], cell.Bands[MSE].Mean)
		}
	}
	require.Len(t, errs, 2)
	for estimator, e := range errs {
		assert.Less(t, e[1], e[0]/20, "%s: a hundred times the samples", estimator)
	}
}
