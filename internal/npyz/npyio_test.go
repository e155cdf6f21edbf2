package npyz_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sbinet/npyio/npy"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/npyz"
)

// Package npyio reads and writes npy files and shares no code with npyz. Where both understand a file, they must agree.

// readNpyio reads an array of numbers or booleans with npyio. ok is false where npyio fails or panics, which it does on
// some headers.
func readNpyio(b []byte, shape []int) (data any, fortran, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	r, err := npy.NewReader(bytes.NewReader(b))
	// If npyio understands another shape, it may allocate any amount of memory.
	if err != nil || !slices.Equal(r.Header.Descr.Shape, shape) {
		return nil, false, false
	}
	read := map[string]func() (any, error){
		"b1": readAs[bool](r), "u1": readAs[uint8](r), "i1": readAs[int8](r), "u2": readAs[uint16](r),
		"i2": readAs[int16](r),
		"u4": readAs[uint32](r), "i4": readAs[int32](r), "u8": readAs[uint64](r), "i8": readAs[int64](r),
		"f4": readAs[float32](r), "f8": readAs[float64](r),
	}[r.Header.Descr.Type[max(0, len(r.Header.Descr.Type)-2):]]
	if read == nil {
		return nil, false, false
	}
	data, err = read()
	return data, r.Header.Descr.Fortran, err == nil
}

func readAs[T any](r *npy.Reader) func() (any, error) {
	return func() (any, error) {
		var d []T
		err := r.Read(&d)
		return d, err
	}
}

// widened converts npyio's elements to the types that npyz gives.
func widened(data any) any {
	switch d := data.(type) {
	case []int8:
		return convert(d, func(v int8) int32 { return int32(v) })
	case []uint16:
		return convert(d, func(v uint16) int32 { return int32(v) })
	case []int16:
		return convert(d, func(v int16) int32 { return int32(v) })
	case []uint32:
		return convert(d, func(v uint32) int64 { return int64(v) })
	case []uint64:
		return convert(d, func(v uint64) int64 { return int64(v) })
	case []float32: // compared by bits, so that NaN equals itself
		return convert(d, math.Float32bits)
	case []float64:
		return convert(d, math.Float64bits)
	}
	return data
}

func convert[A, B any](src []A, f func(A) B) []B {
	out := make([]B, len(src))
	for i, v := range src {
		out[i] = f(v)
	}
	return out
}

// agreesWithNpyio compares an array that was read from b with what npyio reads, and tells whether npyio can read it.
func agreesWithNpyio(t require.TestingT, a npyz.Array, b []byte) bool {
	if a.Len() == 0 {
		return false // npyio reads one element where there are none
	}
	data, fortran, ok := readNpyio(b, a.Shape)
	if !ok || fortran && len(a.Shape) > 1 { // npyio leaves the elements in the order of the file
		return false
	}
	if bools, isBool := a.Data.([]bool); isBool && !slices.Equal(bools, data.([]bool)) {
		return false // for NumPy any byte but 0 is true, for npyio only 1
	}
	require.Equal(t, widened(a.Data), widened(data))
	return true
}

func TestNpyioReadsOurFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawArray(t)
		var buf bytes.Buffer
		require.NoError(t, npyz.WriteNpy(&buf, a))
		_, text := a.Data.([]string)
		require.Equal(t, !text && a.Len() > 0, agreesWithNpyio(t, a, buf.Bytes()))
	})
}

func TestReadsFilesOfNpyio(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "elements")
		f64 := rapid.SliceOfN(rapid.Float64(), n, n).Draw(t, "data")
		for _, data := range []any{
			f64, rapid.SliceOfN(rapid.Float32(), n, n).Draw(t, "data"), rapid.SliceOfN(rapid.Bool(), n, n).Draw(t,
				"data"),
			rapid.SliceOfN(rapid.Int8(), n, n).Draw(t, "data"), rapid.SliceOfN(rapid.Uint8(), n, n).Draw(t, "data"),
			rapid.SliceOfN(rapid.Int16(), n, n).Draw(t, "data"), rapid.SliceOfN(rapid.Uint16(), n, n).Draw(t, "data"),
			rapid.SliceOfN(rapid.Int32(), n, n).Draw(t, "data"), rapid.SliceOfN(rapid.Uint32(), n, n).Draw(t, "data"),
			rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "data"),
			rapid.SliceOfN(rapid.Uint64Max(math.MaxInt64), n, n).Draw(t, "data"),
		} {
			var buf bytes.Buffer
			require.NoError(t, npy.Write(&buf, data))
			a, err := npyz.ReadNpy(&buf)
			require.NoError(t, err)
			require.Equal(t, []int{n}, a.Shape)
			require.Equal(t, widened(data), widened(a.Data))
		}
		var buf bytes.Buffer
		m := mat.NewDense(1, n, f64)
		require.NoError(t, npy.Write(&buf, m))
		a, err := npyz.ReadNpy(&buf)
		require.NoError(t, err)
		require.Equal(t, []int{1, n}, a.Shape)
		require.Equal(t, widened(f64), widened(a.Data))
	})
}

// TestNpyioAgreesOnNumpyFiles reads files that NumPy has written with npyz and with npyio.
func TestNpyioAgreesOnNumpyFiles(t *testing.T) {
	agreed := 0
	for _, name := range []string{"version1.npy", "version2.npy"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		a, err := npyz.ReadNpy(bytes.NewReader(b))
		require.NoError(t, err)
		if agreesWithNpyio(t, a, b) {
			agreed++
		}
	}
	require.Equal(t, 2, agreed)
}
