package line_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/nets"
)

// fitScores returns the scores in a detector's file.
func fitScores(t testing.TB, det *line.Detector) []float32 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(path))
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	scores, err := a.Float32("fit_scores", -1)
	require.NoError(t, err)
	return scores
}

// sorted returns scores in the order and precision in which the file keeps them.
func sorted(scores []float64) []float32 {
	out := make([]float32, len(scores))
	for i, v := range scores {
		out[i] = float32(v)
	}
	slices.Sort(out)
	return out
}

// TestFitScoresAreThoseOfItsImages: the kept scores have the bits that scoring the training images gives. The stream
// is read once. The result does not depend on batches, workers and source, nor on whether fitting starts from images
// or features.
func TestFitScoresAreThoseOfItsImages(t *testing.T) {
	ctx := context.Background()
	for name, net := range map[string]nets.Classifier{"tiny": newTiny(3, 37, 3), "densenet": nettest.DenseNetBC(t, 10,
		4, 3, 8)} {
		train := nettest.Batch(41, net.InputShape(), 3, 1)
		for i, o := range switches() {
			det := fit(t, net, nettest.Stream(train), o)
			s, err := det.Score(ctx, nettest.Stream(train))
			require.NoError(t, err)
			want := sorted(s.Score)
			require.Equal(t, want, fitScores(t, det), "%s, %+v", name, o)
			threshold, err := det.FitThreshold()
			require.NoError(t, err)
			ref, err := metrics.Threshold95(s.Score)
			require.NoError(t, err)
			require.Equal(t, ref, threshold)

			features := run(t, net, graph.Options{}, nettest.Stream(train)).f32[nets.Features]
			for _, way := range []struct {
				o    graph.Options
				x    []float32
				size []int
			}{
				{graph.Options{Batch: 1, Workers: 1}, train.X, []int{41}},
				{graph.Options{Batch: 3, Workers: 3}, train.X, []int{1}},
				{graph.Options{Batch: 5, Workers: 2}, train.X, []int{7, 1, 20}},
				{graph.Options{From: nets.Features}, features, []int{10}},
			} {
				prog, err := graph.Compile(net, way.o)
				require.NoError(t, err)
				var parts []graph.Batch
				for b := range nettest.Split(graph.Batch{N: 41, X: way.x, Labels: train.Labels}, way.size...) {
					parts = append(parts, b)
				}
				same, err := line.Fit(ctx, prog, once(parts...), o)
				require.NoError(t, err)
				require.Equal(t, want, fitScores(t, same), "%s, %+v, %+v", name, o, way.o)
			}
			if i > 0 {
				continue
			}
			o.Source = line.EstimatedContributions{Estimator: estimate.ClosedForm{}}
			other := fit(t, net, once(train), o)
			s, err = other.Score(ctx, nettest.Stream(train))
			require.NoError(t, err)
			require.Equal(t, sorted(s.Score), fitScores(t, other))
		}
	}
}

// fitted returns a detector with n fit scores, and these scores.
func fitted(t testing.TB, n int) (*line.Detector, []float64) {
	t.Helper()
	net := newTiny(1, 3, 1)
	train := net.batch(n, uint64(n))
	det := fit(t, net, nettest.Stream(train), line.Options{NoClipping: true, NoActivationPruning: true,
		NoWeightPruning: true})
	s, err := det.Score(context.Background(), nettest.Stream(train))
	require.NoError(t, err)
	return det, s.Score
}

// TestThresholdsAgreeWithMetrics: at 95 % the threshold is metrics.Threshold95, including numbers that round half to
// even, and the same scores pass.
func TestThresholdsAgreeWithMetrics(t *testing.T) {
	for _, n := range []int{1, 9, 10, 11, 29, 30, 31, 50, 51, 70, 90, 110, 190, 210} {
		det, id := fitted(t, n)
		want, err := metrics.Threshold95(id)
		require.NoError(t, err)
		got, err := det.FitThreshold()
		require.NoError(t, err)
		require.Equal(t, want, got, "%d scores", n)

		rng := rand.New(rand.NewPCG(1, 1))
		ood := []float64{got, math.Nextafter(got, 99), math.Nextafter(got, -99), math.Inf(1), math.Inf(-1)}
		for range 50 {
			ood = append(ood, id[rng.IntN(n)]+0.1*rng.NormFloat64())
		}
		pass := 0
		for _, v := range ood {
			out, err := det.IsOOD(v)
			require.NoError(t, err)
			if !out {
				pass++
			}
		}
		fpr, err := metrics.FPR95(id, ood)
		require.NoError(t, err)
		require.InDelta(t, fpr, float64(pass)/float64(len(ood)), 1e-15)
		out, err := det.IsOOD(got)
		require.NoError(t, err)
		require.True(t, out, "the threshold itself does not pass")
	}
}

