package weights_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/nets/weights"
)

// samples returns a valid file of each format. All have the tensors of fixture(1).
func samples(t testing.TB) map[string][]byte {
	out := map[string][]byte{}
	for _, name := range []string{"plain.pth", "nested.pth.tar", "legacy.pth", "legacy_nested.pth.tar"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		out[name] = b
	}
	sd := state(t, fixture(1)...)
	for format, write := range writers {
		path := filepath.Join(t.TempDir(), "a")
		require.NoError(t, write(path, sd))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		out[format] = b
	}
	return out
}

func TestCutFiles(t *testing.T) {
	for name, b := range samples(t) {
		_, err := weights.ReadBytes(b)
		require.NoError(t, err, name)
		for cut := range len(b) {
			_, err := weights.ReadBytes(b[:cut])
			require.Error(t, err, "%s cut at %d", name, cut)
		}
	}
}

// TestFlippedBytes flips each byte. Zip archives have checksums: a damaged one is refused, or gives the right tensors,
// perhaps without some of them. Safetensors and the legacy format have none: any tensors are allowed, but their shapes
// must fit their data.
func TestFlippedBytes(t *testing.T) {
	want := fixture(1)
	for name, b := range samples(t) {
		for i := range b {
			for _, mask := range []byte{1, 0xff} {
				damaged := bytes.Clone(b)
				damaged[i] ^= mask
				if name == "safetensors" || strings.HasPrefix(name, "legacy") {
					check(t, damaged)
					continue
				}
				sd, err := weights.ReadBytes(damaged)
				if err != nil {
					continue
				}
				for _, w := range want {
					if got, ok := sd.Get(w.Name); ok {
						require.Equal(t, w, got, "%s, byte %d", name, i)
					}
				}
				if name != "npz" { // the names of npz arrays are in the zip directory, which has no checksum
					require.Equal(t, len(want), sd.Len(), "%s, byte %d", name, i)
				}
			}
		}
	}
}

func TestNamesForeignFormats(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	for want, head := range map[string]string{
		"empty":                 "",
		"HDF5":                  "\x89HDF\r\n\x1a\n....",
		"gzip":                  "\x1f\x8b\x08....",
		"single NumPy array":    "\x93NUMPY\x01\x00",
		"Git LFS pointer":       "version https://git-lfs.github.com/spec/v1\n",
		"web page":              "<!DOCTYPE html><html>",
		"tar archive":           string(tar),
		"plain Python pickle":   "\x80\x04}.",
		"ONNX":                  "\x08\x07\x12\x07pytorch",
		"TensorFlow Lite":       "\x1c\x00\x00\x00TFL3....",
		"unknown format":        strings.Repeat("x", 1000),
		"cut off or damaged":    "PK\x03\x04",
		"header is cut off":     "\xff\x00\x00\x00\x00\x00\x00\x00{",
		"pickle of the version": "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
		"GGUF is not supported": "GGUF\x03",
	} {
		_, err := weights.ReadBytes([]byte(head))
		require.ErrorContains(t, err, want)
	}
	_, err := weights.ReadBytes([]byte("a"))
	require.ErrorContains(t, err, "unknown format")
}
