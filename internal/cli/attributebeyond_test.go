package cli

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
)

// interactionsFile is the schema of interactions --json.
type interactionsFile struct {
	Setting map[string]any
	Partial bool
	Found   []struct {
		Subject, Estimator, Index, Stopped                string
		Players_chosen_by                                 string
		Image, Class, Samples, Least_samples, Evaluations int
		Players                                           []int
		Names                                             []string
		Singles, Singles_std_err, Pairs, Pairs_std_err    []float64
		Forward_equivalents, Seconds, Empty, Full         float64
		Efficiency_residual                               *float64
	}
}

func TestAttributeInteractions(t *testing.T) {
	w := newAttributeWorld(t)
	find := func(flags ...string) (f interactionsFile, out string) {
		out = w.must(t, append([]string{"interactions", "--data", w.path("test.npz"), "--image", "3", "--value",
			"log-sum-exp",
			"--json", w.path("i.json"), "--csv", w.path("i.csv")}, flags...)...)
		readJSON(t, w.path("i.json"), &f)
		require.Len(t, f.Found, 1)
		assert.False(t, f.Partial)
		return f, out
	}
	exact, out := find("--groups", "5", "--index", "k-sii")
	e := exact.Found[0]
	assert.Equal(t, "exact-k-sii", e.Estimator)
	assert.Contains(t, out, "k-sii of pairs among 5 of 5 players")
	require.Len(t, e.Pairs, 10)
	total := 0.0
	for _, v := range append(append([]float64{}, e.Pairs...), e.Singles...) {
		total += v
	}
	assert.InDelta(t, e.Full-e.Empty, total, 1e-9)
	assert.Len(t, readCSV(t, w.path("i.csv")), 15)

	sampled, _ := find("--groups", "5", "--index", "sii", "--samples", "3000")
	s := sampled.Found[0]
	assert.Equal(t, "sampled-sii", s.Estimator)
	for k := range s.Pairs {
		assert.InDelta(t, e.Pairs[k], s.Pairs[k], 4.5*s.Pairs_std_err[k], "pairs of k-SII are those of SII")
	}
	assert.Nil(t, s.Efficiency_residual)

	chosen, out := find("--among", "4", "--budget", "2000")
	c := chosen.Found[0]
	assert.Len(t, c.Players, 4)
	assert.NotEmpty(t, c.Players_chosen_by)
	assert.Contains(t, out, "players chosen by "+c.Players_chosen_by)
	assert.LessOrEqual(t, c.Forward_equivalents, 2000.0)
	named, _ := find("--player", "7,2", "--samples", "40")
	assert.Equal(t, []int{2, 7}, named.Found[0].Players)
	lines := readCSV(t, w.path("i.csv"))
	require.Len(t, lines, 3)
	assert.Equal(t, "features[7]", lines[2]["other_name"])
	lo, err := strconv.ParseFloat(lines[2]["lo"], 64)
	require.NoError(t, err)
	assert.Less(t, lo, named.Found[0].Pairs[0])

	for _, flags := range [][]string{{"--index", "k-sii", "--among", "3"}, {"--among", "3", "--player", "1"},
		{"--player", "1,1"}, {"--player", "5000"},
		{"--among", "0", "--budget", "50"}, {"--among", "10", "--budget", "60"}} {
		code, _, stderr := w.goline(context.Background(), append([]string{"interactions", "--data", w.path("test.npz"),
			"--value", "log-sum-exp"}, flags...)...)
		assert.Equal(t, exitUsage, code, "%v: %s", flags, stderr)
	}
}

func TestAttributeCurves(t *testing.T) {
	w := newAttributeWorld(t)
	dir := w.path("curves")
	out := w.must(t, "curves", "--data", w.path("test.npz"), "--images", "3", "--value", "log-sum-exp", "--estimators",
		"antithetic,gradient", "--budget", "300",
		"--points", "6", "--out-dir", dir)
	assert.Contains(t, out, "random")
	assert.Contains(t, out, "antithetic")
	curves := readCSV(t, filepath.Join(dir, "curves.csv"))
	assert.Len(t, curves, 3*3*6)
	areas := readCSV(t, filepath.Join(dir, "areas.csv"))
	require.Len(t, areas, 3)
	number := func(line map[string]string, key string) float64 {
		v, err := strconv.ParseFloat(line[key], 64)
		require.NoError(t, err)
		return v
	}
	assert.Equal(t, "random", areas[0]["estimator"])
	assert.Greater(t, number(areas[1], "difference"), number(areas[0], "difference"),
		"an order by estimates beats a random one")
	assert.InDelta(t, number(areas[1], "insertion")-number(areas[1], "deletion"), number(areas[1], "difference"), 1e-12)
	for _, name := range []string{"curves.json", "insertion.png", "insertion.svg", "deletion.png", "deletion.svg"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Positive(t, info.Size())
	}
	code, _, stderr := w.goline(context.Background(), "curves", "--data", w.path("test.npz"), "--points", "1",
		"--out-dir", dir)
	assert.Equal(t, exitUsage, code, stderr)
}

