package weights_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets/weights"
)

func drawStateDict(t *rapid.T) *weights.StateDict {
	sd := &weights.StateDict{}
	for i := range rapid.IntRange(1, 6).Draw(t, "tensors") {
		shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "shape")
		n := 1
		for _, d := range shape {
			n *= d
		}
		tensor := weights.Tensor{Name: fmt.Sprintf("layer%d.\"ü<\"/weight", i), Shape: shape}
		if rapid.Bool().Draw(t, "float") {
			tensor.F32 = make([]float32, n)
			for j := range tensor.F32 {
				tensor.F32[j] = math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
			}
		} else {
			tensor.I64 = rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "data")
		}
		require.NoError(t, sd.Add(tensor))
	}
	return sd
}

// requireSameBits compares names and tensors in order, with NaN compared by its bits.
func requireSameBits(t require.TestingT, want, got *weights.StateDict) {
	require.Equal(t, want.Names(), got.Names())
	for w := range want.All() {
		g, ok := got.Get(w.Name)
		require.True(t, ok)
		require.Equal(t, w.Shape, g.Shape, w.Name)
		require.Equal(t, w.I64, g.I64, w.Name)
		require.Len(t, g.F32, len(w.F32), w.Name)
		for i := range w.F32 {
			require.Equal(t, math.Float32bits(w.F32[i]), math.Float32bits(g.F32[i]), "%s[%d]", w.Name, i)
		}
	}
}

var writers = map[string]func(string, *weights.StateDict) error{
	"npz": weights.WriteNpz, "safetensors": weights.WriteSafetensors,
}

func TestRoundTripIsExactAndDeterministic(t *testing.T) {
	for format, write := range writers {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			rapid.Check(t, func(t *rapid.T) {
				sd := drawStateDict(t)
				one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
				require.NoError(t, write(one, sd))
				got, err := weights.Read(one)
				require.NoError(t, err)
				requireSameBits(t, sd, got)
				require.NoError(t, write(two, got))
				a, err := os.ReadFile(one)
				require.NoError(t, err)
				b, err := os.ReadFile(two)
				require.NoError(t, err)
				require.Equal(t, a, b)
			})
		})
	}
}

// TestReferenceReaderReadsOurSafetensors reads goline's files with an independent implementation of the format.
func TestReferenceReaderReadsOurSafetensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	rapid.Check(t, func(t *rapid.T) {
		sd := drawStateDict(t)
		require.NoError(t, weights.WriteSafetensors(path, sd))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		st, err := safetensors.Deserialize(b)
		require.NoError(t, err)
		require.Equal(t, sd.Len(), st.Len())
		for w := range sd.All() {
			got, ok := st.Tensor(w.Name)
			require.True(t, ok)
			require.Len(t, got.Shape(), len(w.Shape))
			var data bytes.Buffer
			a := npyz.Array{Shape: w.Shape, Data: w.F32}
			if w.I64 != nil {
				a.Data = w.I64
			}
			require.NoError(t, npyz.WriteNpy(&data, a))
			require.True(t, bytes.HasSuffix(data.Bytes(), got.Data()), w.Name)
			require.Len(t, got.Data(), data.Len()-headerSize(data.Bytes()), w.Name)
		}
	})
}

// headerSize returns the length of a version 1 npy header.
func headerSize(b []byte) int { return 10 + int(b[8]) + int(b[9])<<8 }

func TestSafetensorsMetadata(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	sd := &weights.StateDict{Metadata: map[string]string{"format": "pt", "net": "densenet", "a": "ü \"<"}}
	for _, tensor := range fixture(1) {
		require.NoError(t, sd.Add(tensor))
	}
	require.NoError(t, weights.WriteSafetensors(path, sd))
	got, err := weights.Read(path)
	require.NoError(t, err)
	require.Equal(t, sd.Metadata, got.Metadata)
	require.Equal(t, tensors(sd), tensors(got))
}

