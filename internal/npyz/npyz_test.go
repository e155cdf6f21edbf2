package npyz_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/npyz"
)

// drawShape draws a shape of up to four axes of length up to five. Empty axes and scalars are among them.
func drawShape(t *rapid.T) ([]int, int) {
	shape := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 4).Draw(t, "shape")
	n := 1
	for _, d := range shape {
		n *= d
	}
	return shape, n
}

func drawArray(t *rapid.T) npyz.Array {
	shape, n := drawShape(t)
	a := npyz.Array{Shape: shape}
	switch rapid.IntRange(0, 6).Draw(t, "type") {
	case 0:
		a.Data = rapid.SliceOfN(rapid.Float32(), n, n).Draw(t, "data")
	case 1:
		a.Data = rapid.SliceOfN(rapid.Float64(), n, n).Draw(t, "data")
	case 2:
		a.Data = rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "data")
	case 3:
		a.Data = rapid.SliceOfN(rapid.Int32(), n, n).Draw(t, "data")
	case 4:
		a.Data = rapid.SliceOfN(rapid.Uint8(), n, n).Draw(t, "data")
	case 5:
		a.Data = rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "data")
	default:
		text := rapid.StringN(0, 5, -1).Filter(func(s string) bool { return !strings.HasSuffix(s, "\x00") })
		a.Data = rapid.SliceOfN(text, n, n).Draw(t, "data")
	}
	return a
}

func TestNpyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawArray(t)
		var buf bytes.Buffer
		require.NoError(t, npyz.WriteNpy(&buf, want))
		buf.WriteString("next")
		got, err := npyz.ReadNpy(&buf)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, "next", buf.String(), "the reader stands behind the array")
	})
}

func TestNpyRoundTripKeepsBits(t *testing.T) {
	bits := []uint32{0, 1 << 31, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffc12345, 1}
	data := make([]float32, len(bits))
	for i, b := range bits {
		data[i] = math.Float32frombits(b)
	}
	var buf bytes.Buffer
	require.NoError(t, npyz.WriteNpy(&buf, npyz.New(data)))
	got, err := npyz.ReadNpy(&buf)
	require.NoError(t, err)
	for i, v := range got.Data.([]float32) {
		require.Equal(t, bits[i], math.Float32bits(v))
	}
}

func TestDataStartsAligned(t *testing.T) {
	for dims := range 8 {
		var buf bytes.Buffer
		shape := make([]int, dims)
		for i := range shape {
			shape[i] = 10
		}
		shape = append(shape, 0) // no data, so that only the header is written
		require.NoError(t, npyz.WriteNpy(&buf, npyz.Array{Shape: shape, Data: []float32{}}))
		require.Zero(t, buf.Len()%64)
		require.True(t, bytes.HasSuffix(buf.Bytes(), []byte("\n")))
	}
}

func TestNpyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	want := npyz.New([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	require.NoError(t, npyz.WriteNpyFile(path, want))
	got, err := npyz.ReadNpyFile(path)
	require.NoError(t, err)
	require.Equal(t, want, got)

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := range len(content) {
		require.NoError(t, os.WriteFile(path, content[:cut], 0o644))
		_, err := npyz.ReadNpyFile(path)
		require.ErrorContains(t, err, path, "cut at %d", cut)
	}
	require.NoError(t, os.WriteFile(path, content[:len(content)-1], 0o644))
	_, err = npyz.ReadNpyFile(path)
	require.ErrorContains(t, err, "expected 24 bytes, got 23")
	require.NoError(t, os.WriteFile(path, append(content, 0), 0o644))
	_, err = npyz.ReadNpyFile(path)
	require.ErrorContains(t, err, "after the array's end")

	_, err = npyz.ReadNpyFile(filepath.Dir(path))
	require.ErrorContains(t, err, "not a regular file")
	_, err = npyz.ReadNpyFile(path + "missing")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWriteRefusesBadArrays(t *testing.T) {
	for name, a := range map[string]npyz.Array{
		"too few":       npyz.New([]float32{1}, 2),
		"too many":      npyz.New([]float32{1, 2, 3}, 2),
		"negative":      npyz.New([]float32{}, -1),
		"no type":       {Shape: []int{1}},
		"complex":       {Shape: []int{1}, Data: []complex64{1}},
		"overflow":      npyz.New([]float32{}, math.MaxInt>>23, math.MaxInt>>23),
		"invalid UTF-8": npyz.New([]string{"\xff"}),
		"ends with NUL": npyz.New([]string{"a\x00"}),
		"deep":          npyz.New([]float32{1}, make([]int, 65)...),
	} {
		require.Error(t, npyz.WriteNpy(io.Discard, a), name)
		require.Error(t, npyz.NewWriter(io.Discard, npyz.Stored).Write("a", a), name)
	}
}

// header returns a version 1 npy file with the given header text.
func header(text string) []byte {
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(text)), byte(len(text)>>8))
	return append(b, text...)
}

