package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli"
	"github.com/line-ood/goline/internal/sharedtest"
)

// asCommand is the environment variable that makes a process of the test binary run as the command goline-beam.
const asCommand = "GOLINE_BEAM_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(run(context.Background(), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// process returns a process that runs goline-beam.
func process(t testing.TB, args ...string) (cmd *exec.Cmd, output *bytes.Buffer) {
	cmd, output = exec.CommandContext(t.Context(), os.Args[0], args...), &bytes.Buffer{}
	cmd.Env = append(os.Environ(), asCommand+"=1")
	cmd.Stdout, cmd.Stderr = output, output
	return cmd, output
}

// beams runs goline-beam and checks its exit status.
func beams(t testing.TB, status int, args ...string) string {
	t.Helper()
	cmd, output := process(t, args...)
	err := cmd.Run()
	require.Equal(t, status, cmd.ProcessState.ExitCode(), "%v: %s", err, output)
	return output.String()
}

// goline runs goline.
func goline(t testing.TB, args ...string) {
	t.Helper()
	before, out := os.Args, os.Stdout
	defer func() { os.Args, os.Stdout = before, out }()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	os.Args, os.Stdout = append([]string{"goline"}, args...), null
	require.Zero(t, cli.Main(), "%q", args)
}

// world is a folder with real data, and the flags of the network for these data.
type world struct {
	dir, data string
	net       []string
}

// newWorld uses the first n images of CIFAR-10's test set.
func newWorld(t testing.TB, n int) world {
	t.Helper()
	const record = 1 + 3*32*32
	weights := sharedtest.Path(t, "checkpoints", "cifar10_resnet20.th")
	all, err := os.ReadFile(sharedtest.Path(t, "data", "cifar10_test_5000.bin"))
	require.NoError(t, err)
	w := world{dir: t.TempDir(), net: []string{"--net", "resnet20", "--weights", weights}}
	w.data = w.path("test.bin")
	require.NoError(t, os.WriteFile(w.data, all[:min(len(all), n*record)], 0o666))
	return w
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }

func contents(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// number returns the number before a word in the report.
func number(t testing.TB, report, word string) string {
	m := regexp.MustCompile(`(\d+) ` + word).FindStringSubmatch(report)
	require.NotNil(t, m, "%q in %s", word, report)
	return m[1]
}

// TestBitsOfOneMachine: detector, scores and features from eight bundles on prism are those of goline, byte for byte.
func TestBitsOfOneMachine(t *testing.T) {
	n := 5000
	if testing.Short() {
		n = 160
	}
	w := newWorld(t, n)
	same := func(a, b string) {
		t.Helper()
		require.True(t, contents(t, w.path(a)) == contents(t, w.path(b)), "%s and %s", a, b)
	}
	goline(t, append([]string{"fit", "--data", w.data, "--out", w.path("want.npz")}, w.net...)...)
	report := beams(t, 0, append([]string{"--job", "fit", "--data", w.data, "--out", w.path("got.npz"), "--pieces",
		"8"}, w.net...)...)
	same("want.npz", "got.npz")
	require.Equal(t, []string{fmt.Sprint(n), "8", "1"}, []string{number(t, report, "pictures"),
		number(t, report, "bundles"), number(t, report, "networks opened")})

	score := []string{"--detector", w.path("want.npz"), "--data", w.data, "--out"}
	goline(t, append([]string{"score"}, append(score, w.path("want.csv"))...)...)
	report = beams(t, 0, append([]string{"--job", "score", "--pieces", "8"}, append(score, w.path("scores"))...)...)
	require.Equal(t, []string{fmt.Sprint(n), "8"},
		[]string{number(t, report, "pictures"), number(t, report, "bundles")})
	w.merge(t, "scores/*.csv", "got.csv")
	same("want.csv", "got.csv")

	features := append([]string{"--data", w.data, "--out"}, w.path("features.npz"))
	goline(t, append(append([]string{"features"}, features...), w.net...)...)
	beams(t, 0, append([]string{"--job", "features", "--bundles", "0", "--data", w.data, "--out", w.path("features")},
		w.net...)...)
	w.merge(t, "features/*.npz", "merged.npz")
	same("features.npz", "merged.npz")
}

// merge runs goline merge on the files that match a pattern.
func (w world) merge(t testing.TB, pattern, out string) {
	t.Helper()
	parts, err := filepath.Glob(w.path(pattern))
	require.NoError(t, err)
	require.NotEmpty(t, parts)
	goline(t, append(append([]string{"merge"}, parts...), "--out", w.path(out))...)
}

// list writes the images as PNG files, and a list of them in which the lines in change replace others.
func (w world) list(t testing.TB, name string, change map[int]string) string {
	t.Helper()
	set, err := dataset.Open(w.data)
	require.NoError(t, err)
	defer set.Close()
	var lines strings.Builder
	for i := range set.Len() {
		file := fmt.Sprintf("p %d.png", i)
		if line, changed := change[i]; changed {
			lines.WriteString(line)
			continue
		}
		fmt.Fprintf(&lines, "%s %d\n", file, set.Labels()[i])
		img, err := set.Image(i)
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, png.Encode(&out, img))
		require.NoError(t, os.WriteFile(w.path(file), out.Bytes(), 0o666))
	}
	require.NoError(t, os.WriteFile(w.path(name), []byte(lines.String()), 0o666))
	return w.path(name)
}