func TestSafetensorsAreAligned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	for n := range 9 { // so that names have different lengths
		name := strings.Repeat("x", n)
		sd := state(t, f32("f"+name, 1), weights.Tensor{Name: "i", Shape: []int{1}, I64: []int64{1}})
		require.NoError(t, weights.WriteSafetensors(path, sd))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Zero(t, binary.LittleEndian.Uint64(b)%8)
		require.Equal(t, append([]byte{1, 0, 0, 0, 0, 0, 0, 0}, floats(1)...), b[len(b)-12:],
			"the wider type comes first")
	}
}

// TestSafetensorsByHand reads a file that was laid out by the format's description, with every type.
func TestSafetensorsByHand(t *testing.T) {
	file := func(header string, data ...byte) []byte {
		b := append([]byte{byte(len(header)), byte(len(header) >> 8), 0, 0, 0, 0, 0, 0}, header...)
		return append(b, data...)
	}
	for _, c := range []struct {
		dtype string
		data  []byte
		want  any
	}{
		{"F64", []byte{0, 0, 0, 0, 0, 0, 0xf8, 0xbf}, float32(-1.5)},
		{"F32", []byte{0, 0, 0xc0, 0xbf}, float32(-1.5)},
		{"F16", []byte{0, 0xbe}, float32(-1.5)},
		{"BF16", []byte{0xc0, 0xbf}, float32(-1.5)},
		{"I64", []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, int64(-2)},
		{"I32", []byte{0xfe, 0xff, 0xff, 0xff}, int64(-2)},
		{"I16", []byte{0xfe, 0xff}, int64(-2)},
		{"I8", []byte{0xfe}, int64(-2)},
		{"U32", []byte{0xfe, 0xff, 0xff, 0xff}, int64(1<<32 - 2)},
		{"U16", []byte{0xfe, 0xff}, int64(1<<16 - 2)},
		{"U8", []byte{0xfe}, int64(254)},
		{"BOOL", []byte{1}, int64(1)},
	} {
		header := fmt.Sprintf(`{"a":{"dtype":%q,"shape":[1],"data_offsets":[0,%d]}}`, c.dtype, len(c.data))
		sd, err := weights.ReadBytes(file(header, c.data...))
		require.NoError(t, err, c.dtype)
		got, _ := sd.Get("a")
		if v, ok := c.want.(float32); ok {
			require.Equal(t, []float32{v}, got.F32, c.dtype)
		} else {
			require.Equal(t, []int64{c.want.(int64)}, got.I64, c.dtype)
		}
	}

	// The data is in another order than the header, and the metadata come last.
	sd, err := weights.ReadBytes(file(`{"b":{"shape":[2],"data_offsets":[1,3],"dtype":"U8"},`+
		`"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"e":{"dtype":"U8","shape":[0],"data_offsets":[3,3]},`+
		`"__metadata__":{"k":"v"}}  `, 1, 2, 3))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, sd.Metadata)
	require.Equal(t, []weights.Tensor{
		{Name: "b", Shape: []int{2}, I64: []int64{2, 3}}, {Name: "a", Shape: []int{}, I64: []int64{1}},
		{Name: "e", Shape: []int{0}, I64: []int64{}},
	}, tensors(sd))

	u8 := func(name, rest string) string { return `"` + name + `":{"dtype":"U8",` + rest + `}` }
	for name, b := range map[string][]byte{
		"nothing":         file(`{}`),
		"only metadata":   file(`{"__metadata__":{}}`),
		"bad metadata":    file(`{"__metadata__":{"a":1},`+u8("a", `"shape":[1],"data_offsets":[0,1]`)+`}`, 1),
		"not JSON":        file(`{"a":`),
		"no object":       file(`{"a":1}`, 1),
		"dtype":           file(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, 1),
		"no dtype":        file(`{"a":{"shape":[1],"data_offsets":[0,1]}}`, 1),
		"no shape":        file(`{`+u8("a", `"data_offsets":[0,1]`)+`}`, 1),
		"null shape":      file(`{`+u8("a", `"shape":null,"data_offsets":[0,1]`)+`}`, 1),
		"no offsets":      file(`{`+u8("a", `"shape":[1]`)+`}`, 1),
		"three offsets":   file(`{`+u8("a", `"shape":[1],"data_offsets":[0,1,2]`)+`}`, 1),
		"negative axis":   file(`{`+u8("a", `"shape":[-1,-1],"data_offsets":[0,1]`)+`}`, 1),
		"fraction":        file(`{`+u8("a", `"shape":[1.5],"data_offsets":[0,1]`)+`}`, 1),
		"overflow":        file(`{` + u8("a", `"shape":[4294967296,4294967296,0],"data_offsets":[0,0]`) + `}`),
		"shape too large": file(`{`+u8("a", `"shape":[2],"data_offsets":[0,1]`)+`}`, 1),
		"reversed":        file(`{`+u8("a", `"shape":[1],"data_offsets":[1,0]`)+`}`, 1),
		"gap":             file(`{`+u8("a", `"shape":[1],"data_offsets":[1,2]`)+`}`, 1, 2),
		"overlap": file(`{`+u8("a", `"shape":[1],"data_offsets":[0,1]`)+`,`+
			u8("b", `"shape":[1],"data_offsets":[0,1]`)+`}`, 1),
		"rest":        file(`{`+u8("a", `"shape":[1],"data_offsets":[0,1]`)+`}`, 1, 2),
		"cut":         file(`{`+u8("a", `"shape":[2],"data_offsets":[0,2]`)+`}`, 1),
		"claims 1 TB": file(`{`+u8("a", `"shape":[1099511627776],"data_offsets":[0,1099511627776]`)+`}`, 1),
		"twice": file(`{` + u8("a", `"shape":[0],"data_offsets":[0,0]`) + `,` + u8("a",
			`"shape":[0],"data_offsets":[0,0]`) + `}`),
		"metadata twice": file(`{"__metadata__":{},"__metadata__":{},` + u8("a", `"shape":[0],"data_offsets":[0,0]`) +
			`}`),
		"text after":     file(`{` + u8("a", `"shape":[0],"data_offsets":[0,0]`) + `} x`),
		"header too big": append([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, '{'),
		"header cut":     append([]byte{0xff, 0xff, 0, 0, 0, 0, 0, 0}, '{'),
	} {
		_, err := weights.ReadBytes(b)
		require.Error(t, err, name)
	}
}

