package fsfile

import (
	"archive/zip"
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestZipNames: a change of any bit of either copy of a name is noticed.
func TestZipNames(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, name := range []string{"images.npy", "a/labels.npy"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store,
			Extra: bytes.Repeat([]byte{0x46, 0x42, 1, 0, 9}, 7*i)})
		require.NoError(t, err)
		_, err = w.Write([]byte("content"))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	check := func(data []byte) error {
		r := bytes.NewReader(data)
		z, err := zip.NewReader(r, int64(len(data)))
		require.NoError(t, err)
		return CheckZipNames(r, z.File)
	}
	require.NoError(t, check(b.Bytes()))
	for _, name := range []string{"images.npy", "labels.npy"} {
		for _, at := range []int{bytes.Index(b.Bytes(), []byte(name)), bytes.LastIndex(b.Bytes(), []byte(name))} {
			for i := range len(name) {
				data := bytes.Clone(b.Bytes())
				data[at+i] ^= 1
				require.ErrorContains(t, check(data), "zip archive is damaged: a member is called ", "%s %d", name, i)
			}
		}
	}
}
