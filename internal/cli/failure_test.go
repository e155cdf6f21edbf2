package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets/weights"
)

// TestBadWeights: every command that reads weights answers every kind of bad weights file with one line that names it.
func TestBadWeights(t *testing.T) {
	w := newWorld(t)
	whole := contents(t, w.path("net.npz"))
	require.NoError(t, writeFile(w.path("cut.npz"), whole[:len(whole)/2]))
	require.NoError(t, writeFile(w.path("empty.npz"), ""))
	require.NoError(t, writeFile(w.path("text.pth"), "these are not weights"))
	flipped := []byte(whole)
	const intoTheNumbers = 200 // behind the array's name and header
	flipped[strings.Index(whole, "contribution_sums.npy")+intoTheNumbers] ^= 0x10
	require.NoError(t, os.WriteFile(w.path("flipped.npz"), flipped, 0o666))
	w.writeNet(t, "deeper.npz", nettest.DenseNetBC(t, 16, 4, worldClasses, 2))
	poisoned := nettest.DenseNetBC(t, 10, 4, worldClasses, 2)
	poisoned.Params()[0].Float32s()[3] = float32(inf())
	w.writeNet(t, "poisoned.npz", poisoned)
	var sd weights.StateDict
	require.NoError(t, sd.Add(weights.Tensor{Name: "other", Shape: []int{1}, F32: []float32{1}}))
	require.NoError(t, weights.WriteSafetensors(w.path("other.safetensors"), &sd))

	for name, want := range map[string]string{
		"missing.pth":       "no such file or directory",
		"cut.npz":           "",
		"empty.npz":         "",
		"text.pth":          "unknown format: expected a PyTorch checkpoint",
		"flipped.npz":       "checksum",
		"deeper.npz":        "into densenet-bc-10-4: weights do not fit the network: tensors ",
		"poisoned.npz":      "1 with NaN or infinite elements (conv1.weight)",
		"other.safetensors": "missing (block1.layer.0.bn1.bias",
		"pictures":          "not a regular file",
	} {
		net := []string{"--net", worldNet, "--weights", w.path(name)}
		before := entries(t, w.dir)
		for _, args := range [][]string{
			join([]string{"features", "--data", w.path("noise.npy"), "--out", w.path("out.npz")}, net),
			join([]string{"fit", "--data", w.path("train.npz"), "--out", w.path("out.npz")}, net),
			join(w.eval("--json", w.path("out.json")), net),
			join([]string{"inspect"}, net),
			join([]string{"graph"}, net),
		} {
			message := fails(t, args...)
			require.Contains(t, message, w.path(name))
			require.Contains(t, message, want)
		}
		require.Equal(t, before, entries(t, w.dir))
	}
}

// TestBadData: every kind of bad data leads to one line that names it, for every flag that takes data.
func TestBadData(t *testing.T) {
	w := newWorld(t)
	whole := contents(t, w.path("noise.npy"))
	require.NoError(t, writeFile(w.path("cut.npy"), whole[:len(whole)/2]))
	require.NoError(t, writeFile(w.path("empty.npy"), ""))
	require.NoError(t, writeFile(w.path("text.bin"), strings.Repeat("text", 100)))
	require.NoError(t, npyz.WriteNpyFile(w.path("floats.npy"), npyz.New(make([]float32, 3072), 1, 32, 32, 3)))
	require.NoError(t, npyz.WriteNpyFile(w.path("none.npy"), npyz.New([]uint8{}, 0, 32, 32, 3)))
	w.writeImages(t, "short.npz", 4, 1, 0, []int64{0, 1})
	w.writePictures(t, "broken", "a.png", "b.png")
	require.NoError(t, writeFile(w.path("broken/b.png"), contents(t, w.path("broken/b.png"))[:60]))
	require.NoError(t, os.Mkdir(w.path("nothing"), 0o777))
	det := w.fit(t)

	for spec, want := range map[string]string{
		w.path("missing.npy"):            "missing.npy",
		w.path("none-*.bin"):             "no file or folder matches",
		"cifar10:" + w.path("noise.npy"): "are not a multiple of the cifar10 record",
		"tiff:" + w.path("noise.npy"):    `unknown format "tiff"`,
		w.path("cut.npy"):                w.path("cut.npy"),
		w.path("empty.npy"):              w.path("empty.npy"),
		w.path("text.bin"):               w.path("text.bin"),
		w.path("floats.npy"):             w.path("floats.npy"),
		w.path("none.npy"):               "no images",
		w.path("short.npz"):              w.path("short.npz"),
		w.path("broken"):                 filepath.Join("broken", "b.png"),
		w.path("nothing"):                w.path("nothing"),
	} {
		before := entries(t, w.dir)
		for _, args := range [][]string{
			join([]string{"features", "--data", spec, "--out", w.path("out.npz")}, w.net()),
			join([]string{"fit", "--data", spec, "--out", w.path("out.npz")}, w.net()),
			{"score", "--detector", det, "--data", spec, "--out", w.path("out.csv")},
			w.eval("--json", w.path("out.json"), "--id", spec),
			w.eval("--json", w.path("out.json"), "--fit", spec),
			w.eval("--json", w.path("out.json"), "--ood", "bad="+spec),
			{"inspect", "--data", spec},
		} {
			if args[0] == "inspect" && spec == w.path("broken") {
				continue // the command looks at the first picture only
			}
			run := fails
			if strings.HasPrefix(spec, "tiff:") { // no format, which is an error of the command line
				run = refused
			}
			message := run(t, args...)
			if args[0] == "fit" || strings.Contains(strings.Join(args, " "), "--fit "+spec) {
				require.Contains(t, message, w.dir) // the lack of labels may be reported first
				continue
			}
			require.Contains(t, message, want)
		}
		require.Equal(t, before, entries(t, w.dir))
	}
}

