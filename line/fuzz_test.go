package line_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/damage"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// smallest saves a detector of the smallest network that has a name, and returns the file's path.
func smallest(t testing.TB, o line.Options) string {
	t.Helper()
	return savedDetector(t, fitAll(t, nettest.DenseNetBC(t, 10, 1, 2, 5), o)[0])
}

// fitAll fits one detector of a network for each of the options.
func fitAll(t testing.TB, net nets.Classifier, options ...line.Options) []*line.Detector {
	t.Helper()
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	detectors := make([]*line.Detector, len(options))
	for i, o := range options {
		detectors[i], err = line.Fit(t.Context(), prog, nettest.Stream(nettest.Batch(4, net.InputShape(), 2, 1)), o)
		require.NoError(t, err)
	}
	return detectors
}

func savedDetector(t testing.TB, det *line.Detector) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(path))
	return path
}

// pooling returns the network of an ONNX file with a pooling and a linear layer. Reading it is much faster than
// making any network by name.
func pooling(t testing.TB) nets.Classifier {
	t.Helper()
	net, err := nets.Define(nets.Definition{Name: "pooling", Classes: 2, Input: []int{3, 1, 2},
		Build: func(b *graph.Builder, x *G.Node) *G.Node {
			return b.GlobalAvgPool(x)
		}})
	require.NoError(t, err)
	nettest.Fill(net.Params(), 5)
	var data bytes.Buffer
	require.NoError(t, onnx.Export(&data, net, onnx.ExportOptions{Outputs: []string{nets.Logits}}))
	read, err := onnx.Read(data.Bytes(), nil, "pooling", onnx.Options{})
	require.NoError(t, err)
	return read
}

// calibrated returns the detector with hashes of pictures and a calibration.
func calibrated(t testing.TB, det *line.Detector) *line.Detector {
	t.Helper()
	scores := &line.Scores{Score: []float64{3, 1, 2, 2}, Prediction: []int{0, 1, 1, 0}}
	o := conformal.Options{Alpha: 0.3, Adjustment: conformal.Pointwise, Delta: 0.5}
	det, err := det.WithFitPictures([]line.Hash{{1}, {2}}).Calibrate(scores, []line.Hash{{3}, {4}, {5}, {6}}, o)
	require.NoError(t, err)
	return det
}

// smallestCalibrated is [smallest] with hashes of pictures and a calibration.
func smallestCalibrated(t testing.TB) string {
	t.Helper()
	return savedDetector(t, calibrated(t, fitAll(t, nettest.DenseNetBC(t, 10, 1, 2, 5), line.DefaultOptions())[0]))
}

// loads checks that data are refused with an error that gives their name, or are a detector that can be written and
// read again.
func loads(t *testing.T, data []byte) {
	det, err := line.Read(bytes.NewReader(data), int64(len(data)), "det.npz")
	if err != nil {
		if !strings.Contains(err.Error(), "det.npz") {
			t.Fatal(err)
		}
		return
	}
	var again bytes.Buffer
	_, err = det.WriteTo(&again)
	require.NoError(t, err)
	same, err := line.Read(bytes.NewReader(again.Bytes()), int64(again.Len()), "again.npz")
	require.NoError(t, err)
	require.Equal(t, det.Mean(), same.Mean())
	require.Equal(t, det.FitPictures(), same.FitPictures())
	require.Equal(t, det.CalibrationPictures(), same.CalibrationPictures())
	record, err := det.CalibrationRecord()
	second, err2 := same.CalibrationRecord()
	require.Equal(t, err, err2)
	require.Equal(t, record, second)
	if c, err := det.Calibrator(); err == nil {
		p := c.PValue(2, 0)
		require.True(t, p > 0 && p <= 1)
	}
}

// FuzzLoad damages the bytes of a file: blindly, or, if kind is odd, with corrected checksums of its members. The
// files are made here, since the fuzzer is slow with long inputs. Most of them hold a tiny network, so that the
// detector is most of what is read; two hold a network with a name.
func FuzzLoad(f *testing.F) {
	all := fitAll(f, pooling(f), append(switches(), line.DefaultOptions())...)
	all[len(all)-1] = calibrated(f, all[len(all)-1])
	slow := fitAll(f, nettest.DenseNetBC(f, 10, 1, 2, 5), line.DefaultOptions())[0]
	var files [][]byte
	for _, det := range append(all, slow, calibrated(f, slow)) {
		files = append(files, read(f, savedDetector(f, det)))
	}
	for i := range files {
		f.Add(uint8(i), uint8(i), uint64(i), []byte(nil))
	}
	f.Add(uint8(0), uint8(0), uint64(0), []byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, which, kind uint8, seed uint64, data []byte) {
		rng, file := rand.New(rand.NewPCG(seed, 1)), files[int(which)%len(files)]
		switch kind % 4 {
		case 0:
			loads(t, data)
		case 2:
			loads(t, damage.Defect(file, rng))
		default:
			loads(t, damage.Zip(file, rng))
		}
	})
}

// named is the kind from which on FuzzLoadArrays changes the file whose network has a name, which is slow to read.
const named = 240

// FuzzLoadArrays replaces arrays of an intact file.
func FuzzLoadArrays(f *testing.F) {
	o := line.Options{ClipPercentile: 90, ClipPerClass: true} // has every array
	var files []*npyz.Archive
	for _, path := range []string{savedDetector(f, calibrated(f, fitAll(f, pooling(f), o)[0])), smallest(f, o)} {
		a, err := npyz.ReadNpz(path)
		require.NoError(f, err)
		files = append(files, a)
		for which := range a.Names() {
			kind := which % 5
			if len(files) == 2 {
				kind += named
			}
			f.Add(uint8(which), uint8(kind), uint8(which%5), uint8(which%3), math.Pi)
		}
	}
	f.Fuzz(func(t *testing.T, which, kind, rows, columns uint8, value float64) {
		a := files[0]
		if kind >= named {
			a = files[1]
		}
		names := a.Names()
		n := int(rows) * int(columns)
		shape := []int{int(rows), int(columns)}
		switch {
		case columns == 0 && rows == 0:
			n, shape = 1, []int{}
		case columns == 0:
			n, shape = int(rows), []int{int(rows)}
		}
		array := npyz.Array{Shape: shape}
		switch kind % 5 {
		case 0:
			array.Data = repeated(n, float32(value))
		case 1:
			array.Data = repeated(n, value)
		case 2:
			array.Data = repeated(n, int64(value))
		case 3:
			array.Data = repeated(n, value > 0)
		case 4:
			array.Data = repeated(n, "densenet-bc-9994-10")
		}
		var arrays []npyz.Named
		for name, was := range a.All() {
			if name == names[int(which)%len(names)] {
				was = array
			}
			arrays = append(arrays, npyz.Named{Name: name, Array: was})
		}
		var file bytes.Buffer
		require.NoError(t, npyz.FillNpz(&file, npyz.Stored, func(z *npyz.Writer) error {
			for _, named := range arrays {
				if err := z.Write(named.Name, named.Array); err != nil {
					return err
				}
			}
			return nil
		}))
		loads(t, file.Bytes())
	})
}

func repeated[T npyz.Element](n int, v T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}
