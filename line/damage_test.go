package line_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

func itoa(n int) string { return strconv.Itoa(n) }

// rewritten saves a copy of a detector's file with some arrays replaced; a zero Array leaves the array out.
func rewritten(t testing.TB, path string, with map[string]npyz.Array) string {
	t.Helper()
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	var arrays []npyz.Named
	for name, array := range a.All() {
		if other, ok := with[name]; ok {
			if other.Data == nil {
				continue
			}
			array = other
		}
		arrays = append(arrays, npyz.Named{Name: name, Array: array})
	}
	out := filepath.Join(t.TempDir(), "bad.npz")
	require.NoError(t, npyz.WriteNpz(out, npyz.Stored, arrays...))
	return out
}

func TestLoadRefusesWhatIsNotADetector(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.npz")
	_, err := line.Load(missing)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.EqualError(t, err, "load detector: read "+missing+": no such file or directory")
	_, err = line.Load(dir)
	require.ErrorContains(t, err, "not a regular file")

	other := filepath.Join(dir, "features.npz")
	require.NoError(t, npyz.WriteNpz(other, npyz.Stored, npyz.Named{Name: "features", Array: npyz.New([]float32{1})}))
	_, err = line.Load(other)
	require.EqualError(t, err, "load detector "+other+`: it is not a LINe detector: it holds arrays ["features"]`)
	for name, content := range map[string]string{"empty": "", "text": "hello", "zip": "PK\x03\x04 and no more"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
		_, err := line.Load(path)
		require.ErrorContains(t, err, path, name)
	}
}