// TestBadLabels: labels are checked before the network runs.
func TestBadLabels(t *testing.T) {
	w := newWorld(t)
	w.writeImages(t, "high.npz", 4, 1, 0, []int64{0, 1, 3, 2})
	w.writeImages(t, "hole.npz", 4, 1, 0, []int64{0, 1, -1, 2})
	w.writeImages(t, "one.npz", 4, 1, 0, []int64{1, 1, 1, 1})
	record := make([]byte, 3073)
	record[0] = 7
	require.NoError(t, os.WriteFile(w.path("horse.bin"), record, 0o666))
	for name, want := range map[string]string{
		"high.npz":  "high.npz: image high.npz#2: expected a label below the network's 3 classes, got 3",
		"horse.bin": "horse.bin: image horse.bin#0: expected a label below the network's 3 classes, got 7 (horse)",
		"hole.npz":  "hole.npz: image hole.npz#2 has no label, which fitting needs",
		"one.npz":   "one.npz: there are no images of class 0, 2; fitting needs some of every class of the network",
		"noise.npy": "noise.npy: the images have no labels, which fitting needs",
	} {
		require.Contains(t, fails(t, join([]string{"fit", "--data", w.path(name), "--out", w.path("out.npz")},
			w.net())...),
			"--data "+w.dir+"/"+want)
		require.Contains(t, fails(t, w.eval("--fit", w.path(name))...), "--fit "+w.dir+"/"+want)
		code, _, stderr := runGoline(w.eval("--id", w.path(name))...)
		if strings.HasPrefix(name, "h") && name != "hole.npz" {
			require.Equal(t, exitFailed, code)
			require.Contains(t, stderr, "--id "+w.dir+"/"+want)
		} else {
			require.Equal(t, exitDone, code, stderr)
		}
	}
}

func TestBadDetector(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	whole := contents(t, det)
	require.NoError(t, writeFile(w.path("cut.npz"), whole[:len(whole)/2]))
	flipped := []byte(whole)
	const intoTheNumbers = 200 // behind the array's name and header
	flipped[strings.Index(whole, "contribution_sums.npy")+intoTheNumbers] ^= 0x10
	require.NoError(t, os.WriteFile(w.path("flipped.npz"), flipped, 0o666))
	for name, want := range map[string]string{
		"missing.npz": "no such file or directory",
		"net.npz":     "it is not a LINe detector",
		"cut.npz":     "",
		"flipped.npz": "checksum",
		"noise.npy":   "",
	} {
		for _, args := range [][]string{
			{"score", "--detector", w.path(name), "--data", w.path("noise.npy"), "--out", w.path("out.csv")},
			{"inspect", "--detector", w.path(name)},
			{"graph", "--detector", w.path(name)},
		} {
			message := fails(t, args...)
			require.Contains(t, message, "load detector")
			require.Contains(t, message, w.path(name))
			require.Contains(t, message, want)
		}
	}
	require.NoFileExists(t, w.path("out.csv"))
}

// TestFailsBeforeTheWork: an error that is certain from the start is reported before the first image is run.
func TestFailsBeforeTheWork(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{w.eval("--ood", "late="+w.path("late.npy")), "--ood late: open data"},
		{w.eval("--json", w.path("no/x.json")), "--json " + w.path("no/x.json") + ": there is no folder " +
			w.path("no")},
		{w.eval("--csv", w.dir), "--csv " + w.dir + ": it is a folder"},
		{w.eval("--report", w.path("net.npz/x")), "--report " + w.path("net.npz/x")},
		{join([]string{"features", "--data", w.path("noise.npy"), "--out", w.path("no/f.npz")}, w.net()),
			"there is no folder"},
		{join([]string{"fit", "--data", w.path("train.npz"), "--out", w.path("no/f.npz")}, w.net()),
			"there is no folder"},
		{[]string{"score", "--detector", det, "--data", w.path("noise.npy"), "--out", w.path("no/s.csv")},
			"there is no folder"},
	} {
		var stderr bytes.Buffer
		code, stdout := runWith(context.Background(), &stderr, func() {}, append(c.args, "--progress", "always")...)
		require.Equal(t, exitFailed, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr.String(), c.want)
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"), "no progress before: %s", stderr.String())
	}
}

