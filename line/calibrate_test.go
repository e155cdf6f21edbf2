package line_test

import (
	"context"
	"image"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
)

// hashes returns n different hashes.
func hashes(n, from int) []line.Hash {
	out := make([]line.Hash, n)
	for i := range out {
		out[i] = line.Hash{byte(from + i), byte((from + i) >> 8)}
	}
	return out
}

// heldOut returns the scores of n pictures that the detector was not fitted to.
func heldOut(t testing.TB, det *line.Detector, n int, seed uint64) *line.Scores {
	t.Helper()
	s, err := det.Score(context.Background(), nettest.Stream(nettest.Batch(n, det.Network().InputShape(), 3, seed)))
	require.NoError(t, err)
	return s
}

func TestCalibrate(t *testing.T) {
	plain, _ := saved(t, line.DefaultOptions())
	_, err := plain.Calibrator()
	require.ErrorIs(t, err, line.ErrNotCalibrated)
	scores := heldOut(t, plain, 40, 7)
	det, err := plain.WithFitPictures(hashes(9, 100)).Calibrate(scores, hashes(40, 0), conformal.Options{Alpha: 0.1})
	require.NoError(t, err)
	require.Empty(t, plain.FitPictures(), "it does not change")
	require.Equal(t, hashes(9, 100), det.FitPictures())
	require.Equal(t, hashes(40, 0), det.CalibrationPictures())

	again, err := line.Load(path(t, det))
	require.NoError(t, err)
	requireSame(t, det, again)
	for _, d := range []*line.Detector{det, again} {
		require.Equal(t, hashes(9, 100), d.FitPictures())
		require.Equal(t, hashes(40, 0), d.CalibrationPictures())
		new := heldOut(t, d, 11, 8)
		p, err := d.PValues(new)
		require.NoError(t, err)
		for i, s := range new.Score {
			count := 0
			for _, v := range scores.Score {
				if v <= s {
					count++
				}
			}
			require.Equal(t, float64(1+count)/41, p[i])
		}
		c, err := d.Calibrator()
		require.NoError(t, err)
		th, err := c.Thresholds(0.1)
		require.NoError(t, err)
		require.Equal(t, 4, th[0].Rank)
		require.Equal(t, slices.Sorted(slices.Values(scores.Score))[3], th[0].Score)
	}
	r, err := again.CalibrationRecord()
	require.NoError(t, err)
	r.Scores[0] = -99
	second, err := again.CalibrationRecord()
	require.NoError(t, err)
	require.NotEqual(t, r.Scores[0], second.Scores[0], "a copy")

	// The result does not depend on the order of the scores.
	slices.Reverse(scores.Score)
	slices.Reverse(scores.Prediction)
	reversed, err := plain.WithFitPictures(hashes(9, 100)).Calibrate(scores, hashes(40, 0),
		conformal.Options{Alpha: 0.1})
	require.NoError(t, err)
	require.Equal(t, read(t, path(t, det)), read(t, path(t, reversed)))
}

// path saves a detector and returns the file's path.
func path(t testing.TB, det *line.Detector) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(out))
	return out
}

// TestScoreImageIsJudgedByTheCalibration: with a calibration ScoreImage decides by its thresholds, also those of
// single classes, and returns p-values.
func TestScoreImageIsJudgedByTheCalibration(t *testing.T) {
	plain, _ := saved(t, line.DefaultOptions())
	scores := heldOut(t, plain, 60, 7)
	det, err := plain.Calibrate(scores, nil, conformal.Options{Alpha: 0.4, MinPerClass: 2})
	require.NoError(t, err)
	require.Empty(t, det.CalibrationPictures())
	c, err := det.Calibrator()
	require.NoError(t, err)
	ood := 0
	var images []image.Image
	images = append(images, pictures(20, 32, 32, 3)...)
	for r, err := range det.ScoreImages(context.Background(), slices.Values(images)) {
		require.NoError(t, err)
		require.True(t, r.Judged)
		require.Equal(t, c.PValue(r.Score, r.Prediction), r.P)
		require.Equal(t, r.P <= 0.4, r.OOD)
		if r.OOD {
			ood++
		}
	}
	t.Log(ood)
	r, err := plain.ScoreImage(context.Background(), images[0])
	require.NoError(t, err)
	require.Zero(t, r.P)
}