// TestDeadLetters: an image that cannot be read either fails the job, or is written to the dead letters with the
// reason, and the result is that of a list without it.
func TestDeadLetters(t *testing.T) {
	w := newWorld(t, 60)
	require.NoError(t, os.WriteFile(w.path("broken.png"), []byte("\x89PNG\r\n\x1a\n no more"), 0o666))
	bad := map[int]string{3: "broken.png 1\n", 40: "nowhere.png 2\n", 41: "broken.png 3\n"}
	good := map[int]string{3: "", 40: "", 41: ""}
	data, clean := w.list(t, "bad.txt", bad), w.list(t, "good.txt", good)
	fit := append([]string{"--job", "fit", "--data", data, "--out", w.path("got.npz"), "--pieces", "60"}, w.net...)
	require.Regexp(t, `broken\.png|nowhere\.png`, beams(t, 1, fit...), "one of them, since pieces run side by side")
	require.NoFileExists(t, w.path("got.npz"))
	report := beams(t, 0, append(fit, "--dead-letters", w.path("letters"))...)
	require.Equal(t, "3", number(t, report, "could not be read"))
	letters, err := filepath.Glob(w.path("letters/*"))
	require.NoError(t, err)
	require.Equal(t, []string{w.path("letters/unread-000003-of-000060.jsonl"), w.path(
		"letters/unread-000040-of-000060.jsonl"), w.path("letters/unread-000041-of-000060.jsonl")}, letters)
	require.Regexp(t, `^{"position":3,"id":"broken.png","label":1,"reason":".*"}\n$`, contents(t, letters[0]))
	require.Regexp(t, `^{"position":40,"id":"nowhere.png","label":2,"reason":".*"}\n$`, contents(t, letters[1]))
	goline(t, append([]string{"fit", "--data", clean, "--out", w.path("want.npz")}, w.net...)...)
	require.True(t, contents(t, w.path("want.npz")) == contents(t, w.path("got.npz")))

	goline(t, "score", "--detector", w.path("want.npz"), "--data", clean, "--out", w.path("want.csv"))
	beams(t, 0, "--job", "score", "--detector", w.path("want.npz"), "--data", "list:"+data+"+"+w.dir, "--out",
		w.path("s"), "--pieces", "7", "--dead-letters", w.path("l"))
	require.Equal(t, 2, strings.Count(contents(t, w.path("l/unread-000004-of-000007.jsonl")), "\n"))
	w.merge(t, "s/*.csv", "got.csv")
	require.Equal(t, contents(t, w.path("want.csv")), contents(t, w.path("got.csv")))
}