// TestAttributeCompareImport: imported estimates of another program appear in the same tables, and those of other games
// are refused.
func TestAttributeCompareImport(t *testing.T) {
	w := newAttributeWorld(t)
	game := []string{"--data", w.path("test.npz"), "--image", "3,5", "--groups", "4", "--value", "log-sum-exp"}
	values := w.must(t, append([]string{"values", "--estimators", "exact", "--json", w.path("v.json")}, game...)...)
	require.Contains(t, values, "image-3")
	var f valuesFile
	readJSON(t, w.path("v.json"), &f)
	require.Len(t, f.Estimates, 2)
	file := func(name string, off float64) string {
		ends, found := []float64{}, []float64{}
		for _, e := range f.Estimates {
			ends = append(ends, *e.Estimate.Empty, *e.Estimate.Full+off)
			for _, v := range e.Estimate.Values {
				found = append(found, *v)
			}
		}
		path := w.path(name)
		require.NoError(t, npyz.WriteNpz(path, npyz.Stored, npyz.Named{Name: "estimator",
			Array: npyz.Scalar("other-tool")},
			npyz.Named{Name: "games", Array: npyz.New([]string{"image-3", "image-5"})},
			npyz.Named{Name: "budgets", Array: npyz.New([]float64{16, 16})},
			npyz.Named{Name: "evaluations", Array: npyz.New([]int64{16, 16})},
			npyz.Named{Name: "seconds", Array: npyz.New([]float64{0.5, 0.5})},
			npyz.Named{Name: "ends", Array: npyz.New(ends, 2, 2)},
			npyz.Named{Name: "values", Array: npyz.New(found, 2, 4)}))
		return path
	}
	right := file("right.npz", 0)
	args := append([]string{"compare", "--budgets", "16,64", "--seeds", "2", "--estimators", "antithetic", "--out-dir",
		w.path("out"), "--import"}, right)
	out := w.must(t, append(args, game...)...)
	assert.Contains(t, out, "other-tool")
	assert.Contains(t, out, "agreement of seeds")
	cells := readCSV(t, w.path("out/cells.csv"))
	require.Len(t, cells, 4)
	assert.Equal(t, "other-tool", cells[2]["estimator"])
	mse, err := strconv.ParseFloat(cells[2]["mse"], 64)
	require.NoError(t, err)
	assert.InDelta(t, 0, math.Sqrt(mse), 1e-12)
	assert.Equal(t, "0.5", cells[2]["seconds"])
	assert.Equal(t, "2", cells[3]["skipped"], "the file has nothing for 64")
	assert.NotEmpty(t, readCSV(t, w.path("out/agreement.csv")))

	args[len(args)-1] = file("wrong.npz", 0.5)
	code, _, stderr := w.goline(context.Background(), append(args, game...)...)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, `wrong.npz: array "ends": another game "image-3" was played`)
}

// TestAttributeGradientFamily: conductance and the rescale rule run on penultimate neurons, and are skipped elsewhere.
func TestAttributeGradientFamily(t *testing.T) {
	w := newAttributeWorld(t)
	w.must(t, "values", "--data", w.path("test.npz"), "--image", "3", "--value", "probability", "--estimators",
		"conductance,deeplift-rescale", "--json", w.path("v.json"))
	var f valuesFile
	readJSON(t, w.path("v.json"), &f)
	require.Len(t, f.Estimates, 2)
	assert.Equal(t, 17, f.Estimates[0].Estimate.Samples)
	assert.InDelta(t, 0, *f.Estimates[1].Estimate.Efficiency_residual, 1e-9)
	code, _, stderr := w.goline(context.Background(), "values", "--data", w.path("test.npz"), "--image", "3", "--scope",
		"class", "--estimators", "conductance")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "does not know the way of its input")
}
