package compare_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/internal/racetest"
	"github.com/line-ood/goline/nets"
)

func game(t *testing.T) attribution.Game {
	head := nets.Head{Classes: 4, FeatureDim: 12, Weight: make([]float32, 4*12), Bias: make([]float32, 4)}
	for i := range head.Weight {
		head.Weight[i] = float32(math.Sin(float64(i) * 1.7))
	}
	h, err := games.NewReadout(head)
	require.NoError(t, err)
	z := make([]float64, 12)
	for i := range z {
		z[i] = 0.3 + float64(i%5)/4
	}
	g, err := games.NewPenultimate(h, z, -1, games.PenultimateOptions{Value: attribution.LogSumExp})
	require.NoError(t, err)
	return g
}

func comparison(t *testing.T) (*compare.Comparison, compare.Truth, []attribution.Estimate) {
	ctx, g := context.Background(), game(t)
	truth, err := compare.FindTruth(ctx, g, attribution.Options{})
	require.NoError(t, err)
	estimators := []attribution.Estimator{estimate.GradientActivation{}, estimate.IntegratedGradients{},
		estimate.Permutation{},
		estimate.Permutation{Antithetic: true}, estimate.KernelSHAP{Paired: true}, estimate.SVARM{}}
	c, err := compare.Compare(ctx, compare.Study{
		Subjects:   []compare.Subject{{Name: "one", Game: g, Truth: truth}},
		Estimators: estimators,
		Budgets:    []float64{30, 100, 300, 1000},
		Seeds:      []uint64{1, 2, 3, 4, 5, 6, 7, 8},
		K:          3,
	})
	require.NoError(t, err)
	var estimates []attribution.Estimate
	for _, e := range estimators {
		est, err := e.Estimate(ctx, g, attribution.Options{Budget: 300, Seed: 1})
		require.NoError(t, err)
		estimates = append(estimates, est)
	}
	return c, truth, estimates
}

// checkFigure draws both formats and looks for words in the SVG, which holds them as text.
func checkFigure(t *testing.T, f *compare.Figure, name string, words ...string) {
	t.Helper()
	var bitmap, vector bytes.Buffer
	n, err := f.WriteTo(&bitmap)
	require.NoError(t, err)
	assert.EqualValues(t, bitmap.Len(), n)
	image, err := png.Decode(bytes.NewReader(bitmap.Bytes()))
	require.NoError(t, err)
	assert.Greater(t, image.Bounds().Dx(), 300)
	colours := map[[3]uint32]bool{}
	for y := range image.Bounds().Dy() {
		for x := range image.Bounds().Dx() {
			r, g, b, _ := image.At(x, y).RGBA()
			colours[[3]uint32{r, g, b}] = true
		}
	}
	assert.Greater(t, len(colours), 10, "the drawing is not empty")
	_, err = f.SVG().WriteTo(&vector)
	require.NoError(t, err)
	decoder := xml.NewDecoder(bytes.NewReader(vector.Bytes()))
	var text strings.Builder
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "well-formed XML")
		if s, ok := token.(xml.CharData); ok {
			text.Write(s)
			text.WriteByte(' ')
		}
	}
	for _, w := range words {
		assert.Contains(t, text.String(), w)
	}
	// For a look at the drawings: GOLINE_PLOTS=folder go test ./attribution/compare
	if folder := os.Getenv("GOLINE_PLOTS"); folder != "" {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".png"), bitmap.Bytes(), 0o644))
	}
}

func TestFigures(t *testing.T) {
	racetest.OneGoroutine(t)
	c, truth, estimates := comparison(t)
	for _, metric := range compare.Metrics() {
		for _, axis := range []compare.Axis{compare.Equivalents, compare.Seconds} {
			f, err := compare.ErrorVersusCost(c, metric, axis)
			require.NoError(t, err, metric)
			want := "forward-equivalents (backward = 2)"
			if axis == compare.Seconds {
				want = "seconds"
			}
			checkFigure(t, f, metric.String()+"-"+want[:7], "antithetic", want)
		}
	}
	f, err := compare.Scatter(truth.Values, estimates, 0.95)
	require.NoError(t, err)
	checkFigure(t, f, "scatter", "gradient-activation", "svarm", "Shapley value")
	f, err = compare.Overlap(truth.Values, estimates, 0)
	require.NoError(t, err)
	checkFigure(t, f.Resize(10, 8), "overlap", "permutation", "k")
	assert.Panics(t, func() { f.Resize(0, 1) })
}

func TestFiguresAreDeterministic(t *testing.T) {
	_, truth, estimates := comparison(t)
	draw := func() []byte {
		f, err := compare.Scatter(truth.Values, estimates, 0.95)
		require.NoError(t, err)
		var b bytes.Buffer
		_, err = f.PNG().WriteTo(&b)
		require.NoError(t, err)
		return b.Bytes()
	}
	assert.Equal(t, draw(), draw())
}

func TestBadFigures(t *testing.T) {
	_, err := compare.ErrorVersusCost(&compare.Comparison{}, compare.MSE, compare.Equivalents)
	assert.ErrorContains(t, err, "no mse to draw")
	zero := &compare.Comparison{Cells: []compare.Cell{{Estimator: "exact", Cost: attribution.Cost{Equivalents: 4}}}}
	_, err = compare.ErrorVersusCost(zero, compare.MSE, compare.Equivalents)
	assert.ErrorContains(t, err, "no mse to draw", "zero has no place on a logarithmic axis")
	short := []attribution.Estimate{{Method: "short", Values: []float64{1}, StdErr: []float64{0}}}
	_, err = compare.Scatter([]float64{1, 2}, short, 0.95)
	assert.ErrorContains(t, err, "short has 1 values, the truth 2")
	_, err = compare.Overlap([]float64{1, 2}, short, 0)
	assert.ErrorContains(t, err, "short has 1 values, the truth 2")
	_, err = compare.Scatter(nil, short, 0.95)
	assert.ErrorContains(t, err, "1 estimates of 0 values")
	_, err = compare.Overlap([]float64{1}, short, 2)
	assert.ErrorContains(t, err, "the 2 largest of 1")
	_, err = compare.Scatter([]float64{math.NaN()}, short, 0.95)
	assert.Error(t, err)
	one, err := compare.Scatter([]float64{1}, short, 0.95)
	require.NoError(t, err)
	_, err = one.WriteTo(io.Discard)
	assert.NoError(t, err, "a single point has a degenerate range")
	_, err = one.WriteTo(failing{})
	assert.ErrorIs(t, err, errFull)
}

var errFull = errors.New("disk full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
