package reliability

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/damage"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
	"github.com/line-ood/goline/nets/weights"
	"github.com/line-ood/goline/train"
)

// format is a kind of file: an intact file, and a function that reads one.
type format struct {
	name string
	file []byte
	// checked says that the format has a checksum over everything that is read, so that damage never leads to other
	// content.
	checked bool
	// read returns a hash of a file's content, or an error.
	read func(data []byte) (string, error)
	// behind makes a defect with right checksums and lengths; nil for a format that has neither.
	behind func(data []byte, rng *rand.Rand) []byte
}

func hashed(parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		switch p := p.(type) {
		case []float32:
			for _, v := range p {
				h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
			}
		case []uint8:
			h.Write(p)
		default:
			fmt.Fprintf(h, "%v;", p)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func readWeights(data []byte) (string, error) {
	sd, err := weights.ReadFrom(bytes.NewReader(data), int64(len(data)), "file")
	if err != nil {
		return "", err
	}
	var parts []any
	for t := range sd.All() {
		parts = append(parts, t.Name, t.Shape, t.F32, t.I64)
	}
	return hashed(parts...), nil
}

// readSet reads labels and pixels of a data set.
func readSet(prefix string) func(data []byte) (string, error) {
	return func(data []byte) (string, error) {
		d, err := dataset.OpenFS(fstest.MapFS{"x": {Data: data}}, prefix+"x")
		if err != nil {
			return "", err
		}
		defer d.Close()
		parts := []any{d.Labels()}
		for i := range d.Len() {
			img, err := d.Image(i)
			if err != nil {
				return "", err
			}
			parts = append(parts, img.Height, img.Width, img.Pix)
		}
		return hashed(parts...), nil
	}
}

func readPicture(data []byte) (string, error) {
	img, err := dataset.Decode(data)
	if err != nil {
		return "", err
	}
	return hashed(img.Height, img.Width, img.Pix), nil
}

func readDetector(data []byte) (string, error) {
	det, err := line.Read(bytes.NewReader(data), int64(len(data)), "file")
	if err != nil {
		return "", err
	}
	return hashed(det.Options(), det.Mean(), line.Fingerprint(det.Network()), det.FitPictures()), nil
}

func readONNX(data []byte) (string, error) {
	net, err := onnx.Read(data, nil, "file", onnx.Options{})
	if err != nil {
		return "", err
	}
	parts := []any{net.InputShape()}
	for _, p := range net.Params() {
		parts = append(parts, p.Shape(), p.Float32s())
	}
	prog, err := graph.Compile(net, graph.Options{Batch: 1, Workers: 1})
	if err != nil {
		return "", err
	}
	for out, err := range prog.Run(context.Background(), nettest.Stream(nettest.Batch(1, net.InputShape(), 0, 1))) {
		if err != nil {
			return "", err
		}
		parts = append(parts, out.Float32("logits"))
	}
	return hashed(parts...), nil
}

func readReport(data []byte) (string, error) {
	var r report.Result
	if err := json.Unmarshal(data, &r); err != nil {
		return "", err
	}
	var b bytes.Buffer
	err := r.WriteJSON(&b)
	return hashed(b.Bytes()), err
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	require.NoError(t, err)
	return data
}

// npzOf returns an archive of arrays.
func npzOf(t testing.TB, arrays ...npyz.Named) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, npyz.FillNpz(&b, npyz.Stored, func(z *npyz.Writer) error {
		for _, a := range arrays {
			if err := z.Write(a.Name, a.Array); err != nil {
				return err
			}
		}
		return nil
	}))
	return b.Bytes()
}

// tarOf returns a tar archive. members are names and contents in turn.
func tarOf(t testing.TB, members ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		data := members[i+1].([]byte)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: members[i].(string), Mode: 0o444, Size: int64(len(data))}))
		_, err := w.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func pixels(n, height, width int) []uint8 {
	pix := make([]uint8, n*height*width*3)
	for i := range pix {
		pix[i] = uint8(i*i>>3 + i)
	}
	return pix
}

