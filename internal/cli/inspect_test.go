package cli

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/cuda/emu"
)

func TestInspect(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t, "--p-a", "50", "--p-w", "75")
	stdout := must(t, join([]string{"inspect", "--detector", det, "--data", w.path("test.npz")}, w.net())...)
	for _, want := range []string{
		"network                densenet-bc-10-4\n", "features               9\n", "classes                3\n",
		"│ fc.weight ", "[3 9]", "clip 1, p_a 50, p_w 75\n", "fitted images          21\n",
		"neurons kept percent   44.4444\n",
		"images                 13\n", "test.npz#0, 32×32", "classes present        3\n",
	} {
		require.Contains(t, stdout, want)
	}
	var facts struct {
		Classes, Features, Images int
		Network, Weights, SHA256  string
		Tensors                   []tensorFacts
		Neurons_kept_percent      float64
		Weights_kept_percent      float64
		Fitted_images             int
		Line_params               map[string]float64
		Labelled                  bool
	}
	stdout = must(t, join([]string{"inspect", "--json", "--detector", det, "--data", w.path("noise.npy")}, w.net())...)
	require.NoError(t, json.Unmarshal([]byte(stdout), &facts))
	require.Equal(t, worldClasses, facts.Classes)
	require.Equal(t, 9, facts.Features)
	require.Len(t, facts.Tensors, 47)
	require.Equal(t, map[string]float64{"p_a": 50, "p_w": 75, "clip": 1}, facts.Line_params)
	require.InDelta(t, 100*4.0/9, facts.Neurons_kept_percent, 1e-9, "more than the median of nine are four")
	require.Equal(t, 9, facts.Images)
	require.Equal(t, 21, facts.Fitted_images)
	require.False(t, facts.Labelled)
}

func TestGraph(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	dot := must(t, "graph", "--net", worldNet)
	require.True(t, strings.HasPrefix(dot, "digraph"), dot[:20])
	require.Contains(t, dot, "contributions")
	require.NotContains(t, dot, "score")
	require.Contains(t, must(t, "graph", "--net", worldNet, "--classes", "77"), "77")
	require.NotContains(t, must(t, join([]string{"graph", "--classes", "77"}, w.net())...), "77",
		"the weights know the classes")

	whole := must(t, "graph", "--detector", det)
	require.Contains(t, whole, "score")
	require.Greater(t, len(whole), 2*len(must(t, "graph", "--detector", det, "--from", "features", "--fetch", "score")))
	require.Contains(t, must(t, "graph", "--detector", det, "--fetch", "score_gradient_input,line_class"),
		"score_gradient_input")

	for ext, begin := range map[string]string{".dot": "digraph", ".gv": "digraph", ".svg": "<?xml"} {
		if _, err := exec.LookPath("dot"); err != nil && ext == ".svg" {
			require.Contains(t, fails(t, "graph", "--net", worldNet, "--out", w.path("g.svg")), "needs Graphviz")
			continue
		}
		out := filepath.Join(t.TempDir(), "g"+ext)
		require.Empty(t, must(t, "graph", "--net", worldNet, "--out", out))
		require.True(t, strings.HasPrefix(contents(t, out), begin), ext)
	}

	require.Contains(t, refused(t, "graph", "--detector", det, "--fetch", "scores"),
		`no node is named "scores"; there are ["block1"`)
	require.Contains(t, refused(t, "graph", "--net", worldNet, "--from", "pool"),
		`no tapped node is named "pool" to start from`)
	require.Contains(t, fails(t, "graph", "--net", worldNet, "--out", w.path("no/g.dot")), w.path("no/g.dot"))
}

// TestVersion runs in a test's binary, which does not know the versions of its modules. .ci/run checks the whole line
// that the program itself prints.
func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}} {
		require.Regexp(t, `^goline \S.*, go1\.\S+, \w+/\w+, kernels \w+, gorgonia .*\n(CUDA .*\n(  .*\n)*)?$`,
			must(t, args...))
	}
	info, err := debug.ParseBuildInfo("go\tgo1.26.8\npath\tgithub.com/line-ood/goline/cmd/goline\n" +
		"mod\tgithub.com/line-ood/goline\tv1.2.3\t\ndep\tgorgonia.org/cu\tv0.9.4\th1:a=\n" +
		"dep\tgorgonia.org/gorgonia\tv0.9.18\th1:b=\ndep\tgorgonia.org/tensor\tv0.9.24\th1:c=\nbuild\t-tags=noasm\n" +
		"build\tCGO_ENABLED=1\nbuild\tvcs.revision=abc\nbuild\tvcs.time=2026-01-02T03:04:05Z\n" +
		"build\tvcs.modified=true\n")
	require.NoError(t, err)
	built := versionInfo{Build: command.NewBuild(info), Go: "go1", Platform: "a/b", Kernels: "generic"}
	require.Equal(t, command.Build{Version: "v1.2.3", Revision: "abc", Time: "2026-01-02T03:04:05Z", Modified: true,
		Tags: "noasm", Cgo: true, Gorgonia: "v0.9.18"}, built.Build)
	require.Equal(t, "goline v1.2.3 abc, go1, a/b, kernels generic, gorgonia v0.9.18\n", built.line())
	var v versionInfo
	require.NoError(t, json.Unmarshal([]byte(must(t, "version", "--json")), &v))
	require.NotEmpty(t, v.Version)
	require.Equal(t, "v1 abc", command.Build{Version: "v1", Revision: "abc"}.Release())
	require.Equal(t, "v1", command.Build{Version: "v1"}.Release())
	const pseudo = "v0.0.0-20260101000000-0123456789ab"
	require.Equal(t, pseudo, command.Build{Version: pseudo, Revision: "0123456789abcdef"}.Release())
}

// TestVersionListsCards: with a driver, goline version prints a line for each card, and without one a line that says
// so.
func TestVersionListsCards(t *testing.T) {
	t.Setenv(cuda.DriverVariable, filepath.Join(t.TempDir(), "libnone.so"))
	require.Regexp(t, `\nCUDA is not available: .*\n$`, must(t, "version"))
	card := emu.Use(t)
	card.SetDevices(2)
	out := must(t, "version")
	require.Contains(t, out,
		"\nCUDA 12.4 driver, 2 cards\n  cuda:0 emulated card 0, 8.0 GiB, compute capability 9.0, 132 "+
			"multiprocessors\n  cuda:1 emulated card 1")
	var v versionInfo
	require.NoError(t, json.Unmarshal([]byte(must(t, "version", "--json")), &v))
	require.Len(t, v.CUDA.Cards, 2)
}