func TestOutputsDoNotReplaceInputs(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	require.NoError(t, os.Symlink(w.path("net.npz"), w.path("link.npz")))
	for _, args := range [][]string{
		join([]string{"features", "--data", w.path("noise.npy"), "--out", w.path("noise.npy")}, w.net()),
		join([]string{"features", "--data", "npy:" + w.path("noise.npy"), "--out", w.path("noise.npy")}, w.net()),
		join([]string{"fit", "--data", w.path("train.npz"), "--out", w.path("link.npz")}, w.net()),
		{"score", "--detector", det, "--data", w.path("test.npz"), "--out", w.path("test.npz")},
		w.eval("--csv", w.path("train.npz")),
	} {
		code, _, stderr := runGoline(args...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, "would replace the file of --")
	}
}

// TestFullDisk: an output on a full disk fails the command, and the file that was there before stays.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	w := newWorld(t)
	det := w.fit(t)
	require.NoError(t, os.Symlink("/dev/full", w.path("full.csv")))
	require.NoError(t, os.Symlink("/dev/full", w.path("full.jsonl")))
	require.NoError(t, os.Symlink("/dev/full", w.path("full.npz")))
	require.NoError(t, os.Symlink("/dev/full", w.path("full.html")))
	for _, args := range [][]string{
		join([]string{"features", "--data", w.path("noise.npy"), "--out", "/dev/full"}, w.net()),
		join([]string{"fit", "--data", w.path("train.npz"), "--out", "/dev/full"}, w.net()),
		{"score", "--detector", det, "--data", w.path("noise.npy"), "--out", w.path("full.csv")},
		{"score", "--detector", det, "--data", w.path("noise.npy"), "--out", w.path("full.jsonl")},
		{"score", "--detector", det, "--data", w.path("noise.npy"), "--out", w.path("full.npz")},
		{"graph", "--detector", det, "--out", "/dev/full"},
	} {
		if args[0] == "graph" {
			require.NoError(t, os.Symlink("/dev/full", w.path("full.dot")))
			args[len(args)-1] = w.path("full.dot")
		}
		message := fails(t, args...)
		require.Contains(t, message, "no space left on device")
		require.Contains(t, message, "full")
	}
	// The table is printed although no file can be written, and each failure is reported.
	code, stdout, stderr := runGoline(w.eval("--json", "/dev/full", "--csv", w.path("full.csv"), "--report",
		w.path("full.html"))...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stdout, "│ line ")
	require.Equal(t, 3, strings.Count(stderr, "no space left on device"))
	require.Equal(t, 1, strings.Count(stderr, "\n"))
	// Writing to standard output may fail as well.
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	for _, args := range [][]string{w.eval("--json", w.path("e.json")), {"version"}, {"version", "--json"},
		{"inspect", "--net", worldNet}, {"graph", "--net", worldNet},
		join([]string{"features", "--data", w.path("noise.npy"), "--out", w.path("f.npz")}, w.net())} {
		var stderr bytes.Buffer
		require.Equal(t, exitFailed, Run(context.Background(), args, full, &stderr), "%q", args)
		require.Contains(t, stderr.String(), "no space left on device")
	}
	require.FileExists(t, w.path("e.json"), "a result is not lost with the table")
}

// TestFailureKeepsTheOldFile: a broken image in the middle of a run leaves an earlier result as it was.
func TestFailureKeepsTheOldFile(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	var names []string
	for i := range 40 {
		names = append(names, string(rune('a'+i/10))+string(rune('0'+i%10))+".png")
	}
	w.writePictures(t, "many", names...)
	out := t.TempDir()
	commands := func() [][]string {
		return [][]string{
			join([]string{"features", "--data", w.path("many"), "--out", filepath.Join(out, "f.npz")}, w.net()),
			{"score", "--detector", det, "--data", w.path("many"), "--out", filepath.Join(out, "s.csv")},
		}
	}
	for _, args := range commands() {
		must(t, args...)
	}
	features, scores := contents(t, filepath.Join(out, "f.npz")), contents(t, filepath.Join(out, "s.csv"))
	require.NoError(t, writeFile(w.path("many/d7.png"), contents(t, w.path("many/d7.png"))[:80]))
	for _, args := range commands() {
		require.Contains(t, fails(t, args...), "d7.png")
	}
	require.Equal(t, []string{"f.npz", "s.csv"}, entries(t, out))
	require.Equal(t, features, contents(t, filepath.Join(out, "f.npz")))
	require.Equal(t, scores, contents(t, filepath.Join(out, "s.csv")))
}