// fittedDetector returns a detector for the smallest DenseNet.
func fittedDetector(t testing.TB) *line.Detector {
	t.Helper()
	net := nettest.DenseNetBC(t, 10, 1, 2, 5)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	det, err := line.Fit(t.Context(), prog, nettest.Stream(nettest.Batch(6, net.InputShape(), 2, 1)),
		line.DefaultOptions())
	require.NoError(t, err)
	return det.WithFitPictures([]line.Hash{{1}, {2}})
}

// formats returns every kind of file that goline reads, each with a small file.
func formats(t testing.TB) []format {
	t.Helper()
	var sd weights.StateDict
	require.NoError(t, sd.Add(weights.Tensor{Name: "a.weight", Shape: []int{3, 4}, F32: []float32{1, 2, 3, 4, 5, 6, 7,
		8, 9, 10, 11, 12}}))
	require.NoError(t, sd.Add(weights.Tensor{Name: "a.bias", Shape: []int{3}, F32: []float32{1, 2, 3}}))
	written := func(f weights.Format) []byte {
		var b bytes.Buffer
		require.NoError(t, weights.Write(&b, f, &sd))
		return b.Bytes()
	}
	var detector, network, windows bytes.Buffer
	det := fittedDetector(t)
	_, err := det.WriteTo(&detector)
	require.NoError(t, err)
	require.NoError(t, onnx.Export(&network, det.Network(),
		onnx.ExportOptions{Outputs: []string{"logits", "features"}}))
	require.NoError(t, bmp.Encode(&windows, image.NewNRGBA(image.Rect(0, 0, 9, 7))))
	cifar := append([]byte{3}, pixels(1, 32, 32)...)
	cifar = append(append(cifar, 9), pixels(1, 32, 32)...)
	idx := append([]byte{0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6}, pixels(1, 10, 4)...)
	var gzipped bytes.Buffer
	z := gzip.NewWriter(&gzipped)
	_, err = z.Write(idx)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	var npy, page bytes.Buffer
	require.NoError(t, npyz.WriteNpy(&npy, npyz.New(pixels(2, 5, 4), 2, 5, 4, 3)))
	result := report.Result{Net: "n", Weights: report.Weights{File: "f", SHA256: "1"},
		ID: report.ID{N: 9, Accuracy: 0.5}, Methods: []report.Method{{
			Name: "energy", OOD: []report.OOD{{Name: "o", N: 5, Metrics: metrics.Metrics{FPR95: 0.25, AUROC: 0.75}}},
		}}}
	require.NoError(t, result.WriteJSON(&page))
	pic := func(name string) []byte { return fixture(t, "dataset/testdata/pictures/"+name) }
	return []format{
		{"PyTorch", fixture(t, "nets/weights/testdata/plain.pth"), true, readWeights, damage.Zip},
		{"PyTorch before 1.6", fixture(t, "nets/weights/testdata/legacy.pth"), false, readWeights, nil},
		{"safetensors", written(weights.Safetensors), false, readWeights, nil},
		{"npz of weights", written(weights.NPZ), true, readWeights, damage.Zip},
		{"detector", detector.Bytes(), true, readDetector, damage.Zip},
		{"calibrated detector", calibratedDetector(t, det), true, readDetector, damage.Zip},
		{"ONNX", network.Bytes(), false, readONNX, nil},
		{"JPEG", pic("cmyk_420.jpg"), false, readPicture, damage.JPEG},
		{"JPEG, progressive", pic("grey_progressive.jpg"), false, readPicture, damage.JPEG},
		{"PNG", pic("grey8.png"), true, readPicture, damage.PNG},
		{"GIF", pic("palette.gif"), false, readPicture, nil},
		{"BMP", windows.Bytes(), false, readPicture, nil},
		{"WebP, lossy", pic("lossy.webp"), false, readPicture, damage.WebP},
		{"WebP, lossless", pic("lossless.webp"), false, readPicture, damage.WebP},
		{"CIFAR-10", cifar, false, readSet("cifar10:"), nil},
		{"idx", idx, false, readSet("idx:"), nil},
		{"idx, gzip", gzipped.Bytes(), true, readSet("idx:"), nil},
		{"npy of images", npy.Bytes(), false, readSet("npy:"), nil},
		{"npz of images", npzOf(t, npyz.Named{Name: "images", Array: npyz.New(pixels(2, 5, 4), 2, 5, 4, 3)},
			npyz.Named{Name: "labels", Array: npyz.New([]int64{1, 0})}), true, readSet("npz:"), damage.Zip},
		{"tar of pictures", tarOf(t, "a.png", pic("grey8.png"), "a.cls", []byte("1"), "b.png", pic("grey2.png")), false,
			readSet("tar:"), damage.Tar},
		{"JSON of a result", page.Bytes(), false, readReport, nil},
		keptFeatures(t), trainingState(t),
	}
}

