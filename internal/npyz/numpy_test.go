package npyz_test

import (
	"bytes"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
)

// TestReadsEveryNumpyType compares with the formulas by which testdata/make.py has written the file.
func TestReadsEveryNumpyType(t *testing.T) {
	a, err := npyz.ReadNpz(filepath.Join("testdata", "dtypes.npz"))
	require.NoError(t, err)
	require.Len(t, a.Names(), 12*2*2)
	types := map[string]string{
		"f2": "float32", "f4": "float32", "f8": "float64", "i1": "int32", "i2": "int32", "i4": "int32", "i8": "int64",
		"u1": "uint8", "u2": "int32", "u4": "int64", "u8": "int64", "b1": "bool",
	}
	for name, array := range a.All() {
		require.Equal(t, []int{2, 3, 4}, array.Shape, name)
		require.Equal(t, types[name[:2]], array.TypeName(), name)
		var got []float64
		if name[0] == 'b' {
			whole, err := array.AsInt64()
			require.NoError(t, err)
			for _, v := range whole {
				got = append(got, float64(v))
			}
		} else {
			got, err = array.AsFloat64()
			require.NoError(t, err)
		}
		for i, v := range got {
			want := map[byte]float64{'f': float64(i) - 5.5, 'i': float64(i) - 7, 'u': float64(i)}[name[0]]
			if name[0] == 'b' && i%3 == 0 {
				want = 1
			}
			require.Equal(t, want, v, "%s[%d]", name, i)
		}
	}
}

func TestReadsNumpyText(t *testing.T) {
	a, err := npyz.ReadNpz(filepath.Join("testdata", "text.npz"))
	require.NoError(t, err)
	for name, want := range map[string]npyz.Array{
		"scalar": npyz.Scalar("densenet, über 😀"),
		"list":   npyz.New([]string{"a", "", "ccc"}),
		"table":  npyz.New([]string{"a", "bb", "ccc", "d"}, 2, 2),
		"big":    npyz.New([]string{"x", "yz"}),
		"bytes":  npyz.New([]string{"ab", "c"}),
		"number": npyz.Scalar(2.5),
		"empty":  npyz.New([]float32{}, 0, 3),
	} {
		got, err := a.Get(name)
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
}

// TestHalfPrecision checks all 65536 half-precision numbers against the definition of IEEE 754 binary16.
func TestHalfPrecision(t *testing.T) {
	b := header("{'descr': '<f2', 'fortran_order': False, 'shape': (65536,)}\n")
	for i := range 1 << 16 {
		b = append(b, byte(i), byte(i>>8))
	}
	a, err := npyz.ReadNpy(bytes.NewReader(b))
	require.NoError(t, err)
	for i, v := range a.Data.([]float32) {
		sign, exp, frac := 1-2*float64(i>>15), i>>10&31, i&1023
		switch {
		case exp == 31 && frac != 0:
			require.True(t, v != v, "half bits %#04x", i)
			require.Equal(t, uint32(frac), math.Float32bits(v)>>13&1023, "NaN payload of half bits %#04x", i)
			continue
		case exp == 31:
			require.Equal(t, float32(sign*math.Inf(1)), v)
			continue
		}
		want := math.Ldexp(float64(frac), -24)
		if exp > 0 {
			want = math.Ldexp(1+float64(frac)/1024, exp-15)
		}
		require.Equal(t, math.Float32bits(float32(math.Copysign(want, sign))), math.Float32bits(v), "half bits %#04x",
			i)
	}
}

func TestReadsEveryFormatVersion(t *testing.T) {
	for _, name := range []string{"version1.npy", "version2.npy", "version3.npy"} {
		a, err := npyz.ReadNpyFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		require.Equal(t, npyz.New([]float32{0, 1, 2, 3, 4, 5}, 2, 3), a)
	}
}

func TestReadsZip64AndBareMembers(t *testing.T) {
	a, err := npyz.ReadNpz(filepath.Join("testdata", "members.npz"))
	require.NoError(t, err)
	require.Equal(t, []string{"forced", "bare"}, a.Names())
	forced, err := a.Float64("forced", 3)
	require.NoError(t, err)
	require.Equal(t, []float64{0, 1, 2}, forced)
	bare, err := a.Ints("bare", 4)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2, 3}, bare)
}

func TestNamesUnsupportedTypes(t *testing.T) {
	for name, want := range map[string]string{
		"object.npy": "Python objects", "struct.npy": "structured", "complex.npy": "<c8",
	} {
		path := filepath.Join("testdata", name)
		_, err := npyz.ReadNpyFile(path)
		require.ErrorContains(t, err, want)
		require.True(t, strings.HasPrefix(err.Error(), "read "+path), err)
	}
}
