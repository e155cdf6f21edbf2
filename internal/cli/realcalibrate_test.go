package cli

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line"
)

// TestRealCalibrate fits LINe to 1,000 of CIFAR-10's training images, calibrates it on one half of the test images and
// counts the false alarms among the other half. They must have the promised rate, up to the sampling error of both
// halves.
func TestRealCalibrate(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 6,500 images")
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	set, err := dataset.Open(sharedtest.Path(t, "data", "cifar10_test_5000.bin"))
	require.NoError(t, err)
	defer set.Close()
	pix, labels := make([][]uint8, 2), make([][]int64, 2)
	for i := range set.Len() {
		img, err := set.Image(i)
		require.NoError(t, err)
		half := i / (set.Len() / 2)
		pix[half], labels[half] = append(pix[half], img.Pix...), append(labels[half], int64(set.Labels()[i]))
	}
	for half, name := range []string{"calibration.npz", "new.npz"} {
		n := len(labels[half])
		require.NoError(t, npyz.WriteNpz(path(name), npyz.Stored,
			npyz.Named{Name: "images", Array: npyz.New(pix[half], n, 32, 32, 3)},
			npyz.Named{Name: "labels", Array: npyz.New(labels[half])}))
	}
	const fitted = 1000
	require.NoError(t,
		writeFile(path("train.bin"), contents(t, sharedtest.Path(t, "data", "cifar10_train_5000.bin"))[:fitted*3073]))
	must(t, "fit", "--net", realNet, "--weights", sharedtest.Path(t, "checkpoints",
		"cifar10_densenet_bc_100_12.pth.tar"),
		"--data", path("train.bin"), "--out", path("det.npz"))
	require.Contains(t, fails(t, "calibrate", "--detector", path("det.npz"), "--data", path("train.bin"), "--out",
		path("no.npz")),
		"1000 of 1000 are some") // refused before anything is promised for them
	t.Log(must(t, "calibrate", "--detector", path("det.npz"), "--data", path("calibration.npz"), "--out",
		path("calibrated.npz")))
	scores := func(name string, flags ...string) (p []float64, ood []bool) {
		out := path("scores.npz")
		t.Log(must(t, append([]string{"score", "--detector", path("calibrated.npz"), "--data", name, "--out", out},
			flags...)...))
		a, err := npyz.ReadNpz(out)
		require.NoError(t, err)
		p, err = a.Float64("p_values", -1)
		require.NoError(t, err)
		flagged, err := a.Get("ood")
		require.NoError(t, err)
		return p, flagged.Data.([]bool)
	}
	rate := func(p []float64, alpha float64) float64 {
		n := 0
		for _, v := range p {
			n += b2i(v <= alpha)
		}
		return float64(n) / float64(len(p))
	}
	p, _ := scores(path("new.npz"))
	det, err := line.Load(path("calibrated.npz"))
	require.NoError(t, err)
	c, err := det.Calibrator()
	require.NoError(t, err)
	for _, alpha := range []float64{0.01, 0.05, 0.1, 0.2} {
		th, err := c.Thresholds(alpha)
		require.NoError(t, err)
		bound, err := th[0].Bound(0.1)
		require.NoError(t, err)
		got := rate(p, alpha)
		t.Logf("α %v: realised %.4f, bound with 90 %% %.4f", alpha, got, bound)
		// Each half has 2,500 images: the bound is four standard errors of the difference of two binomial shares.
		require.InDelta(t, alpha, got, 4*math.Sqrt(2*alpha*(1-alpha)/2500))
	}
	// Pictures of another kind are rejected far more often than the promised rate, and a stream of them raises an
	// alarm.
	textures := sharedtest.Path(t, "data", "ood_textures10_500.npy")
	far, found := scores(textures, "--stream", "--fdr", "saffron", "--adjust", "simes", "--alpha", "0.1")
	require.Len(t, far, 500)
	n := 0
	for _, o := range found {
		n += b2i(o)
	}
	require.Greater(t, n, 400)
	require.Greater(t, rate(far, 0.05), 0.5)
}