// keptFeatures returns the format of a file in a folder of kept features. Damage leads to an error, or the features are
// computed again.
func keptFeatures(t testing.TB) format {
	t.Helper()
	x, err := eval.NewExtractor(nettest.DenseNetBC(t, 10, 1, 2, 5), eval.Options{Graph: graph.Options{Workers: 1}})
	require.NoError(t, err)
	x.Dir, x.Weights = t.TempDir(), "w"
	images := make([]dataset.Image, 3)
	for i := range images {
		images[i] = dataset.Image{Pix: pixels(i+1, 32, 32)[i*3072:], Height: 32, Width: 32}
	}
	set, err := dataset.FromImages("s", images, nil, nil)
	require.NoError(t, err)
	read := func() (string, error) {
		s, err := x.Samples(context.Background(), "s", set)
		if err != nil && !strings.Contains(err.Error(), x.Dir) {
			return "", fmt.Errorf("an error that does not name the file: %w", err)
		}
		return hashed(s.N, s.Features, s.Logits, s.Labels), err
	}
	_, err = read()
	require.NoError(t, err)
	path := filepath.Join(x.Dir, "s.npz")
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	return format{"kept features", file, true, func(data []byte) (string, error) {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			return "", err
		}
		return read()
	}, damage.Zip}
}

// calibratedDetector returns the file of a detector with a calibration.
func calibratedDetector(t testing.TB, det *line.Detector) []byte {
	t.Helper()
	s, err := det.Score(t.Context(), nettest.Stream(nettest.Batch(30, det.Network().InputShape(), 0, 2)))
	require.NoError(t, err)
	det, err = det.Calibrate(s, nil, conformal.Options{Alpha: 0.1})
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = det.WriteTo(&b)
	require.NoError(t, err)
	return b.Bytes()
}

// trainingState returns the format of a training checkpoint. Reading it resumes a run that has no steps left.
func trainingState(t testing.TB) format {
	t.Helper()
	images, labels := make([]dataset.Image, 4), []int{0, 1, 2, 1}
	for i := range images {
		images[i] = dataset.Image{Pix: pixels(i+1, 28, 28)[i*28*28*3:], Height: 28, Width: 28}
	}
	set, err := dataset.FromImages("s", images, labels, nil)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "state.npz")
	c := train.Config{Epochs: 1, Batch: 2, StopAt: 1, Schedule: train.ScheduleConfig{LearningRate: 0.1},
		Checkpoint: path, Resume: true, Workers: 1,
		Optimizer: train.OptimizerConfig{Momentum: 0.9}}
	net, err := nets.New("resnet-fashion-8-1", 3)
	require.NoError(t, err)
	train.Initialise(net.Params(), 1)
	read := func() (string, error) {
		result, err := train.Run(context.Background(), net, set, nil, c)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				return "", fmt.Errorf("an error that does not name the file: %w", err)
			}
			return "", err
		}
		parts := []any{result.Steps}
		for _, p := range net.Params() {
			parts = append(parts, p.Float32s())
		}
		return hashed(parts...), nil
	}
	_, err = read()
	require.NoError(t, err)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	return format{"training checkpoint", file, true, func(data []byte) (string, error) {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			return "", err
		}
		return read()
	}, damage.Zip}
}
