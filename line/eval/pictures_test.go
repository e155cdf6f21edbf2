package eval_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/eval"
)

// fileSet is a file of pictures of 32×32 pixels, last changed an hour ago, that counts how many of them are decoded.
type fileSet struct {
	path   string
	looked atomic.Int64
}

func newFileSet(t *testing.T) *fileSet {
	s := &fileSet{path: filepath.Join(t.TempDir(), "x.npy")}
	s.write(t, 7, 1)
	s.age(t)
	return s
}

func (s *fileSet) write(t *testing.T, n int, first uint8) {
	pix := make([]uint8, n*32*32*3)
	for i := range pix {
		pix[i] = uint8(i * i >> 3)
	}
	pix[0] = first
	require.NoError(t, npyz.WriteNpyFile(s.path, npyz.New(pix, n, 32, 32, 3)))
}

func (s *fileSet) age(t *testing.T) {
	hour := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(s.path, hour, hour))
}

// hashes opens the set and asks an extractor for its hashes. The extractor's time of making is set to an hour from
// now, so that the file counts as settled.
func (s *fileSet) hashes(t *testing.T, dir, program string) [][sha256.Size]byte {
	x := extractor(t, eval.Options{Progress: func(_ string, done, total int) {
		if done == total {
			s.looked.Add(int64(total))
		}
	}})
	x.Dir, x.Weights, x.Program = dir, "w", program
	eval.SetMade(x, time.Now().Add(time.Hour))
	set, err := dataset.Open(s.path)
	require.NoError(t, err)
	defer set.Close()
	got, err := x.Hashes(t.Context(), "s", set)
	require.NoError(t, err)
	for i, h := range got {
		img, err := set.Image(i)
		require.NoError(t, err)
		require.Equal(t, dataset.ContentHash(img), h, i)
	}
	return got
}

// TestHashesAreRemembered: pictures of an unchanged file are not decoded again, and any possible change makes them be
// decoded again.
func TestHashesAreRemembered(t *testing.T) {
	s, dir := newFileSet(t), t.TempDir()
	looks := func(want int64, why string) {
		s.looked.Store(0)
		s.hashes(t, dir, "one")
		require.Equal(t, want, s.looked.Load(), why)
	}
	looks(7, "the first time")
	looks(0, "the second time")
	s.write(t, 7, 2)
	looks(7, "another pixel")
	looks(0, "remembered again")
	if runtime.GOOS == "linux" || runtime.GOOS == "darwin" {
		s.write(t, 7, 3)
		s.age(t)
		looks(7, "another pixel, and its time set back")
	}
	s.looked.Store(0)
	s.hashes(t, dir, "two")
	require.Equal(t, int64(7), s.looked.Load(), "another program")
	looks(7, "the first program")

	path := filepath.Join(dir, "s.pictures.npz")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	x := extractor(t, eval.Options{})
	x.Dir = dir
	set, err := dataset.Open(s.path)
	require.NoError(t, err)
	defer set.Close()
	for text, want := range map[string]string{string(whole[:len(whole)/2]): "delete the file",
		"hello": "delete the file"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		_, err := x.Hashes(t.Context(), "s", set)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
	}
	require.NoError(t, npyz.WriteNpz(path, npyz.Stored, npyz.Named{Name: "program", Array: npyz.Scalar("mine")}))
	_, err = x.Hashes(t.Context(), "s", set)
	require.ErrorContains(t, err, "is not replaced")
}

// TestFilesThatMayStillChange: pictures of a file that changed a moment ago are decoded again, because a further
// change within the clock's resolution would not show.
func TestFilesThatMayStillChange(t *testing.T) {
	s, dir := newFileSet(t), t.TempDir()
	s.write(t, 7, 9)
	looked := 0
	for range 2 {
		x := extractor(t, eval.Options{Progress: func(_ string, done, total int) {
			if done == total {
				looked += total
			}
		}})
		x.Dir = dir
		set, err := dataset.Open(s.path)
		require.NoError(t, err)
		_, err = x.Hashes(t.Context(), "s", set)
		require.NoError(t, err)
		require.NoError(t, set.Close())
	}
	require.Equal(t, 14, looked)
}
