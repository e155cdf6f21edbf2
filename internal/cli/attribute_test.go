package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/racetest"
	"github.com/line-ood/goline/line"
)

// attributeWorld is a [world] whose network has more than 20 features, too many for exact Shapley values by
// enumeration, and whose sets of images overlap.
type attributeWorld struct {
	world
	args []string // --net and --weights
}

func newAttributeWorld(t testing.TB) attributeWorld {
	t.Helper()
	w := attributeWorld{world: world{t.TempDir()}}
	w.writeNet(t, "net.npz", nettest.DenseNetBC(t, 10, 14, worldClasses, 2))
	w.writeShaded(t, "train.npz", 18, 1, 80, roundLabels(18))
	w.writeShaded(t, "test.npz", 12, 2, 80, roundLabels(12))
	w.writeShaded(t, "foreign.npz", 4, 2, 80, []int64{0, 1, 7, 2})
	w.writeShaded(t, "dark.npz", 10, 3, 50, nil)
	w.writeShaded(t, "bright.npz", 11, 4, 110, nil)
	w.args = []string{"--net", "densenet-bc-10-14", "--weights", w.path("net.npz")}
	return w
}

// writeShaded writes n random images of differing brightness, none darker than level.
func (w attributeWorld) writeShaded(t testing.TB, name string, n int, seed uint64, level int, labels []int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 5))
	pix := make([]uint8, n*32*32*3)
	of := 0 // brightness of the image
	for i := range pix {
		if i%(32*32*3) == 0 {
			of = level + rng.IntN(60)
		}
		pix[i] = uint8(of + rng.IntN(80))
	}
	arrays := []npyz.Named{{Name: "images", Array: npyz.New(pix, n, 32, 32, 3)}}
	if labels != nil {
		arrays = append(arrays, npyz.Named{Name: "labels", Array: npyz.New(labels)})
	}
	require.NoError(t, npyz.WriteNpz(w.path(name), npyz.Stored, arrays...))
}

// goline runs a subcommand of goline attribute, the first argument, on the world's network.
func (w attributeWorld) goline(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, problem bytes.Buffer
	code = Run(ctx, append(append([]string{"attribute", args[0]}, w.args...), args[1:]...), &out, &problem)
	return code, out.String(), problem.String()
}

// must runs a subcommand and expects success.
func (w attributeWorld) must(t testing.TB, args ...string) string {
	t.Helper()
	code, stdout, stderr := w.goline(context.Background(), args...)
	require.Equal(t, exitDone, code, stderr)
	return stdout
}

// interrupted runs a subcommand and interrupts it when its progress output matches a pattern.
func (w attributeWorld) interrupted(t testing.TB, progress string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	seen := watcher{pattern: regexp.MustCompile(progress), found: cancel}
	code = Run(ctx, join([]string{"attribute", args[0], "--progress", "always"}, w.args, args[1:]), &out, &seen)
	require.ErrorIs(t, ctx.Err(), context.Canceled, "no progress like %s: %s", progress, seen.text.String())
	return code, out.String(), seen.text.String()
}

// watcher is a writer that calls a function when the text written to it matches a pattern.
type watcher struct {
	text    bytes.Buffer
	pattern *regexp.Regexp
	found   func()
}

func (w *watcher) Write(p []byte) (int, error) {
	w.text.Write(p)
	if w.pattern.Match(w.text.Bytes()) {
		w.found()
	}
	return len(p), nil
}

// valuesFile is the schema of values --json.
type valuesFile struct {
	Setting struct {
		Net, Weights_sha256, Data, Fit, Layer, Players, Value, Target, Removal, Scope, Detector string
		Seed                                                                                    uint64
		Images                                                                                  int
	}
	Partial   *bool
	Estimates []struct {
		Subject, ID         string
		Image, Label, Class *int
		Images              int
		Level               float64
		Lo, Hi              []*float64
		Kept, Undecided     []int
		Estimate            struct {
			Method                                                string
			Names                                                 []string
			Values, Std_err                                       []*float64
			DF                                                    []*float64
			Samples, Evaluations                                  int
			Forwards, Backwards, Forward_equivalents, Empty, Full *float64
			Efficiency_residual, Seconds                          *float64
			Stopped                                               string
		}
	}
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(into), path)
}