func TestReadRefusesBadHeaders(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":             {},
		"magic":             []byte("\x93NUMPX\x01\x00\x00\x00"),
		"version":           []byte("\x93NUMPY\x04\x00\x00\x00"),
		"giant v2 header":   []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"),
		"no dictionary":     header("\n"),
		"no end":            header("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)"),
		"missing key":       header("{'descr': '<f4', 'shape': (0,)}\n"),
		"unknown key":       header("{'descr': '<f4', 'fortran_order': False, 'shape': (0,), 'x': 1}\n"),
		"key twice":         header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (0,)}\n"),
		"after":             header("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)} 1\n"),
		"negative":          header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}\n"),
		"not a tuple":       header("{'descr': '<f4', 'fortran_order': False, 'shape': (0)}\n"),
		"axis beyond int":   header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}\n"),
		"product overflow":  header("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}\n"),
		"bytes overflow":    header("{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}\n"),
		"zero width":        header("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}\n"),
		"huge width":        header("{'descr': '<U999999999', 'fortran_order': False, 'shape': (1,)}\n"),
		"boolean":           header("{'descr': '<f4', 'fortran_order': 0, 'shape': (0,)}\n"),
		"dtype":             header("{'descr': '<q9', 'fortran_order': False, 'shape': (0,)}\n"),
		"long double":       header("{'descr': '<f16', 'fortran_order': False, 'shape': (0,)}\n"),
		"complex":           header("{'descr': '<c8', 'fortran_order': False, 'shape': (0,)}\n"),
		"date":              header("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (0,)}\n"),
		"claims 4 TB":       header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}\n"),
		"claims text":       header("{'descr': '<U9', 'fortran_order': False, 'shape': (1000000000000,)}\n"),
		"cut header length": []byte("\x93NUMPY\x01\x00\x10"),
	} {
		// Both without and with a known file size.
		_, err := npyz.ReadNpy(bytes.NewReader(b))
		require.Error(t, err, name)
		path := filepath.Join(t.TempDir(), "a.npy")
		require.NoError(t, os.WriteFile(path, b, 0o644))
		_, err = npyz.ReadNpyFile(path)
		require.ErrorContains(t, err, path, name)
	}
}

func TestReadTakesOtherHeaderSpellings(t *testing.T) {
	for _, text := range []string{
		"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
		"{\"shape\":(1L,),\"descr\":\"f4\",\"fortran_order\":True}\n",
		"  { 'shape' : ( 1 , ) , 'fortran_order' : False , 'descr' : '=f4' }   \n",
	} {
		a, err := npyz.ReadNpy(bytes.NewReader(append(header(text), 0, 0, 0x80, 0x3f)))
		require.NoError(t, err, text)
		require.Equal(t, npyz.New([]float32{1}), a)
	}
}

func TestAbsurdClaimsTakeNoMemory(t *testing.T) {
	array := header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}\n")
	for name, b := range map[string][]byte{
		"elements": append(array, make([]byte, 1000)...),
		"header":   []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"),
	} {
		const reads = 20
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range reads {
			_, err := npyz.ReadNpy(bytes.NewReader(b))
			require.Error(t, err)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)/reads, uint64(1<<20), name)
	}
}

func ExampleWriteNpy() {
	var file bytes.Buffer
	if err := npyz.WriteNpy(&file, npyz.New([]float32{1, 2, 3, 4, 5, 6}, 2, 3)); err != nil {
		fmt.Println(err)
		return
	}
	a, err := npyz.ReadNpy(&file)
	fmt.Println(a.Shape, a.Data, err)
	// Output: [2 3] [1 2 3 4 5 6] <nil>
}
