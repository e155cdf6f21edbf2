package nets_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

func TestNewRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"": "unknown network: expected one of " +
			"densenet-bc-DEPTH-GROWTH[-rREDUCTION]",
		"densenet":             "unknown network",
		"densenet-bc-100":      "unknown network",
		"densenet-bc-100-12x":  "unknown network",
		"Densenet-BC-100-12":   "unknown network",
		"densenet-bc--100-12":  "unknown network",
		"densenet-bc-100-12-r": "unknown network",
		"densenet-bc-99-12": `network "densenet-bc-99-12": expected a depth of 6n+4 with ` +
			"n ≥ 1, got 99",
		"densenet-bc-100-0":                               "expected a growth of at least 1, got 0",
		"densenet-bc-100-12-r1.5":                         "expected a reduction in (0, 1], got 1.5",
		"densenet-bc-100-12345":                           "expected numbers of at most 10000, got 12345",
		"densenet-bc-99999999999999999-1":                 "expected numbers of at most 10000, got 99999999999999999",
		"densenet-bc-100-12-r" + strings.Repeat("9", 400): "expected numbers of at most 10000, got 9999999999",
	} {
		_, err := nets.New(name, 10)
		require.ErrorContains(t, err, want)
		require.Equal(t, strings.Contains(want, "unknown"), errors.Is(err, nets.ErrUnknown), name)
		_, sizeErr := nets.Size(name, 10)
		require.EqualError(t, sizeErr, err.Error())
	}
	_, err := nets.New("densenet-bc-100-12", 0)
	require.ErrorContains(t, err, "expected at least 1 class, got 0")
}

// named replaces a name's capital words by numbers. An optional part is left out.
func named(usage string, numbers ...int) string {
	usage, _, _ = strings.Cut(usage, "[")
	return regexp.MustCompile(`[A-Z]+`).ReplaceAllStringFunc(usage, func(string) string {
		n := numbers[0]
		numbers = numbers[1:]
		return strconv.Itoa(n)
	})
}

// TestSizeIsWhatNewAllocates checks Size for some networks of each family. The largest numbers that a name can have
// must be refused before memory is allocated.
func TestSizeIsWhatNewAllocates(t *testing.T) {
	for _, usage := range nets.Names() {
		if !strings.Contains(usage, "-DEPTH-") {
			continue
		}
		built := 0
		for depth := range 30 {
			if sizeIsWhatNewAllocates(t, named(usage, depth, 2)) {
				built++
			}
		}
		require.Positive(t, built, usage)
		for depth := 9990; depth <= 10000; depth++ {
			_, err := nets.New(named(usage, depth, 10000), 10)
			require.Error(t, err, usage)
		}
	}
	for _, name := range []string{"resnet20", "resnet18-openood", "mobilenet_v2"} {
		require.Contains(t, nets.Names(), name)
		require.True(t, sizeIsWhatNewAllocates(t, name))
	}
}

// sizeIsWhatNewAllocates checks Size and New for a name, and returns whether there is such a network.
func sizeIsWhatNewAllocates(t *testing.T, name string) bool {
	net, err := nets.New(name, 5)
	if err != nil {
		return false
	}
	require.Equal(t, name, net.Name())
	require.Equal(t, 5, net.Classes())
	want, seen := 0, map[string]bool{}
	for _, p := range net.Params() {
		want += len(p.Float32s())
		require.False(t, seen[p.Name], p.Name)
		seen[p.Name] = true
	}
	got, err := nets.Size(name, 5)
	require.NoError(t, err)
	require.Equal(t, want, got)
	return true
}

// stateOf returns a network's parameters in the form in which they are saved.
func stateOf(t testing.TB, net *nets.Network) *weights.StateDict {
	t.Helper()
	sd := &weights.StateDict{}
	for _, p := range net.Params() {
		require.NoError(t, sd.Add(weights.Tensor{Name: p.Name, Shape: p.Shape(), F32: p.Float32s()}))
	}
	return sd
}