func readCSV(t testing.TB, path string) []map[string]string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	require.NoError(t, err)
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return v
}

// TestAttributeValuesByDefault are those of the estimator that is recommended for the game.
func TestAttributeValuesByDefault(t *testing.T) {
	w := newAttributeWorld(t)
	for value, method := range map[string]string{"logit": "closed-form",
		"log-sum-exp": "odd-regression"} {
		w.must(t, "values", "--data", w.path("test.npz"), "--value", value, "--budget", "400", "--json",
			w.path(value+".json"))
		var f valuesFile
		readJSON(t, w.path(value+".json"), &f)
		require.Len(t, f.Estimates, 1)
		require.Equal(t, method, f.Estimates[0].Estimate.Method)
	}
}

func TestAttributeValues(t *testing.T) {
	w := newAttributeWorld(t)
	out := w.must(t, "values", "--data", w.path("test.npz"), "--images", "3", "--estimators",
		"closed-form,gradient,antithetic,topk",
		"--csv", w.path("v.csv"), "--json", w.path("v.json"), "--target", "label", "--forecast", "--top", "2")
	assert.Equal(t, 12, strings.Count(out, "efficiency residual"))
	var f valuesFile
	readJSON(t, w.path("v.json"), &f)
	assert.False(t, *f.Partial)
	assert.Equal(t, "features", f.Setting.Layer)
	assert.Equal(t, 3, f.Setting.Images)
	require.Len(t, f.Estimates, 12)
	rows := readCSV(t, w.path("v.csv"))
	at, kept := 0, estimate.KeptByPercentile(len(f.Estimates[0].Lo), 90)
	for i, e := range f.Estimates {
		closed := f.Estimates[i-i%4].Estimate
		assert.Equal(t, *e.Label, *e.Class)
		assert.Equal(t, *e.Image%3, *e.Label)
		assert.InDelta(t, 0, *e.Estimate.Efficiency_residual, 1e-9)
		require.Equal(t, []string{"closed-form", "gradient-activation", "antithetic", fmt.Sprintf("top-%d", kept)}[i%4],
			e.Estimate.Method)
		for j, v := range e.Estimate.Values {
			assert.InDelta(t, *closed.Values[j], *v, 1e-9) // the logit is linear
			if i%4 == 3 {                                  // sampling stops where estimates are large
				assert.Nil(t, e.Lo[j])
			} else {
				assert.InDelta(t, *v, *e.Lo[j], 1e-6)
				assert.InDelta(t, *v, *e.Hi[j], 1e-6)
			}
			assert.Equal(t, e.Estimate.Names[j], rows[at]["name"])
			assert.Equal(t, *v, number(t, rows[at]["value"]))
			assert.Equal(t, e.Subject, rows[at]["subject"])
			assert.Equal(t, "false", rows[at]["partial"])
			at++
		}
	}
	assert.Len(t, rows, at)
	assert.Len(t, f.Estimates[3].Kept, kept)
}

// TestAttributeValuesAnyWorkers: the bits do not depend on the number of workers or the batch size, for every kind of
// layer. Another seed chooses other images.
func TestAttributeValuesAnyWorkers(t *testing.T) {
	w := newAttributeWorld(t)
	for _, layer := range [][]string{{}, {"--layer", "block3", "--channels"}, {"--layer", "block2", "--channels",
		"--groups", "5"}, {"--layer", "trans2", "--groups", "7", "--removal", "resample",
		"--fit", w.path("train.npz"), "--background", "2"}} {
		find := func(flags ...string) valuesFile {
			args := append([]string{"values", "--data", w.path("test.npz"), "--value", "log-sum-exp", "--images", "2",
				"--samples", "4",
				"--estimators", "permutation,owen", "--json", w.path("v.json")}, append(layer, flags...)...)
			w.must(t, args...)
			var f valuesFile
			readJSON(t, w.path("v.json"), &f)
			for i := range f.Estimates {
				f.Estimates[i].Estimate.Seconds = nil
			}
			return f
		}
		one := find("--workers", "1", "--batch", "1")
		assert.Equal(t, one, find("--workers", "3", "--batch", "5"), layer)
		other := find("--seed", "2")
		assert.NotEqual(t, one.Estimates[0].Estimate.Values, other.Estimates[0].Estimate.Values)
	}
}