func TestLoadRefusesBadArrays(t *testing.T) {
	_, path := saved(t, line.DefaultOptions())
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	nan, inf := math.NaN(), math.Inf(1)
	poisoned := func(name string, v float64) npyz.Array {
		array, err := a.Get(name)
		require.NoError(t, err)
		switch data := array.Data.(type) {
		case []float32:
			c := append([]float32(nil), data...)
			c[len(c)-1] = float32(v)
			return npyz.New(c, array.Shape...)
		case []float64:
			c := append([]float64(nil), data...)
			c[len(c)-1] = v
			return npyz.New(c, array.Shape...)
		}
		t.Fatal(name)
		return array
	}
	for _, bad := range []struct {
		name  string
		array npyz.Array
		want  string
	}{
		{"format", npyz.Scalar("goline detector"), "not a LINe detector"},
		{"format", npyz.Scalar(int64(1)), "not a LINe detector"},
		{"version", npyz.Scalar(int64(line.Version + 1)), "expected format version 1, which this program reads, got 2"},
		{"version", npyz.New([]int64{1, 1}), `array "version": expected shape `},
		{"network", npyz.Scalar("resnet-of-doom"), "unknown network: expected one of " +
			strings.Join(nets.Names(), ", ") + `, got "resnet-of-doom"`},
		{"network", npyz.Scalar("mine"), `, got "mine"; LoadFor of package line takes a network that is defined in Go`},
		{"network", npyz.Scalar("densenet-bc-16-4"), "densenet-bc-16-4 of 3 classes: expected "},
		{"network", npyz.Scalar("densenet-bc-9994-10000"), "parameter"},
		{"network", npyz.Scalar("densenet-bc-40-60"), " parameter values, got "},
		{"fingerprint", npyz.Scalar("0123456789abcdef0123456789abcdef"),
			"with other weights: expected fingerprint 0123456789abcdef…"},
		{"p_a", npyz.Scalar(nan), "activation percentile in [0, 100], got NaN"},
		{"p_w", npyz.Scalar(100.5), "weight percentile in [0, 100], got 100.5"},
		{"clip", npyz.Scalar(-1.0), "a positive clip, got -1"},
		{"clip", npyz.Scalar(0.0), "expected a positive clip, got 0"},
		{"clip", npyz.New([]float64{}), `array "clip": expected shape `},
		{"components", npyz.New([]bool{true}), "components: expected shape [3] of bool, got [1] of bool"},
		{"components", npyz.New([]uint8{1, 1, 1}), "components: expected shape [3] of bool, got [3] of uint8"},
		{"counts", npyz.New([]int64{3, 0, 3}), "counts of class 1: expected at least 1, got 0"},
		{"counts", npyz.New([]int64{3, 3, -1}), "counts of class 2: expected at least 1, got -1"},
		{"counts", npyz.New([]int64{3, 3}), "of 2 classes: expected "},
		{"counts", npyz.New([]int64{}), "expected at least 1 class, got 0"},
		{"counts", npyz.New([]float64{3, 3, 2.5}), `array "counts": element 2 is 2.5`},
		{"counts", npyz.New([]int64{3, 3, 2}), "contributions: expected "},
		{"contribution_sums", poisoned("contribution_sums", nan), "contribution_sums holds NaN at index 26"},
		{"contribution_sums", poisoned("contribution_sums", 1e300), "overflows"},
		{"contribution_sums", npyz.New(make([]float64, 27)), `array "contribution_sums": expected shape `},
		{"contribution_sums_low", poisoned("contribution_sums_low", inf), "contribution_sums holds +Inf at index 26"},
		{"contribution_sums_low", npyz.New(make([]float64, 27), 9, 3),
			`array "contribution_sums_low": expected shape `},
		{"contributions", poisoned("contributions", nan), "contributions holds NaN at index 26"},
		{"contributions", poisoned("contributions", 7),
			" at index 26, as the sums and counts give, got 7"},
		{"activation_thresholds", poisoned("activation_thresholds", nan), "activation_thresholds holds NaN at index 2"},
		{"weight_thresholds", poisoned("weight_thresholds", inf), "weight_thresholds holds +Inf at index 2"},
		{"weight_thresholds", npyz.New([]float32{1}), `array "weight_thresholds": expected shape `},
		{"fit_scores", poisoned("fit_scores", nan), "fit_scores holds NaN at index 8"},
		{"fit_scores", poisoned("fit_scores", -100), "fit_scores: expected ascending values, got -100 at index 8"},
		{"fit_scores", npyz.New([]float32{}), "fit_scores is empty"},
		{"fit_scores", npyz.Scalar(float32(1)), `array "fit_scores": expected shape `},
		{"preprocessing", npyz.Scalar(`{"crop":16}`),
			"expected preprocessing that crops images to the input's 32×32 pixels, got 16×16"},
		{"preprocessing", npyz.Scalar(`{"std":[1,0,1]}`),
			`array "preprocessing": key "std": expected three positive numbers`},
		{"preprocessing", npyz.Scalar(int64(1)), `array "preprocessing": expected `},
		{"param/fc.weight", poisoned("param/fc.weight", nan), "param/fc.weight holds NaN at index 26"},
		{"param/fc.weight", poisoned("param/fc.weight", 7), "with other weights"},
		{"param/conv1.weight", npyz.New(make([]float32, 216), 8, 27), `array "param/conv1.weight": expected shape `},
	} {
		broken := rewritten(t, path, map[string]npyz.Array{bad.name: bad.array})
		_, err := line.Load(broken)
		require.ErrorContains(t, err, bad.want, "%s = %v", bad.name, bad.array)
		require.ErrorContains(t, err, broken)
		require.Equal(t, 1, strings.Count(err.Error(), "load detector"), err)
	}
}