func TestNpzFromNumpyTypes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	require.NoError(t, npyz.WriteNpz(path, npyz.Deflated,
		npyz.Named{Name: "double", Array: npyz.New([]float64{0.1, -2})},
		npyz.Named{Name: "byte", Array: npyz.New([]uint8{1, 2}, 1, 2)}))
	sd, err := weights.Read(path)
	require.NoError(t, err)
	require.Equal(t, []weights.Tensor{
		{Name: "double", Shape: []int{2}, F32: []float32{0.1, -2}},
		{Name: "byte", Shape: []int{1, 2}, I64: []int64{1, 2}},
	}, tensors(sd))

	require.NoError(t, npyz.WriteNpz(path, npyz.Stored, npyz.Named{Name: "net", Array: npyz.Scalar("densenet")}))
	_, err = weights.Read(path)
	require.ErrorContains(t, err, `tensor "net": expected elements of int64, got string`)
	require.NoError(t, npyz.WriteNpz(path, npyz.Stored, npyz.Named{Name: "w", Array: npyz.Scalar(1e300)}))
	_, err = weights.Read(path)
	require.ErrorContains(t, err, `tensor "w"`)
}

func TestWriteRefusals(t *testing.T) {
	one := weights.Tensor{Shape: []int{1}, F32: []float32{1}}
	for name, formats := range map[string][]string{
		"\xff": {"npz", "safetensors"}, "": {"npz"}, "a.npy": {"npz"}, "__metadata__": {"safetensors"},
	} {
		sd := &weights.StateDict{}
		one.Name = name
		require.NoError(t, sd.Add(one))
		for _, format := range formats {
			path := filepath.Join(t.TempDir(), "a")
			require.ErrorContains(t, writers[format](path, sd), path)
			require.NoFileExists(t, path)
		}
	}
	sd := &weights.StateDict{Metadata: map[string]string{"a": "\xff"}}
	require.Error(t, weights.WriteSafetensors(filepath.Join(t.TempDir(), "a"), sd))
}