// TestAttributeGames plays every value with every removal on every kind of players. Permutation sampling is efficient
// (the values sum to v(N) - v(∅)), so its residual shows when v(∅), v(N) and the marginal contributions do not belong
// to one game.
func TestAttributeGames(t *testing.T) {
	w := newAttributeWorld(t)
	require.Equal(t, exitDone,
		Run(context.Background(), append([]string{"fit", "--data", w.path("train.npz"), "--out", w.path("det.npz"),
			"--p-a", "50", "--p-w", "50"}, w.args...), new(bytes.Buffer), os.Stderr))
	for _, value := range []string{"logit", "probability", "log-probability", "log-sum-exp", "margin", "line"} {
		for _, removal := range []string{"zero", "mean", "class-mean", "resample"} {
			for _, players := range [][]string{{}, {"--groups", "4"}, {"--layer", "block3", "--channels"},
				{"--layer", "trans2", "--groups", "3"}} {
				for _, scope := range []string{"sample", "class"} {
					if racetest.On && scope == "class" && value != "log-sum-exp" {
						continue // another value only changes numbers
					}
					args := append([]string{"values", "--data", w.path("test.npz"), "--fit", w.path("train.npz"),
						"--features-dir", w.path("cache"), "--images", "4",
						"--value", value, "--removal", removal, "--background", "3", "--scope", scope, "--detector",
						w.path("det.npz"), "--samples", "3",
						"--estimators", "permutation", "--json", w.path("v.json")}, players...)
					w.must(t, args...)
					var f valuesFile
					readJSON(t, w.path("v.json"), &f)
					require.NotEmpty(t, f.Estimates, args)
					for _, e := range f.Estimates {
						// A mean game draws its members at random, so it is efficient in expectation only.
						if scope == "sample" && removal != "resample" {
							assert.InDelta(t, 0, *e.Estimate.Efficiency_residual, 1e-5, args)
						}
						assert.NotEqual(t, *e.Estimate.Full, *e.Estimate.Empty, args)
					}
				}
			}
		}
	}
}

// TestAttributeLineScore: with all neurons present, the game's value is the score that goline score writes.
func TestAttributeLineScore(t *testing.T) {
	w := newAttributeWorld(t)
	ctx := context.Background()
	require.Equal(t, exitDone,
		Run(ctx, append([]string{"fit", "--data", w.path("train.npz"), "--out", w.path("det.npz"), "--p-a", "50",
			"--p-w", "50"},
			w.args...), new(bytes.Buffer), os.Stderr))
	require.Equal(t, exitDone, Run(ctx, []string{"score", "--detector", w.path("det.npz"), "--data", w.path("test.npz"),
		"--out", w.path("s.csv")},
		new(bytes.Buffer), os.Stderr))
	scores := readCSV(t, w.path("s.csv"))
	w.args = nil // the detector holds the network
	for _, layer := range []string{"features", "block3"} {
		w.must(t, "values", "--detector", w.path("det.npz"), "--data", w.path("test.npz"), "--images", "0", "--value",
			"line", "--layer", layer,
			"--samples", "1", "--estimators", "permutation", "--groups", "2", "--json", w.path("v.json"))
		var f valuesFile
		readJSON(t, w.path("v.json"), &f)
		require.Len(t, f.Estimates, len(scores))
		for i, e := range f.Estimates {
			assert.InDelta(t, number(t, scores[i]["score"]), *e.Estimate.Full, 1e-4, "%s, image %d", layer, i)
		}
	}
}

