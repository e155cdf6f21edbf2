package npyz_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
)

func addFixtures(f *testing.F, pattern string) {
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(f, err)
		if len(b) < 1<<11 {
			f.Add(b)
		}
	}
}

// sameAgain writes an array, reads it again and checks that a second writing gives the same bytes.
func sameAgain(t *testing.T, a npyz.Array) {
	var first, second bytes.Buffer
	if err := npyz.WriteNpy(&first, a); err != nil {
		if _, text := a.Data.([]string); text {
			return // byte strings may not be valid Unicode
		}
		t.Fatal(err)
	}
	again, err := npyz.ReadNpy(bytes.NewReader(first.Bytes()))
	require.NoError(t, err)
	require.NoError(t, npyz.WriteNpy(&second, again))
	require.Equal(t, first.Bytes(), second.Bytes()) // compares NaN by bits
}

func FuzzReadNpy(f *testing.F) {
	addFixtures(f, "*.npy")
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := npyz.ReadNpy(bytes.NewReader(b))
		if err == nil {
			sameAgain(t, a)
			agreesWithNpyio(t, a, b)
		}
	})
}

func FuzzReadNpz(f *testing.F) {
	addFixtures(f, "*.npz")
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := npyz.NewReader(bytes.NewReader(b), int64(len(b)), "fuzz")
		if err != nil {
			return
		}
		for _, name := range r.Names() {
			if a, err := r.Read(name); err == nil {
				sameAgain(t, a)
			}
		}
	})
}
