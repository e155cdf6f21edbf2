package dataset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestReader: images are those of the method Image, only one picture at a time is decoded where the memory suffices
// for one, and errors name their cause.
func TestReader(t *testing.T) {
	dir := t.TempDir()
	file := blackPNG(t, 50, 40, false)
	for _, name := range []string{"a.png", "b.png"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), file, 0o666))
	}
	set, err := Open(dir)
	require.NoError(t, err)
	defer set.Close()
	want, err := set.Image(1)
	require.NoError(t, err)
	const takes = 50 * 40 * (3 + 4)
	memory := NewMemory(takes)
	var under, most atomic.Int64
	use := func(img Image) error {
		most.Store(max(most.Load(), under.Add(1)))
		defer under.Add(-1)
		time.Sleep(time.Millisecond)
		require.Equal(t, want, img)
		return nil
	}
	done := make(chan error)
	for range 4 {
		go func() {
			r := memory.Reader()
			var err error
			for i := range 6 {
				if err == nil {
					err = r.Image(t.Context(), set, i%2, use)
				}
				if err == nil {
					err = r.Decode(t.Context(), file, 50*40, use)
				}
			}
			done <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-done)
	}
	require.EqualValues(t, 1, most.Load(), "there is memory for one")
	require.Zero(t, memory.budget.taken)

	own := errors.New("own")
	r := memory.Reader()
	require.Equal(t, own, r.Image(t.Context(), set, 0, func(Image) error { return own }))
	require.ErrorContains(t, r.Decode(t.Context(), file, 50*40-1, use),
		"decode picture: PNG: 50x40 pixels are above the limit of 1999 pixels")
	require.ErrorContains(t, r.Decode(t.Context(), file[:70], 50*40, use), "decode picture")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Image(ctx, set, 0, use), context.Canceled)
	require.ErrorIs(t, r.Decode(ctx, file, 50*40, use), context.Canceled)
	require.ErrorContains(t, NewMemory(100).Reader().Image(t.Context(), set, 0, use),
		"a.png: memory to decode it: expected at most")
	require.Zero(t, memory.budget.taken)
}