// TestKilledWorker: a job that is killed in the middle and run again uses the finished pieces, and gives the same
// bytes.
func TestKilledWorker(t *testing.T) {
	w := newWorld(t, 400)
	goline(t, append([]string{"fit", "--data", w.data, "--out", w.path("want.npz")}, w.net...)...)
	fit := append([]string{"--job", "fit", "--data", w.data, "--out", w.path("got.npz"), "--parts", w.path("parts"),
		"--pieces", "200", "--bundles", "1", "--resume"}, w.net...)
	cmd, output := process(t, fit...)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		done, err := filepath.Glob(w.path("parts/*.json"))
		return err == nil && len(done) >= 3
	}, time.Minute, time.Millisecond, output)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.NoFileExists(t, w.path("got.npz"), "the job was done before it was killed: %s", output)
	report := beams(t, 0, fit...)
	require.NotEqual(t, "0", number(t, report, "taken as they were"))
	require.NotEqual(t, "0", number(t, report, "pictures in"))
	require.True(t, contents(t, w.path("want.npz")) == contents(t, w.path("got.npz")))

	other := append(fit, "--p-a", "50")
	require.Contains(t, beams(t, 1, other...), "is of another job")
}

// TestAttempts: a job that fails is tried again as often as told, takes what it had finished, and gives the same bytes.
func TestAttempts(t *testing.T) {
	w := newWorld(t, 60)
	data := w.list(t, "late.txt", nil)
	goline(t, "fit", "--net", w.net[1], "--weights", w.net[3], "--data", data, "--out", w.path("det.npz"))
	goline(t, "score", "--detector", w.path("det.npz"), "--data", data, "--out", w.path("want.csv"))
	late, away := w.path("p 40.png"), w.path("away")
	require.NoError(t, os.Rename(late, away))
	score := []string{"--job", "score", "--detector", w.path("det.npz"), "--data", data, "--out", w.path("s"),
		"--pieces", "6", "--bundles", "1", "--attempts"}
	report := beams(t, 1, append(score, "2")...)
	require.Equal(t, 2, strings.Count(report, "goline-beam: "), report)

	cmd, output := process(t, append(score, "100")...)
	cmd.Stderr = nil
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for back := false; lines.Scan(); {
		if !back && strings.Contains(lines.Text(), "goline-beam: ") {
			back = true
			require.NoError(t, os.Rename(away, late))
		}
	}
	require.NoError(t, cmd.Wait(), output)
	require.NotEqual(t, "0", number(t, output.String(), "taken as they were"))
	w.merge(t, "s/*.csv", "got.csv")
	require.Equal(t, contents(t, w.path("want.csv")), contents(t, w.path("got.csv")))
}

// TestFlagsOfPages: the flags of goline-beam in the documentation exist.
func TestFlagsOfPages(t *testing.T) {
	help, checked := beams(t, 0, "--help"), 0
	for line := range strings.Lines(contents(t, "../../../docs/scale.md")) {
		if !strings.HasPrefix(line, "./goline-beam ") {
			continue
		}
		for _, m := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(line, -1) {
			require.Regexp(t, `(?m)^  -`+m[1]+`\b`, help)
			checked++
		}
	}
	require.Greater(t, checked, 5)
}

// TestUsage: what no job can have is an error of usage.
func TestUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"expected one of features, fit, score": {"--data", "x", "--out", "y"},
		"data, out, detector is required":      {"--job", "score"},
		"weights is required":                  {"--job", "fit", "--net", "resnet20", "--data", "x", "--out", "y"},
		"resume: expected a folder of parts": {"--job", "fit", "--net", "a.onnx", "--data", "x", "--out", "y",
			"--resume"},
		"clip": {"--job", "fit", "--net", "a.onnx", "--data", "x", "--out", "y",
			"--clip", "-1"},
		"expected flags alone, got \"surplus\"": {"--job", "score", "--detector", "d", "--data", "x", "--out", "y",
			"surplus"},
	} {
		require.Contains(t, beams(t, 2, args...), want)
	}
	require.Contains(t, beams(t, 1, "--job", "score", "--detector", "nowhere.npz", "--data", "x", "--out", "y"),
		"nowhere.npz")
}
