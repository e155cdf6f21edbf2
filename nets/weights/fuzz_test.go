package weights_test

import (
	"archive/zip"
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/damage"
	"github.com/line-ood/goline/nets/weights"
)

// check reads bytes and, if that succeeds, checks that the tensors can be written and read again.
func check(t *testing.T, b []byte) {
	sd, err := weights.ReadBytes(b)
	if err != nil {
		return
	}
	require.NotZero(t, sd.Len())
	for tensor := range sd.All() {
		n := 1
		for _, d := range tensor.Shape {
			n *= d
		}
		require.Equal(t, n, tensor.Len())
	}
}

// checkDamaged runs check on bytes with a defect whose zip checksums are right; seed 0 leaves the bytes as they are.
func checkDamaged(t *testing.T, b []byte, seed uint64) {
	if seed != 0 {
		b = damage.Zip(b, rand.New(rand.NewPCG(seed, 1)))
	}
	check(t, b)
}

func FuzzTorch(f *testing.F) {
	for _, name := range []string{"plain.pth", "views.pth", "integers.pth", "nested.pth.tar", "legacy.pth",
		"legacy_views.pth"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(b, uint64(0))
		f.Add(b, uint64(1))
	}
	f.Fuzz(checkDamaged)
}

// FuzzLegacy uses the input as the pickled object in a file of the legacy format with one storage.
func FuzzLegacy(f *testing.F) {
	f.Add(newPickler().dict(vector("a"), vector("b")).op(".").Bytes(), []byte("\x80\x02]X\x01\x00\x00\x000a."))
	f.Fuzz(func(t *testing.T, object, keys []byte) {
		check(t, legacy(object, keys, stored(1, 2, 3, 4)))
	})
}

// FuzzPickle uses the input as the pickle in a valid archive, whose checksums are right, unlike those that FuzzTorch
// makes.
func FuzzPickle(f *testing.F) {
	f.Add(newPickler().dict(vector("a"), vector("b")).op(".").Bytes())
	for _, name := range []string{"plain.pth", "protocol4.pth", "parameters.pth", "nested.pth.tar", "module.pth"} {
		z, err := zip.OpenReader(filepath.Join("testdata", name))
		require.NoError(f, err)
		r, err := z.File[0].Open() // the first member is the pickle
		require.NoError(f, err)
		var b bytes.Buffer
		_, err = b.ReadFrom(r)
		require.NoError(f, err)
		require.NoError(f, z.Close())
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, pkl []byte) {
		check(t, zipped(t, zip.Store, record{"archive/data.pkl", pkl}, record{"archive/data/0", floats(1, 2, 3, 4)}))
	})
}

func FuzzSafetensors(f *testing.F) {
	f.Add(samples(f)["safetensors"])
	f.Fuzz(check)
}

func FuzzNpz(f *testing.F) {
	var small bytes.Buffer
	sd := &weights.StateDict{}
	require.NoError(f, sd.Add(weights.Tensor{Name: "a.weight", Shape: []int{2, 1}, F32: []float32{1, 2}}))
	require.NoError(f, sd.Add(weights.Tensor{Name: "n", Shape: []int{}, I64: []int64{3}}))
	require.NoError(f, weights.Write(&small, weights.NPZ, sd))
	f.Add(small.Bytes(), uint64(0))
	f.Add(small.Bytes(), uint64(1))
	f.Fuzz(checkDamaged)
}