func TestOpen(t *testing.T) {
	want := nettest.DenseNetBC(t, 10, 4, 7, 1)
	dir := t.TempDir()
	npz, safe := filepath.Join(dir, "w.npz"), filepath.Join(dir, "w.safetensors")
	require.NoError(t, weights.WriteNpz(npz, stateOf(t, want)))
	require.NoError(t, weights.WriteSafetensors(safe, stateOf(t, want)))
	for _, path := range []string{npz, safe} {
		got, err := nets.Open("densenet-bc-10-4", path)
		require.NoError(t, err)
		other, err := nets.OpenFS(os.DirFS(dir), "densenet-bc-10-4", filepath.Base(path))
		require.NoError(t, err)
		require.Equal(t, got.Params(), other.Params())
		require.Equal(t, 7, got.Classes())
		for i, p := range want.Params() {
			require.Equal(t, p.Name, got.Params()[i].Name)
			require.Equal(t, p.Float32s(), got.Params()[i].Float32s())
		}
	}
}

// TestOpenFindsTheHead: the number of classes is that of the last layer, whatever its name is.
func TestOpenFindsTheHead(t *testing.T) {
	for _, name := range []string{"mobilenet_v3_small", "resnet20"} {
		want, err := nets.New(name, 7)
		require.NoError(t, err)
		nettest.Fill(want.Params(), 1)
		path := filepath.Join(t.TempDir(), "w.npz")
		require.NoError(t, weights.WriteNpz(path, stateOf(t, want)))
		got, err := nets.Open(name, path)
		require.NoError(t, err)
		require.Equal(t, 7, got.Classes())
		w, _ := got.Head()
		wantW, _ := want.Head()
		require.Equal(t, wantW.Float32s(), w.Float32s())
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.npz")
	require.NoError(t, weights.WriteNpz(good, stateOf(t, nettest.DenseNetBC(t, 10, 4, 7, 1))))

	_, err := nets.Open("densenet-bc-10", good)
	require.ErrorIs(t, err, nets.ErrUnknown)
	require.ErrorContains(t, err,
		`unknown network: expected one of `+strings.Join(nets.Names(), ", ")+`, got "densenet-bc-10"`)
	_, err = nets.Open("densenet-bc-16-4", good)
	require.ErrorContains(t, err, "load weights "+good+" into densenet-bc-16-4: ")
	var mismatch *weights.MismatchError
	require.ErrorAs(t, err, &mismatch)
	require.Contains(t, mismatch.Missing, "block1.layer.1.bn1.weight")
	require.NotEmpty(t, mismatch.Misshapen)

	missing := filepath.Join(dir, "missing.npz")
	_, err = nets.Open("densenet-bc-10-4", missing)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, missing)
	whole, err := os.ReadFile(good)
	require.NoError(t, err)
	cut := filepath.Join(dir, "cut.npz")
	require.NoError(t, os.WriteFile(cut, whole[:len(whole)/2], 0o666))
	_, err = nets.Open("densenet-bc-10-4", cut)
	require.ErrorContains(t, err, cut)

	// If the number of classes cannot be read from the last layer, that is reported with all other mismatches.
	for name, shape := range map[string][]int{"no last layer": nil, "a vector": {63}, "no classes": {0, 9}} {
		sd := &weights.StateDict{}
		for _, p := range nettest.DenseNetBC(t, 10, 4, 7, 1).Params() {
			tensor := weights.Tensor{Name: p.Name, Shape: p.Shape(), F32: p.Float32s()}
			if p.Name == "fc.weight" {
				if shape == nil {
					continue
				}
				tensor.Shape = shape
				if shape[0] == 0 {
					tensor.F32 = []float32{}
				}
			}
			require.NoError(t, sd.Add(tensor))
		}
		path := filepath.Join(dir, "bad.npz")
		require.NoError(t, weights.WriteNpz(path, sd))
		_, err := nets.Open("densenet-bc-10-4", path)
		require.ErrorContains(t, err, path, name)
		require.ErrorContains(t, err, "fc.weight", name)
	}
}

func TestPreprocessing(t *testing.T) {
	require.Equal(t, nets.Preprocessing{
		Resize: 32, Crop: 32, Mean: [3]float32{.4914, .4822, .4465}, Std: [3]float32{.2023, .1994, .2010},
	}, nets.CIFAR())
}