func TestCalibrateRefuses(t *testing.T) {
	plain, _ := saved(t, line.DefaultOptions())
	scores := heldOut(t, plain, 10, 7)
	_, err := plain.WithFitPictures(hashes(4, 7)).Calibrate(scores, hashes(10, 0), conformal.Options{Alpha: 0.5})
	require.ErrorIs(t, err, line.ErrFitted)
	require.EqualError(t, err,
		"line: expected pictures that the detector was not fitted to, got picture 7, to which it was, as to 3 of 10 "+
			"in all")
	_, err = plain.Calibrate(scores, hashes(9, 0), conformal.Options{})
	require.EqualError(t, err, "line: calibrate: expected a picture for each of 10 scores, got 9")
	_, err = plain.Calibrate(scores, nil, conformal.Options{})
	var few *conformal.TooFewError
	require.ErrorAs(t, err, &few)
	require.Equal(t, 19, few.Need)
	_, err = plain.Calibrate(scores, nil, conformal.Options{Alpha: 7})
	require.ErrorContains(t, err, "expected a rate between 0 and 1, got 7")
	_, err = plain.Calibrate(&line.Scores{Score: scores.Score}, nil, conformal.Options{})
	require.ErrorContains(t, err, "expected a prediction for each of 10 scores, got 0")
	_, err = plain.PValues(scores)
	require.ErrorIs(t, err, line.ErrNotCalibrated)
}

// TestDeployedDetectorsCalibrate: detectors of other methods than LINe can be calibrated as well.
func TestDeployedDetectorsCalibrate(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	samples := networkSamples(t, net, nettest.Batch(30, net.InputShape(), 3, 1))
	det, err := line.FitMethod(t.Context(), net, "energy", nil, samples)
	require.NoError(t, err)
	det, err = det.WithFitPictures(hashes(3, 50)).Calibrate(heldOut(t, det, 30, 2), hashes(30, 0), conformal.Options{})
	require.NoError(t, err)
	again, err := line.Load(path(t, det))
	require.NoError(t, err)
	require.Equal(t, "energy", again.Method())
	require.Equal(t, hashes(3, 50), again.FitPictures())
	new := heldOut(t, again, 5, 3)
	want, err := det.PValues(new)
	require.NoError(t, err)
	got, err := again.PValues(new)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestStream: Stream yields the samples that Collect collects.
func TestStream(t *testing.T) {
	det, _ := saved(t, line.DefaultOptions())
	prog, err := det.Compile(graph.Options{Batch: 2})
	require.NoError(t, err)
	images := nettest.Batch(7, det.Network().InputShape(), 3, 4)
	want, err := det.Collect(t.Context(), prog, nettest.Stream(images))
	require.NoError(t, err)
	i := 0
	for s, err := range det.Stream(t.Context(), prog, nettest.Stream(images)) {
		require.NoError(t, err)
		require.Equal(t, line.Sample{Score: want.Score[i], Prediction: want.Prediction[i], Label: want.Label[i]}, s)
		i++
	}
	require.Equal(t, 7, i)
	for range det.Stream(t.Context(), prog, nettest.Stream(images)) {
		break
	}
	var last error
	for _, err := range det.Stream(t.Context(), prog, nettest.Stream()) {
		last = err
	}
	require.ErrorIs(t, last, line.ErrNoImages)
}

func TestLoadRefusesBadCalibrations(t *testing.T) {
	good := smallestCalibrated(t)
	for _, bad := range []struct {
		name  string
		array npyz.Array
		want  string
	}{
		{"fit_pictures", npyz.New(make([]uint8, 31), 1, 31),
			"fit_pictures: expected shape [any, 32] of uint8, got [1 31] of uint8"},
		{"fit_pictures", npyz.New([]int64{1}), "fit_pictures: expected shape [any, 32] of uint8, got [1] of int64"},
		{"calibration_pictures", npyz.New([]uint8{}, 0, 32),
			"calibration_pictures: expected shape [any, 32] of uint8, got [0 32] of uint8"},
		{"calibration_scores", npyz.Array{}, "calibration_pictures without calibration_scores"},
		{"calibration_scores", npyz.New([]float64{}), "expected shape [0], got [4]"},
		{"calibration_scores", npyz.New([]float64{1, 3, 2, 4}), "calibration_scores are not ascending"},
		{"calibration_scores", npyz.New([]string{"a"}), `array "calibration_scores": expected elements of float64`},
		{"calibration_predictions", npyz.Array{}, "no such array"},
		{"calibration_predictions", npyz.New([]int64{0, 1, 2, 1}),
			"calibration sample 2: expected a predicted class from 0 to 1, got 2"},
		{"calibration_predictions", npyz.New([]int64{0, 1}), "expected shape [4]"},
		{"calibration_alpha", npyz.Scalar(1.5), "expected a rate between 0 and 1, got 1.5"},
		{"calibration_alpha", npyz.Scalar(0.0), "calibration_alpha: expected a number between 0 and 1, got 0"},
		{"calibration_delta", npyz.Scalar(1.0), "expected a probability δ between 0 and 1, got 1"},
		{"calibration_per_class", npyz.Scalar(int64(-1)), "expected a number of calibration samples a class, got -1"},
		{"calibration_adjustment", npyz.Scalar("bonferroni"), `got "bonferroni"`},
	} {
		broken := rewritten(t, good, map[string]npyz.Array{bad.name: bad.array})
		_, err := line.Load(broken)
		require.ErrorContains(t, err, bad.want, "%s = %v", bad.name, bad.array)
		require.ErrorContains(t, err, broken)
	}
}