// TestLoadRefusesBadClipping damages the arrays of detectors that clip at a percentile. Files of older releases do
// not have these arrays. Older releases refuse files that have them, because their clip is 0.
func TestLoadRefusesBadClipping(t *testing.T) {
	for _, perClass := range []bool{false, true} {
		det, path := saved(t, line.Options{ClipPercentile: 90, ClipPerClass: perClass})
		a, err := npyz.ReadNpz(path)
		require.NoError(t, err)
		clip, err := a.Float64("clip")
		require.NoError(t, err)
		require.Equal(t, []float64{0}, clip)
		limits, err := a.Float32("clip_limits", -1)
		if perClass {
			limits, err = a.Float32("clip_limits", 3, 9)
		}
		require.NoError(t, err)
		require.Equal(t, det.ClipLimits(0), limits[:9])
		poisoned := append([]float32(nil), limits...)
		poisoned[5] = float32(math.NaN())
		limitsArray, err := a.Get("clip_limits")
		require.NoError(t, err)
		for _, bad := range []struct {
			name  string
			array npyz.Array
			want  string
		}{
			{"clip", npyz.Scalar(1.0), "clip beside clip_percentile 90: expected 0, got 1"},
			{"clip_percentile", npyz.Scalar(0.0), map[bool]string{false: "expected a positive clip, got 0",
				true: "expected a positive clip, got 0"}[perClass]},
			{"clip_percentile", npyz.Scalar(100.5), "expected a clip percentile in (0, 100], or 0 for none, got 100.5"},
			{"clip_percentile", npyz.Scalar(math.NaN()),
				"expected a clip percentile in (0, 100], or 0 for none, got NaN"},
			{"clip_percentile", npyz.Scalar("90"), `array "clip_percentile": expected `},
			{"clip_percentile", npyz.Array{}, "expected a positive clip, got 0"},
			{"clip_limits", npyz.Array{}, `array "clip_limits": no such array`},
			{"clip_limits", npyz.New([]float32{1}), `array "clip_limits": expected shape `},
			{"clip_limits", npyz.New(poisoned, limitsArray.Shape...), "clip_limits holds NaN at index 5"},
		} {
			_, err := line.Load(rewritten(t, path, map[string]npyz.Array{bad.name: bad.array}))
			require.ErrorContains(t, err, bad.want, bad.name)
		}
		if !perClass {
			continue
		}
		for _, bad := range []npyz.Array{npyz.Scalar(int64(1)), npyz.New([]bool{true, true}), npyz.New([]bool{})} {
			_, err := line.Load(rewritten(t, path, map[string]npyz.Array{"clip_per_class": bad}))
			require.ErrorContains(t, err, "expected one bool")
		}
		for _, other := range []npyz.Array{npyz.Scalar(false), {}} {
			_, err := line.Load(rewritten(t, path, map[string]npyz.Array{"clip_per_class": other}))
			require.ErrorContains(t, err, `array "clip_limits": expected shape `)
		}
	}
}

// TestLoadMissesEachArray leaves out each array in turn.
func TestLoadMissesEachArray(t *testing.T) {
	_, path := saved(t, line.DefaultOptions())
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	for _, name := range a.Names() {
		det, err := line.Load(rewritten(t, path, map[string]npyz.Array{name: {}}))
		switch {
		case name == "format":
			require.ErrorContains(t, err, "not a LINe detector")
		case name == "preprocessing": // optional: networks need not state their preprocessing
			require.NoError(t, err)
			require.Equal(t, nets.CIFAR(), det.Preprocessing())
		case name == "fit_scores": // optional: older releases did not write it
			require.NoError(t, err)
			_, err = det.FitThreshold()
			require.ErrorIs(t, err, line.ErrNoThreshold)
		case strings.HasPrefix(name, "param/"):
			require.ErrorContains(t, err, " parameter values, got ")
		default:
			require.ErrorContains(t, err, `array "`+name+`": no such array`)
		}
	}
}

func TestLoadRefusesTruncatedFiles(t *testing.T) {
	_, path := saved(t, line.DefaultOptions())
	whole := read(t, path)
	cut := filepath.Join(t.TempDir(), "cut.npz")
	for n := 0; n < len(whole); n += max(1, len(whole)/300) {
		require.NoError(t, os.WriteFile(cut, whole[:n], 0o666))
		_, err := line.Load(cut)
		require.ErrorContains(t, err, cut, "%d of %d bytes", n, len(whole))
	}
	require.NoError(t, os.WriteFile(cut, whole[:len(whole)-1], 0o666))
	_, err := line.Load(cut)
	require.Error(t, err)
}

// TestLoadNoticesFlippedBits: a file with a flipped bit is refused, unless the bit has no meaning.
func TestLoadNoticesFlippedBits(t *testing.T) {
	want, path := saved(t, line.DefaultOptions())
	whole := read(t, path)
	rng := rand.New(rand.NewPCG(1, 1))
	flipped := filepath.Join(t.TempDir(), "flipped.npz")
	refused := 0
	for range 300 {
		bad := bytes.Clone(whole)
		bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
		require.NoError(t, os.WriteFile(flipped, bad, 0o666))
		got, err := line.Load(flipped)
		if err != nil {
			refused++
			require.ErrorContains(t, err, flipped)
			continue
		}
		require.Equal(t, want.Mean(), got.Mean())
		require.Equal(t, want.Options(), got.Options())
		require.Equal(t, line.Fingerprint(want.Network()), line.Fingerprint(got.Network()))
	}
	require.Greater(t, refused, 200, "most of the file is data and checksums")
}
