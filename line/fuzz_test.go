package line_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/damage"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
)

// smallest saves a detector of the smallest network there is.
func smallest(t testing.TB, o line.Options) string {
	t.Helper()
	net := nettest.DenseNetBC(t, 10, 1, 2, 5)
	det := fit(t, net, nettest.Stream(nettest.Batch(4, net.InputShape(), 2, 1)), o)
	path := filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(path))
	return path
}

// smallestCalibrated saves the same detector with pictures and a calibration.
func smallestCalibrated(t testing.TB) string {
	t.Helper()
	det, err := line.Load(smallest(t, line.DefaultOptions()))
	require.NoError(t, err)
	scores := &line.Scores{Score: []float64{3, 1, 2, 2}, Prediction: []int{0, 1, 1, 0}}
	o := conformal.Options{Alpha: 0.3, Adjustment: conformal.Pointwise, Delta: 0.5}
	det, err = det.WithFitPictures([]line.Hash{{1}, {2}}).Calibrate(scores, []line.Hash{{3}, {4}, {5}, {6}}, o)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "calibrated.npz")
	require.NoError(t, det.Save(path))
	return path
}

// loads checks that bytes are refused with their name, or accepted for good: what was read can be written and read again.
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

// FuzzLoad damages the bytes of a file: blindly, or where kind is odd behind the checksums of its members. The files are made here, since
// the fuzzer takes its time with long inputs.
func FuzzLoad(f *testing.F) {
	var files [][]byte
	for i, o := range switches() {
		files = append(files, read(f, smallest(f, o)))
		f.Add(uint8(i), uint8(i), uint64(i), []byte(nil))
	}
	files = append(files, read(f, smallestCalibrated(f)))
	f.Add(uint8(len(files)-1), uint8(1), uint64(7), []byte("PK\x03\x04"))
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

// FuzzLoadArrays puts other arrays into an intact file.
func FuzzLoadArrays(f *testing.F) {
	path := smallest(f, line.Options{ClipPercentile: 90, ClipPerClass: true}) // has every array
	a, err := npyz.ReadNpz(path)
	require.NoError(f, err)
	names := a.Names()
	for which := range names {
		f.Add(uint8(which), uint8(which), uint8(which%5), uint8(which%3), math.Pi)
	}
	f.Fuzz(func(t *testing.T, which, kind, rows, columns uint8, value float64) {
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
