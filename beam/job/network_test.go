package job

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/memfs"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets/onnx"
	"github.com/line-ood/goline/nets/weights"
)

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		os.Exit(testWorker(os.Stderr))
	}
	flag.Parse()
	log.SetLogger(&log.Standard{Level: log.SevError})
	beam.Init()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // for prism's log, which Init sets
	os.Exit(m.Run())
}

const testNet = "densenet-bc-10-4"

// inputs are the files that a job reads, by name: weights, an ONNX file, preprocessing, pictures and a list of them.
func inputs(t testing.TB, pictures int) map[string][]byte {
	t.Helper()
	net := nettest.DenseNetBC(t, 10, 4, 3, 1)
	var sd weights.StateDict
	for _, p := range net.Params() {
		require.NoError(t, sd.Add(weights.Tensor{Name: p.Name, Shape: p.Shape(), F32: p.Float32s()}))
	}
	path := filepath.Join(t.TempDir(), "net.npz")
	require.NoError(t, weights.WriteNpz(path, &sd))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var file bytes.Buffer
	require.NoError(t, onnx.Export(&file, net, onnx.ExportOptions{}))
	all := map[string][]byte{
		"net.npz": data, "net.onnx": file.Bytes(),
		"prepare.json": []byte(`{"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}`),
	}
	var list strings.Builder
	for i := range pictures {
		img := image.NewRGBA(image.Rect(0, 0, 32, 32))
		for j := range 32 * 32 {
			img.Set(j%32, j/32, color.RGBA{uint8(7*i + j), uint8(j * i), uint8(j / 3), 255})
		}
		var out bytes.Buffer
		require.NoError(t, png.Encode(&out, img))
		name := fmt.Sprintf("p%d.png", i)
		all[name] = out.Bytes()
		fmt.Fprintln(&list, name, i%3)
	}
	all["list.txt"] = []byte(list.String())
	return all
}

// put writes files below a folder of Beam's file systems.
func put(t testing.TB, folder string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		require.NoError(t, write(t.Context(), join(folder, name), func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		}))
	}
}

// runs runs a job on prism, in this process.
func runs(t testing.TB, o Options) error {
	t.Helper()
	require.NoError(t, o.Check())
	p, s := beam.NewPipelineWithRoot()
	Build(s, o)
	_, err := beam.Run(t.Context(), "prism", p)
	return err
}

func got(t testing.TB, name string) []byte {
	t.Helper()
	data, err := read(t.Context(), name)
	require.NoError(t, err)
	return data
}

// TestAddresses: a job whose files all have addresses gives the bytes of one whose files are on the disk.
func TestAddresses(t *testing.T) {
	files := inputs(t, 12)
	disk, memory := t.TempDir(), "memfs://bucket/addresses"
	put(t, disk, files)
	put(t, memory, files)
	for _, c := range []struct{ name, network, weights string }{{"npz", testNet, "net.npz"}, {"onnx", "net.onnx", ""}} {
		t.Run(c.name, func(t *testing.T) {
			for _, folder := range []string{disk, memory} {
				o := Options{Job: Fit, Network: c.network, Preprocess: join(folder, "prepare.json"),
					Data: join(folder, "list.txt"), Out: join(folder, c.name+".det.npz"), Pieces: 3,
					LINe: DefaultParameters()}
				if c.weights != "" {
					o.Weights = join(folder, c.weights)
				} else {
					o.Network = join(folder, c.network)
				}
				require.NoError(t, runs(t, o))
				require.NoError(t, runs(t, Options{Job: Score, Detector: o.Out, Data: o.Data,
					Out: join(folder, c.name+".scores"), Pieces: 2}))
			}
			for _, name := range []string{".det.npz", ".scores/score-000000-of-000002.csv",
				".scores/score-000001-of-000002.csv"} {
				want := got(t, join(disk, c.name+name))
				require.NotEmpty(t, want)
				require.True(t, bytes.Equal(want, got(t, join(memory, c.name+name))), name)
			}
		})
	}
	o := Options{Job: Features, Network: testNet, Weights: join(memory, "none.npz"), Data: join(memory, "list.txt"),
		Out: join(memory, "f"), LINe: DefaultParameters()}
	_, err := o.network(t.Context())
	require.ErrorContains(t, err, "memfs://bucket/addresses/none.npz")
	require.ErrorIs(t, err, fs.ErrNotExist)
	o.Weights, o.Preprocess = join(memory, "net.npz"), join(memory, "list.txt")
	_, err = o.network(t.Context())
	require.ErrorContains(t, err, "preprocess: memfs://bucket/addresses/list.txt: ")
}

// TestBelow: the files beside an ONNX file are opened by their names, read at any offset, and have their sizes.
func TestBelow(t *testing.T) {
	put(t, "memfs://bucket/below", map[string][]byte{"a/weights.bin": []byte("0123456789")})
	folder := below{addresses{t.Context()}, "memfs://bucket/below/"}
	info, err := fs.Stat(folder, "a/weights.bin")
	require.NoError(t, err)
	require.Equal(t, int64(10), info.Size())
	require.True(t, info.Mode().IsRegular())
	f, err := folder.Open("a/weights.bin")
	require.NoError(t, err)
	part := make([]byte, 3)
	_, err = f.(io.ReaderAt).ReadAt(part, 4)
	require.NoError(t, err)
	require.Equal(t, "456", string(part))
	require.NoError(t, f.Close())
	_, err = folder.Open("none")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestPrecision: features in bfloat16 differ from those in float32, their pieces are not those of the same job, and
// what cannot be is refused.
func TestPrecision(t *testing.T) {
	folder := "memfs://bucket/precision"
	put(t, folder, inputs(t, 4))
	o := Options{Job: Features, Network: testNet, Weights: join(folder, "net.npz"), Data: join(folder, "list.txt"),
		Out: join(folder, "f"), LINe: DefaultParameters()}
	require.NoError(t, runs(t, o))
	before := got(t, join(folder, "f/features-000000-of-000001.npz"))
	o.Precision = "bf16"
	resumed := o
	resumed.Resume = true
	require.ErrorContains(t, runs(t, resumed), "is of another job")
	require.NoError(t, runs(t, o))
	require.False(t, bytes.Equal(before, got(t, join(folder, "f/features-000000-of-000001.npz"))))
	for want, change := range map[string]func(o *Options){
		`precision "f16": expected f32, bf16 or tf32`:   func(o *Options) { o.Precision = "f16" },
		"precision tf32: expected device cuda":          func(o *Options) { o.Precision = "tf32" },
		`device "card": expected cpu, cuda or cuda:N`:   func(o *Options) { o.Device = "card" },
		`device "cuda:x": expected cpu, cuda or cuda:N`: func(o *Options) { o.Device = "cuda:x" },
	} {
		wrong := o
		change(&wrong)
		require.ErrorContains(t, wrong.Check(), want)
	}
}