// TestAttributeValuesInterrupt: an interrupted command writes what an uninterrupted one with as many samples writes.
func TestAttributeValuesInterrupt(t *testing.T) {
	w := newAttributeWorld(t)
	code, stdout, stderr := w.interrupted(t, `permutation .*\([1-9]`, "values", "--data", w.path("test.npz"), "--value",
		"log-sum-exp", "--images", "1", "--budget", "1e15",
		"--estimators", "permutation", "--csv", w.path("v.csv"), "--json", w.path("v.json"))
	require.Equal(t, exitInterrupted, code, stderr)
	assert.Contains(t, stdout, "partial")
	var part, whole valuesFile
	readJSON(t, w.path("v.json"), &part)
	require.True(t, *part.Partial)
	require.Len(t, part.Estimates, 1)
	cut := part.Estimates[0].Estimate
	assert.Equal(t, string(attribution.StopInterrupted), cut.Stopped)
	require.Positive(t, cut.Samples)
	for _, row := range readCSV(t, w.path("v.csv")) {
		assert.Equal(t, "true", row["partial"])
		assert.NotEmpty(t, row["lo"])
	}
	w.must(t, "values", "--data", w.path("test.npz"), "--value", "log-sum-exp", "--images", "1", "--samples",
		strconv.Itoa(cut.Samples),
		"--estimators", "permutation", "--json", w.path("v.json"))
	readJSON(t, w.path("v.json"), &whole)
	assert.Equal(t, whole.Estimates[0].Estimate.Values, cut.Values)
	assert.Equal(t, whole.Estimates[0].Lo, part.Estimates[0].Lo)
}

