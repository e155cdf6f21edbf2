package dataset

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/nets"
)

// blackPNG returns a picture of black pixels, whose file is a thousandth of the unpacked size.
func blackPNG(t testing.TB, width, height int, interlaced bool) []byte {
	t.Helper()
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, zlib.BestCompression)
	require.NoError(t, err)
	passes := [][4]int{{0, 0, 1, 1}}
	head := []byte{8, 2, 0, 0, 0}
	if interlaced {
		passes, head[4] = [][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2},
			{0, 1, 1, 2}}, 1
	}
	for _, p := range passes {
		row := make([]byte, 1+3*((width-p[0]+p[2]-1)/p[2]))
		for range (height - p[1] + p[3] - 1) / p[3] {
			_, err := z.Write(row)
			require.NoError(t, err)
		}
	}
	require.NoError(t, z.Close())
	out := bytes.NewBufferString("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		body := append([]byte(name), data...)
		out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
		out.Write(body)
		out.Write(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
	}
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(width)), uint32(height))
	chunk("IHDR", append(size, head...))
	chunk("IDAT", packed.Bytes())
	chunk("IEND", nil)
	return out.Bytes()
}

// TestPicturesThatTakeTooMuch: a small file that needs more memory than there is for decoding is an error before any
// memory is allocated.
func TestPicturesThatTakeTooMuch(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks gigabytes on one goroutine")
	}
	dir := t.TempDir()
	data := blackPNG(t, 13000, 13000, false)
	require.Less(t, len(data), 1<<20)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.png"), data, 0o666))
	set, err := Open(dir)
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = set.Image(0)
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "a.png: memory to decode it: expected at most 640 MiB for a file of")
	require.ErrorContains(t, err, "got 1128 MiB")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.png"), blackPNG(t, 500, 400, false), 0o666))
	for limit, ok := range map[int64]bool{7 * 500 * 400: true, 7*500*400 - 1: false} {
		var got error
		for b, err := range Batches(t.Context(), set, nets.CIFAR(), BatchOptions{MaxMemory: limit}) {
			if got = err; err == nil {
				b.Release()
			}
		}
		if ok {
			require.NoError(t, got)
		} else {
			require.ErrorContains(t, got, "memory to decode it: expected at most 1 MiB for a file of")
			require.ErrorContains(t, got, "got 1 MiB")
		}
	}
}

// TestBudgetIsShared: goroutines together hold no more than the limit, except for one alone, and stop waiting when
// their context ends.
func TestBudgetIsShared(t *testing.T) {
	b := newBudget(100)
	var held, most atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			n := int64(10 + 5*(i%7))
			s := newScratch(t.Context(), b)
			require.NoError(t, s.reserve(n, 0))
			now := held.Add(n)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			time.Sleep(time.Millisecond)
			held.Add(-n)
			s.done()
		})
	}
	wg.Wait()
	require.LessOrEqual(t, most.Load(), int64(100))
	require.Zero(t, b.taken)
	large := newScratch(t.Context(), b)
	require.NoError(t, large.reserve(1000, 1000), "a large file vouches for itself")
	require.ErrorContains(t, newScratch(t.Context(), b).reserve(101, 1),
		"expected at most 0 MiB for a file of 1 bytes, got 0 MiB")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, newScratch(ctx, b).reserve(1, 1), context.DeadlineExceeded)
	large.done()
	require.NoError(t, newScratch(ctx, b).reserve(1, 1))
}

// TestDecodersHearTheirContext: decoders stop within a picture when their context ends.
func TestDecodersHearTheirContext(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.png"), blackPNG(t, 5000, 5000, true), 0o666))
	set, err := Open(dir)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = imageInto(set, 0, newScratch(ctx, nil))
	require.ErrorIs(t, err, context.Canceled)
}

// TestEachFolderOnce: folders that link to each other, through which there are too many paths to walk, are read once
// in each class.
func TestEachFolderOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
	dir := t.TempDir()
	const n = 9
	name := func(i int) string { return filepath.Join(dir, string(rune('a'+i))) }
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))))
	for i := range n {
		require.NoError(t, os.Mkdir(name(i), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(name(i), "p.png"), b.Bytes(), 0o666))
		for j := range n {
			require.NoError(t, os.Symlink(name(j), filepath.Join(name(i), "to"+string(rune('a'+j)))))
		}
	}
	start := time.Now()
	set, err := Open(dir)
	require.NoError(t, err)
	require.Equal(t, n*n, set.Len(), "each of the classes has all folders")
	require.Less(t, time.Since(start), 20*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = OpenContext(ctx, dir, OpenOptions{})
	require.ErrorIs(t, err, context.Canceled)
}