// TestThresholdsOfOtherRates compares with exact rational arithmetic; tpr is in thousandths.
func TestThresholdsOfOtherRates(t *testing.T) {
	for _, n := range []int{1, 2, 10, 30, 250} {
		det, id := fitted(t, n)
		s := sorted(id)
		for thousandths := range 1001 {
			dropped := (1000 - thousandths) * n // thousandths of a score
			at, rest := dropped/1000, dropped%1000
			if rest > 500 || rest == 500 && at%2 == 1 {
				at++
			}
			got, err := det.Threshold(float64(thousandths) / 1000)
			require.NoError(t, err)
			require.Equal(t, float64(s[min(at, n-1)]), got, "%d scores, %d thousandths", n, thousandths)
		}
		for _, bad := range []float64{-0.01, 1.01, 95, math.NaN()} {
			_, err := det.Threshold(bad)
			require.EqualError(t, err,
				fmt.Sprintf("line: true positive rate: expected a share from 0 to 1, got %v", bad))
			require.NotErrorIs(t, err, line.ErrNoThreshold)
		}
		out, err := det.IsOOD(math.NaN())
		require.NoError(t, err)
		require.True(t, out, "a score that is none must not pass")
	}
}

// foreign is a source defined outside of the package.
type foreign struct{}

func (foreign) Measure(ctx context.Context, p *graph.Program, images graph.Batches) (*line.Contributions, error) {
	return line.Measure(ctx, p, images)
}

// TestNoThreshold: a detector without fit scores returns ErrNoThreshold.
func TestNoThreshold(t *testing.T) {
	ctx := context.Background()
	net := newForPictures([3]float32{1, 1, 1})
	train := nettest.Batch(6, net.InputShape(), 2, 1)
	det := fit(t, net, nettest.Stream(train), line.DefaultOptions())
	made, err := line.New(ctx, net, det.Contributions(), line.DefaultOptions())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "made.npz")
	require.NoError(t, made.Save(path))
	loaded, err := line.LoadFor(path, net)
	require.NoError(t, err)
	for name, none := range map[string]*line.Detector{
		"made by New":    made,
		"made and saved": loaded,
		"foreign source": fit(t, net, once(train), line.Options{Source: foreign{}}),
	} {
		_, err = none.FitThreshold()
		require.ErrorIs(t, err, line.ErrNoThreshold, name)
		_, err = none.Threshold(0.5)
		require.ErrorIs(t, err, line.ErrNoThreshold, name)
		_, err = none.IsOOD(-100)
		require.ErrorIs(t, err, line.ErrNoThreshold, name)
		want, err := det.ScoreImage(ctx, pictures(1, 2, 1, 1)[0])
		require.NoError(t, err)
		require.True(t, want.Judged)
		got, err := none.ScoreImage(ctx, pictures(1, 2, 1, 1)[0])
		require.NoError(t, err)
		require.Equal(t, line.Result{Score: want.Score, Prediction: want.Prediction}, got, name)
	}
}

// TestMoreImagesThanScores: of a long stream a fixed part is kept, and its threshold is close to that of all scores.
func TestMoreImagesThanScores(t *testing.T) {
	const n, most = 70_000, 1 << 16
	net := newTiny(2, 3, 1)
	rng := rand.New(rand.NewPCG(2, 2))
	all := graph.Batch{N: n, X: make([]float32, 3*n), Labels: make([]int, n)}
	for i := range all.X {
		all.X[i] = rng.Float32()
	}
	for i := range all.Labels {
		all.Labels[i] = i % 2
	}
	from := func(o graph.Options, size int) *line.Detector {
		o.From = nets.Features
		prog, err := graph.Compile(net, o)
		require.NoError(t, err)
		det, err := line.Fit(context.Background(), prog, nettest.Split(all, size),
			line.Options{NoActivationPruning: true, NoWeightPruning: true})
		require.NoError(t, err)
		return det
	}
	det := from(graph.Options{Batch: 64}, 1000)
	scores := fitScores(t, det)
	require.Len(t, scores, most)
	require.Equal(t, scores, fitScores(t, from(graph.Options{Batch: 50, Workers: 3}, 3333)))

	prog, err := det.Compile(graph.Options{Batch: 64, From: nets.Features})
	require.NoError(t, err)
	s, err := line.Collect(context.Background(), prog, nettest.Stream(all))
	require.NoError(t, err)
	threshold, err := det.FitThreshold()
	require.NoError(t, err)
	pass := 0
	for _, v := range s.Score {
		if v > threshold {
			pass++
		}
	}
	require.InDelta(t, 0.95, float64(pass)/n, 0.002)
}