func TestAttributeUsage(t *testing.T) {
	w := newAttributeWorld(t)
	data := []string{"--data", w.path("test.npz")}
	values := append([]string{"values"}, data...)
	compare := append([]string{"compare", "--out-dir", w.path("out")}, data...)
	downstream := []string{"downstream", "--fit", w.path("train.npz"), "--id", w.path("test.npz"), "--ood",
		"dark=" + w.path("dark.npz")}
	for _, c := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"values"}, exitUsage, "--data is required"},
		{append(values, "--estimators", "shapley"), exitUsage, `unknown estimator "shapley"`},
		{append(values, "--estimators", "owen,owen"), exitUsage, "owen is named twice"},
		{append(values, "--value", "energy"), exitUsage, `--value "energy": expected logit,`},
		{append(values, "--value", "line"), exitUsage, "--detector is required"},
		{append(values, "--target", "cat"), exitUsage, `--target "cat"`},
		{append(values, "--target", "7"), exitUsage, "--target 7: expected a class from 0 to 2"},
		{append(values, "--removal", "mean"), exitUsage, "--removal mean needs --fit"},
		{append(values, "--removal", "noise"), exitUsage, `--removal "noise"`},
		{append(values, "--removal", "class-mean", "--fit", w.path("dark.npz")), exitUsage, "have no labels"},
		{append(values, "--removal", "resample", "--fit", "x", "--background", "0"), exitUsage, "--background 0"},
		{append(values, "--scope", "all"), exitUsage, `--scope "all"`},
		{append(values, "--groups", "-1"), exitUsage, "--groups -1"},
		{append(values, "--groups", "100000"), exitUsage, "--groups 100000: layer features has"},
		{append(values, "--groups", "2", "--channels"), exitUsage, "single neurons only"},
		{append(values, "--layer", "block2", "--groups", "1000", "--channels"), exitUsage, "block2 has 35 channels"},
		{append(values, "--channels"), exitUsage, "single neurons only"},
		{append(values, "--layer", "attic"), exitUsage, `no node is named "attic"`},
		{append(values, "--layer", ""), exitUsage, "--layer is empty"},
		{append(values, "--images", "-1"), exitUsage, "--images -1"},
		{append(values, "--image", "12"), exitUsage, "--image 12: "},
		{append(values, "--image", "3,3"), exitUsage, "--image 3 is named twice"},
		{append(values, "--budget", "NaN"), exitUsage, "--budget NaN"},
		{append(values, "--budget", "-1"), exitUsage, "--budget -1"},
		{append(values, "--samples", "-1"), exitUsage, "--samples -1"},
		{append(values, "--target-stderr", "-1"), exitUsage, "--target-stderr -1"},
		{append(values, "--backward-cost", "0"), exitUsage, "--backward-cost 0"},
		{append(values, "--top", "-1"), exitUsage, "--top -1"},
		{append(values, "--estimators", "antithetic", "--budget", "3"), exitFailed, "budget too small"},
		{append(values, "--value", "probability", "--estimators", "closed-form"), exitFailed, "not linear"},
		{append(values, "--csv", w.path("no/such/folder.csv")), exitFailed, "no/such/folder"},
		{[]string{"values", "--data", w.path("missing.npz")}, exitFailed, "missing.npz"},
		{[]string{"values", "--data", w.path("net.npz")}, exitFailed, "net.npz"},
		{[]string{"values", "--data", w.path("dark.npz"), "--scope", "class"}, exitUsage, "has no label"},
		{[]string{"values", "--data", w.path("dark.npz"), "--target", "label"}, exitFailed, "label"},
		{append(values, "--value", "line", "--detector", w.path("net.npz")), exitFailed, "not a LINe detector"},
		{[]string{"values", "--data", w.path("foreign.npz"), "--scope", "class"}, exitFailed,
			"foreign.npz#2: expected a label below the network's 3 classes, got 7"},
		{[]string{"values", "--data", w.path("foreign.npz"), "--target", "label", "--layer", "block3"}, exitFailed,
			"foreign.npz#2: expected a label below the network's 3 classes, got 7"},
		{append(values, "--csv", w.path("x"), "--json", w.path("x")), exitUsage, "--csv and --json are the same file"},
		{append(values, "--csv", w.path("test.npz")), exitUsage, "would replace the file of --data"},
		{append(values, "--features-dir", w.path("net.npz")), exitFailed, "--features-dir"},
		{append(compare, "--value", "log-sum-exp", "--groups", "3", "--features-dir", w.path("net.npz")), exitFailed,
			"--features-dir"},
		{append(downstream, "--csv", w.path("no/such/folder.csv")), exitFailed, "no/such/folder"},
		{[]string{"values", "more"}, exitUsage, `unexpected argument "more"`},
		{[]string{"compare"}, exitUsage, "--out-dir is required"},
		{append(compare, "--budgets", "0"), exitUsage, "--budgets 0"},
		{append(compare, "--budgets", "5,x"), exitUsage, `"x" is not a number`},
		{append(compare, "--budgets", ""), exitUsage, `"" is not a number`},
		{append(compare, "--budgets", "5,5"), exitUsage, "5 is named twice"},
		{append(compare, "--budgets", "Inf"), exitUsage, "--budgets +Inf"},
		{append(compare, "--seeds", "0"), exitUsage, "--seeds 0"},
		{append(compare, "--truth-budget", "NaN"), exitUsage, "--truth-budget NaN"},
		{append(compare, "--value", "log-sum-exp", "--truth-budget", "3"), exitUsage, "--truth-budget: "},
		{append(compare, "--keep", "-1"), exitUsage, "--keep -1"},
		{append(compare, "--keep", "100000"), exitUsage, "--keep 100000: there are"},
		{append(compare, "--bootstrap", "0"), exitUsage, "--bootstrap 0"},
		{[]string{"compare", "--data", w.path("test.npz"), "--out-dir", w.path("net.npz")}, exitFailed, "--out-dir"},
		{[]string{"downstream"}, exitUsage, "--fit"},
		{downstream[:5], exitUsage, "--ood is required"},
		{append(downstream, "--values", "joy"), exitUsage, `--values "joy"`},
		{append(downstream, "--values", "logit,logit"), exitUsage, "logit is named twice"},
		{append(downstream, "--estimators", "x"), exitUsage, `unknown estimator "x"`},
		{append(downstream, "--budgets", "-4"), exitUsage, "--budgets -4"},
		{append(downstream, "--seeds", "0"), exitUsage, "--seeds 0"},
		{append(downstream, "--seed", "4294967296"), exitUsage, "--seed 4294967296"},
		{append(downstream, "--removal", "x"), exitUsage, `--removal "x"`},
		{append(downstream, "--removal", "class-mean"), exitUsage, "zero on average"},
		{append(downstream, "--background", "0"), exitUsage, "--background 0"},
		{append(downstream, "--p-a", "101"), exitUsage, "percentile in [0, 100], got 101"},
		{append(downstream, "--clip", "0"), exitUsage, "--clip: expected a positive number, got 0"},
		{[]string{"downstream", "--fit", w.path("dark.npz"), "--id", w.path("test.npz"), "--ood",
			"d=" + w.path("dark.npz")}, exitFailed, "no labels"},
	} {
		code, _, stderr := w.goline(context.Background(), c.args...)
		assert.Equal(t, c.code, code, "%q: %s", c.args, stderr)
		assert.Contains(t, stderr, c.stderr, "%q", c.args)
		assert.NotContains(t, stderr, "internal error", "%q", c.args)
	}
}

// TestAttributeClassScope: the class means of the logit game are the contributions that goline fit computes in the
// network's own graph.
func TestAttributeClassScope(t *testing.T) {
	w := newAttributeWorld(t)
	require.Equal(t, exitDone,
		Run(context.Background(), append([]string{"fit", "--data", w.path("train.npz"), "--out", w.path("det.npz")},
			w.args...),
			new(bytes.Buffer), os.Stderr))
	det, err := line.Load(w.path("det.npz"))
	require.NoError(t, err)
	w.must(t, "values", "--data", w.path("train.npz"), "--scope", "class", "--estimators", "gradient,closed-form",
		"--json", w.path("v.json"))
	var f valuesFile
	readJSON(t, w.path("v.json"), &f)
	require.Len(t, f.Estimates, 2*worldClasses)
	features := det.Network().FeatureDim()
	for i, e := range f.Estimates {
		class := i / 2
		assert.Equal(t, class, *e.Class)
		assert.Equal(t, 6, e.Images)
		assert.Nil(t, e.Image)
		for j, v := range e.Estimate.Values {
			assert.InDelta(t, det.Mean()[class*features+j], *v, 1e-5)
		}
	}
	// A choice of images: fewer of them, the same ones for the same seed, and those of --image in their order.
	w.must(t, "values", "--data", w.path("train.npz"), "--image", "5,2", "--estimators", "closed-form", "--json",
		w.path("v.json"))
	readJSON(t, w.path("v.json"), &f)
	require.Len(t, f.Estimates, 2)
	assert.Equal(t, []int{5, 2}, []int{*f.Estimates[0].Image, *f.Estimates[1].Image})
	assert.Contains(t, f.Estimates[0].ID, "#5")
}

// TestAttributeForeignLabels: labels that are no classes of the network do no harm where labels are not needed.
func TestAttributeForeignLabels(t *testing.T) {
	w := newAttributeWorld(t)
	for _, layer := range []string{"features", "block3"} {
		w.must(t, "values", "--data", w.path("foreign.npz"), "--images", "0", "--groups", "2", "--samples", "2",
			"--layer", layer, "--json", w.path("v.json"))
		var f valuesFile
		readJSON(t, w.path("v.json"), &f)
		require.Len(t, f.Estimates, 4)
		for _, e := range f.Estimates {
			assert.Nil(t, e.Label)
			assert.NotNil(t, e.Class)
		}
	}
}
